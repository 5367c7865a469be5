// SPDX-License-Identifier: Apache-2.0
//
// What goes into a Partition and what comes out of it: its settings, the events of its state
// machine, the answers to appends and reads.
//
// shape    an event borrows what it points to for the call only; answers own what they hold
// units    offsets count records, sizes count bytes
// source   docs/architecture.md, 7.3 "Durability" and 8.1 "Partition"
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file_system.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "protocol/batch_validator.hpp"
#include "replication/watch.hpp"
#include "storage/log.hpp"

namespace kq {

// Topic config kq.durability: when acks=all may be answered.
//   replicated  every in-sync replica has the batch in memory
//   flushed     it is on disk as well
//   automatic   ("auto") as replicated while two or more replicas are in sync; alone, as flushed
enum class Durability : std::uint8_t { replicated, flushed, automatic };

// What a partition needs to know of its topic's configuration; what the log needs is LogOptions.
struct PartitionSettings {
    std::int32_t min_insync_replicas = 1;
    Durability durability = Durability::automatic;
    BatchRules batch_rules;  // without the produce version, which comes with each batch
    std::uint64_t segment_bytes = std::uint64_t{1} << 30;
    // A sync is due when so many records, or records for so long, are not on disk yet.
    std::int64_t flush_messages = std::numeric_limits<std::int64_t>::max();
    std::optional<Millis> flush_after;
};

// What the metadata image says of a partition.
struct PartitionAssignment {
    BrokerId leader = no_broker;
    Epoch leader_epoch = no_epoch;
    PartitionEpoch partition_epoch{-1};
    std::vector<BrokerId> replicas;
    std::vector<BrokerId> isr;
};

// --- events

// The log is open. `high_watermark` is the one remembered in the checkpoint; it is brought into
// the log's bounds.
struct LogOpened {
    std::unique_ptr<Log> log;
    Offset high_watermark;
};
// One batch of a producer, where it lies in the receive buffer. Offset and epoch are written into
// it in place.
struct ProducedBatch {
    MutableBytes bytes;
    std::int16_t acks = -1;
    std::int16_t produce_version = 13;
};
// All batches that came for this partition in one turn, in order.
struct Appended {
    std::span<const ProducedBatch> batches;
    WallTime now;
    BatchValidator* validator;  // of the loop: holds its buffers
};
// A follower asked for records from `offset` on, so it holds everything before.
struct FollowerFetched {
    BrokerId replica;
    Epoch leader_epoch;  // as the follower knows it; no_epoch when it does not say
    Offset offset;
};
// A sync of the log's files has ended; on success everything below job.end() is on disk.
struct Synced {
    const SyncJob* job;
    Status status;
};
// Retention took records from the front of the log.
struct LogStartAdvanced {};
// The disk failed, or the replica moved away or was deleted: `why` is what waiters are told.
struct TakenOffline {
    Error why;
};

// --- effects

// What became of one ProducedBatch.
struct AppendOutcome {
    Errc code = Errc::none;
    std::string message;  // for a person; empty on success
    std::vector<RecordError> record_errors;
    Offset first = no_offset;
    Offset last = no_offset;
    WallTime log_append_time = no_timestamp;
    Offset log_start = no_offset;
    // Set when acks=all: the answer may leave once the high watermark is there.
    std::optional<Offset> safe_at;
};

// What a step asks its caller to do. One object may gather the effects of several steps.
struct Effects {
    std::vector<FiredWatch> fired;        // to be called in the outbox of this turn
    std::vector<AppendOutcome> outcomes;  // one for each batch of an Appended, in order
    bool sync_wanted = false;             // somebody waits for the durable end
    bool appended = false;                // the log grew
    bool high_watermark_moved = false;
    std::optional<Error> disk_failed;  // the log directory must go offline
};

// --- reading

enum class Visibility : std::uint8_t {
    high_watermark,  // a consumer that reads uncommitted
    last_stable,     // a consumer that reads committed
    log_end,         // a follower, or a debugging consumer
};

struct FetchPosition {
    Offset offset;
    Epoch current_leader_epoch = no_epoch;  // no_epoch: not checked
    Epoch last_fetched_epoch = no_epoch;    // no_epoch: not checked
    Visibility visibility = Visibility::high_watermark;
    std::uint32_t max_bytes = 0;
    bool at_least_one = false;  // the first batch is given whole, however large
};

// The answer to a FetchPosition. With an error, only it and the leader mean something; would_block
// asks for a Log::warm_up() from the position on.
struct Located {
    Errc code = Errc::none;
    BrokerId leader = no_broker;  // as far as this replica knows
    Epoch leader_epoch = no_epoch;
    Offset high_watermark = no_offset;
    Offset last_stable = no_offset;
    Offset log_start = no_offset;
    Offset visible_end = no_offset;           // where reading stops; more comes when it moves
    std::optional<EpochEnd> diverging;        // the reader must truncate to this; no records then
    FileSlice records;                        // whole batches; of length 0 where nothing is new
    std::vector<AbortedTransaction> aborted;  // read_committed only, by first offset
};

}  // namespace kq
