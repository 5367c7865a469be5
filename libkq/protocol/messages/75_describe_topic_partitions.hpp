// SPDX-License-Identifier: Apache-2.0
//
// DescribeTopicPartitions, key 75, version 0, flexible: partitions of topics, page by page, with
// their eligible leader replicas.
//
// source   Kafka protocol guide, "DescribeTopicPartitions API (Key: 75)"
#pragma once

#include <limits>

#include "protocol/codec.hpp"

namespace kq::wire {

inline constexpr ApiInfo describe_topic_partitions_api{
    .key = 75, .name = "DescribeTopicPartitions", .versions = {0, 0}, .flexible_from = 0};

struct DescribeTopicPartitionsRequest {
    static constexpr const auto& info = describe_topic_partitions_api;

    struct TopicRequest {
        std::string name;

        template <class Walker>
        void walk(Walker& w) {
            w.field("name", name);
            w.tags();
        }
        bool operator==(const TopicRequest&) const = default;
    };

    struct Cursor {
        std::string topic_name;
        std::int32_t partition_index = 0;

        template <class Walker>
        void walk(Walker& w) {
            w.field("topicName", topic_name);
            w.field("partitionIndex", partition_index);
            w.tags();
        }
        bool operator==(const Cursor&) const = default;
    };

    std::vector<TopicRequest> topics;
    std::int32_t response_partition_limit = 2000;
    std::optional<Cursor> cursor;  // where the last page ended

    template <class Walker>
    void walk(Walker& w) {
        w.field("topics", topics);
        w.field("responsePartitionLimit", response_partition_limit);
        w.field("cursor", cursor);
        w.tags();
    }
    bool operator==(const DescribeTopicPartitionsRequest&) const = default;
};

struct DescribeTopicPartitionsResponse {
    static constexpr const auto& info = describe_topic_partitions_api;

    struct DescribeTopicPartitionsResponsePartition {
        std::int16_t error_code = 0;
        std::int32_t partition_index = 0;
        std::int32_t leader_id = 0;
        std::int32_t leader_epoch = -1;
        std::vector<std::int32_t> replica_nodes;
        std::vector<std::int32_t> isr_nodes;
        std::optional<std::vector<std::int32_t>> eligible_leader_replicas;
        std::optional<std::vector<std::int32_t>> last_known_elr;
        std::vector<std::int32_t> offline_replicas;

        template <class Walker>
        void walk(Walker& w) {
            w.field("errorCode", error_code);
            w.field("partitionIndex", partition_index);
            w.field("leaderId", leader_id);
            w.field("leaderEpoch", leader_epoch);
            w.field("replicaNodes", replica_nodes);
            w.field("isrNodes", isr_nodes);
            w.field("eligibleLeaderReplicas", eligible_leader_replicas);
            w.field("lastKnownElr", last_known_elr);
            w.field("offlineReplicas", offline_replicas);
            w.tags();
        }
        bool operator==(const DescribeTopicPartitionsResponsePartition&) const = default;
    };

    struct DescribeTopicPartitionsResponseTopic {
        std::int16_t error_code = 0;
        std::optional<std::string> name = "";
        Uuid topic_id;
        bool is_internal = false;
        std::vector<DescribeTopicPartitionsResponsePartition> partitions;
        std::int32_t topic_authorized_operations = std::numeric_limits<std::int32_t>::min();

        template <class Walker>
        void walk(Walker& w) {
            w.field("errorCode", error_code);
            w.field("name", name);
            w.field("topicId", topic_id);
            w.field("isInternal", is_internal);
            w.field("partitions", partitions);
            w.field("topicAuthorizedOperations", topic_authorized_operations);
            w.tags();
        }
        bool operator==(const DescribeTopicPartitionsResponseTopic&) const = default;
    };

    struct Cursor {
        std::string topic_name;
        std::int32_t partition_index = 0;

        template <class Walker>
        void walk(Walker& w) {
            w.field("topicName", topic_name);
            w.field("partitionIndex", partition_index);
            w.tags();
        }
        bool operator==(const Cursor&) const = default;
    };

    std::int32_t throttle_time_ms = 0;
    std::vector<DescribeTopicPartitionsResponseTopic> topics;
    std::optional<Cursor> next_cursor;  // null on the last page

    template <class Walker>
    void walk(Walker& w) {
        w.field("throttleTimeMs", throttle_time_ms);
        w.field("topics", topics);
        w.field("nextCursor", next_cursor);
        w.tags();
    }
    bool operator==(const DescribeTopicPartitionsResponse&) const = default;
};

}  // namespace kq::wire
