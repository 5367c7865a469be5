// SPDX-License-Identifier: Apache-2.0
//
// DescribeCluster, key 60, versions 0-2, all flexible: the brokers or the controllers of the
// cluster.
//
// v1       endpoint_type: brokers or controllers (KIP-919)
// v2       fenced brokers, if asked for (KIP-1073)
// source   Kafka protocol guide, "DescribeCluster API (Key: 60)"
#pragma once

#include <limits>

#include "protocol/codec.hpp"

namespace kq::wire {

inline constexpr ApiInfo describe_cluster_api{
    .key = 60, .name = "DescribeCluster", .versions = {0, 2}, .flexible_from = 0};

struct DescribeClusterRequest {
    static constexpr const auto& info = describe_cluster_api;

    bool include_cluster_authorized_operations = false;
    std::int8_t endpoint_type = 1;  // 1 brokers, 2 controllers
    bool include_fenced_brokers = false;

    template <class Walker>
    void walk(Walker& w) {
        w.field("includeClusterAuthorizedOperations", include_cluster_authorized_operations);
        w.field("endpointType", endpoint_type, since(1));
        w.field("includeFencedBrokers", include_fenced_brokers, since(2));
        w.tags();
    }
    bool operator==(const DescribeClusterRequest&) const = default;
};

struct DescribeClusterResponse {
    static constexpr const auto& info = describe_cluster_api;

    struct DescribeClusterBroker {
        std::int32_t broker_id = 0;
        std::string host;
        std::int32_t port = 0;
        std::optional<std::string> rack;
        bool is_fenced = false;

        template <class Walker>
        void walk(Walker& w) {
            w.field("brokerId", broker_id);
            w.field("host", host);
            w.field("port", port);
            w.field("rack", rack);
            w.field("isFenced", is_fenced, since(2));
            w.tags();
        }
        bool operator==(const DescribeClusterBroker&) const = default;
    };

    std::int32_t throttle_time_ms = 0;
    std::int16_t error_code = 0;
    std::optional<std::string> error_message;
    std::int8_t endpoint_type = 1;
    std::string cluster_id;
    std::int32_t controller_id = -1;
    std::vector<DescribeClusterBroker> brokers;
    std::int32_t cluster_authorized_operations = std::numeric_limits<std::int32_t>::min();

    template <class Walker>
    void walk(Walker& w) {
        w.field("throttleTimeMs", throttle_time_ms);
        w.field("errorCode", error_code);
        w.field("errorMessage", error_message);
        w.field("endpointType", endpoint_type, since(1));
        w.field("clusterId", cluster_id);
        w.field("controllerId", controller_id);
        w.field("brokers", brokers);
        w.field("clusterAuthorizedOperations", cluster_authorized_operations);
        w.tags();
    }
    bool operator==(const DescribeClusterResponse&) const = default;
};

}  // namespace kq::wire
