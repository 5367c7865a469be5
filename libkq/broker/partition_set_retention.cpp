// SPDX-License-Identifier: Apache-2.0
//
// Retention of PartitionSet: which segments go, and in which steps: the new log start becomes
// durable, readers see it, the files are renamed, and unlinked after file.delete.delay.ms. In this
// order a log start that somebody saw never goes back (I5), whenever the power fails.
#include <map>
#include <utility>

#include "broker/partition_set.hpp"
#include "broker/partition_set_state.hpp"
#include "broker/pool_job.hpp"

namespace kq {

namespace {

// How far the wall clock may run apart from the other one between two looks before it has jumped,
// and how long nothing is deleted by time after that (I36).
constexpr Millis clock_drift_max{60'000};
constexpr Millis no_deletion_after_jump{3'600'000};
// After a lack of descriptors.
constexpr Millis set_aside_again_interval{5'000};

}  // namespace

// A wall clock that jumps must not delete anything (I36): after a jump that we see, time counts for
// nothing for a while.
bool PartitionSet::clock_is_steady() {
    const MonoTime mono = loop_.clock().mono();
    const WallTime wall = loop_.clock().wall();
    const auto passed = std::chrono::duration_cast<Millis>(mono - std::exchange(last_mono_, mono));
    const Millis walked = wall - std::exchange(last_wall_, wall);
    const Millis drift = walked > passed ? walked - passed : passed - walked;
    if (drift > clock_drift_max) {
        no_retention_before_ = mono + no_deletion_after_jump;
        logger_.warn("the wall clock jumped; nothing is deleted by time for an hour",
                     {kv("jump", std::chrono::nanoseconds(walked - passed))});
    }
    return mono >= no_retention_before_;
}

void PartitionSet::check_retention() {
    const bool steady = clock_is_steady();
    const WallTime now = loop_.clock().wall();
    std::map<std::uint32_t, std::vector<TopicIdPartition>> shortened;  // by directory
    for (const auto& [id, hosted] : hosted_) {
        Log* log = hosted->partition.log();
        if (log == nullptr || std::holds_alternative<Offline>(hosted->partition.role())) continue;
        if (!steady || hosted->retention_start.has_value()) continue;
        log->expire_producers();
        if (auto ages = log->wants_ages(now)) find_ages(*hosted, std::move(*ages));
        const Offset start = log->start_after_retention(now, hosted->partition.high_watermark());
        if (start <= log->first_segment_base()) continue;
        hosted->retention_start = std::max(start, log->log_start());
        shortened[*hosted->directory].push_back(id);
    }
    for (auto& [directory, ids] : shortened)
        persist_log_starts(directory, std::move(ids));
    retention_timer_.set_after(options_.retention_check_interval, [this] {
        loop_.assert_here();
        check_retention();
    });
}

// What the job does not find out keeps its segments; the next look asks again.
void PartitionSet::find_ages(Hosted& hosted, AgeJob job) {
    struct Found {
        AgeJob job;
        Status status;
    };
    job_started();
    run_on_pool(
        pool_, loop_,
        [job = std::move(job)]() mutable {
            Status status = job.run();
            return Found{std::move(job), std::move(status)};
        },
        [this, id = hosted.partition.id()](const Found& found) {
            loop_.assert_here();
            Hosted* still = lookup(id);
            Log* log = still == nullptr ? nullptr : still->partition.log();
            if (log != nullptr) log->finish_ages(found.job);
            if (log != nullptr && !found.status.ok()) {
                logger_.error("cannot tell how old a segment is",
                              {kv("partition", still->partition.name().text()),
                               kv("error", found.status.error())});
            }
            job_ended();
        });
}

void PartitionSet::persist_log_starts(std::uint32_t directory,
                                      std::vector<TopicIdPartition> shortened) {
    job_started();
    directories_.note(directory, options_.index, checkpoints_of(directory), loop_,
                      [this, shortened = std::move(shortened)](const Status& written) {
                          loop_.assert_here();
                          // Without room deletions go on, for they are what makes room.
                          const bool go_on = written.ok() || is_shortage(written.code());
                          for (const TopicIdPartition& id : shortened) {
                              Hosted* hosted = lookup(id);
                              if (hosted == nullptr || !go_on || stopping_) continue;
                              delete_segments(*hosted);
                          }
                          job_ended();
                      });
}

void PartitionSet::delete_segments(Hosted& hosted) {
    Log* log = hosted.partition.log();
    if (log == nullptr || std::holds_alternative<Offline>(hosted.partition.role())) return;
    const Offset start_before = log->log_start();
    DeleteJob job = log->delete_segments_before(*hosted.retention_start);
    logger_.info("old segments deleted",
                 {kv("partition", hosted.partition.name().text()), kv("bytes", job.bytes()),
                  kv("log_start_before", start_before), kv("log_start", job.log_start())});
    Effects effects;
    hosted.partition.step(LogStartAdvanced{}, effects);
    perform(hosted, effects);
    hosted.setting_aside = true;
    set_aside(hosted.partition.id(), std::move(job));
}

void PartitionSet::set_aside(const TopicIdPartition& id, DeleteJob job) {
    job_started();
    struct Renamed {
        DeleteJob job;
        Status status;
    };
    run_on_pool(
        pool_, loop_,
        [job = std::move(job)]() mutable {
            Status status = job.set_aside();
            return Renamed{std::move(job), std::move(status)};
        },
        [this, id](Renamed renamed) {
            loop_.assert_here();
            on_set_aside(id, std::move(renamed.job), renamed.status);
            job_ended();
        });
}

void PartitionSet::on_set_aside(const TopicIdPartition& id, DeleteJob job, const Status& renamed) {
    Hosted* hosted = lookup(id);
    KQ_CHECK(hosted != nullptr);  // one that is dropped stays until its files are left alone
    if (is_shortage(renamed.code()) && !stopping_) {
        // Renaming again what was renamed does no harm.
        loop_.after(set_aside_again_interval, [this, id, job = std::move(job)]() mutable {
            loop_.assert_here();
            if (!stopping_) set_aside(id, std::move(job));
        });
        return;
    }
    hosted->setting_aside = false;
    if (!renamed.ok() && !is_shortage(renamed.code())) {
        // The checkpoint file goes on saying where the log begins.
        fail_directory(*hosted->directory, renamed.error());
    } else if (renamed.ok()) {
        hosted->retention_start.reset();
        note_changed(*hosted->directory);
        if (!stopping_ && !hosted->dropped) {
            set_aside_.emplace(loop_.clock().mono() + hosted->delete_delay,
                               SetAside{id, std::move(job)});
            unlink_due();
        }
    }
    if (hosted->dropped && hosted->is_left_alone()) finish_drop(*hosted);
}

// Unlinks what has waited long enough, and comes back for the rest.
void PartitionSet::unlink_due() {
    const MonoTime now = loop_.clock().mono();
    while (!set_aside_.empty() && set_aside_.begin()->first <= now) {
        SetAside due = std::move(set_aside_.extract(set_aside_.begin()).mapped());
        // A dropped partition's files have left with its directory.
        if (lookup(due.partition) == nullptr) continue;
        job_started();
        run_on_pool(
            pool_, loop_, [job = std::move(due.job)]() mutable { return job.unlink_set_aside(); },
            [this, id = due.partition](const Status& removed) {
                loop_.assert_here();
                Hosted* still = lookup(id);
                if (!removed.ok() && still != nullptr) {
                    fail_directory(*still->directory, removed.error());
                }
                job_ended();
            });
    }
    if (set_aside_.empty()) return;
    unlink_timer_.set_after(set_aside_.begin()->first - now, [this] {
        loop_.assert_here();
        unlink_due();
    });
}

}  // namespace kq
