// SPDX-License-Identifier: Apache-2.0
//
// The hashes that decide where things go: murmur2 for the partition of a keyed record, Java's
// String hash for the coordinator partition of a group or transactional id.
//
// source   Kafka: Utils.murmur2, BuiltInPartitioner.partitionForKey; Java: String.hashCode
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.hpp"

namespace kq {

// As Java's signed int.
std::int32_t murmur2(ByteView bytes);

// The partition of a record with this key. Requires: partitions > 0.
std::int32_t partition_for_key(ByteView key, std::int32_t partitions);

// Over the UTF-16 units of `text`, which is UTF-8. What is no UTF-8 counts as U+FFFD.
std::int32_t java_string_hash(std::string_view text);

// The partition of __consumer_offsets or __transaction_state that answers for this id.
// Requires: partitions > 0.
std::int32_t coordinator_partition(std::string_view id, std::int32_t partitions);

}  // namespace kq
