// SPDX-License-Identifier: Apache-2.0
//
// CreateTopics, key 19, versions 2-7, flexible from 5: new topics, by number of partitions or by
// assignment.
//
// v4       -1 partitions or replicas: the defaults of the broker (KIP-464)
// v5       the answer holds partitions, replicas and configs (KIP-525)
// v6       the answer may be THROTTLING_QUOTA_EXCEEDED (KIP-599)
// v7       topic ids in the answer (KIP-516)
// source   Kafka protocol guide, "CreateTopics API (Key: 19)"
#pragma once

#include "protocol/codec.hpp"

namespace kq::wire {

inline constexpr ApiInfo create_topics_api{
    .key = 19, .name = "CreateTopics", .versions = {2, 7}, .flexible_from = 5};

struct CreateTopicsRequest {
    static constexpr const auto& info = create_topics_api;

    struct CreatableReplicaAssignment {
        std::int32_t partition_index = 0;
        std::vector<std::int32_t> broker_ids;

        template <class Walker>
        void walk(Walker& w) {
            w.field("partitionIndex", partition_index);
            w.field("brokerIds", broker_ids);
            w.tags();
        }
        bool operator==(const CreatableReplicaAssignment&) const = default;
    };

    struct CreatableTopicConfig {
        std::string name;
        std::optional<std::string> value = "";

        template <class Walker>
        void walk(Walker& w) {
            w.field("name", name);
            w.field("value", value);
            w.tags();
        }
        bool operator==(const CreatableTopicConfig&) const = default;
    };

    struct CreatableTopic {
        std::string name;
        std::int32_t num_partitions = 0;      // -1 with assignments, or for the default
        std::int16_t replication_factor = 0;  // -1 with assignments, or for the default
        std::vector<CreatableReplicaAssignment> assignments;
        std::vector<CreatableTopicConfig> configs;

        template <class Walker>
        void walk(Walker& w) {
            w.field("name", name);
            w.field("numPartitions", num_partitions);
            w.field("replicationFactor", replication_factor);
            w.field("assignments", assignments);
            w.field("configs", configs);
            w.tags();
        }
        bool operator==(const CreatableTopic&) const = default;
    };

    std::vector<CreatableTopic> topics;
    std::int32_t timeout_ms = 60000;
    bool validate_only = false;  // check, and change nothing

    template <class Walker>
    void walk(Walker& w) {
        w.field("topics", topics);
        w.field("timeoutMs", timeout_ms);
        w.field("validateOnly", validate_only);
        w.tags();
    }
    bool operator==(const CreateTopicsRequest&) const = default;
};

struct CreateTopicsResponse {
    static constexpr const auto& info = create_topics_api;

    struct CreatableTopicConfigs {
        std::string name;
        std::optional<std::string> value = "";
        bool read_only = false;
        std::int8_t config_source = -1;
        bool is_sensitive = false;

        template <class Walker>
        void walk(Walker& w) {
            w.field("name", name);
            w.field("value", value);
            w.field("readOnly", read_only);
            w.field("configSource", config_source);
            w.field("isSensitive", is_sensitive);
            w.tags();
        }
        bool operator==(const CreatableTopicConfigs&) const = default;
    };

    struct CreatableTopicResult {
        std::string name;
        Uuid topic_id;
        std::int16_t error_code = 0;
        std::optional<std::string> error_message = "";
        std::int16_t topic_config_error_code = 0;
        std::int32_t num_partitions = -1;
        std::int16_t replication_factor = -1;
        std::optional<std::vector<CreatableTopicConfigs>> configs =
            std::vector<CreatableTopicConfigs>{};

        template <class Walker>
        void walk(Walker& w) {
            w.field("name", name);
            w.field("topicId", topic_id, since(7).ignorable());
            w.field("errorCode", error_code);
            w.field("errorMessage", error_message);
            w.field("numPartitions", num_partitions, since(5).ignorable());
            w.field("replicationFactor", replication_factor, since(5).ignorable());
            w.field("configs", configs, since(5).ignorable());
            w.tags(
                tagged(0, "topicConfigErrorCode", topic_config_error_code, since(5).ignorable()));
        }
        bool operator==(const CreatableTopicResult&) const = default;
    };

    std::int32_t throttle_time_ms = 0;
    std::vector<CreatableTopicResult> topics;

    template <class Walker>
    void walk(Walker& w) {
        w.field("throttleTimeMs", throttle_time_ms);
        w.field("topics", topics);
        w.tags();
    }
    bool operator==(const CreateTopicsResponse&) const = default;
};

}  // namespace kq::wire
