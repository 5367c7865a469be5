// SPDX-License-Identifier: Apache-2.0
//
// What a consumer takes and gives: positions, assignments, records.
//
// owner    a ConsumedRecord borrows from the FetchedRecords it came out of, until the next next()
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "client/admin_types.hpp"

namespace kq {

// Where to start or stop reading a partition. Resolved once, by the leader, when it is assigned.
struct Position {
    enum class Kind {
        offset,     // value
        start,      // the first offset there is, plus value
        end,        // one past the last readable record, plus value (negative: that many before)
        timestamp,  // the first record with this timestamp or later; the end if there is none
    };
    Kind kind = Kind::start;
    std::int64_t value = 0;

    static constexpr Position at(Offset offset) { return {Kind::offset, offset.value}; }
    static constexpr Position from_start(std::int64_t plus = 0) { return {Kind::start, plus}; }
    static constexpr Position from_end(std::int64_t plus = 0) { return {Kind::end, plus}; }
    static constexpr Position at_time(WallTime time) { return {Kind::timestamp, to_ms(time)}; }
};

struct Assignment {
    TopicPartition partition;
    Position start;
    // Exclusive; none: read on for ever. from_end() stops exactly at the end there is now.
    std::optional<Position> stop;
};

// How far a partition is.
struct PartitionProgress {
    TopicPartition partition;
    Offset position = no_offset;  // of the next record to be handed out; no_offset: not known yet
    Offset stop = no_offset;      // no_offset: none, or not known yet
    Offset high_watermark = no_offset;  // as last heard
    bool finished = false;              // position >= stop
    bool paused = false;
};

struct ConsumedHeader {
    std::string_view key;
    std::optional<ByteView> value;
};

struct ConsumedRecord {
    Offset offset;
    WallTime timestamp = no_timestamp;
    bool log_append_time = false;  // the broker set the timestamp
    Epoch leader_epoch = no_epoch;
    std::optional<ByteView> key;
    std::optional<ByteView> value;
    ByteView raw_headers;  // as in the record; headers() takes them apart
    std::int32_t header_count = 0;

    std::vector<ConsumedHeader> headers() const;
};

struct ConsumerStats {
    std::uint64_t records = 0;
    std::uint64_t bytes = 0;  // of fetch answers
    std::uint64_t requests = 0;
    std::uint64_t sessions_reset = 0;  // by a broker that had forgotten them
    std::uint64_t throttled_ms = 0;
};

}  // namespace kq
