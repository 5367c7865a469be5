// SPDX-License-Identifier: Apache-2.0
//
// BrokerRegistration, key 62, versions 0-4, all flexible: a broker that has started tells the
// controller who it is.
//
// v1       is_migrating_zk_broker
// v2       log_dirs (KIP-858)
// v3       previous_broker_epoch (KIP-966)
// v4       features may have the minimum 0 (KAFKA-17011)
// source   Kafka protocol guide, "BrokerRegistration API (Key: 62)"
#pragma once

#include "protocol/codec.hpp"

namespace kq::wire {

inline constexpr ApiInfo broker_registration_api{
    .key = 62, .name = "BrokerRegistration", .versions = {0, 4}, .flexible_from = 0};

struct BrokerRegistrationRequest {
    static constexpr const auto& info = broker_registration_api;

    struct Listener {
        std::string name;
        std::string host;
        std::uint16_t port = 0;
        std::int16_t security_protocol = 0;

        template <class Walker>
        void walk(Walker& w) {
            w.field("name", name);
            w.field("host", host);
            w.field("port", port);
            w.field("securityProtocol", security_protocol);
            w.tags();
        }
        bool operator==(const Listener&) const = default;
    };

    struct Feature {
        std::string name;
        std::int16_t min_supported_version = 0;
        std::int16_t max_supported_version = 0;

        template <class Walker>
        void walk(Walker& w) {
            w.field("name", name);
            w.field("minSupportedVersion", min_supported_version);
            w.field("maxSupportedVersion", max_supported_version);
            w.tags();
        }
        bool operator==(const Feature&) const = default;
    };

    std::int32_t broker_id = 0;
    std::string cluster_id;
    Uuid incarnation_id;  // new with every start of the process
    std::vector<Listener> listeners;
    std::vector<Feature> features;
    std::optional<std::string> rack = "";
    bool is_migrating_zk_broker = false;
    std::vector<Uuid> log_dirs;
    std::int64_t previous_broker_epoch = -1;  // -1 unless the broker stopped cleanly

    template <class Walker>
    void walk(Walker& w) {
        w.field("brokerId", broker_id);
        w.field("clusterId", cluster_id);
        w.field("incarnationId", incarnation_id);
        w.field("listeners", listeners);
        w.field("features", features);
        w.field("rack", rack);
        w.field("isMigratingZkBroker", is_migrating_zk_broker, since(1));
        w.field("logDirs", log_dirs, since(2).ignorable());
        w.field("previousBrokerEpoch", previous_broker_epoch, since(3).ignorable());
        w.tags();
    }
    bool operator==(const BrokerRegistrationRequest&) const = default;
};

struct BrokerRegistrationResponse {
    static constexpr const auto& info = broker_registration_api;

    std::int32_t throttle_time_ms = 0;
    std::int16_t error_code = 0;
    std::int64_t broker_epoch = -1;

    template <class Walker>
    void walk(Walker& w) {
        w.field("throttleTimeMs", throttle_time_ms);
        w.field("errorCode", error_code);
        w.field("brokerEpoch", broker_epoch);
        w.tags();
    }
    bool operator==(const BrokerRegistrationResponse&) const = default;
};

}  // namespace kq::wire
