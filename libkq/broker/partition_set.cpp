// SPDX-License-Identifier: Apache-2.0
//
// Requests and the outbox: what data requests do to partitions within one turn.
#include "broker/partition_set.hpp"

#include <algorithm>
#include <utility>

#include "broker/partition_set_state.hpp"
#include "broker/pool_job.hpp"

namespace kq {

namespace {

// How often one item of a fetch may find that an index or a header is not in memory.
constexpr int warm_ups_max = 4;

Located not_here() {
    Located located;
    located.code = Errc::not_leader_or_follower;
    return located;
}

AppendOutcome refused(Errc code, std::string message) {
    AppendOutcome outcome;
    outcome.code = code;
    outcome.message = std::move(message);
    return outcome;
}

}  // namespace

PartitionSet::PartitionSet(Loop& loop, IoPool& pool, FileSystem& files, LogDirectories& directories,
                           const TopicSettingsSource& settings, MetricRegistry& metrics,
                           Logger logger, PartitionSetOptions options)
    : loop_(loop),
      pool_(pool),
      files_(files),
      directories_(directories),
      settings_(settings),
      logger_(std::move(logger)),
      options_(options),
      directory_states_(directories.size()),
      unlink_timer_(loop),
      retention_timer_(loop),
      checkpoint_timer_(loop),
      reopen_timer_(loop),
      last_mono_(loop.clock().mono()),
      last_wall_(loop.clock().wall()),
      no_retention_before_(last_mono_),
      batches_(metrics.counter("kq_batches_appended_total", "Record batches written to logs.")),
      bytes_in_(metrics.counter("kq_bytes_appended_total", "Bytes of batches written to logs.")),
      sync_rounds_(metrics.counter("kq_sync_rounds_total", "Grouped syncs of log directories.")),
      partitions_(metrics.gauge("kq_partitions", "Partitions that this broker holds.")),
      offline_partitions_(
          metrics.gauge("kq_offline_partitions", "Partitions whose log cannot be used.")),
      missing_records_(metrics.gauge(
          "kq_partitions_missing_records",
          "Partitions in whose log records were found to be missing when it was opened.")),
      watches_gauge_(metrics.gauge("kq_watches", "Requests parked on partitions.")) {}

PartitionSet::~PartitionSet() {
    for (auto& [id, hosted] : hosted_) {
        for (auto& ticket : hosted->tickets)
            ticket->on_applied = nullptr;
    }
}

const Partition* PartitionSet::find(const TopicIdPartition& partition) const {
    loop_.assert_here();
    const auto found = by_id_.find(partition);
    return found == by_id_.end() ? nullptr : &found->second->partition;
}

PartitionSet::Hosted* PartitionSet::lookup(const TopicIdPartition& id) {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : found->second;
}

// --- Produce

void PartitionSet::append(AppendMessage message) {
    loop_.assert_here();
    auto pending = std::make_unique<PendingAppend>();
    pending->message = std::move(message);
    const AppendMessage& said = pending->message;
    pending->undecided = said.items.size();
    pending->unwritten = said.items.size();
    pending->written.resize(said.acks == -1 ? said.items.size() : 0);

    for (std::uint32_t i = 0; i < said.items.size(); ++i) {
        const AppendItem& item = said.items[i];
        Hosted* hosted = stopping_ ? nullptr : lookup(item.partition);
        if (hosted == nullptr) {
            // The image of the asking loop is a turn ahead of ours, or behind.
            settle(
                *pending, i, nullptr,
                refused(Errc::not_leader_or_follower, "this broker does not have the partition"));
            continue;
        }
        if (hosted->staged.empty()) staged_.push_back(hosted);
        hosted->staged.push_back({said.key, i, {item.batch, said.acks, said.produce_version}});
    }
    KQ_CHECK(appends_.emplace(said.key, std::move(pending)).second);
    want_outbox();
}

void PartitionSet::want_outbox() {
    if (std::exchange(outbox_wanted_, true)) return;
    loop_.at_turn_end([this] {
        loop_.assert_here();
        run_outbox();
    });
}

// Writes first, so that whoever waits sees everything that came in this turn; then tells. What is
// told may bring new requests, which ask for another outbox of the same turn.
void PartitionSet::run_outbox() {
    outbox_wanted_ = false;
    for (Hosted* hosted : std::exchange(staged_, {}))
        write_staged(*hosted);
    for (std::uint32_t i = 0; i < directory_states_.size(); ++i)
        start_sync_round(i);
    deliver_verdicts();
    while (!fired_.empty()) {
        call_all(std::exchange(fired_, {}));
        deliver_verdicts();
    }
}

void PartitionSet::write_staged(Hosted& hosted) {
    const auto staged = std::exchange(hosted.staged, {});
    std::vector<ProducedBatch> batches;
    batches.reserve(staged.size());
    for (const auto& entry : staged)
        batches.push_back(entry.batch);
    Effects effects;
    hosted.partition.step(Appended{batches, loop_.clock().wall(), &validator_}, effects);

    for (std::size_t i = 0; i < staged.size(); ++i) {
        AppendOutcome& outcome = effects.outcomes[i];
        if (outcome.code == Errc::none) {
            batches_.add();
            bytes_in_.add(staged[i].batch.bytes.size());
        }
        settle(*appends_.at(staged[i].key), staged[i].item, &hosted, std::move(outcome));
    }
    effects.outcomes.clear();
    perform(hosted, effects);
}

// Gives an item its verdict, or lets it wait until the batch is safe.
void PartitionSet::settle(PendingAppend& pending, std::uint32_t item, Hosted* hosted,
                          AppendOutcome outcome) {
    const RequestKey key = pending.message.key;
    const std::uint32_t index = pending.message.items[item].index;
    if (pending.verdicts.empty()) with_verdicts_.push_back(key);
    --pending.unwritten;

    if (outcome.code == Errc::none && outcome.safe_at.has_value() && !pending.abandoned) {
        auto watch = hosted->partition.watch(WatchKind::high_watermark, *outcome.safe_at,
                                             [this, key, item](const Status& status) {
                                                 loop_.assert_here();
                                                 on_safe(key, item, status);
                                             });
        if (watch.ok() && watch.value() != WatchId::none) {
            pending.watches.push_back({hosted->partition.id(), watch.value()});
            pending.written[item] = outcome;
            pending.verdicts.push_back({index, std::move(outcome), false});
            return;
        }
        if (!watch.ok()) outcome = refused(watch.code(), watch.error().message);
    }
    --pending.undecided;
    pending.verdicts.push_back({index, std::move(outcome), true});
}

void PartitionSet::on_safe(RequestKey key, std::uint32_t item, const Status& status) {
    const auto found = appends_.find(key);
    if (found == appends_.end()) return;
    PendingAppend& pending = *found->second;
    if (pending.verdicts.empty()) with_verdicts_.push_back(key);
    AppendOutcome outcome = std::move(pending.written[item]);
    if (!status.ok()) {
        outcome.code = status.code();
        outcome.message = status.error().message;
    }
    --pending.undecided;
    pending.verdicts.push_back({pending.message.items[item].index, std::move(outcome), true});
}

void PartitionSet::deliver_verdicts() {
    while (!with_verdicts_.empty()) {
        for (const RequestKey key : std::exchange(with_verdicts_, {})) {
            const auto found = appends_.find(key);
            if (found == appends_.end()) continue;
            auto verdicts = std::exchange(found->second->verdicts, {});
            if (found->second->undecided > 0) {
                if (!found->second->abandoned) {
                    found->second->message.on_verdicts(std::move(verdicts));
                }
                continue;
            }
            const auto over = std::move(found->second);
            appends_.erase(found);
            if (!over->abandoned) over->message.on_verdicts(std::move(verdicts));
        }
    }
}

// Does what a step asked for.
void PartitionSet::perform(Hosted& hosted, Effects& effects) {
    if (!effects.fired.empty()) {
        std::move(effects.fired.begin(), effects.fired.end(), std::back_inserter(fired_));
        effects.fired.clear();
        want_outbox();
    }
    if (!hosted.directory.has_value()) return;
    const std::uint32_t directory = *hosted.directory;
    if (effects.sync_wanted) want_sync(hosted);
    if (effects.appended) {
        schedule_flush(hosted);
        reserve_space(hosted);
    }
    if (effects.appended || effects.high_watermark_moved) note_changed(directory);
    if (effects.disk_failed.has_value()) fail_directory(directory, *effects.disk_failed);
}

// --- Fetch

void PartitionSet::locate(LocateMessage message) {
    loop_.assert_here();
    auto pending = std::make_unique<PendingLocate>();
    pending->message = std::move(message);
    pending->answers.reserve(pending->message.items.size());
    continue_locate(std::move(pending));
}

void PartitionSet::continue_locate(std::unique_ptr<PendingLocate> pending) {
    auto& items = pending->message.items;
    for (; pending->next < items.size(); ++pending->next) {
        LocateItem& item = items[pending->next];
        Hosted* hosted = lookup(item.partition);
        if (hosted == nullptr) {
            pending->answers.push_back({item.index, not_here()});
            continue;
        }
        FetchPosition position = item.position;
        const std::uint64_t left =
            pending->message.max_bytes -
            std::min<std::uint64_t>(pending->message.max_bytes, pending->bytes);
        position.max_bytes =
            static_cast<std::uint32_t>(std::min<std::uint64_t>(position.max_bytes, left));
        position.at_least_one = pending->message.at_least_one && pending->bytes == 0;
        if (item.follower != no_broker && pending->warm_ups == 0) {
            Effects effects;
            hosted->partition.step(
                FollowerFetched{item.follower, position.current_leader_epoch, position.offset},
                effects);
            perform(*hosted, effects);
        }
        Located located = hosted->partition.locate(position);
        if (located.code == Errc::would_block && pending->warm_ups < warm_ups_max) {
            ++pending->warm_ups;
            warm_up(*hosted, position.offset, std::move(pending));
            return;
        }
        if (located.code == Errc::would_block) {
            located.code = pending->damaged ? Errc::corrupt_message : Errc::kafka_storage_error;
        }
        if (located.code == Errc::corrupt_message) tell_damage(hosted->partition, position.offset);
        pending->warm_ups = 0;
        pending->damaged = false;
        pending->bytes += located.records.length;
        pending->answers.push_back({item.index, std::move(located)});
    }
    auto answers = std::move(pending->answers);
    pending->message.on_answers(std::move(answers));
}

// I28: what cannot be served is reported, though readers come back for it again and again.
void PartitionSet::tell_damage(const Partition& partition, Offset at) {
    const std::string name = partition.name().text();
    if (!damage_limiter_.allows(name, loop_.clock().mono())) return;
    logger_.error("damage in a log", {kv("partition", name), kv("offset", at)});
}

// Reads what the log misses to answer, on the pool, and goes on.
void PartitionSet::warm_up(Hosted& hosted, Offset from, std::unique_ptr<PendingLocate> pending) {
    struct Warmed {
        WarmUpJob job;
        Status status;
    };
    job_started();
    run_on_pool(
        pool_, loop_,
        [job = hosted.partition.log()->warm_up(from)]() mutable {
            Status status = job.run();
            return Warmed{std::move(job), std::move(status)};
        },
        [this, id = hosted.partition.id(), pending = std::move(pending)](Warmed warmed) mutable {
            loop_.assert_here();
            Hosted* still = lookup(id);
            if (still != nullptr && still->partition.log() != nullptr && warmed.status.ok()) {
                still->partition.log()->finish_warm_up(std::move(warmed.job));
            } else if (still != nullptr && !warmed.status.ok()) {
                logger_.error("cannot read a log", {kv("partition", still->partition.name().text()),
                                                    kv("error", warmed.status.error())});
                pending->warm_ups = warm_ups_max;  // do not try again
                pending->damaged = warmed.status.code() == Errc::corrupt_file;
            }
            continue_locate(std::move(pending));
            job_ended();
        });
}

void PartitionSet::watch(RequestKey key, const TopicIdPartition& partition, WatchKind kind,
                         Offset threshold, WatchCallback callback) {
    loop_.assert_here();
    Hosted* hosted = stopping_ ? nullptr : lookup(partition);
    const auto fire = [&](Status status) {
        loop_.assert_here();
        fired_.push_back({WatchId::none, std::move(callback), std::move(status)});
        want_outbox();
    };
    if (hosted == nullptr) {
        fire(Error(Errc::not_leader_or_follower, "this broker does not have the partition"));
        return;
    }
    if (const Errc code = hosted->partition.check_leader(no_epoch); code != Errc::none) {
        fire(Error(code));
        return;
    }
    if (hosted->partition.has_reached(kind, threshold)) {
        fire(done());
        return;
    }
    auto registered = hosted->partition.watch(
        kind, threshold, [this, key, callback = std::move(callback)](const Status& status) mutable {
            loop_.assert_here();
            const auto found = watches_.find(key);
            if (found == watches_.end()) return;  // taken back in this very outbox
            if (--found->second.live == 0) watches_.erase(found);
            callback(status);
        });
    KQ_CHECK(registered.ok() && registered.value() != WatchId::none);
    KeyedWatches& keyed = watches_[key];
    keyed.watches.push_back({partition, registered.value()});
    ++keyed.live;
}

void PartitionSet::cancel(RequestKey key) {
    loop_.assert_here();
    const auto cancel_all = [this](const std::vector<KeyedWatch>& watches) {
        loop_.assert_here();
        for (const KeyedWatch& watch : watches) {
            if (Hosted* hosted = lookup(watch.partition)) hosted->partition.cancel(watch.id);
        }
    };
    if (const auto found = watches_.find(key); found != watches_.end()) {
        cancel_all(found->second.watches);
        watches_.erase(found);
    }
    if (const auto found = appends_.find(key); found != appends_.end()) {
        // What was received is written, even if its producer hung up right after sending.
        cancel_all(found->second->watches);
        found->second->abandoned = true;
        if (found->second->unwritten == 0) appends_.erase(found);
    }
}

// --- ListOffsets

void PartitionSet::list_offset(const TopicIdPartition& partition, const OffsetLookup& query,
                               Callback<void(OffsetAnswer)> on_answer) {
    loop_.assert_here();
    OffsetAnswer answer;
    Hosted* hosted = lookup(partition);
    answer.code = hosted == nullptr ? Errc::not_leader_or_follower
                                    : hosted->partition.check_leader(query.current_leader_epoch);
    if (answer.code != Errc::none) {
        on_answer(answer);
        return;
    }
    Partition& found = hosted->partition;
    const Log& log = *found.log();
    const auto say = [&](Offset offset) {
        answer.offset = offset;
        answer.leader_epoch = log.epoch_of(offset);
        if (answer.leader_epoch == no_epoch) answer.leader_epoch = found.assignment().leader_epoch;
        on_answer(answer);
    };
    switch (query.timestamp) {
        case SpecialTimestamp::earliest:
        case SpecialTimestamp::earliest_local:
            return say(log.log_start());
        case SpecialTimestamp::latest:
            // Until the high watermark has caught up with the epoch, an old leader may have told
            // consumers of offsets that we do not show yet (I5).
            if (query.visibility != Visibility::log_end && !found.end_is_known()) {
                answer.code = Errc::offset_not_available;
                on_answer(answer);
                return;
            }
            answer.offset = found.visible_end(query.visibility);
            answer.leader_epoch = found.assignment().leader_epoch;
            on_answer(answer);
            return;
        case SpecialTimestamp::latest_tiered:
        case SpecialTimestamp::earliest_pending_upload:
            on_answer(answer);
            return;  // nothing is tiered
        case SpecialTimestamp::max_timestamp:
            return search_timestamp(partition, query, log.search_max_timestamp(),
                                    std::move(on_answer));
        default:
            return search_timestamp(partition, query,
                                    log.search_timestamp(wall_time(query.timestamp)),
                                    std::move(on_answer));
    }
}

void PartitionSet::search_timestamp(const TopicIdPartition& id, const OffsetLookup& query,
                                    TimestampSearch search,
                                    Callback<void(OffsetAnswer)> on_answer) {
    job_started();
    run_on_pool(
        pool_, loop_, [search = std::move(search)] { return search.run(); },
        [this, id, query,
         on_answer = std::move(on_answer)](Result<std::optional<TimestampOffset>> found) mutable {
            loop_.assert_here();
            OffsetAnswer answer;
            Hosted* hosted = lookup(id);
            answer.code = hosted == nullptr ? Errc::not_leader_or_follower
                                            : hosted->partition.check_leader(no_epoch);
            if (answer.code == Errc::none && !found.ok()) {
                logger_.error(
                    "cannot search a log by time",
                    {kv("partition", hosted->partition.name().text()), kv("error", found.error())});
                answer.code = Errc::kafka_storage_error;
            }
            if (answer.code == Errc::none && found.value().has_value()) {
                const TimestampOffset& hit = *found.value();
                // What a consumer cannot read yet does not exist for it.
                if (hit.offset < hosted->partition.visible_end(query.visibility)) {
                    answer.timestamp = to_ms(hit.timestamp);
                    answer.offset = hit.offset;
                    answer.leader_epoch = hit.leader_epoch;
                } else if (query.timestamp >= 0 && !hosted->partition.end_is_known()) {
                    answer.code = Errc::offset_not_available;
                }
            }
            on_answer(answer);
            job_ended();
        });
}

// --- What others ask

std::vector<PartitionSize> PartitionSet::sizes() const {
    loop_.assert_here();
    std::vector<PartitionSize> sizes;
    for (const auto& [id, hosted] : hosted_) {
        const Log* log = hosted->partition.log();
        if (log == nullptr || !hosted->directory.has_value()) continue;
        sizes.push_back(
            {*hosted->directory, hosted->partition.name(), log->size_bytes(),
             std::max<std::int64_t>(hosted->partition.high_watermark() - log->log_end(), 0)});
    }
    return sizes;
}

std::size_t PartitionSet::watch_count() const {
    loop_.assert_here();
    std::size_t count = 0;
    for (const auto& [id, hosted] : hosted_)
        count += hosted->partition.watch_count();
    return count;
}

std::size_t PartitionSet::pending_append_count() const {
    loop_.assert_here();
    return appends_.size();
}

}  // namespace kq
