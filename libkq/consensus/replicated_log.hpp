// SPDX-License-Identifier: Apache-2.0
//
// ReplicatedLog: a log that several nodes agree on, seen by the state machine above it. The quorum
// of the metadata is one, an internal partition another, memory a third (tests).
//
// shape    the listener is told every committed batch once, in order, starting with a snapshot
// where
//          older ones are gone; then that we lead (append() works from then on, and everything
//          committed before was told), or that we no longer do
// owner    the log's loop; the listener is called on it, never from inside append()
// errors   not_leader_or_follower  we do not lead, or not in this epoch: nothing was appended
//          record_list_too_large   the records do not fit one batch: nothing was appended
//          disk_full               nothing was appended; may work later
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace kq {

// One record to be appended. A null key stands in metadata logs, a null value is a tombstone.
struct LogRecord {
    std::optional<Bytes> key;
    std::optional<Bytes> value;
};

// One record that was read. Borrows from its batch.
struct LogRecordView {
    Offset offset;
    std::optional<ByteView> key;
    std::optional<ByteView> value;
};

// A batch that every later leader will hold. Borrowed: views last as long as the call.
struct CommittedBatch {
    Offset base;
    Offset last;
    Epoch epoch;
    WallTime timestamp;
    bool is_control = false;
    std::vector<LogRecordView> records;
};

// A snapshot stands for everything below `end`.
struct SnapshotView {
    Offset end;
    Epoch epoch;
    WallTime last_timestamp;  // of the last record it stands for
    // Calls back for every data record, in order; stops at the first error and returns it.
    std::function<Status(const std::function<Status(const LogRecordView&)>&)> for_each;
};

class ReplicatedLogListener {
public:
    virtual ~ReplicatedLogListener() = default;
    // Forget everything told before: the state is what the snapshot says. An error of either ends
    // in on_failed().
    virtual Status on_snapshot(const SnapshotView& snapshot) = 0;
    virtual Status on_committed(const CommittedBatch& batch) = 0;
    virtual void on_leader(Epoch epoch) = 0;
    // What was appended and not told as committed has an unknown outcome.
    virtual void on_resigned(Epoch epoch) = 0;
    // The log can no longer be written, or not be read: this node's part in it is over.
    virtual void on_failed(Error error) = 0;
};

class ReplicatedLog {
public:
    virtual ~ReplicatedLog() = default;

    // Appends the records as one batch that is committed as a whole, and returns the offset of the
    // last one. Requires: records is not empty.
    virtual Result<Offset> append(Epoch epoch, std::vector<LogRecord> records) = 0;

    // What one batch may hold.
    virtual std::size_t batch_bytes_max() const = 0;
    // One past the last record appended, or told as committed.
    virtual Offset log_end() const = 0;
    virtual Offset committed_end() const = 0;
};

}  // namespace kq
