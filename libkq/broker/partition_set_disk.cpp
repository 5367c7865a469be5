// SPDX-License-Identifier: Apache-2.0
//
// The disk side of PartitionSet: sync rounds, checkpoints, failed directories, the end.
#include <algorithm>
#include <utility>

#include "broker/partition_set.hpp"
#include "broker/partition_set_state.hpp"
#include "broker/pool_job.hpp"

namespace kq {

namespace {

// A round is split so that several files are synced at a time; the pool bounds how many really are.
constexpr std::size_t chunks_max = 8;
constexpr Millis sync_retry_interval{1'000};

}  // namespace

// --- Sync rounds

void PartitionSet::want_sync(Hosted& hosted) {
    if (!hosted.directory.has_value() || std::exchange(hosted.sync_queued, true)) return;
    directory_states_[*hosted.directory].sync_wanted.push_back(hosted.partition.id());
    want_outbox();
}

// flush.ms: records may lie in memory only so long.
void PartitionSet::schedule_flush(Hosted& hosted) {
    const auto& after = hosted.partition.settings().flush_after;
    if (!after.has_value() || hosted.flush_timer.is_set()) return;
    hosted.flush_timer.set_after(*after, [this, id = hosted.partition.id()] {
        loop_.assert_here();
        Hosted* due = lookup(id);
        if (due != nullptr && due->partition.log() != nullptr &&
            due->partition.log()->needs_sync()) {
            want_sync(*due);
        }
    });
}

// For lack of room; at once it would be lacking again.
void PartitionSet::sync_later(Hosted& hosted) {
    hosted.flush_timer.set_after(sync_retry_interval, [this, id = hosted.partition.id()] {
        loop_.assert_here();
        Hosted* due = lookup(id);
        if (due != nullptr && due->partition.log() != nullptr) want_sync(*due);
    });
}

void PartitionSet::reserve_space(Hosted& hosted) {
    auto job = hosted.partition.log()->wants_space();
    if (!job.has_value()) return;
    job_started();
    run_on_pool(
        pool_, loop_,
        [job = std::move(*job)]() mutable {
            job.run();
            return Unit{};
        },
        [this](Unit) {
            loop_.assert_here();
            job_ended();
        });
}

// Everything that wants it is synced together; who comes while a round is under way is in the next.
void PartitionSet::start_sync_round(std::uint32_t directory) {
    DirectoryState& state = directory_states_[directory];
    if (state.syncing || state.sync_wanted.empty()) return;
    std::vector<SyncChunk::Entry> entries;
    for (const TopicIdPartition& id : std::exchange(state.sync_wanted, {})) {
        Hosted* hosted = lookup(id);
        if (hosted == nullptr) continue;
        hosted->sync_queued = false;
        Log* log = hosted->partition.log();
        if (log == nullptr || log->failed() || !state.online || !log->needs_sync()) continue;
        entries.push_back({id, log->begin_sync()});
        hosted->syncing = true;
    }
    if (entries.empty()) return;
    sync_rounds_.add();
    state.syncing = true;
    state.chunks = std::min(entries.size(), chunks_max);
    std::vector<std::shared_ptr<SyncChunk>> chunks;
    for (std::size_t i = 0; i < state.chunks; ++i) {
        chunks.push_back(std::make_shared<SyncChunk>());
        chunks.back()->directory = directory;
    }
    for (std::size_t i = 0; i < entries.size(); ++i) {
        chunks[i % chunks.size()]->entries.push_back(std::move(entries[i]));
    }
    for (auto& chunk : chunks) {
        job_started();
        pool_.submit(
            loop_,
            [chunk] {
                for (auto& entry : chunk->entries)
                    entry.status = entry.job.run();
            },
            [this, chunk] {
                loop_.assert_here();
                on_synced(chunk);
            });
    }
}

void PartitionSet::on_synced(std::shared_ptr<SyncChunk> chunk) {
    for (const auto& entry : chunk->entries) {
        Hosted* hosted = lookup(entry.partition);
        KQ_CHECK(hosted != nullptr);  // one that is dropped stays until its sync is over
        hosted->syncing = false;
        Effects effects;
        hosted->partition.step(Synced{&entry.job, entry.status}, effects);
        if (is_shortage(entry.status.code()) && std::exchange(effects.sync_wanted, false)) {
            sync_later(*hosted);
        }
        perform(*hosted, effects);
        note_changed(chunk->directory);
        if (hosted->dropped && hosted->is_left_alone()) finish_drop(*hosted);
    }
    DirectoryState& state = directory_states_[chunk->directory];
    if (--state.chunks == 0) {
        state.syncing = false;
        if (!state.sync_wanted.empty()) want_outbox();
    }
    job_ended();
}

// --- Checkpoints

void PartitionSet::note_changed(std::uint32_t directory) {
    directory_states_[directory].changed = true;
    if (checkpoint_timer_.is_set() || stopping_) return;
    checkpoint_timer_.set_after(options_.checkpoint_interval, [this] {
        loop_.assert_here();
        note_checkpoints();
    });
}

void PartitionSet::note_checkpoints() {
    for (std::uint32_t i = 0; i < directory_states_.size(); ++i) {
        if (!std::exchange(directory_states_[i].changed, false)) continue;
        directories_.note(i, options_.index, checkpoints_of(i));
    }
}

std::vector<PartitionCheckpoint> PartitionSet::checkpoints_of(std::uint32_t directory) {
    std::vector<PartitionCheckpoint> list;
    for (const auto& [id, hosted] : hosted_) {
        Log* log = hosted->partition.log();
        if (log == nullptr || hosted->directory != directory) continue;
        log->flush_indexes();
        PartitionCheckpoint entry{hosted->partition.name(), log->recovery_point(),
                                  hosted->partition.high_watermark(), std::nullopt};
        // As long as the segments below may come back, the file has to say where the log begins.
        if (hosted->retention_start.has_value()) {
            entry.log_start = hosted->retention_start;
        } else if (log->log_start() != log->first_segment_base()) {
            entry.log_start = log->log_start();
        }
        list.push_back(std::move(entry));
    }
    return list;
}

// --- Failed directories

void PartitionSet::fail_directory(std::uint32_t directory, const Error& why) {
    if (!directory_states_[directory].online) return;
    directories_.fail(directory, why);
    directory_failed(directory, why);
}

void PartitionSet::directory_failed(std::uint32_t directory, const Error& why) {
    loop_.assert_here();
    if (!std::exchange(directory_states_[directory].online, false)) return;
    for (const auto& [id, hosted] : hosted_) {
        if (hosted->directory != directory) continue;
        Effects effects;
        hosted->partition.step(TakenOffline{Error(Errc::kafka_storage_error,
                                                  "the log directory failed: " + why.message)},
                               effects);
        perform(*hosted, effects);
        note_offline(*hosted);
    }
}

void PartitionSet::note_offline(Hosted& hosted) {
    const Log* log = hosted.partition.log();
    const bool is_online =
        log != nullptr && !log->failed() && directory_states_[*hosted.directory].online;
    const bool offline = !is_online && !hosted.opening && !hosted.dropped;
    if (offline != std::exchange(hosted.counted_offline, offline)) {
        offline_partitions_.add(offline ? 1 : -1);
    }
}

void PartitionSet::note_missing(Hosted& hosted, bool missing) {
    if (missing != std::exchange(hosted.counted_missing, missing)) {
        missing_records_.add(missing ? 1 : -1);
    }
}

// --- The end

void PartitionSet::job_ended() {
    KQ_CHECK(jobs_ > 0);
    if (--jobs_ == 0 && on_stopped_ != nullptr) close_all();
}

void PartitionSet::stop(Callback<void(bool)> on_stopped) {
    loop_.assert_here();
    KQ_CHECK(!stopping_);
    stopping_ = true;
    retention_timer_.cancel();
    checkpoint_timer_.cancel();
    reopen_timer_.cancel();
    unlink_timer_.cancel();  // the next start unlinks what was set aside
    on_stopped_ = std::move(on_stopped);
    run_outbox();  // what was staged in this turn
    for (const auto& [id, hosted] : hosted_) {
        hosted->flush_timer.cancel();
        Effects effects;
        hosted->partition.step(
            TakenOffline{Error(Errc::not_leader_or_follower, "the broker is stopping")}, effects);
        perform(*hosted, effects);
    }
    want_outbox();
    // Syncs, openings and searches that are under way end first.
    job_started();
    loop_.post([this] {
        loop_.assert_here();
        job_ended();
    });
}

// Requires: no job is under way.
void PartitionSet::close_all() {
    auto on_stopped = std::exchange(on_stopped_, nullptr);
    struct Closing {
        std::vector<PartitionCheckpoint> entries;
        std::size_t left = 0;
        bool clean = true;
        Callback<void(bool)> on_stopped;
    };
    auto closing = std::make_shared<Closing>();
    closing->on_stopped = std::move(on_stopped);
    const auto over = [this, closing] {
        loop_.assert_here();
        note_checkpoints();
        hosted_.clear();
        by_id_.clear();
        partitions_.set(0);
        closing->on_stopped(closing->clean);
    };
    // By directory: the more logs a job closes, the less each of them costs.
    std::map<std::uint32_t, std::vector<std::pair<TopicIdPartition, Log*>>> by_directory;
    for (const auto& [id, hosted] : hosted_) {
        Log* log = hosted->partition.log();
        if (!hosted->directory.has_value()) continue;
        if (log == nullptr) {
            // It could not be opened, or was being opened when the end came.
            directories_.leave_unmarked(*hosted->directory);
            continue;
        }
        if (log->failed() || !directory_states_[*hosted->directory].online) {
            closing->clean = false;
            continue;
        }
        directory_states_[*hosted->directory].changed = true;
        by_directory[*hosted->directory].emplace_back(id, log);
    }
    closing->left = by_directory.size();
    if (by_directory.empty()) {
        loop_.post([this, over] {
            loop_.assert_here();
            over();
        });
        return;
    }
    for (auto& [directory, logs] : by_directory) {
        std::vector<TopicIdPartition> ids;
        std::vector<Log*> whose;
        for (const auto& [id, log] : logs) {
            ids.push_back(id);
            whose.push_back(log);
        }
        // The logs are nobody else's while they are closed: all roles are Offline, no job is under
        // way.
        run_on_pool(
            pool_, loop_,
            [&files = files_, whose = std::move(whose)] { return Log::close_clean(files, whose); },
            [this, closing, over, ids = std::move(ids)](const std::vector<Status>& closed) {
                loop_.assert_here();
                for (std::size_t i = 0; i < closed.size(); ++i) {
                    if (closed[i].ok()) continue;
                    closing->clean = false;
                    logger_.error("a log could not be closed cleanly",
                                  {kv("partition", lookup(ids[i])->partition.name().text()),
                                   kv("error", closed[i].error())});
                }
                if (--closing->left == 0) over();
            });
    }
}

}  // namespace kq
