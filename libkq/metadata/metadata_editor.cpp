// SPDX-License-Identifier: Apache-2.0
#include "metadata/metadata_editor.hpp"

#include <algorithm>
#include <utility>

#include "metadata/carried_records.hpp"
#include "metadata/metadata_replay.hpp"

namespace kq {
namespace {

std::vector<BrokerId> broker_ids(const std::vector<std::int32_t>& numbers) {
    std::vector<BrokerId> ids;
    ids.reserve(numbers.size());
    for (auto number : numbers)
        ids.emplace_back(number);
    return ids;
}

template <class Endpoints>
std::vector<ListenerEndpoint> endpoints_of(const Endpoints& endpoints) {
    std::vector<ListenerEndpoint> result;
    for (const auto& e : endpoints)
        result.push_back({e.name, e.host, e.port, e.security_protocol});
    return result;
}

template <class Features>
std::map<std::string, FeatureRange> features_of(const Features& features) {
    std::map<std::string, FeatureRange> result;
    for (const auto& f : features)
        result[f.name] = {f.min_supported_version, f.max_supported_version};
    return result;
}

Error unknown(const char* what, const std::string& which) {
    return Error(Errc::corrupt_file, std::string("the metadata log speaks of ") + what + " " +
                                         which + ", which it never introduced");
}

}  // namespace

Status MetadataEditor::apply(const wire::MetadataRecord& record) {
    return std::visit([this](const auto& r) { return on(r); }, record);
}

void MetadataEditor::finish() {
    for (auto& [id, topic] : open_) {
        MetadataState::Topic image = std::move(topic);
        state_.topics_by_id.put(edit_, id, image);
        state_.topics_by_name.put(edit_, image->name(), image);
    }
    open_.clear();
    for (auto& [resource, entries] : open_configs_) {
        if (entries->empty()) {
            state_.configs.erase(edit_, resource);
        } else {
            state_.configs.put(edit_, resource, std::move(entries));
        }
    }
    open_configs_.clear();
    if (carried_ != nullptr) state_.carried = std::exchange(carried_, nullptr);
}

// ---- brokers and controllers ----

Status MetadataEditor::on(const wire::RegisterBrokerRecord& record) {
    BrokerRegistration broker;
    broker.id = BrokerId{record.broker_id};
    broker.epoch = BrokerEpoch{record.broker_epoch};
    broker.incarnation = record.incarnation_id;
    broker.endpoints = endpoints_of(record.end_points);
    broker.features = features_of(record.features);
    broker.rack = record.rack;
    broker.fenced = record.fenced;
    broker.in_controlled_shutdown = record.in_controlled_shutdown;
    broker.log_dirs = record.log_dirs;
    std::sort(broker.log_dirs.begin(), broker.log_dirs.end());
    broker.cordoned_log_dirs = record.cordoned_log_dirs;
    broker.is_migrating_zk_broker = record.is_migrating_zk_broker;
    const BrokerId id = broker.id;
    state_.brokers.put(edit_, id, std::make_shared<const BrokerRegistration>(std::move(broker)));
    if (delta_ != nullptr) delta_->changed_brokers.insert(id);
    return done();
}

Status MetadataEditor::on(const wire::UnregisterBrokerRecord& record) {
    const BrokerId id{record.broker_id};
    const auto* broker = state_.broker(id);
    if (broker == nullptr || broker->epoch != BrokerEpoch{record.broker_epoch})
        return unknown("broker", std::to_string(record.broker_id));
    state_.brokers.erase(edit_, id);
    if (delta_ != nullptr) delta_->changed_brokers.insert(id);
    return done();
}

template <class Change>
Status MetadataEditor::change_broker(BrokerId id, BrokerEpoch epoch, Change&& change) {
    const auto* broker = state_.broker(id);
    if (broker == nullptr || broker->epoch != epoch)
        return unknown("broker", std::to_string(id.value));
    BrokerRegistration changed = *broker;
    change(changed);
    state_.brokers.put(edit_, id, std::make_shared<const BrokerRegistration>(std::move(changed)));
    if (delta_ != nullptr) delta_->changed_brokers.insert(id);
    return done();
}

Status MetadataEditor::on(const wire::FenceBrokerRecord& record) {
    return change_broker(BrokerId{record.id}, BrokerEpoch{record.epoch},
                         [](auto& broker) { broker.fenced = true; });
}

Status MetadataEditor::on(const wire::UnfenceBrokerRecord& record) {
    return change_broker(BrokerId{record.id}, BrokerEpoch{record.epoch},
                         [](auto& broker) { broker.fenced = false; });
}

Status MetadataEditor::on(const wire::BrokerRegistrationChangeRecord& record) {
    if (record.fenced < -1 || record.fenced > 1 || record.in_controlled_shutdown < 0 ||
        record.in_controlled_shutdown > 1)
        return Error(Errc::corrupt_file, "a change of a broker's registration with unknown flags");
    return change_broker(BrokerId{record.broker_id}, BrokerEpoch{record.broker_epoch},
                         [&](BrokerRegistration& broker) {
                             if (record.fenced != 0) broker.fenced = record.fenced > 0;
                             if (record.in_controlled_shutdown == 1)
                                 broker.in_controlled_shutdown = true;
                             if (!record.log_dirs.empty()) {
                                 broker.log_dirs = record.log_dirs;
                                 std::sort(broker.log_dirs.begin(), broker.log_dirs.end());
                             }
                             if (record.cordoned_log_dirs)
                                 broker.cordoned_log_dirs = record.cordoned_log_dirs;
                         });
}

Status MetadataEditor::on(const wire::RegisterControllerRecord& record) {
    ControllerRegistration controller;
    controller.id = BrokerId{record.controller_id};
    controller.incarnation = record.incarnation_id;
    controller.zk_migration_ready = record.zk_migration_ready;
    controller.endpoints = endpoints_of(record.end_points);
    controller.features = features_of(record.features);
    const BrokerId id = controller.id;
    state_.controllers.put(edit_, id,
                           std::make_shared<const ControllerRegistration>(std::move(controller)));
    if (delta_ != nullptr) delta_->changed_controllers.insert(id);
    return done();
}

// ---- topics and partitions ----

TopicImage* MetadataEditor::open_topic(const Uuid& id) {
    auto [place, is_new] = open_.try_emplace(id);
    if (!is_new) return place->second.get();
    const auto* known = state_.topic(id);
    if (known == nullptr) {
        open_.erase(place);
        return nullptr;
    }
    place->second = std::make_shared<TopicImage>(*known);
    return place->second.get();
}

Status MetadataEditor::on(const wire::TopicRecord& record) {
    auto [place, is_new] = open_.try_emplace(record.topic_id);
    if (!is_new || state_.topic(record.topic_id) != nullptr ||
        state_.topic(record.name) != nullptr) {
        if (is_new) open_.erase(place);
        return Error(Errc::corrupt_file,
                     "the metadata log creates topic " + record.name + " twice");
    }
    place->second = std::make_shared<TopicImage>(record.name, record.topic_id);
    // Found by its name at once: a second creation in the same run is seen.
    state_.topics_by_id.put(edit_, record.topic_id, place->second);
    state_.topics_by_name.put(edit_, record.name, place->second);
    if (delta_ != nullptr) {
        delta_->changed_topics[record.topic_id] = {record.name, true, {}};
    }
    return done();
}

void MetadataEditor::put_partition(TopicImage& topic, PartitionIndex index,
                                   PartitionRegistration partition) {
    topic.put(edit_, index, std::move(partition));
    if (delta_ == nullptr) return;
    auto& change = delta_->changed_topics[topic.id()];
    change.name = topic.name();
    change.partitions.insert(index);
}

Status MetadataEditor::on(const wire::PartitionRecord& record) {
    auto* topic = open_topic(record.topic_id);
    if (topic == nullptr) return unknown("topic", record.topic_id.text());
    if (record.partition_id < 0)
        return unknown("partition", topic->name() + '-' + std::to_string(record.partition_id));
    PartitionRegistration partition;
    partition.replicas = broker_ids(record.replicas);
    partition.directories = record.directories;
    if (!partition.directories.empty()) partition.directories.resize(partition.replicas.size());
    partition.isr = broker_ids(record.isr);
    partition.removing_replicas = broker_ids(record.removing_replicas);
    partition.adding_replicas = broker_ids(record.adding_replicas);
    if (record.eligible_leader_replicas)
        partition.eligible_leader_replicas = broker_ids(*record.eligible_leader_replicas);
    if (record.last_known_elr) partition.last_known_elr = broker_ids(*record.last_known_elr);
    partition.leader = BrokerId{record.leader};
    partition.leader_recovery_state = record.leader_recovery_state == 1
                                          ? LeaderRecoveryState::recovering
                                          : LeaderRecoveryState::recovered;
    partition.leader_epoch = Epoch{record.leader_epoch};
    partition.partition_epoch = PartitionEpoch{record.partition_epoch};
    const PartitionIndex index{record.partition_id};
    if (topic->partition(index) == nullptr) ++state_.partition_count;
    put_partition(*topic, index, std::move(partition));
    return done();
}

Status MetadataEditor::on(const wire::PartitionChangeRecord& record) {
    auto* topic = open_topic(record.topic_id);
    if (topic == nullptr) return unknown("topic", record.topic_id.text());
    const PartitionIndex index{record.partition_id};
    const auto* known = topic->partition(index);
    if (known == nullptr)
        return unknown("partition", topic->name() + '-' + std::to_string(record.partition_id));
    PartitionRegistration partition = *known;
    if (record.replicas) {
        // A replica that stays keeps its directory, unless the record says all of them anew.
        std::vector<Uuid> directories;
        for (auto number : *record.replicas) {
            const auto* directory = partition.directory_of(BrokerId{number});
            directories.push_back(directory == nullptr ? Uuid{} : *directory);
        }
        if (!partition.directories.empty()) partition.directories = std::move(directories);
        partition.replicas = broker_ids(*record.replicas);
    }
    if (record.directories) {
        partition.directories = *record.directories;
        partition.directories.resize(partition.replicas.size());
    }
    if (record.isr) partition.isr = broker_ids(*record.isr);
    if (record.removing_replicas)
        partition.removing_replicas = broker_ids(*record.removing_replicas);
    if (record.adding_replicas) partition.adding_replicas = broker_ids(*record.adding_replicas);
    if (record.eligible_leader_replicas)
        partition.eligible_leader_replicas = broker_ids(*record.eligible_leader_replicas);
    if (record.last_known_elr) partition.last_known_elr = broker_ids(*record.last_known_elr);
    if (record.leader_recovery_state >= 0)
        partition.leader_recovery_state = record.leader_recovery_state == 1
                                              ? LeaderRecoveryState::recovering
                                              : LeaderRecoveryState::recovered;
    // -2: the leader stays, and so does its epoch.
    if (record.leader != -2) {
        partition.leader = BrokerId{record.leader};
        ++partition.leader_epoch;
    }
    ++partition.partition_epoch;
    put_partition(*topic, index, std::move(partition));
    return done();
}

Status MetadataEditor::on(const wire::RemoveTopicRecord& record) {
    const auto* topic = open_topic(record.topic_id);
    if (topic == nullptr) return unknown("topic", record.topic_id.text());
    const std::string name = topic->name();
    const std::int32_t partitions = topic->partition_count();
    open_.erase(record.topic_id);
    state_.topics_by_id.erase(edit_, record.topic_id);
    state_.topics_by_name.erase(edit_, name);
    state_.partition_count -= partitions;
    if (delta_ != nullptr) {
        auto changed = delta_->changed_topics.find(record.topic_id);
        const bool was_new = changed != delta_->changed_topics.end() && changed->second.created;
        if (changed != delta_->changed_topics.end()) delta_->changed_topics.erase(changed);
        if (!was_new) delta_->deleted_topics[record.topic_id] = {name, partitions};
    }
    remove_configs({ConfigResourceType::topic, name});
    return done();
}

void MetadataEditor::clear_elr(TopicImage& topic) {
    std::vector<std::pair<PartitionIndex, PartitionRegistration>> cleared;
    for (const auto& [index, partition] : topic.partitions()) {
        if (partition->eligible_leader_replicas.empty() && partition->last_known_elr.empty())
            continue;
        cleared.emplace_back(index, *partition);
        cleared.back().second.eligible_leader_replicas.clear();
        cleared.back().second.last_known_elr.clear();
    }
    for (auto& [index, partition] : cleared)
        put_partition(topic, index, std::move(partition));
}

Status MetadataEditor::on(const wire::ClearElrRecord& record) {
    if (!record.topic_name.empty()) {
        const auto* topic = state_.topic(record.topic_name);
        if (topic == nullptr) return unknown("topic", record.topic_name);
        clear_elr(*open_topic(topic->id()));
        return done();
    }
    std::vector<Uuid> ids;
    for (const auto& [id, topic] : state_.topics_by_id)
        ids.push_back(id);
    for (const auto& id : ids)
        clear_elr(*open_topic(id));
    return done();
}

// ---- configs, features, producer ids ----

Status MetadataEditor::on(const wire::ConfigRecord& record) {
    const ConfigResource resource{static_cast<ConfigResourceType>(record.resource_type),
                                  record.resource_name};
    auto [place, is_new] = open_configs_.try_emplace(resource);
    if (is_new) {
        const auto* known = state_.configs.find(resource);
        place->second = known == nullptr ? std::make_shared<ConfigEntries>()
                                         : std::make_shared<ConfigEntries>(**known);
    }
    if (record.value) {
        (*place->second)[record.name] = *record.value;
    } else {
        place->second->erase(record.name);
    }
    if (delta_ != nullptr) delta_->changed_configs.insert(resource);
    return done();
}

void MetadataEditor::remove_configs(const ConfigResource& resource) {
    const bool was_open = open_configs_.erase(resource) > 0;
    const bool was_known = state_.configs.erase(edit_, resource);
    if (delta_ != nullptr && (was_open || was_known)) delta_->changed_configs.insert(resource);
}

Status MetadataEditor::on(const wire::FeatureLevelRecord& record) {
    if (record.name == feature_metadata_version &&
        (record.feature_level < supported_metadata_versions.min ||
         record.feature_level > supported_metadata_versions.max)) {
        return Error(Errc::unsupported, "metadata.version " + std::to_string(record.feature_level) +
                                            " is not one that this build reads (" +
                                            std::to_string(supported_metadata_versions.min) +
                                            " to " +
                                            std::to_string(supported_metadata_versions.max) + ")");
    }
    if (record.feature_level == 0) {
        state_.features.erase(record.name);
    } else {
        state_.features[record.name] = record.feature_level;
    }
    if (delta_ != nullptr) delta_->features_changed = true;
    return done();
}

Status MetadataEditor::on(const wire::ProducerIdsRecord& record) {
    state_.next_producer_id = record.next_producer_id;
    if (delta_ != nullptr) delta_->producer_ids_changed = true;
    return done();
}

Status MetadataEditor::on(const wire::ZkMigrationStateRecord& record) {
    state_.zk_migration_state = record.zk_migration_state;
    return done();
}

// ---- carried ----

template <class Change>
Status MetadataEditor::change_carried(Change&& change) {
    if (carried_ == nullptr) carried_ = std::make_shared<CarriedRecords>(*state_.carried);
    change(*carried_);
    if (delta_ != nullptr) delta_->carried_changed = true;
    return done();
}

Status MetadataEditor::on(const wire::AccessControlEntryRecord& record) {
    return change_carried([&](auto& carried) { carried.acls.put(edit_, record.id, record); });
}

Status MetadataEditor::on(const wire::RemoveAccessControlEntryRecord& record) {
    return change_carried([&](auto& carried) { carried.acls.erase(edit_, record.id); });
}

Status MetadataEditor::on(const wire::UserScramCredentialRecord& record) {
    return change_carried([&](auto& carried) {
        carried.scram_credentials.put(edit_, {record.name, record.mechanism}, record);
    });
}

Status MetadataEditor::on(const wire::RemoveUserScramCredentialRecord& record) {
    return change_carried([&](auto& carried) {
        carried.scram_credentials.erase(edit_, std::pair(record.name, record.mechanism));
    });
}

Status MetadataEditor::on(const wire::DelegationTokenRecord& record) {
    return change_carried(
        [&](auto& carried) { carried.delegation_tokens.put(edit_, record.token_id, record); });
}

Status MetadataEditor::on(const wire::RemoveDelegationTokenRecord& record) {
    return change_carried(
        [&](auto& carried) { carried.delegation_tokens.erase(edit_, record.token_id); });
}

Status MetadataEditor::on(const wire::ClientQuotaRecord& record) {
    return change_carried([&](CarriedRecords& carried) {
        QuotaEntity entity;
        for (const auto& part : record.entity)
            entity[part.entity_type] = part.entity_name;
        const auto* known = carried.client_quotas.find(entity);
        QuotaValues values = known == nullptr ? QuotaValues{} : *known;
        if (record.remove) {
            values.erase(record.key);
        } else {
            values[record.key] = record.value;
        }
        if (values.empty()) {
            carried.client_quotas.erase(edit_, entity);
        } else {
            carried.client_quotas.put(edit_, std::move(entity), std::move(values));
        }
    });
}

}  // namespace kq
