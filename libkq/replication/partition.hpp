// SPDX-License-Identifier: Apache-2.0
//
// Partition: one replica of a partition: its log, and the role that the metadata image gave it. A
// state machine: step(event) changes it and says what is to be done, and nothing else changes it.
//
// shape    log start <= last stable <= high watermark <= log end (L3); the role says who leads
// owner    the loop that the partition is hashed to (broker/partition_set); no locks inside
// errors   of appends and reads: Kafka's codes, see AppendOutcome and Located. A failed write is
//          kafka_storage_error and Effects::disk_failed: the log directory goes offline
// source   docs/architecture.md, 8.1 "Partition"; KIP-101, KIP-320, KIP-497, KIP-679
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "replication/partition_types.hpp"

namespace kq {

// What a replica is, as long as one leader epoch lasts. Each role holds what that role knows and
// nothing else, so a follower cannot have an ISR and a leader cannot have a leader.
//
//   Offline  -> Idle                  the log was opened
//   Idle     -> Follower | Leader     the image says so
//   Follower -> Leader | Follower     only to a higher epoch
//   Leader   -> Follower | Leader     only to a higher epoch (within one: only another ISR)
//   any      -> Idle                  the image knows no leader any more
//   any      -> Offline               the disk failed, the replica moved away or was deleted
struct Offline {
    Error why{Errc::kafka_storage_error, "the log is not open yet"};
};
struct Idle {};
struct Follower {
    Epoch epoch;
    BrokerId leader;
};
struct Leader {
    Epoch epoch;
    Offset epoch_start;      // the log end when the epoch began
    std::set<BrokerId> isr;  // with this broker
    std::size_t replica_count = 1;
    std::map<BrokerId, Offset> end_offsets;  // of the others: one past the last record they hold
};
using Role = std::variant<Offline, Idle, Follower, Leader>;

using PartitionEvent = std::variant<LogOpened, PartitionAssignment, PartitionSettings, Appended,
                                    FollowerFetched, Synced, LogStartAdvanced, TakenOffline>;

class Partition {
public:
    // `watches` counts what waits here, together with other partitions.
    Partition(TopicIdPartition id, TopicPartition name, BrokerId self, PartitionSettings settings,
              Gauge* watches = nullptr);
    ~Partition();
    Partition(const Partition&) = delete;
    Partition& operator=(const Partition&) = delete;

    void step(LogOpened event, Effects& effects);
    void step(const PartitionAssignment& event, Effects& effects);
    void step(PartitionSettings event, Effects& effects);
    void step(const Appended& event, Effects& effects);
    void step(const FollowerFetched& event, Effects& effects);
    void step(const Synced& event, Effects& effects);
    void step(LogStartAdvanced event, Effects& effects);
    void step(const TakenOffline& event, Effects& effects);
    void step(PartitionEvent event, Effects& effects);

    // What a fetch gets at its position: a slice, an error, or nothing.
    Located locate(const FetchPosition& position);

    bool has_reached(WatchKind kind, Offset threshold) const;
    // Checks and registers in one go: WatchId::none when the threshold is reached already, the
    // error when it cannot be reached because the partition is offline.
    Result<WatchId> watch(WatchKind kind, Offset threshold, WatchCallback callback);
    bool cancel(WatchId id) { return watches_.cancel(id); }

    // For requests other than fetch: fenced_leader_epoch, unknown_leader_epoch,
    // not_leader_or_follower, kafka_storage_error; `asked` may be no_epoch.
    Errc check_leader(Epoch asked) const;

    // After an election, until the high watermark has reached the start of the epoch, nobody knows
    // where committed records end (KIP-207).
    bool end_is_known() const;

    const TopicIdPartition& id() const { return id_; }
    const TopicPartition& name() const { return name_; }
    const Role& role() const { return role_; }
    const PartitionSettings& settings() const { return settings_; }
    const PartitionAssignment& assignment() const { return assignment_; }
    // Null while the log is not open.
    Log* log() { return log_.get(); }
    const Log* log() const { return log_.get(); }

    Offset high_watermark() const { return high_watermark_; }
    Offset last_stable() const;
    Offset visible_end(Visibility visibility) const;
    std::size_t watch_count() const { return watches_.size(); }

private:
    void take_role(Effects& effects);
    void become_leader(Effects& effects);
    void advance_high_watermark(const Leader& leader, Effects& effects);
    Result<MutableBytes> accept_batch(const ProducedBatch& produced, const Appended& event,
                                      ValidatedBatch& validated, std::vector<Bytes>& rewritten,
                                      AppendOutcome& outcome) const;
    void write_batches(Leader& leader, const Appended& event, const std::vector<LeaderBatch>& good,
                       const std::vector<std::size_t>& good_index, std::size_t first_outcome,
                       Effects& effects);
    Offset own_position() const;
    bool must_be_on_disk(const Leader& leader) const;
    std::size_t min_isr(const Leader& leader) const;
    bool refuse_all(const Appended& event, Effects& effects) const;
    void fire_progress(Effects& effects);
    void stop_waiting(const Error& why, Effects& effects);

    const TopicIdPartition id_;
    const TopicPartition name_;
    const BrokerId self_;
    PartitionSettings settings_;
    PartitionAssignment assignment_;  // as the image last said
    std::unique_ptr<Log> log_;
    Role role_;
    Offset high_watermark_{0};
    // The end of the last acks=all batch that had to be on disk before it may be seen.
    Offset flush_through_{0};
    WatchSet watches_;
};

}  // namespace kq
