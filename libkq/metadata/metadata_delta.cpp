// SPDX-License-Identifier: Apache-2.0
#include "metadata/metadata_delta.hpp"

#include "metadata/carried_records.hpp"

namespace kq {
namespace {

// Calls changed(key) for every key of either map whose values differ, and gone(key, value) first
// for those that only `before` has.
template <class K, class T, class Changed, class Gone>
void differ(const CowMap<K, std::shared_ptr<const T>>& before,
            const CowMap<K, std::shared_ptr<const T>>& now, Changed&& changed, Gone&& gone) {
    auto old = before.begin();
    auto fresh = now.begin();
    while (old != before.end() || fresh != now.end()) {
        if (fresh == now.end() || (old != before.end() && old->first < fresh->first)) {
            gone(old->first, *old->second);
            ++old;
        } else if (old == before.end() || fresh->first < old->first) {
            changed(fresh->first, nullptr, *fresh->second);
            ++fresh;
        } else {
            if (old->second != fresh->second && !(*old->second == *fresh->second))
                changed(fresh->first, old->second.get(), *fresh->second);
            ++old;
            ++fresh;
        }
    }
}

}  // namespace

bool MetadataDelta::empty() const {
    return changed_topics.empty() && deleted_topics.empty() && changed_configs.empty() &&
           changed_brokers.empty() && changed_controllers.empty() && !features_changed &&
           !producer_ids_changed && !carried_changed;
}

bool MetadataDelta::broker_config_changed(BrokerId broker) const {
    return changed_configs.contains({ConfigResourceType::broker, ""}) ||
           changed_configs.contains({ConfigResourceType::broker, std::to_string(broker.value)});
}

void MetadataDelta::merge(const MetadataDelta& later) {
    for (const auto& [id, deletion] : later.deleted_topics) {
        auto found = changed_topics.find(id);
        const bool was_new = found != changed_topics.end() && found->second.created;
        if (found != changed_topics.end()) changed_topics.erase(found);
        if (!was_new) deleted_topics.emplace(id, deletion);
    }
    for (const auto& [id, change] : later.changed_topics) {
        auto [place, is_new] = changed_topics.try_emplace(id, change);
        if (!is_new)
            place->second.partitions.insert(change.partitions.begin(), change.partitions.end());
    }
    changed_configs.insert(later.changed_configs.begin(), later.changed_configs.end());
    changed_brokers.insert(later.changed_brokers.begin(), later.changed_brokers.end());
    changed_controllers.insert(later.changed_controllers.begin(), later.changed_controllers.end());
    features_changed |= later.features_changed;
    producer_ids_changed |= later.producer_ids_changed;
    carried_changed |= later.carried_changed;
}

MetadataDelta compare(const MetadataState& before, const MetadataState& now) {
    MetadataDelta delta;
    differ(
        before.topics_by_id, now.topics_by_id,
        [&](const Uuid& id, const TopicImage* old, const TopicImage& topic) {
            MetadataDelta::TopicChange change{topic.name(), old == nullptr, {}};
            static const TopicImage::Partitions none;
            differ(
                old == nullptr ? none : old->partitions(), topic.partitions(),
                [&](PartitionIndex index, const PartitionRegistration*,
                    const PartitionRegistration&) { change.partitions.insert(index); },
                [](PartitionIndex, const PartitionRegistration&) {});
            delta.changed_topics.emplace(id, std::move(change));
        },
        [&](const Uuid& id, const TopicImage& topic) {
            delta.deleted_topics.emplace(
                id, MetadataDelta::TopicDeletion{topic.name(), topic.partition_count()});
        });
    auto note = [](auto& set) {
        return [&set](const auto& key, const auto&...) { set.insert(key); };
    };
    differ(before.configs, now.configs, note(delta.changed_configs), note(delta.changed_configs));
    differ(before.brokers, now.brokers, note(delta.changed_brokers), note(delta.changed_brokers));
    differ(before.controllers, now.controllers, note(delta.changed_controllers),
           note(delta.changed_controllers));
    delta.features_changed = before.features != now.features;
    delta.producer_ids_changed = before.next_producer_id != now.next_producer_id;
    delta.carried_changed = before.carried != now.carried && !(*before.carried == *now.carried);
    return delta;
}

}  // namespace kq
