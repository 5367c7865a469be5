// SPDX-License-Identifier: Apache-2.0
//
// PartitionSet: all partitions that are hashed to one data loop. It makes their state what the
// metadata image says, hands requests to them, and does what their steps ask for: syncs, watches,
// retention, checkpoints.
//
// shape    batches that arrive in a turn are staged and written in its outbox, one write for each
//          partition and turn; what that makes possible (answers, waiting fetches) leaves in the
//          same turn. One sync round at a time for each log directory serves everybody who waits
// owner    its data loop: every function is called there
// errors   a failed write or sync takes the log directory offline (LogDirectories::fail)
// source   docs/architecture.md, 5 "Produce", "Fetch", 7.2 to 7.5, 9
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/counters.hpp"
#include "base/io_pool.hpp"
#include "base/log.hpp"
#include "base/log_limiter.hpp"
#include "base/loop.hpp"
#include "broker/log_directories.hpp"
#include "broker/partition_requests.hpp"
#include "broker/topic_settings.hpp"
#include "metadata/metadata_delta.hpp"
#include "metadata/metadata_state.hpp"
#include "replication/partition.hpp"

namespace kq {

struct PartitionSetOptions {
    BrokerId broker;
    std::size_t index = 0;  // of this loop among the data loops
    std::size_t loops = 1;
    Millis retention_check_interval{300'000};  // log.retention.check.interval.ms
    Millis checkpoint_interval{5'000};         // replica.high.watermark.checkpoint.interval.ms
};

class PartitionSet {
public:
    PartitionSet(Loop& loop, IoPool& pool, FileSystem& files, LogDirectories& directories,
                 const TopicSettingsSource& settings, MetricRegistry& metrics, Logger logger,
                 PartitionSetOptions options);
    ~PartitionSet();
    PartitionSet(const PartitionSet&) = delete;
    PartitionSet& operator=(const PartitionSet&) = delete;

    Loop& loop() const { return loop_; }

    // Which of `loops` data loops owns a partition; fixed while the process runs.
    static std::size_t owner_of(const TopicIdPartition& partition, std::size_t loops) {
        return std::hash<TopicIdPartition>{}(partition) % loops;
    }

    // Reconciles with an image. `on_applied` runs when every partition that `delta` gave to this
    // loop is open or has failed to open: opening blocks, and is done on the pool.
    void apply(const MetadataImage& image, std::shared_ptr<const MetadataDelta> delta,
               Task on_applied);

    // Stages the batches; they are written at the end of this turn.
    void append(AppendMessage message);
    void locate(LocateMessage message);
    // Calls `callback` (in an outbox of this loop) when the threshold is reached, or with an error
    // when it cannot be. Not called after cancel(key).
    void watch(RequestKey key, const TopicIdPartition& partition, WatchKind kind, Offset threshold,
               WatchCallback callback);
    // Takes back all watches and undecided batches of a request.
    void cancel(RequestKey key);
    void list_offset(const TopicIdPartition& partition, const OffsetLookup& query,
                     Callback<void(OffsetAnswer)> on_answer);
    std::vector<PartitionSize> sizes() const;

    // The disk under a directory failed: its partitions go offline.
    void directory_failed(std::uint32_t directory, const Error& why);

    // Fails what waits, closes every log cleanly on the pool, notes the last checkpoints.
    // `on_stopped(clean)` tells whether all of them could be closed.
    void stop(Callback<void(bool clean)> on_stopped);

    // For tests and the simulator's invariants.
    std::size_t watch_count() const;
    std::size_t pending_append_count() const;
    const Partition* find(const TopicIdPartition& partition) const;

private:
    struct Hosted;
    struct PendingAppend;
    struct PendingLocate;
    struct SyncChunk;
    struct Opening;
    struct Reconciling;
    struct PartitionChange {
        TopicIdPartition id;
        const std::string* topic = nullptr;  // null: it was deleted
    };

    // --- reconciling (partition_set_apply.cpp)
    void reconcile() KQ_ON(loop_);
    void reconcile(Reconciling& change, const PartitionChange& what) KQ_ON(loop_);
    // `settings` are there where the partition is new.
    void host(const TopicIdPartition& id, const TopicPartition& name,
              const PartitionRegistration& registration,
              const std::optional<TopicSettings>& settings, const std::shared_ptr<Opening>& ticket)
        KQ_ON(loop_);
    void reconfigure(const MetadataDelta& delta) KQ_ON(loop_);
    void start_opening(Hosted& hosted) KQ_ON(loop_);
    void on_location(const TopicIdPartition& id, Result<LogLocation> location) KQ_ON(loop_);
    void on_opened(const TopicIdPartition& id, Offset high_watermark,
                   Result<std::unique_ptr<Log>> log) KQ_ON(loop_);
    void opening_failed(Hosted& hosted, const Error& why) KQ_ON(loop_);
    void opening_over(Hosted& hosted) KQ_ON(loop_);
    void drop(const TopicIdPartition& id) KQ_ON(loop_);
    void finish_drop(Hosted& hosted) KQ_ON(loop_);

    // --- requests and the outbox (partition_set.cpp)
    Hosted* lookup(const TopicIdPartition& id) KQ_ON(loop_);
    void want_outbox() KQ_ON(loop_);
    void run_outbox() KQ_ON(loop_);
    void write_staged(Hosted& hosted) KQ_ON(loop_);
    void settle(PendingAppend& pending, std::uint32_t item, Hosted* hosted, AppendOutcome outcome)
        KQ_ON(loop_);
    void on_safe(RequestKey key, std::uint32_t item, const Status& status) KQ_ON(loop_);
    void perform(Hosted& hosted, Effects& effects) KQ_ON(loop_);
    void deliver_verdicts() KQ_ON(loop_);
    void continue_locate(std::unique_ptr<PendingLocate> pending) KQ_ON(loop_);
    void tell_damage(const Partition& partition, Offset at) KQ_ON(loop_);
    void warm_up(Hosted& hosted, Offset from, std::unique_ptr<PendingLocate> pending) KQ_ON(loop_);
    void search_timestamp(const TopicIdPartition& id, const OffsetLookup& query,
                          TimestampSearch search, Callback<void(OffsetAnswer)> on_answer)
        KQ_ON(loop_);

    // --- the disk (partition_set_disk.cpp)
    void want_sync(Hosted& hosted) KQ_ON(loop_);
    void schedule_flush(Hosted& hosted) KQ_ON(loop_);
    void sync_later(Hosted& hosted) KQ_ON(loop_);
    void reserve_space(Hosted& hosted) KQ_ON(loop_);
    void start_sync_round(std::uint32_t directory) KQ_ON(loop_);
    void on_synced(std::shared_ptr<SyncChunk> chunk) KQ_ON(loop_);
    void note_changed(std::uint32_t directory) KQ_ON(loop_);
    void note_checkpoints() KQ_ON(loop_);
    std::vector<PartitionCheckpoint> checkpoints_of(std::uint32_t directory) KQ_ON(loop_);
    void fail_directory(std::uint32_t directory, const Error& why) KQ_ON(loop_);
    void note_offline(Hosted& hosted) KQ_ON(loop_);
    void note_missing(Hosted& hosted, bool missing) KQ_ON(loop_);

    // --- retention (partition_set_retention.cpp)
    void check_retention() KQ_ON(loop_);
    bool clock_is_steady() KQ_ON(loop_);
    void find_ages(Hosted& hosted, AgeJob job) KQ_ON(loop_);
    void persist_log_starts(std::uint32_t directory, std::vector<TopicIdPartition> shortened)
        KQ_ON(loop_);
    void delete_segments(Hosted& hosted) KQ_ON(loop_);
    void set_aside(const TopicIdPartition& id, DeleteJob job) KQ_ON(loop_);
    void on_set_aside(const TopicIdPartition& id, DeleteJob job, const Status& renamed)
        KQ_ON(loop_);
    void unlink_due() KQ_ON(loop_);

    // --- the end (partition_set_disk.cpp)
    void job_started() KQ_ON(loop_) { ++jobs_; }
    void job_ended() KQ_ON(loop_);
    void close_all() KQ_ON(loop_);

    struct DirectoryState {
        bool online = true;
        bool syncing = false;
        std::size_t chunks = 0;                     // of the round under way
        std::vector<TopicIdPartition> sync_wanted;  // for the next round, in order
        bool changed = false;                       // since the last note
    };
    struct KeyedWatch {
        TopicIdPartition partition;
        WatchId id;
    };
    struct KeyedWatches {
        std::vector<KeyedWatch> watches;
        std::size_t live = 0;
    };

    Loop& loop_;
    IoPool& pool_;
    FileSystem& files_;
    LogDirectories& directories_;
    const TopicSettingsSource& settings_;
    Logger logger_;
    const PartitionSetOptions options_;

    std::map<TopicIdPartition, std::unique_ptr<Hosted>> hosted_ KQ_OWNED_BY(loop_);
    std::unordered_map<TopicIdPartition, Hosted*> by_id_ KQ_OWNED_BY(loop_);
    std::vector<DirectoryState> directory_states_ KQ_OWNED_BY(loop_);
    MetadataImage image_ KQ_OWNED_BY(loop_);
    std::deque<std::unique_ptr<Reconciling>> changes_ KQ_OWNED_BY(loop_);  // images under way

    BatchValidator validator_ KQ_OWNED_BY(loop_);

    // Of this turn.
    bool outbox_wanted_ KQ_OWNED_BY(loop_) = false;
    std::vector<Hosted*> staged_ KQ_OWNED_BY(loop_);
    std::vector<FiredWatch> fired_ KQ_OWNED_BY(loop_);
    std::vector<RequestKey> with_verdicts_ KQ_OWNED_BY(loop_);

    std::unordered_map<RequestKey, std::unique_ptr<PendingAppend>> appends_ KQ_OWNED_BY(loop_);
    std::unordered_map<RequestKey, KeyedWatches> watches_ KQ_OWNED_BY(loop_);

    struct SetAside {
        TopicIdPartition partition;
        DeleteJob job;
    };
    std::multimap<MonoTime, SetAside> set_aside_
        KQ_OWNED_BY(loop_);  // by when they may be unlinked
    Timer unlink_timer_ KQ_OWNED_BY(loop_);
    Timer retention_timer_ KQ_OWNED_BY(loop_);
    Timer checkpoint_timer_ KQ_OWNED_BY(loop_);
    Timer reopen_timer_ KQ_OWNED_BY(loop_);
    MonoTime last_mono_ KQ_OWNED_BY(loop_);
    WallTime last_wall_ KQ_OWNED_BY(loop_);
    MonoTime no_retention_before_ KQ_OWNED_BY(loop_);
    LogLimiter damage_limiter_ KQ_OWNED_BY(loop_);
    std::size_t jobs_ KQ_OWNED_BY(loop_) = 0;  // on the pool or at the keeper of the directories
    bool stopping_ KQ_OWNED_BY(loop_) = false;
    bool closed_clean_ KQ_OWNED_BY(loop_) = true;
    Callback<void(bool)> on_stopped_ KQ_OWNED_BY(loop_);

    Counter& batches_;
    Counter& bytes_in_;
    Counter& sync_rounds_;
    Gauge& partitions_;
    Gauge& offline_partitions_;
    Gauge& missing_records_;
    Gauge& watches_gauge_;
};

}  // namespace kq
