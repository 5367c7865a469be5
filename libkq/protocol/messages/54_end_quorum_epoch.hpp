// SPDX-License-Identifier: Apache-2.0
//
// EndQuorumEpoch, key 54, versions 0-1, flexible from 1: the leader of the quorum gives up.
//
// v1       preferred_candidates, with directory ids, replaces preferred_successors; endpoints of
//          the leader (KIP-853)
// source   Kafka protocol guide, "EndQuorumEpoch API (Key: 54)"
#pragma once

#include "protocol/codec.hpp"

namespace kq::wire {

inline constexpr ApiInfo end_quorum_epoch_api{
    .key = 54, .name = "EndQuorumEpoch", .versions = {0, 1}, .flexible_from = 1};

struct EndQuorumEpochRequest {
    static constexpr const auto& info = end_quorum_epoch_api;

    struct ReplicaInfo {
        std::int32_t candidate_id = 0;
        Uuid candidate_directory_id;

        template <class Walker>
        void walk(Walker& w) {
            w.field("candidateId", candidate_id);
            w.field("candidateDirectoryId", candidate_directory_id);
            w.tags();
        }
        bool operator==(const ReplicaInfo&) const = default;
    };

    struct PartitionData {
        std::int32_t partition_index = 0;
        std::int32_t leader_id = 0;
        std::int32_t leader_epoch = 0;
        std::vector<std::int32_t> preferred_successors;
        std::vector<ReplicaInfo> preferred_candidates;

        template <class Walker>
        void walk(Walker& w) {
            w.field("partitionIndex", partition_index);
            w.field("leaderId", leader_id);
            w.field("leaderEpoch", leader_epoch);
            w.field("preferredSuccessors", preferred_successors, until(0).ignorable());
            w.field("preferredCandidates", preferred_candidates, since(1).ignorable());
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
    std::vector<TopicData> topics;
    std::vector<LeaderEndpoint> leader_endpoints;

    template <class Walker>
    void walk(Walker& w) {
        w.field("clusterId", cluster_id);
        w.field("topics", topics);
        w.field("leaderEndpoints", leader_endpoints, since(1).ignorable());
        w.tags();
    }
    bool operator==(const EndQuorumEpochRequest&) const = default;
};

struct EndQuorumEpochResponse {
    static constexpr const auto& info = end_quorum_epoch_api;

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
    bool operator==(const EndQuorumEpochResponse&) const = default;
};

}  // namespace kq::wire
