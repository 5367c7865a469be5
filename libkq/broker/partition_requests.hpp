// SPDX-License-Identifier: Apache-2.0
//
// The messages that request handlers send to the loop that owns a partition, and what comes back.
// Where that loop is the handler's own, the same structs go by plain calls.
//
// shape    one message per owner loop and request; answers carry the position of the partition in
//          the request
// owner    moves with the message; callbacks run on the owner's loop, whoever gave them crosses over
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/function.hpp"
#include "base/ids.hpp"
#include "replication/partition_types.hpp"

namespace kq {

// Names what a request has left behind with the partitions (watches), so that it can take it back.
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

// Batches for partitions of one loop, in request order.
struct AppendMessage {
    RequestKey key;
    std::int16_t acks = -1;
    std::vector<AppendItem> items;
    std::shared_ptr<const void> frame;  // keeps the bytes of the batches
    // Called once for each item when the batch is in the log or refused, and for acks=all once more
    // when it is safe (or when waiting for that ended in an error): `decided` then.
    Callback<void(std::uint32_t index, AppendOutcome outcome, bool decided)> on_outcome;
    // Called when no more outcomes come in this turn, so that they can travel together.
    Callback<void()> on_batch_end;
};

struct PartitionSizes {
    std::uint32_t directory = 0;  // which of the log directories
    TopicPartition name;
    Uuid topic_id;
    std::uint64_t size_bytes = 0;
    std::int64_t offset_lag = 0;  // of the log end behind the high watermark
};

}  // namespace kq

template <>
struct std::hash<kq::RequestKey> {
    std::size_t operator()(const kq::RequestKey& key) const noexcept {
        return std::hash<const void*>{}(key.requester) ^ (key.number * 0x9E3779B97F4A7C15ull);
    }
};
