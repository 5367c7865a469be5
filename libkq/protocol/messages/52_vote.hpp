// SPDX-License-Identifier: Apache-2.0
//
// Vote, key 52, versions 0-2, all flexible: a node of the quorum asks for a vote; also before it
// raises its epoch.
//
// v1       the voter is named with its directory id; endpoints of the leader (KIP-853)
// v2       pre_vote (KIP-996)
// source   Kafka protocol guide, "Vote API (Key: 52)"
#pragma once

#include "protocol/codec.hpp"

namespace kq::wire {

inline constexpr ApiInfo vote_api{
    .key = 52, .name = "Vote", .versions = {0, 2}, .flexible_from = 0};

struct VoteRequest {
    static constexpr const auto& info = vote_api;

    struct PartitionData {
        std::int32_t partition_index = 0;
        std::int32_t replica_epoch = 0;
        std::int32_t replica_id = 0;
        Uuid replica_directory_id;
        Uuid voter_directory_id;
        std::int32_t last_offset_epoch = 0;
        std::int64_t last_offset = 0;
        bool pre_vote = false;

        template <class Walker>
        void walk(Walker& w) {
            w.field("partitionIndex", partition_index);
            w.field("replicaEpoch", replica_epoch);
            w.field("replicaId", replica_id);
            w.field("replicaDirectoryId", replica_directory_id, since(1).ignorable());
            w.field("voterDirectoryId", voter_directory_id, since(1).ignorable());
            w.field("lastOffsetEpoch", last_offset_epoch);
            w.field("lastOffset", last_offset);
            w.field("preVote", pre_vote, since(2));
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

    std::optional<std::string> cluster_id;
    std::int32_t voter_id = -1;
    std::vector<TopicData> topics;

    template <class Walker>
    void walk(Walker& w) {
        w.field("clusterId", cluster_id);
        w.field("voterId", voter_id, since(1).ignorable());
        w.field("topics", topics);
        w.tags();
    }
    bool operator==(const VoteRequest&) const = default;
};

struct VoteResponse {
    static constexpr const auto& info = vote_api;

    struct PartitionData {
        std::int32_t partition_index = 0;
        std::int16_t error_code = 0;
        std::int32_t leader_id = 0;
        std::int32_t leader_epoch = 0;
        bool vote_granted = false;

        template <class Walker>
        void walk(Walker& w) {
            w.field("partitionIndex", partition_index);
            w.field("errorCode", error_code);
            w.field("leaderId", leader_id);
            w.field("leaderEpoch", leader_epoch);
            w.field("voteGranted", vote_granted);
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
    bool operator==(const VoteResponse&) const = default;
};

}  // namespace kq::wire
