// SPDX-License-Identifier: Apache-2.0
//
// Reconciling: which partitions this loop has, under which role and settings, as an image says.
#include <algorithm>
#include <utility>

#include "broker/partition_set.hpp"
#include "broker/partition_set_state.hpp"
#include "broker/pool_job.hpp"

namespace kq {

namespace {

// A log that could not be opened for lack of room, or of descriptors, is tried again so often.
constexpr Millis reopen_interval{5'000};
constexpr std::size_t partitions_per_turn_max = 1'000;

PartitionAssignment assignment_of(const PartitionRegistration& partition) {
    PartitionAssignment assignment;
    assignment.leader = partition.leader;
    assignment.leader_epoch = partition.leader_epoch;
    assignment.partition_epoch = partition.partition_epoch;
    assignment.replicas = partition.replicas;
    assignment.isr = partition.isr;
    return assignment;
}

// Every log rolls a little earlier than segment.ms, each by a part of segment.jitter.ms of its own,
// so that many logs made together are not rolled together.
LogOptions log_options_for(const TopicSettings& settings, const TopicIdPartition& id) {
    LogOptions options = settings.log;
    const auto bound = static_cast<std::uint64_t>(settings.segment_jitter_max.count()) + 1;
    options.segment_jitter_ms =
        Millis{static_cast<std::int64_t>(std::hash<TopicIdPartition>{}(id) % bound)};
    return options;
}

}  // namespace

void PartitionSet::apply(const MetadataImage& image, std::shared_ptr<const MetadataDelta> delta,
                         Task on_applied) {
    loop_.assert_here();
    auto change = std::make_unique<Reconciling>();
    change->ticket = std::make_shared<Opening>(std::move(on_applied));
    if (stopping_) return;
    change->image = image;
    const auto note = [&](const TopicIdPartition& id, const std::string* topic) {
        if (owner_of(id, options_.loops) == options_.index)
            change->partitions.push_back({id, topic});
    };
    for (const auto& [topic_id, deletion] : delta->deleted_topics) {
        for (std::int32_t i = 0; i < deletion.partition_count; ++i) {
            note({topic_id, PartitionIndex{i}}, nullptr);
        }
    }
    for (const auto& [topic_id, changed] : delta->changed_topics) {
        for (const PartitionIndex index : changed.partitions)
            note({topic_id, index}, &changed.name);
    }
    change->delta = std::move(delta);
    changes_.push_back(std::move(change));
    if (changes_.size() == 1) reconcile();
}

// Some thousand partitions would hold up everybody on this loop: they are taken in over several
// turns, images one after the other.
void PartitionSet::reconcile() {
    std::size_t left = partitions_per_turn_max;
    while (!changes_.empty()) {
        Reconciling& change = *changes_.front();
        image_ = change.image;
        for (; change.next < change.partitions.size() && left > 0; ++change.next, --left) {
            reconcile(change, change.partitions[change.next]);
        }
        if (change.next < change.partitions.size()) break;
        reconfigure(*change.delta);
        changes_.pop_front();
    }
    if (!changes_.empty()) {
        job_started();
        loop_.post([this] {
            loop_.assert_here();
            if (stopping_) changes_.clear();
            reconcile();
            job_ended();
        });
    }
    // A broker without partitions is quiet.
    if (!hosted_.empty() && !retention_timer_.is_set() && !stopping_) {
        retention_timer_.set_after(options_.retention_check_interval, [this] {
            loop_.assert_here();
            check_retention();
        });
    }
}

void PartitionSet::reconcile(Reconciling& change, const PartitionChange& what) {
    const auto* partition = what.topic == nullptr ? nullptr : change.image->partition(what.id);
    if (partition == nullptr || !partition->is_replica(options_.broker)) return drop(what.id);
    if (lookup(what.id) == nullptr && change.settings_of != what.topic) {
        change.settings_of = what.topic;
        change.settings = settings_.settings_of(*change.image, *what.topic);
    }
    host(what.id, {*what.topic, what.id.partition}, *partition, change.settings, change.ticket);
}

void PartitionSet::host(const TopicIdPartition& id, const TopicPartition& name,
                        const PartitionRegistration& registration,
                        const std::optional<TopicSettings>& settings,
                        const std::shared_ptr<Opening>& ticket) {
    Hosted* hosted = lookup(id);
    if (hosted == nullptr) {
        auto made =
            std::make_unique<Hosted>(loop_, id, name, options_.broker, *settings, watches_gauge_);
        made->log_options = log_options_for(*settings, id);
        hosted = made.get();
        hosted_.emplace(id, std::move(made));
        by_id_.emplace(id, hosted);
        partitions_.set(static_cast<std::int64_t>(hosted_.size()));
        if (const Uuid* wanted = registration.directory_of(options_.broker)) {
            hosted->wanted_directory = *wanted;
        }
        hosted->tickets.push_back(ticket);
        start_opening(*hosted);
    }
    Effects effects;
    hosted->partition.step(assignment_of(registration), effects);
    perform(*hosted, effects);
}

void PartitionSet::reconfigure(const MetadataDelta& delta) {
    if (delta.changed_configs.empty()) return;
    const bool all = delta.broker_config_changed(options_.broker);
    std::string topic;  // whose settings these are: partitions of a topic lie side by side
    TopicSettings settings;
    for (const auto& [id, hosted] : hosted_) {
        const std::string& name = hosted->partition.name().topic;
        if (!all && !delta.changed_configs.contains({ConfigResourceType::topic, name})) continue;
        if (name != topic) {
            topic = name;
            settings = settings_.settings_of(*image_, topic);
        }
        hosted->log_options = log_options_for(settings, id);
        hosted->delete_delay = settings.delete_delay;
        if (Log* log = hosted->partition.log()) log->set_options(hosted->log_options);
        Effects effects;
        hosted->partition.step(settings.partition, effects);
        perform(*hosted, effects);
    }
}

// --- Opening

void PartitionSet::start_opening(Hosted& hosted) {
    hosted.opening = true;
    job_started();
    directories_.acquire(loop_, hosted.partition.name(), hosted.partition.id().topic_id,
                         hosted.wanted_directory,
                         [this, id = hosted.partition.id()](Result<LogLocation> location) {
                             loop_.assert_here();
                             on_location(id, std::move(location));
                             job_ended();
                         });
}

void PartitionSet::on_location(const TopicIdPartition& id, Result<LogLocation> location) {
    Hosted* hosted = lookup(id);
    KQ_CHECK(hosted != nullptr);  // one that is dropped stays until its opening is over
    if (!location.ok()) {
        opening_failed(*hosted, location.error());
        return;
    }
    const LogLocation& place = location.value();
    hosted->directory = place.directory;
    if (hosted->dropped) {
        opening_over(*hosted);
        return;
    }
    OpenHints hints = place.hints;
    hints.fill_lost_offsets = hosted->partition.assignment().replicas.size() == 1;
    job_started();
    run_on_pool(
        pool_, loop_,
        [&files = files_, &clock = loop_.clock(), place, hints, topic_id = id.topic_id,
         options = hosted->log_options, logger = logger_]() -> Result<std::unique_ptr<Log>> {
            const LogPlace where{place.path, topic_id, logger};
            if (!place.exists) return Log::create(files, clock, where, options);
            KQ_LET(auto log, Log::open(files, clock, where, options, hints));
            // What a reader saw before the process died must not be taken back by the power cut
            // after it: what is still in the page cache only is synced before it is shown.
            if (hints.last_stop == LastStop::process_died && log->needs_sync()) {
                SyncJob job = log->begin_sync();
                const Status synced = job.run();
                log->finish_sync(job, synced);
                KQ_TRY(synced);
            }
            return log;
        },
        [this, id, high_watermark = place.high_watermark](Result<std::unique_ptr<Log>> log) {
            loop_.assert_here();
            on_opened(id, high_watermark, std::move(log));
            job_ended();
        });
}

void PartitionSet::on_opened(const TopicIdPartition& id, Offset high_watermark,
                             Result<std::unique_ptr<Log>> log) {
    Hosted* hosted = lookup(id);
    KQ_CHECK(hosted != nullptr && hosted->directory.has_value());
    if (!log.ok()) {
        opening_failed(*hosted, log.error());
        return;
    }
    if (!hosted->dropped && directory_states_[*hosted->directory].online && !stopping_) {
        const OpenReport& report = log.value()->opened();
        if (report.scanned_bytes > 0 || report.changed() || !report.findings.empty()) {
            logger_.info("log recovered", {kv("partition", hosted->partition.name().text()),
                                           kv("scanned_bytes", report.scanned_bytes),
                                           kv("cut_bytes", report.cut_bytes),
                                           kv("removed_segments", report.removed_segments),
                                           kv("log_end", log.value()->log_end())});
        }
        note_missing(*hosted, report.records_missing);
        hosted->retry_opening = false;
        log.value()->set_options(hosted->log_options);
        Effects effects;
        hosted->partition.step(LogOpened{std::move(log).value(), high_watermark}, effects);
        perform(*hosted, effects);
        note_changed(*hosted->directory);
    }
    opening_over(*hosted);
}

void PartitionSet::opening_failed(Hosted& hosted, const Error& why) {
    // Of what is tried again it was said before; of what fails together, once is enough.
    if (!hosted.retry_opening && (why.code != Errc::too_many_open_files ||
                                  damage_limiter_.allows("no descriptor", loop_.clock().mono()))) {
        logger_.error("a log cannot be opened",
                      {kv("partition", hosted.partition.name().text()), kv("error", why)});
    }
    Effects effects;
    hosted.partition.step(TakenOffline{Error(Errc::kafka_storage_error, why.message)}, effects);
    perform(hosted, effects);
    if (why.code == Errc::io_error && hosted.directory.has_value()) {
        fail_directory(*hosted.directory, why);
    }
    if (is_shortage(why.code) && !reopen_timer_.is_set() && !stopping_) {
        reopen_timer_.set_after(reopen_interval, [this] {
            loop_.assert_here();
            for (const auto& [id, candidate] : hosted_) {
                if (candidate->partition.log() != nullptr || candidate->opening) continue;
                if (candidate->retry_opening) start_opening(*candidate);
            }
        });
    }
    hosted.retry_opening = is_shortage(why.code);
    opening_over(hosted);
}

void PartitionSet::opening_over(Hosted& hosted) {
    hosted.opening = false;
    note_offline(hosted);
    hosted.tickets.clear();
    if (hosted.dropped && hosted.is_left_alone()) finish_drop(hosted);
}

// The partition was deleted, or moved to other brokers. Who waits is told at once; the files go
// when no job works on them any more.
void PartitionSet::drop(const TopicIdPartition& id) {
    Hosted* hosted = lookup(id);
    if (hosted == nullptr) return;
    hosted->dropped = true;
    note_offline(*hosted);
    note_missing(*hosted, false);
    Effects effects;
    hosted->partition.step(
        TakenOffline{Error(Errc::unknown_topic_or_partition, "the partition was deleted")},
        effects);
    perform(*hosted, effects);
    if (hosted->is_left_alone()) finish_drop(*hosted);
}

void PartitionSet::finish_drop(Hosted& hosted) {
    const TopicIdPartition id = hosted.partition.id();
    if (!hosted.staged.empty()) {
        std::erase(staged_, &hosted);
        write_staged(hosted);  // refused, by its role
        want_outbox();
    }
    if (hosted.directory.has_value()) {
        directories_.remove(*hosted.directory, hosted.partition.name(), id.topic_id,
                            hosted.delete_delay);
        note_changed(*hosted.directory);
    }
    by_id_.erase(id);
    hosted_.erase(id);
    partitions_.set(static_cast<std::int64_t>(hosted_.size()));
}

}  // namespace kq
