// SPDX-License-Identifier: Apache-2.0
#include "metadata/metadata_replay.hpp"

#include <algorithm>

#include "metadata/carried_records.hpp"
#include "metadata/metadata_editor.hpp"

namespace kq {
namespace {

std::vector<std::int32_t> numbers(const std::vector<BrokerId>& brokers) {
    std::vector<std::int32_t> result;
    result.reserve(brokers.size());
    for (auto id : brokers)
        result.push_back(id.value);
    return result;
}

template <class Endpoint, class Record>
void put_endpoints(const std::vector<ListenerEndpoint>& endpoints, Record& record) {
    for (const auto& e : endpoints)
        record.end_points.push_back(Endpoint{e.listener, e.host, e.port, e.security_protocol});
}

template <class Feature, class Record>
void put_features(const std::map<std::string, FeatureRange>& features, Record& record) {
    for (const auto& [name, range] : features)
        record.features.push_back(Feature{name, range.min, range.max});
}

wire::RegisterBrokerRecord record_of(const BrokerRegistration& broker) {
    wire::RegisterBrokerRecord record;
    record.broker_id = broker.id.value;
    record.is_migrating_zk_broker = broker.is_migrating_zk_broker;
    record.incarnation_id = broker.incarnation;
    record.broker_epoch = broker.epoch.value;
    put_endpoints<wire::RegisterBrokerRecord::BrokerEndpoint>(broker.endpoints, record);
    put_features<wire::RegisterBrokerRecord::BrokerFeature>(broker.features, record);
    record.rack = broker.rack;
    record.fenced = broker.fenced;
    record.in_controlled_shutdown = broker.in_controlled_shutdown;
    record.log_dirs = broker.log_dirs;
    record.cordoned_log_dirs = broker.cordoned_log_dirs;
    return record;
}

wire::RegisterControllerRecord record_of(const ControllerRegistration& controller) {
    wire::RegisterControllerRecord record;
    record.controller_id = controller.id.value;
    record.incarnation_id = controller.incarnation;
    record.zk_migration_ready = controller.zk_migration_ready;
    put_endpoints<wire::RegisterControllerRecord::ControllerEndpoint>(controller.endpoints, record);
    put_features<wire::RegisterControllerRecord::ControllerFeature>(controller.features, record);
    return record;
}

wire::PartitionRecord record_of(const Uuid& topic_id, PartitionIndex index,
                                const PartitionRegistration& partition) {
    wire::PartitionRecord record;
    record.partition_id = index.value;
    record.topic_id = topic_id;
    record.replicas = numbers(partition.replicas);
    record.isr = numbers(partition.isr);
    record.removing_replicas = numbers(partition.removing_replicas);
    record.adding_replicas = numbers(partition.adding_replicas);
    record.leader = partition.leader.value;
    record.leader_recovery_state = static_cast<std::int8_t>(partition.leader_recovery_state);
    record.leader_epoch = partition.leader_epoch.value;
    record.partition_epoch = partition.partition_epoch.value;
    record.directories = partition.directories;
    if (!partition.eligible_leader_replicas.empty())
        record.eligible_leader_replicas = numbers(partition.eligible_leader_replicas);
    if (!partition.last_known_elr.empty())
        record.last_known_elr = numbers(partition.last_known_elr);
    return record;
}

using Sink = std::function<Status(const wire::MetadataRecord&)>;

Status write_cluster(const MetadataState& state, const Sink& sink) {
    // metadata.version comes first: it says how to read the rest.
    if (state.metadata_version() != 0) {
        KQ_TRY(sink(wire::FeatureLevelRecord{std::string(feature_metadata_version),
                                             state.metadata_version()}));
    }
    for (const auto& [name, level] : state.features) {
        if (name != feature_metadata_version) KQ_TRY(sink(wire::FeatureLevelRecord{name, level}));
    }
    if (state.zk_migration_state)
        KQ_TRY(sink(wire::ZkMigrationStateRecord{*state.zk_migration_state}));
    for (const auto& [id, broker] : state.brokers)
        KQ_TRY(sink(record_of(*broker)));
    for (const auto& [id, controller] : state.controllers)
        KQ_TRY(sink(record_of(*controller)));
    return done();
}

Status write_topics(const MetadataState& state, const Sink& sink) {
    for (const auto& [id, topic] : state.topics_by_id) {
        KQ_TRY(sink(wire::TopicRecord{topic->name(), id}));
        for (const auto& [index, partition] : topic->partitions())
            KQ_TRY(sink(record_of(id, index, *partition)));
    }
    for (const auto& [resource, entries] : state.configs) {
        for (const auto& [name, value] : *entries) {
            KQ_TRY(sink(wire::ConfigRecord{static_cast<std::int8_t>(resource.type), resource.name,
                                           name, value}));
        }
    }
    return done();
}

Status write_carried(const CarriedRecords& carried, const Sink& sink) {
    for (const auto& [id, acl] : carried.acls)
        KQ_TRY(sink(acl));
    for (const auto& [key, credential] : carried.scram_credentials)
        KQ_TRY(sink(credential));
    for (const auto& [id, token] : carried.delegation_tokens)
        KQ_TRY(sink(token));
    return done();
}

Status write_quotas(const CarriedRecords& carried, const Sink& sink) {
    for (const auto& [entity, values] : carried.client_quotas) {
        wire::ClientQuotaRecord record;
        for (const auto& [type, name] : entity)
            record.entity.push_back({type, name});
        for (const auto& [key, value] : values) {
            record.key = key;
            record.value = value;
            KQ_TRY(sink(record));
        }
    }
    return done();
}

}  // namespace

Status MetadataReplay::apply(std::span<const wire::MetadataRecord> records, MetadataDelta* delta) {
    MetadataEditor editor(state_, delta);
    for (const auto& record : records) {
        if (std::holds_alternative<wire::BeginTransactionRecord>(record)) {
            if (transaction_)
                return Error(Errc::corrupt_file, "a metadata transaction inside another");
            transaction_.emplace();
        } else if (std::holds_alternative<wire::AbortTransactionRecord>(record) ||
                   std::holds_alternative<wire::EndTransactionRecord>(record)) {
            if (!transaction_)
                return Error(Errc::corrupt_file, "the end of a metadata transaction without one");
            const auto held = std::exchange(transaction_, std::nullopt);
            if (std::holds_alternative<wire::EndTransactionRecord>(record)) {
                for (const auto& inner : *held)
                    KQ_TRY(editor.apply(inner));
            }
        } else if (transaction_) {
            transaction_->push_back(record);
        } else {
            KQ_TRY(editor.apply(record));
        }
    }
    editor.finish();
    return done();
}

Status write_as_records(const MetadataState& state, const Sink& take) {
    const Sink sink = [&](wire::MetadataRecord record) {
        fit_to_level(record, state.metadata_version());
        return take(record);
    };
    KQ_TRY(write_cluster(state, sink));
    KQ_TRY(write_topics(state, sink));
    KQ_TRY(write_quotas(*state.carried, sink));
    if (state.next_producer_id) {
        wire::ProducerIdsRecord record;
        record.broker_id = no_broker.value;
        record.next_producer_id = *state.next_producer_id;
        KQ_TRY(sink(record));
    }
    return write_carried(*state.carried, sink);
}

// What each level brought: 3.3 controlled shutdown, 3.4-IV0 (8) migration, 3.7-IV2 (17)
// directories, 4.0-IV1 (23) eligible leader replicas, 4.3-IV0 (30) cordoned directories.
std::int16_t record_version(const wire::MetadataRecord& record, std::int16_t metadata_version) {
    constexpr std::int16_t migration = 8;
    constexpr std::int16_t directories = 17;
    constexpr std::int16_t eligible_replicas = 23;
    constexpr std::int16_t cordoned = 30;
    const std::int16_t level =
        metadata_version == 0 ? supported_metadata_versions.max : metadata_version;
    if (std::holds_alternative<wire::RegisterBrokerRecord>(record)) {
        if (level >= cordoned) return 4;
        if (level >= directories) return 3;
        return level >= migration ? 2 : 1;
    }
    if (std::holds_alternative<wire::PartitionRecord>(record) ||
        std::holds_alternative<wire::PartitionChangeRecord>(record)) {
        if (level >= eligible_replicas) return 2;
        return level >= directories ? 1 : 0;
    }
    // As Kafka does: the lowest version that can say it.
    if (const auto* change = std::get_if<wire::BrokerRegistrationChangeRecord>(&record)) {
        if (change->cordoned_log_dirs) return 3;
        if (!change->log_dirs.empty()) return 2;
        return change->in_controlled_shutdown != 0 ? 1 : 0;
    }
    return 0;
}

std::int16_t fit_to_level(wire::MetadataRecord& record, std::int16_t metadata_version) {
    const auto version = record_version(record, metadata_version);
    if (auto* broker = std::get_if<wire::RegisterBrokerRecord>(&record)) {
        if (version < 4) broker->cordoned_log_dirs.reset();
        if (version < 3) broker->log_dirs.clear();
        if (version < 2) broker->is_migrating_zk_broker = false;
    } else if (auto* partition = std::get_if<wire::PartitionRecord>(&record)) {
        if (version < 1) partition->directories.clear();
        if (version < 2) {
            partition->eligible_leader_replicas.reset();
            partition->last_known_elr.reset();
        }
    } else if (auto* change = std::get_if<wire::PartitionChangeRecord>(&record)) {
        if (version < 1) change->directories.reset();
        if (version < 2) {
            change->eligible_leader_replicas.reset();
            change->last_known_elr.reset();
        }
    }
    return version;
}

}  // namespace kq
