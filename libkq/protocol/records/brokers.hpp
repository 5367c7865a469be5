// SPDX-License-Identifier: Apache-2.0
//
// Records of the metadata log about brokers and controllers.
//
// v1       RegisterBroker: in_controlled_shutdown; BrokerRegistrationChange the same
// v2       RegisterBroker: is_migrating_zk_broker; BrokerRegistrationChange: log_dirs
// v3       RegisterBroker: log_dirs (KIP-858); BrokerRegistrationChange: cordoned_log_dirs
// v4       RegisterBroker: cordoned_log_dirs (KIP-1066)
// source   Kafka metadata records; KIP-631, "Record Schemas"
#pragma once

#include "protocol/codec.hpp"

namespace kq::wire {

inline constexpr RecordInfo register_broker_record{
    .type = 0, .name = "RegisterBrokerRecord", .versions = {0, 4}};

// A broker registered; its epoch is the offset of this record.
struct RegisterBrokerRecord {
    static constexpr const auto& info = register_broker_record;

    struct BrokerEndpoint {
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
        bool operator==(const BrokerEndpoint&) const = default;
    };

    struct BrokerFeature {
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
        bool operator==(const BrokerFeature&) const = default;
    };

    std::int32_t broker_id = 0;
    bool is_migrating_zk_broker = false;
    Uuid incarnation_id;
    std::int64_t broker_epoch = 0;
    std::vector<BrokerEndpoint> end_points;
    std::vector<BrokerFeature> features;
    std::optional<std::string> rack = "";
    bool fenced = true;
    bool in_controlled_shutdown = false;
    std::vector<Uuid> log_dirs;
    std::optional<std::vector<Uuid>> cordoned_log_dirs;

    template <class Walker>
    void walk(Walker& w) {
        w.field("brokerId", broker_id);
        w.field("isMigratingZkBroker", is_migrating_zk_broker, since(2));
        w.field("incarnationId", incarnation_id);
        w.field("brokerEpoch", broker_epoch);
        w.field("endPoints", end_points);
        w.field("features", features);
        w.field("rack", rack);
        w.field("fenced", fenced);
        w.field("inControlledShutdown", in_controlled_shutdown, since(1));
        w.tags(tagged(0, "logDirs", log_dirs, since(3)),
               tagged(1, "cordonedLogDirs", cordoned_log_dirs, since(4)));
    }
    bool operator==(const RegisterBrokerRecord&) const = default;
};

inline constexpr RecordInfo unregister_broker_record{
    .type = 1, .name = "UnregisterBrokerRecord", .versions = {0, 0}};

// A broker left for good.
struct UnregisterBrokerRecord {
    static constexpr const auto& info = unregister_broker_record;

    std::int32_t broker_id = 0;
    std::int64_t broker_epoch = 0;

    template <class Walker>
    void walk(Walker& w) {
        w.field("brokerId", broker_id);
        w.field("brokerEpoch", broker_epoch);
        w.tags();
    }
    bool operator==(const UnregisterBrokerRecord&) const = default;
};

inline constexpr RecordInfo broker_registration_change_record{
    .type = 17, .name = "BrokerRegistrationChangeRecord", .versions = {0, 3}};

// What changed about a registered broker; zero or absent fields did not.
struct BrokerRegistrationChangeRecord {
    static constexpr const auto& info = broker_registration_change_record;

    std::int32_t broker_id = 0;
    std::int64_t broker_epoch = 0;
    std::int8_t fenced = 0;
    std::int8_t in_controlled_shutdown = 0;
    std::vector<Uuid> log_dirs;
    std::optional<std::vector<Uuid>> cordoned_log_dirs;

    template <class Walker>
    void walk(Walker& w) {
        w.field("brokerId", broker_id);
        w.field("brokerEpoch", broker_epoch);
        w.tags(tagged(0, "fenced", fenced),
               tagged(1, "inControlledShutdown", in_controlled_shutdown, since(1)),
               tagged(2, "logDirs", log_dirs, since(2)),
               tagged(3, "cordonedLogDirs", cordoned_log_dirs, since(3)));
    }
    bool operator==(const BrokerRegistrationChangeRecord&) const = default;
};

inline constexpr RecordInfo fence_broker_record{
    .type = 7, .name = "FenceBrokerRecord", .versions = {0, 0}};

// Before metadata.version 3.0: a broker was fenced. Read, never written.
struct FenceBrokerRecord {
    static constexpr const auto& info = fence_broker_record;

    std::int32_t id = 0;
    std::int64_t epoch = 0;

    template <class Walker>
    void walk(Walker& w) {
        w.field("id", id);
        w.field("epoch", epoch);
        w.tags();
    }
    bool operator==(const FenceBrokerRecord&) const = default;
};

inline constexpr RecordInfo unfence_broker_record{
    .type = 8, .name = "UnfenceBrokerRecord", .versions = {0, 0}};

// Before metadata.version 3.0: a broker was unfenced. Read, never written.
struct UnfenceBrokerRecord {
    static constexpr const auto& info = unfence_broker_record;

    std::int32_t id = 0;
    std::int64_t epoch = 0;

    template <class Walker>
    void walk(Walker& w) {
        w.field("id", id);
        w.field("epoch", epoch);
        w.tags();
    }
    bool operator==(const UnfenceBrokerRecord&) const = default;
};

inline constexpr RecordInfo register_controller_record{
    .type = 27, .name = "RegisterControllerRecord", .versions = {0, 0}};

// A controller of the quorum registered (KIP-919).
struct RegisterControllerRecord {
    static constexpr const auto& info = register_controller_record;

    struct ControllerEndpoint {
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
        bool operator==(const ControllerEndpoint&) const = default;
    };

    struct ControllerFeature {
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
        bool operator==(const ControllerFeature&) const = default;
    };

    std::int32_t controller_id = 0;
    Uuid incarnation_id;
    bool zk_migration_ready = false;
    std::vector<ControllerEndpoint> end_points;
    std::vector<ControllerFeature> features;

    template <class Walker>
    void walk(Walker& w) {
        w.field("controllerId", controller_id);
        w.field("incarnationId", incarnation_id);
        w.field("zkMigrationReady", zk_migration_ready);
        w.field("endPoints", end_points);
        w.field("features", features);
        w.tags();
    }
    bool operator==(const RegisterControllerRecord&) const = default;
};

}  // namespace kq::wire
