// SPDX-License-Identifier: Apache-2.0
#include "protocol/murmur2.hpp"

#include <limits>

#include "base/check.hpp"
#include "protocol/utf8.hpp"

namespace kq {

std::int32_t murmur2(ByteView bytes) {
    constexpr std::uint32_t seed = 0x9747b28c;
    constexpr std::uint32_t m = 0x5bd1e995;
    std::uint32_t h = seed ^ static_cast<std::uint32_t>(bytes.size());
    const std::uint8_t* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= 4; at += 4, left -= 4) {
        std::uint32_t k;
        std::memcpy(&k, at, 4);  // little-endian, unlike everything else of Kafka's
        k *= m;
        k ^= k >> 24;
        k *= m;
        h *= m;
        h ^= k;
    }
    if (left >= 3) h ^= static_cast<std::uint32_t>(at[2]) << 16;
    if (left >= 2) h ^= static_cast<std::uint32_t>(at[1]) << 8;
    if (left >= 1) {
        h ^= at[0];
        h *= m;
    }
    h ^= h >> 13;
    h *= m;
    h ^= h >> 15;
    return static_cast<std::int32_t>(h);
}

std::int32_t partition_for_key(ByteView key, std::int32_t partitions) {
    KQ_CHECK(partitions > 0);
    return (murmur2(key) & 0x7fffffff) % partitions;
}

std::int32_t java_string_hash(std::string_view text) {
    std::uint32_t hash = 0;
    while (!text.empty()) {
        char32_t c = next_code_point(text);
        if (c >= 0x10000) {
            hash = hash * 31 + (0xd800 + ((c - 0x10000) >> 10));
            hash = hash * 31 + (0xdc00 + ((c - 0x10000) & 0x3ff));
        } else {
            hash = hash * 31 + c;
        }
    }
    return static_cast<std::int32_t>(hash);
}

std::int32_t coordinator_partition(std::string_view id, std::int32_t partitions) {
    KQ_CHECK(partitions > 0);
    std::int32_t hash = java_string_hash(id);
    // Kafka's Utils.abs: the smallest integer has no positive counterpart and becomes 0.
    if (hash == std::numeric_limits<std::int32_t>::min()) return 0;
    return (hash < 0 ? -hash : hash) % partitions;
}

}  // namespace kq
