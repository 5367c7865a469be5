// SPDX-License-Identifier: Apache-2.0
//
// Metadata, key 3, versions 0-13, flexible from 9: brokers, topics, partitions and their leaders.
//
// v1       no topics at all is an empty array, all topics is null; racks, controller, internal
//          topics
// v2       cluster_id
// v3       throttle_time_ms
// v4       allow_auto_topic_creation
// v5       offline_replicas
// v7       leader_epoch (KIP-320)
// v8       authorized operations (KIP-430)
// v10      topic ids in the answer (KIP-516)
// v11      without the authorized operations of the cluster: DescribeCluster has them (KIP-700)
// v12      topics may be asked for by id
// v13      a top-level error
// source   Kafka protocol guide, "Metadata API (Key: 3)"
#pragma once

#include <limits>

#include "protocol/codec.hpp"

namespace kq::wire {

inline constexpr ApiInfo metadata_api{
    .key = 3, .name = "Metadata", .versions = {0, 13}, .flexible_from = 9};

struct MetadataRequest {
    static constexpr const auto& info = metadata_api;

    struct MetadataRequestTopic {
        Uuid topic_id;
        std::optional<std::string> name = "";

        template <class Walker>
        void walk(Walker& w) {
            w.field("topicId", topic_id, since(10).ignorable());
            w.field("name", name, always.nullable_since(10));
            w.tags();
        }
        bool operator==(const MetadataRequestTopic&) const = default;
    };

    std::optional<std::vector<MetadataRequestTopic>> topics =
        std::vector<MetadataRequestTopic>{};  // null: all
    bool allow_auto_topic_creation = true;
    bool include_cluster_authorized_operations = false;
    bool include_topic_authorized_operations = false;

    template <class Walker>
    void walk(Walker& w) {
        w.field("topics", topics, always.nullable_since(1));
        w.field("allowAutoTopicCreation", allow_auto_topic_creation, since(4));
        w.field("includeClusterAuthorizedOperations", include_cluster_authorized_operations,
                since_until(8, 10));
        w.field("includeTopicAuthorizedOperations", include_topic_authorized_operations, since(8));
        w.tags();
    }
    bool operator==(const MetadataRequest&) const = default;
};

struct MetadataResponse {
    static constexpr const auto& info = metadata_api;

    struct MetadataResponseBroker {
        std::int32_t node_id = 0;
        std::string host;
        std::int32_t port = 0;
        std::optional<std::string> rack;

        template <class Walker>
        void walk(Walker& w) {
            w.field("nodeId", node_id);
            w.field("host", host);
            w.field("port", port);
            w.field("rack", rack, since(1).ignorable());
            w.tags();
        }
        bool operator==(const MetadataResponseBroker&) const = default;
    };

    struct MetadataResponsePartition {
        std::int16_t error_code = 0;
        std::int32_t partition_index = 0;
        std::int32_t leader_id = 0;
        std::int32_t leader_epoch = -1;
        std::vector<std::int32_t> replica_nodes;
        std::vector<std::int32_t> isr_nodes;  // the in-sync replicas
        std::vector<std::int32_t> offline_replicas;

        template <class Walker>
        void walk(Walker& w) {
            w.field("errorCode", error_code);
            w.field("partitionIndex", partition_index);
            w.field("leaderId", leader_id);
            w.field("leaderEpoch", leader_epoch, since(7).ignorable());
            w.field("replicaNodes", replica_nodes);
            w.field("isrNodes", isr_nodes);
            w.field("offlineReplicas", offline_replicas, since(5).ignorable());
            w.tags();
        }
        bool operator==(const MetadataResponsePartition&) const = default;
    };

    struct MetadataResponseTopic {
        std::int16_t error_code = 0;
        std::optional<std::string> name = "";
        Uuid topic_id;
        bool is_internal = false;
        std::vector<MetadataResponsePartition> partitions;
        std::int32_t topic_authorized_operations = std::numeric_limits<std::int32_t>::min();

        template <class Walker>
        void walk(Walker& w) {
            w.field("errorCode", error_code);
            w.field("name", name, always.nullable_since(12));
            w.field("topicId", topic_id, since(10).ignorable());
            w.field("isInternal", is_internal, since(1).ignorable());
            w.field("partitions", partitions);
            w.field("topicAuthorizedOperations", topic_authorized_operations, since(8));
            w.tags();
        }
        bool operator==(const MetadataResponseTopic&) const = default;
    };

    std::int32_t throttle_time_ms = 0;
    std::vector<MetadataResponseBroker> brokers;
    std::optional<std::string> cluster_id;
    std::int32_t controller_id = -1;
    std::vector<MetadataResponseTopic> topics;
    std::int32_t cluster_authorized_operations = std::numeric_limits<std::int32_t>::min();
    std::int16_t error_code = 0;

    template <class Walker>
    void walk(Walker& w) {
        w.field("throttleTimeMs", throttle_time_ms, since(3).ignorable());
        w.field("brokers", brokers);
        w.field("clusterId", cluster_id, since(2).ignorable());
        w.field("controllerId", controller_id, since(1).ignorable());
        w.field("topics", topics);
        w.field("clusterAuthorizedOperations", cluster_authorized_operations, since_until(8, 10));
        w.field("errorCode", error_code, since(13).ignorable());
        w.tags();
    }
    bool operator==(const MetadataResponse&) const = default;
};

// Unlike other bodies this one may have bytes behind it, as with Kafka: librdkafka 2.16 counts the
// topics of "all topics" in four bytes where versions 9 and later have one.
template <>
Result<MetadataRequest> decode<MetadataRequest>(ByteView body, int version);

}  // namespace kq::wire
