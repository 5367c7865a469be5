// SPDX-License-Identifier: Apache-2.0
//
// Strong types for the numbers and ids that Kafka's world is made of: an Offset is never a bare
// integer, and never mistaken for an Epoch. Wire structs hold the bare integers; the edge converts.
//
// source   Kafka protocol guide, "Protocol Primitive Types" (UUID)
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace kq {

template <class Tag, class Integer>
struct StrongInt {
    Integer value = 0;
    constexpr StrongInt() = default;
    constexpr explicit StrongInt(Integer v) : value(v) {}
    friend constexpr auto operator<=>(StrongInt, StrongInt) = default;
    constexpr StrongInt operator+(Integer n) const {
        return StrongInt(static_cast<Integer>(value + n));
    }
    constexpr StrongInt operator-(Integer n) const {
        return StrongInt(static_cast<Integer>(value - n));
    }
    constexpr Integer operator-(StrongInt other) const {
        return static_cast<Integer>(value - other.value);
    }
    constexpr StrongInt& operator++() {
        ++value;
        return *this;
    }
};

using Offset = StrongInt<struct OffsetTag, std::int64_t>;      // of a record in a partition
using Epoch = StrongInt<struct EpochTag, std::int32_t>;        // leader epoch, or quorum epoch
using BrokerId = StrongInt<struct BrokerIdTag, std::int32_t>;  // node id; -1 = none
using BrokerEpoch = StrongInt<struct BrokerEpochTag, std::int64_t>;
using PartitionIndex = StrongInt<struct PartitionIndexTag, std::int32_t>;
using PartitionEpoch = StrongInt<struct PartitionEpochTag, std::int32_t>;
using ProducerId = StrongInt<struct ProducerIdTag, std::int64_t>;  // -1 = none
using ProducerEpoch = StrongInt<struct ProducerEpochTag, std::int16_t>;
using Sequence = StrongInt<struct SequenceTag, std::int32_t>;  // of a producer's record; -1 = none

inline constexpr Offset no_offset{-1};
inline constexpr Epoch no_epoch{-1};
inline constexpr BrokerId no_broker{-1};
inline constexpr ProducerId no_producer{-1};

// 128 bits; as text 22 characters of URL-safe base64 without padding, as Kafka prints them.
struct Uuid {
    std::array<std::uint8_t, 16> bytes{};
    friend constexpr auto operator<=>(const Uuid&, const Uuid&) = default;
    bool is_zero() const { return *this == Uuid{}; }
    std::string text() const;
    static Result<Uuid> parse(std::string_view text);
};

// The topic id that Kafka reserves for __cluster_metadata: ...0001.
inline constexpr Uuid metadata_topic_id{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

struct TopicPartition {
    std::string topic;
    PartitionIndex partition;
    friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
    // "orders-3", the name of its directory.
    std::string text() const { return topic + '-' + std::to_string(partition.value); }
};

struct TopicIdPartition {
    Uuid topic_id;
    PartitionIndex partition;
    friend auto operator<=>(const TopicIdPartition&, const TopicIdPartition&) = default;
};

}  // namespace kq

template <class Tag, class Integer>
struct std::hash<kq::StrongInt<Tag, Integer>> {
    std::size_t operator()(kq::StrongInt<Tag, Integer> id) const noexcept {
        return std::hash<Integer>{}(id.value);
    }
};
template <>
struct std::hash<kq::Uuid> {
    std::size_t operator()(const kq::Uuid& id) const noexcept {
        std::uint64_t low;
        std::uint64_t high;
        std::memcpy(&high, id.bytes.data(), 8);
        std::memcpy(&low, id.bytes.data() + 8, 8);
        return static_cast<std::size_t>(high * 0x9E3779B97F4A7C15ull ^ low);
    }
};
template <>
struct std::hash<kq::TopicIdPartition> {
    std::size_t operator()(const kq::TopicIdPartition& p) const noexcept {
        return std::hash<kq::Uuid>{}(p.topic_id) * 31 + static_cast<std::size_t>(p.partition.value);
    }
};
template <>
struct std::hash<kq::TopicPartition> {
    std::size_t operator()(const kq::TopicPartition& p) const noexcept {
        return std::hash<std::string>{}(p.topic) * 31 + static_cast<std::size_t>(p.partition.value);
    }
};
