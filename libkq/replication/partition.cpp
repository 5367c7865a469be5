// SPDX-License-Identifier: Apache-2.0
#include "replication/partition.hpp"

#include <algorithm>
#include <utility>

#include "base/mutant.hpp"

namespace kq {

namespace {

AppendOutcome refused(Errc code, std::string message) {
    AppendOutcome outcome;
    outcome.code = code;
    outcome.message = std::move(message);
    return outcome;
}

// What a peer is told when the log refuses: it can do nothing about our disk but go elsewhere.
Errc code_of_refusal(Errc code) {
    switch (code) {
        case Errc::io_error:
        case Errc::corrupt_file:
        case Errc::disk_full:
        case Errc::too_many_open_files:
            return Errc::kafka_storage_error;
        default:
            return code;
    }
}

// Whether Kafka looks into a batch at all: what has not this shape it refuses with the request.
bool is_one_batch(ByteView bytes) {
    return bytes.size() >= batch_header_bytes &&
           bytes[BatchAt::magic] == static_cast<std::uint8_t>(batch_magic) &&
           load_be<std::uint32_t>(bytes.data() + BatchAt::length) ==
               bytes.size() - (BatchAt::length + sizeof(std::uint32_t));
}

// Which refusals name the log's start, as Kafka's do: those of a batch that it took apart.
bool tells_log_start(Errc code, ByteView batch) {
    switch (code) {
        case Errc::message_too_large:
        case Errc::record_list_too_large:
        case Errc::corrupt_message:
        case Errc::kafka_storage_error:
        case Errc::unsupported_compression_type:
        case Errc::invalid_txn_state:
        case Errc::transaction_abortable:
            return false;
        default:
            return is_one_batch(batch);
    }
}

}  // namespace

Partition::Partition(TopicIdPartition id, TopicPartition name, BrokerId self,
                     PartitionSettings settings, Gauge* watches)
    : id_(id),
      name_(std::move(name)),
      self_(self),
      settings_(std::move(settings)),
      watches_(watches) {
    role_ = Offline{Error(Errc::not_leader_or_follower, "the log is being opened")};
}

Partition::~Partition() = default;

void Partition::step(PartitionEvent event, Effects& effects) {
    std::visit([&](auto&& held) { step(std::forward<decltype(held)>(held), effects); },
               std::move(event));
}

void Partition::step(LogOpened event, Effects& effects) {
    KQ_CHECK(std::holds_alternative<Offline>(role_));
    KQ_CHECK(event.log != nullptr);
    log_ = std::move(event.log);
    // What a crash took from the log cannot be below the high watermark, and what retention took
    // is not above it.
    high_watermark_ = std::clamp(event.high_watermark, log_->log_start(), log_->log_end());
    if (mutant(Mutant::high_watermark_back)) high_watermark_ = log_->log_start();
    log_->advance_high_watermark(high_watermark_);
    role_ = Idle{};
    take_role(effects);
}

void Partition::step(const PartitionAssignment& event, Effects& effects) {
    // A late or repeated image must not bring back what is over (I7).
    if (event.partition_epoch < assignment_.partition_epoch) return;
    if (event.leader_epoch < assignment_.leader_epoch) return;
    assignment_ = event;
    if (!std::holds_alternative<Offline>(role_)) take_role(effects);
}

// Brings the role in line with the last assignment. Requires: the log is open.
void Partition::take_role(Effects& effects) {
    const Epoch epoch = assignment_.leader_epoch;
    if (assignment_.leader == self_) {
        auto* leader = std::get_if<Leader>(&role_);
        if (leader == nullptr || leader->epoch != epoch) {
            become_leader(effects);
            return;
        }
        // The same leader, with another in-sync set.
        leader->isr = {assignment_.isr.begin(), assignment_.isr.end()};
        leader->replica_count = assignment_.replicas.size();
        advance_high_watermark(*leader, effects);
        fire_progress(effects);
        if (leader->isr.size() < min_isr(*leader)) {
            // The high watermark rests now. Producers hear that too few have their batches; fetches
            // look again, and wait on.
            watches_.fail(WatchKind::high_watermark,
                          Error(Errc::not_enough_replicas_after_append,
                                "fewer replicas are in sync than min.insync.replicas"),
                          effects.fired);
        }
        return;
    }

    const bool was_leader = std::holds_alternative<Leader>(role_);
    if (assignment_.leader == no_broker) {
        role_ = Idle{};
    } else {
        role_ = Follower{epoch, assignment_.leader};
    }
    if (was_leader) {
        stop_waiting(Error(Errc::not_leader_or_follower, "another broker leads now"), effects);
    }
}

void Partition::become_leader(Effects& effects) {
    // Who waits on the old epoch does not know what the new one keeps.
    if (std::holds_alternative<Leader>(role_)) {
        stop_waiting(Error(Errc::not_leader_or_follower, "a new leader epoch began"), effects);
    }
    log_->assign_epoch_start(assignment_.leader_epoch, log_->log_end());
    Leader leader;
    leader.epoch = assignment_.leader_epoch;
    leader.epoch_start = log_->log_end();
    leader.isr = {assignment_.isr.begin(), assignment_.isr.end()};
    leader.replica_count = assignment_.replicas.size();
    role_ = std::move(leader);
    if (mutant(Mutant::high_watermark_back)) return;
    advance_high_watermark(std::get<Leader>(role_), effects);
    fire_progress(effects);
}

void Partition::step(PartitionSettings event, Effects& effects) {
    settings_ = std::move(event);
    if (auto* leader = std::get_if<Leader>(&role_)) {
        advance_high_watermark(*leader, effects);
        fire_progress(effects);
    }
}

// min.insync.replicas asks for no more replicas than there are: a topic of one replica works
// whatever it says, as in Kafka.
std::size_t Partition::min_isr(const Leader& leader) const {
    const auto wanted = static_cast<std::size_t>(std::max(settings_.min_insync_replicas, 1));
    return std::min(wanted, std::max<std::size_t>(leader.replica_count, 1));
}

bool Partition::must_be_on_disk(const Leader& leader) const {
    switch (settings_.durability) {
        case Durability::replicated:
            return false;
        case Durability::flushed:
            return true;
        case Durability::automatic:
            return leader.isr.size() < 2;
    }
    KQ_UNREACHABLE("durability");
}

bool Partition::refuse_all(const Appended& event, Effects& effects) const {
    const auto refuse = [&](Errc code, const std::string& message) {
        for (std::size_t i = 0; i < event.batches.size(); ++i) {
            effects.outcomes.push_back(refused(code, message));
        }
    };
    if (const auto* offline = std::get_if<Offline>(&role_)) {
        refuse(offline->why.code, offline->why.message);
        return true;
    }
    if (!std::holds_alternative<Leader>(role_)) {
        refuse(Errc::not_leader_or_follower, "this broker does not lead the partition");
        return true;
    }
    return false;
}

void Partition::step(const Appended& event, Effects& effects) {
    if (refuse_all(event, effects)) return;
    auto& leader = std::get<Leader>(role_);

    // Every batch gets a verdict; the good ones are written together.
    const std::size_t first_outcome = effects.outcomes.size();
    effects.outcomes.resize(first_outcome + event.batches.size());
    std::vector<ValidatedBatch> validated(event.batches.size());
    std::vector<Bytes> rewritten;  // of batches that change their codec
    std::vector<LeaderBatch> good;
    std::vector<std::size_t> good_index;  // into event.batches
    good.reserve(event.batches.size());
    good_index.reserve(event.batches.size());
    for (std::size_t i = 0; i < event.batches.size(); ++i) {
        const ProducedBatch& produced = event.batches[i];
        AppendOutcome& outcome = effects.outcomes[first_outcome + i];
        if (produced.acks == -1 && leader.isr.size() < min_isr(leader)) {
            outcome = refused(Errc::not_enough_replicas,
                              "fewer replicas are in sync than min.insync.replicas");
            outcome.log_start = log_->log_start();
            continue;
        }
        auto bytes = accept_batch(produced, event, validated[i], rewritten, outcome);
        if (!bytes.ok()) {
            outcome.code = bytes.code();
            outcome.message = std::move(bytes).error().message;
            if (tells_log_start(outcome.code, produced.bytes)) {
                outcome.log_start = log_->log_start();
            }
            continue;
        }
        good.push_back({bytes.value(), &validated[i]});
        good_index.push_back(i);
    }
    if (!good.empty()) {
        write_batches(leader, event, good, good_index, first_outcome, effects);
    }
}

// Validates a batch and makes it what the log shall hold; the result is `produced.bytes`, changed
// in place, unless the topic asks for another codec.
Result<MutableBytes> Partition::accept_batch(const ProducedBatch& produced, const Appended& event,
                                             ValidatedBatch& validated,
                                             std::vector<Bytes>& rewritten,
                                             AppendOutcome& outcome) const {
    BatchRules rules = settings_.batch_rules;
    rules.produce_version = produced.produce_version;
    KQ_LET(validated,
           event.validator->validate(produced.bytes, rules, event.now, outcome.record_errors));
    if (produced.bytes.size() > settings_.segment_bytes) {
        return Error(Errc::record_list_too_large, "the batch is larger than segment.bytes");
    }
    if (validated.header.is_transactional()) {
        // No transaction can be open: this broker coordinates none.
        return Error(
            produced.produce_version >= 11 ? Errc::transaction_abortable : Errc::invalid_txn_state,
            "no transaction of this producer is open");
    }
    if (!validated.restamp && !validated.recompress) return produced.bytes;
    const bool is_copy = validated.recompress;
    KQ_LET(MutableBytes bytes, event.validator->rewrite(produced.bytes, validated, rules));
    if (!is_copy) return bytes;
    rewritten.push_back(to_bytes(bytes));  // the validator's buffer serves the next batch too
    return MutableBytes(rewritten.back());
}

// One write for all batches of the turn. A batch may still be refused by the producer check, which
// sees them in order, each one after those before it.
void Partition::write_batches(Leader& leader, const Appended& event,
                              const std::vector<LeaderBatch>& good,
                              const std::vector<std::size_t>& good_index, std::size_t first_outcome,
                              Effects& effects) {
    const Offset end_before = log_->log_end();
    const auto results = log_->append_as_leader(good, leader.epoch);
    KQ_CHECK(results.size() == good.size());

    const bool on_disk = must_be_on_disk(leader);
    std::optional<Error> failure;
    for (std::size_t i = 0; i < results.size(); ++i) {
        AppendOutcome& outcome = effects.outcomes[first_outcome + good_index[i]];
        if (!results[i].ok()) {
            const Error& error = results[i].error();
            outcome = refused(code_of_refusal(error.code), error.message);
            if (tells_log_start(outcome.code, good[i].bytes)) {
                outcome.log_start = log_->log_start();
            }
            failure = error;
            continue;
        }
        const AppendResult& appended = results[i].value();
        outcome.first = appended.first;
        outcome.last = appended.last;
        outcome.log_append_time = appended.log_append_time;
        outcome.log_start = log_->log_start();
        if (event.batches[good_index[i]].acks != -1) continue;
        // A duplicate waits as the first copy did: that may still be on its way to the disk.
        outcome.safe_at = appended.last + 1;
        if (on_disk) flush_through_ = std::max(flush_through_, appended.last + 1);
    }
    if (log_->failed()) {
        effects.disk_failed = failure.value_or(Error(Errc::kafka_storage_error));
        step(TakenOffline{*effects.disk_failed}, effects);
        return;
    }
    if (log_->log_end() > end_before) effects.appended = true;
    if (log_->durable_end() < flush_through_ || log_->wants_sync() ||
        log_->log_end() - log_->durable_end() >= settings_.flush_messages) {
        effects.sync_wanted = true;
    }
    advance_high_watermark(leader, effects);
    fire_progress(effects);
}

// A fetch at offset n says that the follower holds everything before n. It counts only within the
// epoch it was asked under (I6): what a follower holds of an older one may be cut off yet.
void Partition::step(const FollowerFetched& event, Effects& effects) {
    auto* leader = std::get_if<Leader>(&role_);
    if (leader == nullptr) return;
    if (event.leader_epoch != no_epoch && event.leader_epoch != leader->epoch) return;
    if (event.offset > log_->log_end()) return;
    leader->end_offsets[event.replica] = event.offset;
    advance_high_watermark(*leader, effects);
    fire_progress(effects);
}

void Partition::step(const Synced& event, Effects& effects) {
    if (log_ == nullptr) return;
    log_->finish_sync(*event.job, event.status);
    if (std::holds_alternative<Offline>(role_)) return;
    if (log_->failed()) {
        effects.disk_failed =
            event.status.ok() ? Error(Errc::kafka_storage_error) : event.status.error();
        step(TakenOffline{*effects.disk_failed}, effects);
        return;
    }
    if (auto* leader = std::get_if<Leader>(&role_)) {
        if (log_->durable_end() < flush_through_) effects.sync_wanted = true;
        advance_high_watermark(*leader, effects);
    }
    fire_progress(effects);
}

void Partition::step(LogStartAdvanced, Effects& effects) {
    if (!std::holds_alternative<Offline>(role_)) fire_progress(effects);
}

void Partition::step(const TakenOffline& event, Effects& effects) {
    Error why = event.why;
    why.code = code_of_refusal(why.code);
    stop_waiting(why, effects);
    role_ = Offline{std::move(why)};
}

// How far we count ourselves. While a batch of acks=all has to be on disk, no farther than the
// disk: consumers do not see, and producers are not told of, what a power cut could take back.
// Batches of acks=0 and 1 wait for nothing, unless they lie behind such a batch.
Offset Partition::own_position() const {
    if (mutant(Mutant::answer_before_sync)) return log_->log_end();
    const Offset durable = log_->durable_end();
    return durable >= flush_through_ ? log_->log_end() : durable;
}

// The high watermark is the smallest position in the ISR: every replica that may be elected holds
// all records below it. While we lead it never goes back (I5), and it rests while fewer replicas
// are in sync than min.insync.replicas asks for (I4, KIP-966).
void Partition::advance_high_watermark(const Leader& leader, Effects& effects) {
    if (leader.isr.size() < min_isr(leader)) return;
    Offset lowest = own_position();
    for (BrokerId replica : leader.isr) {
        if (replica == self_) continue;
        const auto known = leader.end_offsets.find(replica);
        if (known == leader.end_offsets.end()) return;  // not heard from in this epoch yet
        lowest = std::min(lowest, known->second);
    }
    if (lowest <= high_watermark_) return;
    KQ_CHECK(lowest <= log_->log_end());
    high_watermark_ = lowest;
    log_->advance_high_watermark(lowest);
    effects.high_watermark_moved = true;
}

Offset Partition::last_stable() const {
    return log_ == nullptr ? high_watermark_ : log_->last_stable_offset(high_watermark_);
}

Offset Partition::visible_end(Visibility visibility) const {
    switch (visibility) {
        case Visibility::high_watermark:
            return high_watermark_;
        case Visibility::last_stable:
            return last_stable();
        case Visibility::log_end:
            return log_ == nullptr ? high_watermark_ : log_->log_end();
    }
    KQ_UNREACHABLE("visibility");
}

void Partition::fire_progress(Effects& effects) {
    if (watches_.empty()) return;
    watches_.reached(WatchKind::high_watermark, high_watermark_, effects.fired);
    watches_.reached(WatchKind::last_stable, last_stable(), effects.fired);
    watches_.reached(WatchKind::log_end, log_->log_end(), effects.fired);
    watches_.reached(WatchKind::log_start, log_->log_start(), effects.fired);
    watches_.reached(WatchKind::durable, log_->durable_end(), effects.fired);
    watches_.changed(effects.fired);
}

void Partition::stop_waiting(const Error& why, Effects& effects) {
    watches_.fail_all(why, effects.fired);
}

bool Partition::end_is_known() const {
    const auto* leader = std::get_if<Leader>(&role_);
    return leader == nullptr || high_watermark_ >= leader->epoch_start;
}

Errc Partition::check_leader(Epoch asked) const {
    if (const auto* offline = std::get_if<Offline>(&role_)) return offline->why.code;
    if (asked != no_epoch) {
        if (asked < assignment_.leader_epoch) return Errc::fenced_leader_epoch;
        if (asked > assignment_.leader_epoch) return Errc::unknown_leader_epoch;
    }
    if (!std::holds_alternative<Leader>(role_)) return Errc::not_leader_or_follower;
    return Errc::none;
}

bool Partition::has_reached(WatchKind kind, Offset threshold) const {
    if (log_ == nullptr) return false;
    switch (kind) {
        case WatchKind::high_watermark:
            return high_watermark_ >= threshold;
        case WatchKind::log_end:
            return log_->log_end() >= threshold;
        case WatchKind::last_stable:
            return last_stable() >= threshold;
        case WatchKind::log_start:
            return log_->log_start() >= threshold;
        case WatchKind::durable:
            return log_->durable_end() >= threshold;
        case WatchKind::any_change:
            return false;
        case WatchKind::applied_metadata:
            break;
    }
    KQ_UNREACHABLE("a partition applies no metadata");
}

Result<WatchId> Partition::watch(WatchKind kind, Offset threshold, WatchCallback callback) {
    if (const auto* offline = std::get_if<Offline>(&role_)) return offline->why;
    if (has_reached(kind, threshold)) return WatchId::none;
    return watches_.add(kind, threshold, std::move(callback));
}

Located Partition::locate(const FetchPosition& position) {
    Located located;
    located.leader = assignment_.leader;
    located.leader_epoch = assignment_.leader_epoch;
    located.code = check_leader(position.current_leader_epoch);
    if (located.code != Errc::none) return located;

    if (position.last_fetched_epoch != no_epoch) {
        const EpochEnd end = log_->end_offset_of_epoch(position.last_fetched_epoch);
        if (end.epoch == no_epoch || end.end == no_offset) {
            located.code = Errc::offset_out_of_range;
            return located;
        }
        if (end.epoch < position.last_fetched_epoch || end.end < position.offset) {
            located.diverging = end;
        }
    }
    if (!located.diverging.has_value() &&
        (position.offset < log_->log_start() || position.offset > log_->log_end())) {
        located.code = Errc::offset_out_of_range;
        return located;
    }
    located.high_watermark = high_watermark_;
    located.last_stable = last_stable();
    located.log_start = log_->log_start();
    located.visible_end = visible_end(position.visibility);
    if (located.diverging.has_value() || position.offset >= located.visible_end) return located;

    auto read =
        log_->read(position.offset, position.max_bytes, located.visible_end, position.at_least_one);
    if (!read.ok()) {
        // A reader must hear of damage; KAFKA_STORAGE_ERROR would make it ask again for ever.
        located.code = read.code() == Errc::corrupt_file ? Errc::corrupt_message
                                                         : code_of_refusal(read.code());
        return located;
    }
    if (position.visibility == Visibility::last_stable && read.value().slice.length > 0) {
        located.aborted = log_->aborted_transactions(position.offset, read.value().bound);
    }
    located.records = std::move(read.value().slice);
    return located;
}

}  // namespace kq
