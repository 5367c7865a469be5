// SPDX-License-Identifier: Apache-2.0
//
// PartitionSet: all partitions that are hashed to one data loop. It makes their state what the
// metadata image says, hands requests to them, and does what their steps ask for: syncs, watches,
// retention, checkpoints.
//
// shape    batches that arrive in a turn are staged and written in its outbox: one write for each
//          partition and turn; what that makes possible (answers, waiting fetches) leaves in the
//          same turn. One sync round at a time for each log directory serves everybody who waits
// owner    its data loop; other loops use the `post_…` functions, whose callbacks run on the data
//          loop and cross back by themselves
// errors   a failed write or sync takes the log directory offline: on_directory_failed
// source   docs/architecture.md, 5 "Produce", "Fetch", 7.2 to 7.5, 9
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/counters.hpp"
#include "base/io_pool.hpp"
#include "base/log.hpp"
#include "base/loop.hpp"
#include "broker/partition_requests.hpp"
#include "broker/topic_settings.hpp"
#include "metadata/metadata_delta.hpp"
#include "metadata/metadata_state.hpp"
#include "replication/partition.hpp"
#include "storage/log_directory.hpp"

namespace kq {

struct PartitionSetOptions {
    BrokerId broker;
    std::size_t index = 0;  // of this loop among the data loops
    std::size_t loops = 1;
    Millis retention_check_interval{300'000};
    Millis recovery_checkpoint_interval{60'000};
    Millis high_watermark_checkpoint_interval{5'000};
    Millis file_delete_delay{60'000};
};

// What a partition contributes to the checkpoint files of its directory.
struct PartitionCheckpoint {
    TopicPartition name;
    Offset recovery_point;
    Offset high_watermark;
    std::optional<Offset> log_start;  // only where it differs from the first segment's base
};

// How the set tells its broker what happens to directories. Called on the data loop.
class DirectoryEvents {
public:
    virtual void on_directory_failed(std::uint32_t directory, const Error& why) = 0;
    // The complete list of this set's partitions in that directory, now and then and at the end.
    virtual void on_checkpoint(std::uint32_t directory, std::size_t set,
                               std::vector<PartitionCheckpoint> partitions) = 0;

protected:
    ~DirectoryEvents() = default;
};

class PartitionSet {
public:
    // `directories` outlive the set; a set never touches another set's partitions in them.
    PartitionSet(Loop& loop, IoPool& pool, FileSystem& files,
                 const std::vector<LogDirectory*>& directories, const TopicSettings& settings,
                 DirectoryEvents& events, MetricRegistry& metrics, Logger logger,
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
    // loop is open or has failed to open, which is later than this call returns: opening blocks,
    // and is done on the pool.
    void apply(MetadataImage image, const MetadataDelta& delta, Task on_applied);

    // Stages the batches; they are written at the end of this turn.
    void append(AppendMessage message);
    Located locate(const TopicIdPartition& partition, const FetchPosition& position);
    // Calls `callback` (in an outbox of this loop) when the threshold is reached, or with an error
    // when it cannot be. Not called after cancel(key).
    void watch(RequestKey key, const TopicIdPartition& partition, WatchKind kind, Offset threshold,
               WatchCallback callback);
    void cancel(RequestKey key);
    void list_offset(const TopicIdPartition& partition, const OffsetQuery& query,
                     Callback<void(ListedOffset)> on_done);
    std::vector<PartitionSizes> sizes() const;

    // The disk under a directory failed (another set noticed): its partitions go offline.
    void directory_failed(std::uint32_t directory, const Error& why);

    // Closes every log cleanly on the pool and reports the last checkpoints, then `on_stopped`.
    // Requests that wait are failed with not_leader_or_follower first.
    void stop(Task on_stopped);

    // For tests and invariants: nothing waits (I34).
    std::size_t watch_count() const;
    const Partition* find(const TopicIdPartition& partition) const;

private:
    struct Hosted;
    struct Staged;
    struct SyncRound;

    Loop& loop_;
};

}  // namespace kq
