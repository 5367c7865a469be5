// SPDX-License-Identifier: Apache-2.0
//
// The insides of PartitionSet, shared by its sources only.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "broker/partition_set.hpp"

namespace kq {

// Runs on_applied once everything it counts is over.
struct PartitionSet::Opening {
    explicit Opening(Task task) : on_applied(std::move(task)) {}
    ~Opening() {
        if (on_applied != nullptr) on_applied();
    }
    Task on_applied;
};

// An image, and how far it is taken in.
struct PartitionSet::Reconciling {
    MetadataImage image;
    std::shared_ptr<const MetadataDelta> delta;  // keeps the names that `partitions` point to
    std::vector<PartitionChange> partitions;     // of this loop
    std::size_t next = 0;                        // of them
    std::shared_ptr<Opening> ticket;
    const std::string* settings_of = nullptr;  // the same for all partitions of a topic
    std::optional<TopicSettings> settings;
};

struct PartitionSet::Hosted {
    Hosted(Loop& loop, TopicIdPartition id, TopicPartition name, BrokerId self,
           const TopicSettings& settings, Gauge& watches)
        : partition(id, std::move(name), self, settings.partition, &watches),
          log_options(settings.log),
          delete_delay(settings.delete_delay),
          flush_timer(loop) {}

    Partition partition;
    LogOptions log_options;
    Millis delete_delay;
    Uuid wanted_directory;                   // as the metadata says; zero: any
    std::optional<std::uint32_t> directory;  // once it has a place
    bool opening = false;
    bool retry_opening = false;                     // it failed for lack of room
    bool counted_offline = false;                   // in the gauge
    bool counted_missing = false;                   // in the other
    bool dropped = false;                           // it went away while it was being opened
    bool sync_queued = false;                       // in DirectoryState::sync_wanted
    bool syncing = false;                           // in the round under way
    bool setting_aside = false;                     // segments are being renamed
    std::optional<Offset> retention_start;          // where the log is about to begin
    std::vector<std::shared_ptr<Opening>> tickets;  // who waits for the opening

    // No job works on its files.
    bool is_left_alone() const { return !opening && !syncing && !setting_aside; }

    struct StagedBatch {
        RequestKey key;
        std::uint32_t item;  // of the message
        ProducedBatch batch;
    };
    std::vector<StagedBatch> staged;  // of this turn, in order of arrival
    Timer flush_timer;                // flush.ms
};

// A message whose batches have not all got their last verdict.
struct PartitionSet::PendingAppend {
    AppendMessage message;
    std::size_t undecided = 0;
    std::size_t unwritten = 0;
    bool abandoned = false;               // nobody waits for the verdicts any more
    std::vector<AppendOutcome> written;   // by item: what an acks=all batch got when it was written
    std::vector<AppendVerdict> verdicts;  // to be delivered in this outbox
    std::vector<KeyedWatch> watches;
};

struct PartitionSet::PendingLocate {
    LocateMessage message;
    std::vector<LocateAnswer> answers;  // of items before `next`
    std::size_t next = 0;
    std::uint64_t bytes = 0;
    int warm_ups = 0;      // of the item at `next`
    bool damaged = false;  // it is on the disk, and cannot be read
};

// Some of the files of a sync round: what one pool job syncs.
struct PartitionSet::SyncChunk {
    std::uint32_t directory = 0;
    struct Entry {
        TopicIdPartition partition;
        SyncJob job;
        Status status = done();
    };
    std::vector<Entry> entries;
};

}  // namespace kq
