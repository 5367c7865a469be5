// SPDX-License-Identifier: Apache-2.0
//
// The messages that request handlers send to the loop that owns a partition, and what comes back.
// Where that loop is the handler's own, the same structs go by plain calls.
//
// shape    one message for each owner loop and request; answers carry the place of the partition in
//          the request
// owner    moves with the message; callbacks run on the owner's loop and cross back by themselves
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/function.hpp"
#include "base/ids.hpp"
#include "replication/partition_types.hpp"

namespace kq {

// Names what a request has left behind with the partitions, so that it can take it back.
struct RequestKey {
    const void* requester = nullptr;  // compared, never followed
    std::uint64_t number = 0;
    friend auto operator<=>(const RequestKey&, const RequestKey&) = default;
};

struct AppendItem {
    std::uint32_t index;  // of the partition in the request
    TopicIdPartition partition;
    MutableBytes batch;
};

// What became of an item. An acks=all batch has two verdicts: written (not yet decided), then safe.
struct AppendVerdict {
    std::uint32_t index;
    AppendOutcome outcome;
    bool decided = true;
};

// Batches for partitions of one loop, in request order.
struct AppendMessage {
    RequestKey key;
    std::int16_t acks = -1;
    std::int16_t produce_version = 13;
    std::vector<AppendItem> items;
    std::shared_ptr<const void> frame;  // keeps the bytes of the batches
    // Called in an outbox of the owner, each time with all verdicts there are.
    Callback<void(std::vector<AppendVerdict>)> on_verdicts;
};

struct LocateItem {
    std::uint32_t index;
    TopicIdPartition partition;
    FetchPosition position;
    BrokerId follower = no_broker;  // who asks, where that is a replica of the partition
};
struct LocateAnswer {
    std::uint32_t index;
    Located located;
};
// Positions in partitions of one loop, in request order. `max_bytes` binds them together; the
// first of them that has records gives a whole batch if `at_least_one`.
struct LocateMessage {
    std::vector<LocateItem> items;
    std::uint32_t max_bytes = 0;
    bool at_least_one = true;
    // Called at once unless an index must be read from the disk first.
    Callback<void(std::vector<LocateAnswer>)> on_answers;
};

// ListOffsets of one partition.
struct OffsetLookup {
    std::int64_t timestamp = -1;  // or one of the names below
    Epoch current_leader_epoch = no_epoch;
    Visibility visibility = Visibility::high_watermark;
};
struct SpecialTimestamp {
    static constexpr std::int64_t latest = -1;
    static constexpr std::int64_t earliest = -2;
    static constexpr std::int64_t max_timestamp = -3;
    static constexpr std::int64_t earliest_local = -4;
    static constexpr std::int64_t latest_tiered = -5;
    static constexpr std::int64_t earliest_pending_upload = -6;
};

struct OffsetAnswer {
    Errc code = Errc::none;
    std::int64_t timestamp = -1;
    Offset offset = no_offset;
    Epoch leader_epoch = no_epoch;
};

struct PartitionSize {
    std::uint32_t directory = 0;  // which of the log directories
    TopicPartition name;
    std::uint64_t size_bytes = 0;
    std::int64_t offset_lag = 0;  // of the log end behind the high watermark
};

}  // namespace kq

template <>
struct std::hash<kq::RequestKey> {
    std::size_t operator()(const kq::RequestKey& key) const noexcept {
        return std::hash<const void*>{}(key.requester) ^
               static_cast<std::size_t>(key.number * 0x9E3779B97F4A7C15ull);
    }
};
