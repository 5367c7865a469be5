// SPDX-License-Identifier: Apache-2.0
//
// FindCoordinator, key 10, versions 0-6, flexible from 3: the broker that coordinates a group or a
// transactional id.
//
// v1       key_type; throttle time and error message
// v4       several keys at once (KIP-699)
// v5       the answer may be TRANSACTION_ABORTABLE (KIP-890)
// v6       share groups, key "group:topic id:partition" (KIP-932)
// source   Kafka protocol guide, "FindCoordinator API (Key: 10)"
#pragma once

#include "protocol/codec.hpp"

namespace kq::wire {

inline constexpr ApiInfo find_coordinator_api{
    .key = 10, .name = "FindCoordinator", .versions = {0, 6}, .flexible_from = 3};

struct FindCoordinatorRequest {
    static constexpr const auto& info = find_coordinator_api;

    std::string key;
    std::int8_t key_type = 0;  // 0 group, 1 transaction, 2 share
    std::vector<std::string> coordinator_keys;

    template <class Walker>
    void walk(Walker& w) {
        w.field("key", key, until(3));
        w.field("keyType", key_type, since(1));
        w.field("coordinatorKeys", coordinator_keys, since(4));
        w.tags();
    }
    bool operator==(const FindCoordinatorRequest&) const = default;
};

struct FindCoordinatorResponse {
    static constexpr const auto& info = find_coordinator_api;

    struct Coordinator {
        std::string key;
        std::int32_t node_id = 0;
        std::string host;
        std::int32_t port = 0;
        std::int16_t error_code = 0;
        std::optional<std::string> error_message = "";

        template <class Walker>
        void walk(Walker& w) {
            w.field("key", key);
            w.field("nodeId", node_id);
            w.field("host", host);
            w.field("port", port);
            w.field("errorCode", error_code);
            w.field("errorMessage", error_message);
            w.tags();
        }
        bool operator==(const Coordinator&) const = default;
    };

    std::int32_t throttle_time_ms = 0;
    std::int16_t error_code = 0;
    std::optional<std::string> error_message = "";
    std::int32_t node_id = 0;
    std::string host;
    std::int32_t port = 0;
    std::vector<Coordinator> coordinators;

    template <class Walker>
    void walk(Walker& w) {
        w.field("throttleTimeMs", throttle_time_ms, since(1).ignorable());
        w.field("errorCode", error_code, until(3));
        w.field("errorMessage", error_message, since_until(1, 3).ignorable());
        w.field("nodeId", node_id, until(3));
        w.field("host", host, until(3));
        w.field("port", port, until(3));
        w.field("coordinators", coordinators, since(4));
        w.tags();
    }
    bool operator==(const FindCoordinatorResponse&) const = default;
};

}  // namespace kq::wire
