// SPDX-License-Identifier: Apache-2.0
//
// Fetch, key 1, versions 4-18, flexible from 12: batches from partitions, for consumers, followers
// and quorum voters.
//
// v4       isolation_level, last stable offset, aborted transactions
// v5       log_start_offset, both ways
// v7       sessions (KIP-227); a top-level error
// v9       current_leader_epoch (KIP-320)
// v10      zstd
// v11      rack_id and preferred_read_replica (KIP-392)
// v12      last_fetched_epoch and diverging_epoch (KIP-595)
// v13      topic ids instead of names (KIP-516)
// v14      the answer may be OFFSET_MOVED_TO_TIERED_STORAGE (KIP-405)
// v15      replica_state, with the broker epoch, replaces replica_id (KIP-903)
// v16      node_endpoints (KIP-951)
// v17      replica_directory_id (KIP-853)
// v18      the high watermark that the follower knows (KIP-1166)
// source   Kafka protocol guide, "Fetch API (Key: 1)"
#pragma once

#include <limits>

#include "protocol/codec.hpp"

namespace kq::wire {

inline constexpr ApiInfo fetch_api{
    .key = 1, .name = "Fetch", .versions = {4, 18}, .flexible_from = 12};

struct FetchRequest {
    static constexpr const auto& info = fetch_api;

    struct ReplicaState {
        std::int32_t replica_id = -1;  // of a follower; -1 is a consumer
        std::int64_t replica_epoch = -1;

        template <class Walker>
        void walk(Walker& w) {
            w.field("replicaId", replica_id);
            w.field("replicaEpoch", replica_epoch);
            w.tags();
        }
        bool operator==(const ReplicaState&) const = default;
    };

    struct FetchPartition {
        std::int32_t partition = 0;
        std::int32_t current_leader_epoch = -1;
        std::int64_t fetch_offset = 0;
        std::int32_t last_fetched_epoch = -1;  // of the last record the follower holds
        std::int64_t log_start_offset = -1;    // of the follower
        std::int32_t partition_max_bytes = 0;
        Uuid replica_directory_id;
        std::int64_t high_watermark = std::numeric_limits<std::int64_t>::max();

        template <class Walker>
        void walk(Walker& w) {
            w.field("partition", partition);
            w.field("currentLeaderEpoch", current_leader_epoch, since(9).ignorable());
            w.field("fetchOffset", fetch_offset);
            w.field("lastFetchedEpoch", last_fetched_epoch, since(12));
            w.field("logStartOffset", log_start_offset, since(5).ignorable());
            w.field("partitionMaxBytes", partition_max_bytes);
            w.tags(tagged(0, "replicaDirectoryId", replica_directory_id, since(17).ignorable()),
                   tagged(1, "highWatermark", high_watermark, since(18).ignorable()));
        }
        bool operator==(const FetchPartition&) const = default;
    };

    struct FetchTopic {
        std::string topic;
        Uuid topic_id;
        std::vector<FetchPartition> partitions;

        template <class Walker>
        void walk(Walker& w) {
            w.field("topic", topic, until(12).ignorable());
            w.field("topicId", topic_id, since(13).ignorable());
            w.field("partitions", partitions);
            w.tags();
        }
        bool operator==(const FetchTopic&) const = default;
    };

    struct ForgottenTopic {
        std::string topic;
        Uuid topic_id;
        std::vector<std::int32_t> partitions;

        template <class Walker>
        void walk(Walker& w) {
            w.field("topic", topic, until(12).ignorable());
            w.field("topicId", topic_id, since(13).ignorable());
            w.field("partitions", partitions);
            w.tags();
        }
        bool operator==(const ForgottenTopic&) const = default;
    };

    std::optional<std::string> cluster_id;  // checked by the quorum
    std::int32_t replica_id = -1;           // of a follower; -1 is a consumer
    ReplicaState replica_state;
    std::int32_t max_wait_ms = 0;
    std::int32_t min_bytes = 0;
    std::int32_t max_bytes = std::numeric_limits<std::int32_t>::max();
    std::int8_t isolation_level = 0;  // 0 read_uncommitted, 1 read_committed
    std::int32_t session_id = 0;
    std::int32_t session_epoch = -1;  // -1: without a session
    std::vector<FetchTopic> topics;
    std::vector<ForgottenTopic> forgotten_topics_data;  // leave the session
    std::string rack_id;

    template <class Walker>
    void walk(Walker& w) {
        w.field("replicaId", replica_id, until(14));
        w.field("maxWaitMs", max_wait_ms);
        w.field("minBytes", min_bytes);
        w.field("maxBytes", max_bytes);
        w.field("isolationLevel", isolation_level);
        w.field("sessionId", session_id, since(7).ignorable());
        w.field("sessionEpoch", session_epoch, since(7).ignorable());
        w.field("topics", topics);
        w.field("forgottenTopicsData", forgotten_topics_data, since(7));
        w.field("rackId", rack_id, since(11).ignorable());
        w.tags(tagged(0, "clusterId", cluster_id, since(12).ignorable()),
               tagged(1, "replicaState", replica_state, since(15)));
    }
    bool operator==(const FetchRequest&) const = default;
};

struct FetchResponse {
    static constexpr const auto& info = fetch_api;

    struct EpochEndOffset {
        std::int32_t epoch = -1;
        std::int64_t end_offset = -1;

        template <class Walker>
        void walk(Walker& w) {
            w.field("epoch", epoch);
            w.field("endOffset", end_offset);
            w.tags();
        }
        bool operator==(const EpochEndOffset&) const = default;
    };

    struct LeaderIdAndEpoch {
        std::int32_t leader_id = -1;
        std::int32_t leader_epoch = -1;

        template <class Walker>
        void walk(Walker& w) {
            w.field("leaderId", leader_id);
            w.field("leaderEpoch", leader_epoch);
            w.tags();
        }
        bool operator==(const LeaderIdAndEpoch&) const = default;
    };

    struct SnapshotId {
        std::int64_t end_offset = -1;
        std::int32_t epoch = -1;

        template <class Walker>
        void walk(Walker& w) {
            w.field("endOffset", end_offset);
            w.field("epoch", epoch);
            w.tags();
        }
        bool operator==(const SnapshotId&) const = default;
    };

    struct AbortedTransaction {
        std::int64_t producer_id = 0;
        std::int64_t first_offset = 0;

        template <class Walker>
        void walk(Walker& w) {
            w.field("producerId", producer_id);
            w.field("firstOffset", first_offset);
            w.tags();
        }
        bool operator==(const AbortedTransaction&) const = default;
    };

    struct PartitionData {
        std::int32_t partition_index = 0;
        std::int16_t error_code = 0;
        std::int64_t high_watermark = 0;  // -1 beside an error
        std::int64_t last_stable_offset = -1;
        std::int64_t log_start_offset = -1;
        EpochEndOffset diverging_epoch;  // where the log of the follower leaves ours
        LeaderIdAndEpoch current_leader;
        SnapshotId snapshot_id;
        std::optional<std::vector<AbortedTransaction>> aborted_transactions =
            std::vector<AbortedTransaction>{};     // null unless read_committed
        std::int32_t preferred_read_replica = -1;  // fetch there instead
        Records records;

        template <class Walker>
        void walk(Walker& w) {
            w.field("partitionIndex", partition_index);
            w.field("errorCode", error_code);
            w.field("highWatermark", high_watermark);
            w.field("lastStableOffset", last_stable_offset);
            w.field("logStartOffset", log_start_offset, since(5).ignorable());
            w.field("abortedTransactions", aborted_transactions);
            w.field("preferredReadReplica", preferred_read_replica, since(11));
            w.field("records", records);
            w.tags(tagged(0, "divergingEpoch", diverging_epoch, since(12)),
                   tagged(1, "currentLeader", current_leader, since(12)),
                   tagged(2, "snapshotId", snapshot_id, since(12)));
        }
        bool operator==(const PartitionData&) const = default;
    };

    struct FetchableTopicResponse {
        std::string topic;
        Uuid topic_id;
        std::vector<PartitionData> partitions;

        template <class Walker>
        void walk(Walker& w) {
            w.field("topic", topic, until(12).ignorable());
            w.field("topicId", topic_id, since(13).ignorable());
            w.field("partitions", partitions);
            w.tags();
        }
        bool operator==(const FetchableTopicResponse&) const = default;
    };

    struct NodeEndpoint {
        std::int32_t node_id = 0;
        std::string host;
        std::int32_t port = 0;
        std::optional<std::string> rack;

        template <class Walker>
        void walk(Walker& w) {
            w.field("nodeId", node_id);
            w.field("host", host);
            w.field("port", port);
            w.field("rack", rack);
            w.tags();
        }
        bool operator==(const NodeEndpoint&) const = default;
    };

    std::int32_t throttle_time_ms = 0;
    std::int16_t error_code = 0;
    std::int32_t session_id = 0;
    std::vector<FetchableTopicResponse> responses;
    std::vector<NodeEndpoint> node_endpoints;

    template <class Walker>
    void walk(Walker& w) {
        w.field("throttleTimeMs", throttle_time_ms);
        w.field("errorCode", error_code, since(7).ignorable());
        w.field("sessionId", session_id, since(7));
        w.field("responses", responses);
        w.tags(tagged(0, "nodeEndpoints", node_endpoints, since(16)));
    }
    bool operator==(const FetchResponse&) const = default;
};

}  // namespace kq::wire
