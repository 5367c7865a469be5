// SPDX-License-Identifier: Apache-2.0
#include "metadata/metadata_state.hpp"

#include <algorithm>

#include "metadata/carried_records.hpp"

namespace kq {
namespace {

template <class T>
bool same(const std::shared_ptr<const T>& a, const std::shared_ptr<const T>& b) {
    return a == b || *a == *b;
}

template <class K, class T>
bool same(const CowMap<K, std::shared_ptr<const T>>& a,
          const CowMap<K, std::shared_ptr<const T>>& b) {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](const auto& x, const auto& y) {
               return x.first == y.first && same(x.second, y.second);
           });
}

}  // namespace

bool holds(const std::vector<BrokerId>& brokers, BrokerId broker) {
    return std::find(brokers.begin(), brokers.end(), broker) != brokers.end();
}

const ListenerEndpoint* BrokerRegistration::endpoint(std::string_view listener) const {
    auto found = std::find_if(endpoints.begin(), endpoints.end(),
                              [&](const auto& e) { return e.listener == listener; });
    return found == endpoints.end() ? nullptr : &*found;
}

bool PartitionRegistration::is_replica(BrokerId broker) const {
    return holds(replicas, broker);
}

bool PartitionRegistration::is_in_isr(BrokerId broker) const {
    return holds(isr, broker);
}

const Uuid* PartitionRegistration::directory_of(BrokerId broker) const {
    auto found = std::find(replicas.begin(), replicas.end(), broker);
    const auto index = static_cast<std::size_t>(found - replicas.begin());
    return index < directories.size() && found != replicas.end() ? &directories[index] : nullptr;
}

const PartitionRegistration* TopicImage::partition(PartitionIndex index) const {
    const auto* found = partitions_.find(index);
    return found == nullptr ? nullptr : found->get();
}

void TopicImage::put(const EditSession& edit, PartitionIndex index,
                     PartitionRegistration partition) {
    partitions_.put(edit, index,
                    std::make_shared<const PartitionRegistration>(std::move(partition)));
}

bool operator==(const TopicImage& a, const TopicImage& b) {
    return a.name_ == b.name_ && a.id_ == b.id_ && same(a.partitions_, b.partitions_);
}

MetadataState::MetadataState() : carried(std::make_shared<const CarriedRecords>()) {}

const BrokerRegistration* MetadataState::broker(BrokerId id) const {
    const auto* found = brokers.find(id);
    return found == nullptr ? nullptr : found->get();
}

bool MetadataState::is_active(BrokerId id) const {
    const auto* registration = broker(id);
    return registration != nullptr && !registration->fenced;
}

const TopicImage* MetadataState::topic(std::string_view name) const {
    const auto* found = topics_by_name.find(name);
    return found == nullptr ? nullptr : found->get();
}

const TopicImage* MetadataState::topic(const Uuid& id) const {
    const auto* found = topics_by_id.find(id);
    return found == nullptr ? nullptr : found->get();
}

const PartitionRegistration* MetadataState::partition(const TopicIdPartition& partition) const {
    const auto* image = topic(partition.topic_id);
    return image == nullptr ? nullptr : image->partition(partition.partition);
}

const PartitionRegistration* MetadataState::partition(std::string_view name,
                                                      PartitionIndex index) const {
    const auto* image = topic(name);
    return image == nullptr ? nullptr : image->partition(index);
}

const ConfigEntries& MetadataState::config(ConfigResourceType type, std::string_view name) const {
    static const ConfigEntries none;
    const auto* found = configs.find(ConfigResource{type, std::string(name)});
    return found == nullptr ? none : **found;
}

std::int16_t MetadataState::feature(std::string_view name) const {
    auto found = features.find(name);
    return found == features.end() ? std::int16_t{0} : found->second;
}

bool operator==(const MetadataState& a, const MetadataState& b) {
    return same(a.brokers, b.brokers) && same(a.controllers, b.controllers) &&
           same(a.topics_by_name, b.topics_by_name) && same(a.topics_by_id, b.topics_by_id) &&
           same(a.configs, b.configs) && a.features == b.features &&
           a.partition_count == b.partition_count && a.next_producer_id == b.next_producer_id &&
           a.zk_migration_state == b.zk_migration_state && same(a.carried, b.carried);
}

}  // namespace kq
