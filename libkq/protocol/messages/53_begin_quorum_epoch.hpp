// SPDX-License-Identifier: Apache-2.0
//
// BeginQuorumEpoch, key 53, versions 0-1, flexible from 1: the new leader of the quorum tells its
// voters.
//
// v1       the voter is named with its directory id; endpoints of the leader (KIP-853)
// source   Kafka protocol guide, "BeginQuorumEpoch API (Key: 53)"
#pragma once

#include "protocol/codec.hpp"

namespace kq::wire {

inline constexpr ApiInfo begin_quorum_epoch_api{
    .key = 53, .name = "BeginQuorumEpoch", .versions = {0, 1}, .flexible_from = 1};

struct BeginQuorumEpochRequest {
    static constexpr const auto& info = begin_quorum_epoch_api;

    struct PartitionData {
        std::int32_t partition_index = 0;
        Uuid voter_directory_id;
        std::int32_t leader_id = 0;
        std::int32_t leader_epoch = 0;

        template <class Walker>
        void walk(Walker& w) {
            w.field("partitionIndex", partition_index);
            w.field("voterDirectoryId", voter_directory_id, since(1).ignorable());
            w.field("leaderId", leader_id);
            w.field("leaderEpoch", leader_epoch);
            w.tags();
        }
        bool operator==(const PartitionData&) const = default;
    };

    struct TopicData {
        std::string topic_name;
        std::vector<PartitionData> partitions;

        template <class Walker>
        void walk(Walker& w) {
            w.field("topicName", topic_name);
            w.field("partitions", partitions);
            w.tags();
        }
        bool operator==(const TopicData&) const = default;
    };

    struct LeaderEndpoint {
        std::string name;
        std::string host;
        std::uint16_t port = 0;

        template <class Walker>
        void walk(Walker& w) {
            w.field("name", name);
            w.field("host", host);
            w.field("port", port);
            w.tags();
        }
        bool operator==(const LeaderEndpoint&) const = default;
    };

    std::optional<std::string> cluster_id;
    std::int32_t voter_id = -1;
    std::vector<TopicData> topics;
    std::vector<LeaderEndpoint> leader_endpoints;

    template <class Walker>
    void walk(Walker& w) {
        w.field("clusterId", cluster_id);
        w.field("voterId", voter_id, since(1).ignorable());
        w.field("topics", topics);
        w.field("leaderEndpoints", leader_endpoints, since(1).ignorable());
        w.tags();
    }
    bool operator==(const BeginQuorumEpochRequest&) const = default;
};

struct BeginQuorumEpochResponse {
    static constexpr const auto& info = begin_quorum_epoch_api;

    struct PartitionData {
        std::int32_t partition_index = 0;
        std::int16_t error_code = 0;
        std::int32_t leader_id = 0;
        std::int32_t leader_epoch = 0;

        template <class Walker>
        void walk(Walker& w) {
            w.field("partitionIndex", partition_index);
            w.field("errorCode", error_code);
            w.field("leaderId", leader_id);
            w.field("leaderEpoch", leader_epoch);
            w.tags();
        }
        bool operator==(const PartitionData&) const = default;
    };

    struct TopicData {
        std::string topic_name;
        std::vector<PartitionData> partitions;

        template <class Walker>
        void walk(Walker& w) {
            w.field("topicName", topic_name);
            w.field("partitions", partitions);
            w.tags();
        }
        bool operator==(const TopicData&) const = default;
    };

    struct NodeEndpoint {
        std::int32_t node_id = 0;
        std::string host;
        std::uint16_t port = 0;

        template <class Walker>
        void walk(Walker& w) {
            w.field("nodeId", node_id);
            w.field("host", host);
            w.field("port", port);
            w.tags();
        }
        bool operator==(const NodeEndpoint&) const = default;
    };

    std::int16_t error_code = 0;
    std::vector<TopicData> topics;
    std::vector<NodeEndpoint> node_endpoints;

    template <class Walker>
    void walk(Walker& w) {
        w.field("errorCode", error_code);
        w.field("topics", topics);
        w.tags(tagged(0, "nodeEndpoints", node_endpoints, since(1)));
    }
    bool operator==(const BeginQuorumEpochResponse&) const = default;
};

}  // namespace kq::wire
