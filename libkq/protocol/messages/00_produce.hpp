// SPDX-License-Identifier: Apache-2.0
//
// Produce, key 0, versions 3-13, flexible from 9: batches for the leaders of partitions.
//
// v3       transactional_id; exactly one batch of magic 2 a partition from here on
// v4       the answer may be KAFKA_STORAGE_ERROR
// v5       log_start_offset in the answer
// v7       zstd
// v8       record_errors and error_message (KIP-467)
// v10      current_leader and node_endpoints (KIP-951)
// v11      the answer may be TRANSACTION_ABORTABLE (KIP-890)
// v12      the broker itself adds the partition to the transaction (KIP-890)
// v13      topic ids instead of names (KIP-516)
// note     advertised from 0, though 0-2 are refused: librdkafka before 2.11.1 sends uncompressed
//          batches to brokers that do not list version 0 (KAFKA-18659). The throttle time follows
//          the topics here. A request with acks 0 has no answer at all.
// source   Kafka protocol guide, "Produce API (Key: 0)"
#pragma once

#include "protocol/codec.hpp"

namespace kq::wire {

inline constexpr ApiInfo produce_api{
    .key = 0, .name = "Produce", .versions = {3, 13}, .flexible_from = 9, .advertised_from = 0};

struct ProduceRequest {
    static constexpr const auto& info = produce_api;

    struct PartitionProduceData {
        std::int32_t index = 0;
        Records records;  // one batch

        template <class Walker>
        void walk(Walker& w) {
            w.field("index", index);
            w.field("records", records);
            w.tags();
        }
        bool operator==(const PartitionProduceData&) const = default;
    };

    struct TopicProduceData {
        std::string name;
        Uuid topic_id;
        std::vector<PartitionProduceData> partition_data;

        template <class Walker>
        void walk(Walker& w) {
            w.field("name", name, until(12).ignorable());
            w.field("topicId", topic_id, since(13).ignorable());
            w.field("partitionData", partition_data);
            w.tags();
        }
        bool operator==(const TopicProduceData&) const = default;
    };

    std::optional<std::string> transactional_id;  // null outside transactions
    std::int16_t acks = 0;                        // 0, 1, or -1: all in-sync replicas
    std::int32_t timeout_ms = 0;                  // how long to wait for the in-sync replicas
    std::vector<TopicProduceData> topic_data;

    template <class Walker>
    void walk(Walker& w) {
        w.field("transactionalId", transactional_id);
        w.field("acks", acks);
        w.field("timeoutMs", timeout_ms);
        w.field("topicData", topic_data);
        w.tags();
    }
    bool operator==(const ProduceRequest&) const = default;
};

struct ProduceResponse {
    static constexpr const auto& info = produce_api;

    struct BatchIndexAndErrorMessage {
        std::int32_t batch_index = 0;  // which record of the batch
        std::optional<std::string> batch_index_error_message;

        template <class Walker>
        void walk(Walker& w) {
            w.field("batchIndex", batch_index);
            w.field("batchIndexErrorMessage", batch_index_error_message);
            w.tags();
        }
        bool operator==(const BatchIndexAndErrorMessage&) const = default;
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

    struct PartitionProduceResponse {
        std::int32_t index = 0;
        std::int16_t error_code = 0;
        std::int64_t base_offset = 0;          // of the first record
        std::int64_t log_append_time_ms = -1;  // -1 unless the topic stamps records itself
        std::int64_t log_start_offset = -1;
        std::vector<BatchIndexAndErrorMessage> record_errors;
        std::optional<std::string> error_message;
        LeaderIdAndEpoch current_leader;

        template <class Walker>
        void walk(Walker& w) {
            w.field("index", index);
            w.field("errorCode", error_code);
            w.field("baseOffset", base_offset);
            w.field("logAppendTimeMs", log_append_time_ms);
            w.field("logStartOffset", log_start_offset, since(5).ignorable());
            w.field("recordErrors", record_errors, since(8).ignorable());
            w.field("errorMessage", error_message, since(8).ignorable());
            w.tags(tagged(0, "currentLeader", current_leader, since(10)));
        }
        bool operator==(const PartitionProduceResponse&) const = default;
    };

    struct TopicProduceResponse {
        std::string name;
        Uuid topic_id;
        std::vector<PartitionProduceResponse> partition_responses;

        template <class Walker>
        void walk(Walker& w) {
            w.field("name", name, until(12).ignorable());
            w.field("topicId", topic_id, since(13).ignorable());
            w.field("partitionResponses", partition_responses);
            w.tags();
        }
        bool operator==(const TopicProduceResponse&) const = default;
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

    std::vector<TopicProduceResponse> responses;
    std::int32_t throttle_time_ms = 0;
    std::vector<NodeEndpoint> node_endpoints;

    template <class Walker>
    void walk(Walker& w) {
        w.field("responses", responses);
        w.field("throttleTimeMs", throttle_time_ms);
        w.tags(tagged(0, "nodeEndpoints", node_endpoints, since(10)));
    }
    bool operator==(const ProduceResponse&) const = default;
};

}  // namespace kq::wire
