// SPDX-License-Identifier: Apache-2.0
//
// ListOffsets, key 2, versions 1-11, flexible from 6: the offset at a timestamp, at the start or at
// the end of partitions.
//
// v1       one offset a partition, with its timestamp
// v2       isolation_level; throttle_time_ms
// v4       current_leader_epoch and leader_epoch (KIP-320)
// v5       the answer may be OFFSET_NOT_AVAILABLE
// v7       timestamp -3: the record with the largest timestamp (KIP-734)
// v8       timestamp -4: the start of what lies on local disks (KIP-405)
// v9       timestamp -5: the last offset in tiered storage (KIP-1005)
// v10      timeout_ms, for lookups in tiered storage (KIP-1075)
// v11      timestamp -6: the first offset not yet in tiered storage (KIP-1023)
// source   Kafka protocol guide, "ListOffsets API (Key: 2)"
#pragma once

#include "protocol/codec.hpp"

namespace kq::wire {

inline constexpr ApiInfo list_offsets_api{
    .key = 2, .name = "ListOffsets", .versions = {1, 11}, .flexible_from = 6};

struct ListOffsetsRequest {
    static constexpr const auto& info = list_offsets_api;

    struct ListOffsetsPartition {
        std::int32_t partition_index = 0;
        std::int32_t current_leader_epoch = -1;
        std::int64_t timestamp = 0;  // ms, or one of the names above

        template <class Walker>
        void walk(Walker& w) {
            w.field("partitionIndex", partition_index);
            w.field("currentLeaderEpoch", current_leader_epoch, since(4).ignorable());
            w.field("timestamp", timestamp);
            w.tags();
        }
        bool operator==(const ListOffsetsPartition&) const = default;
    };

    struct ListOffsetsTopic {
        std::string name;
        std::vector<ListOffsetsPartition> partitions;

        template <class Walker>
        void walk(Walker& w) {
            w.field("name", name);
            w.field("partitions", partitions);
            w.tags();
        }
        bool operator==(const ListOffsetsTopic&) const = default;
    };

    std::int32_t replica_id = 0;  // of a follower; -1 is a consumer
    std::int8_t isolation_level = 0;
    std::vector<ListOffsetsTopic> topics;
    std::int32_t timeout_ms = 0;  // for lookups in tiered storage

    template <class Walker>
    void walk(Walker& w) {
        w.field("replicaId", replica_id);
        w.field("isolationLevel", isolation_level, since(2));
        w.field("topics", topics);
        w.field("timeoutMs", timeout_ms, since(10).ignorable());
        w.tags();
    }
    bool operator==(const ListOffsetsRequest&) const = default;
};

struct ListOffsetsResponse {
    static constexpr const auto& info = list_offsets_api;

    struct ListOffsetsPartitionResponse {
        std::int32_t partition_index = 0;
        std::int16_t error_code = 0;
        std::int64_t timestamp = -1;
        std::int64_t offset = -1;
        std::int32_t leader_epoch = -1;

        template <class Walker>
        void walk(Walker& w) {
            w.field("partitionIndex", partition_index);
            w.field("errorCode", error_code);
            w.field("timestamp", timestamp);
            w.field("offset", offset);
            w.field("leaderEpoch", leader_epoch, since(4));
            w.tags();
        }
        bool operator==(const ListOffsetsPartitionResponse&) const = default;
    };

    struct ListOffsetsTopicResponse {
        std::string name;
        std::vector<ListOffsetsPartitionResponse> partitions;

        template <class Walker>
        void walk(Walker& w) {
            w.field("name", name);
            w.field("partitions", partitions);
            w.tags();
        }
        bool operator==(const ListOffsetsTopicResponse&) const = default;
    };

    std::int32_t throttle_time_ms = 0;
    std::vector<ListOffsetsTopicResponse> topics;

    template <class Walker>
    void walk(Walker& w) {
        w.field("throttleTimeMs", throttle_time_ms, since(2).ignorable());
        w.field("topics", topics);
        w.tags();
    }
    bool operator==(const ListOffsetsResponse&) const = default;
};

}  // namespace kq::wire
