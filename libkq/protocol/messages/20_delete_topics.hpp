// SPDX-License-Identifier: Apache-2.0
//
// DeleteTopics, key 20, versions 1-6, flexible from 4: removes topics, by name or id.
//
// v1       throttle_time_ms
// v3       the answer may be TOPIC_DELETION_DISABLED
// v5       error_message; the answer may be THROTTLING_QUOTA_EXCEEDED (KIP-599)
// v6       topics replaces topic_names, so that ids can be given (KIP-516)
// source   Kafka protocol guide, "DeleteTopics API (Key: 20)"
#pragma once

#include "protocol/codec.hpp"

namespace kq::wire {

inline constexpr ApiInfo delete_topics_api{
    .key = 20, .name = "DeleteTopics", .versions = {1, 6}, .flexible_from = 4};

struct DeleteTopicsRequest {
    static constexpr const auto& info = delete_topics_api;

    struct DeleteTopicState {
        std::optional<std::string> name;
        Uuid topic_id;

        template <class Walker>
        void walk(Walker& w) {
            w.field("name", name);
            w.field("topicId", topic_id);
            w.tags();
        }
        bool operator==(const DeleteTopicState&) const = default;
    };

    std::vector<DeleteTopicState> topics;
    std::vector<std::string> topic_names;
    std::int32_t timeout_ms = 0;

    template <class Walker>
    void walk(Walker& w) {
        w.field("topics", topics, since(6));
        w.field("topicNames", topic_names, until(5).ignorable());
        w.field("timeoutMs", timeout_ms);
        w.tags();
    }
    bool operator==(const DeleteTopicsRequest&) const = default;
};

struct DeleteTopicsResponse {
    static constexpr const auto& info = delete_topics_api;

    struct DeletableTopicResult {
        std::optional<std::string> name = "";
        Uuid topic_id;
        std::int16_t error_code = 0;
        std::optional<std::string> error_message;

        template <class Walker>
        void walk(Walker& w) {
            w.field("name", name, always.nullable_since(6));
            w.field("topicId", topic_id, since(6).ignorable());
            w.field("errorCode", error_code);
            w.field("errorMessage", error_message, since(5).ignorable());
            w.tags();
        }
        bool operator==(const DeletableTopicResult&) const = default;
    };

    std::int32_t throttle_time_ms = 0;
    std::vector<DeletableTopicResult> responses;

    template <class Walker>
    void walk(Walker& w) {
        w.field("throttleTimeMs", throttle_time_ms);
        w.field("responses", responses);
        w.tags();
    }
    bool operator==(const DeleteTopicsResponse&) const = default;
};

}  // namespace kq::wire
