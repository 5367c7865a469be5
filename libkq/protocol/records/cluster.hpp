// SPDX-License-Identifier: Apache-2.0
//
// Records of the metadata log about features, configs, producer ids, quotas, and of its own
// transactions.
//
// source   Kafka metadata records; KIP-631, "Record Schemas"; KIP-866, KIP-868
#pragma once

#include "protocol/codec.hpp"

namespace kq::wire {

inline constexpr RecordInfo config_record{.type = 4, .name = "ConfigRecord", .versions = {0, 0}};

// One setting of a topic, broker, group or client; a null value removes it.
struct ConfigRecord {
    static constexpr const auto& info = config_record;

    std::int8_t resource_type = 0;  // 2 topic, 4 broker, 16 client metrics, 32 group
    std::string resource_name;
    std::string name;
    std::optional<std::string> value = "";

    template <class Walker>
    void walk(Walker& w) {
        w.field("resourceType", resource_type);
        w.field("resourceName", resource_name);
        w.field("name", name);
        w.field("value", value);
        w.tags();
    }
    bool operator==(const ConfigRecord&) const = default;
};

inline constexpr RecordInfo feature_level_record{
    .type = 12, .name = "FeatureLevelRecord", .versions = {0, 0}};

// A feature was finalized at a level; 0 removes it (KIP-584).
struct FeatureLevelRecord {
    static constexpr const auto& info = feature_level_record;

    std::string name;
    std::int16_t feature_level = 0;  // 0: not finalized any more

    template <class Walker>
    void walk(Walker& w) {
        w.field("name", name);
        w.field("featureLevel", feature_level);
        w.tags();
    }
    bool operator==(const FeatureLevelRecord&) const = default;
};

inline constexpr RecordInfo producer_ids_record{
    .type = 15, .name = "ProducerIdsRecord", .versions = {0, 0}};

// A block of producer ids was given to a broker; next_producer_id follows the block.
struct ProducerIdsRecord {
    static constexpr const auto& info = producer_ids_record;

    std::int32_t broker_id = 0;
    std::int64_t broker_epoch = -1;
    std::int64_t next_producer_id = 0;  // the first of the next block

    template <class Walker>
    void walk(Walker& w) {
        w.field("brokerId", broker_id);
        w.field("brokerEpoch", broker_epoch);
        w.field("nextProducerId", next_producer_id);
        w.tags();
    }
    bool operator==(const ProducerIdsRecord&) const = default;
};

inline constexpr RecordInfo client_quota_record{
    .type = 14, .name = "ClientQuotaRecord", .versions = {0, 0}};

// A quota of a user, client id or address was set or removed (KIP-546).
struct ClientQuotaRecord {
    static constexpr const auto& info = client_quota_record;

    struct EntityData {
        std::string entity_type;
        std::optional<std::string> entity_name = "";

        template <class Walker>
        void walk(Walker& w) {
            w.field("entityType", entity_type);
            w.field("entityName", entity_name);
            w.tags();
        }
        bool operator==(const EntityData&) const = default;
    };

    std::vector<EntityData> entity;
    std::string key;
    double value = 0;
    bool remove = false;

    template <class Walker>
    void walk(Walker& w) {
        w.field("entity", entity);
        w.field("key", key);
        w.field("value", value);
        w.field("remove", remove);
        w.tags();
    }
    bool operator==(const ClientQuotaRecord&) const = default;
};

inline constexpr RecordInfo no_op_record{.type = 20, .name = "NoOpRecord", .versions = {0, 0}};

// Says nothing; moves the log end on, so that followers can be told from dead ones (KIP-835).
struct NoOpRecord {
    static constexpr const auto& info = no_op_record;

    template <class Walker>
    void walk(Walker& w) {
        w.tags();
    }
    bool operator==(const NoOpRecord&) const = default;
};

inline constexpr RecordInfo zk_migration_state_record{
    .type = 21, .name = "ZkMigrationStateRecord", .versions = {0, 0}};

// The state of a migration from ZooKeeper (KIP-866): always none in directories that kq makes.
struct ZkMigrationStateRecord {
    static constexpr const auto& info = zk_migration_state_record;

    std::int8_t zk_migration_state = 0;

    template <class Walker>
    void walk(Walker& w) {
        w.field("zkMigrationState", zk_migration_state);
        w.tags();
    }
    bool operator==(const ZkMigrationStateRecord&) const = default;
};

inline constexpr RecordInfo begin_transaction_record{
    .type = 23, .name = "BeginTransactionRecord", .versions = {0, 0}};

// The records that follow apply together or not at all (KIP-868).
struct BeginTransactionRecord {
    static constexpr const auto& info = begin_transaction_record;

    std::optional<std::string> name;

    template <class Walker>
    void walk(Walker& w) {
        w.tags(tagged(0, "name", name));
    }
    bool operator==(const BeginTransactionRecord&) const = default;
};

inline constexpr RecordInfo end_transaction_record{
    .type = 24, .name = "EndTransactionRecord", .versions = {0, 0}};

// They apply.
struct EndTransactionRecord {
    static constexpr const auto& info = end_transaction_record;

    template <class Walker>
    void walk(Walker& w) {
        w.tags();
    }
    bool operator==(const EndTransactionRecord&) const = default;
};

inline constexpr RecordInfo abort_transaction_record{
    .type = 25, .name = "AbortTransactionRecord", .versions = {0, 0}};

// They do not.
struct AbortTransactionRecord {
    static constexpr const auto& info = abort_transaction_record;

    std::optional<std::string> reason;

    template <class Walker>
    void walk(Walker& w) {
        w.tags(tagged(0, "reason", reason));
    }
    bool operator==(const AbortTransactionRecord&) const = default;
};

}  // namespace kq::wire
