// SPDX-License-Identifier: Apache-2.0
//
// MetadataDelta: what is different between an image and the one published before it.
//
// shape    names and numbers only, sorted: the values stand in the two images. A topic deleted and
//          created again under its name is one deletion and one creation (the ids differ)
// owner    a value; published as shared_ptr<const>
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/ids.hpp"
#include "metadata/metadata_state.hpp"

namespace kq {

struct MetadataDelta {
    struct TopicChange {
        std::string name;
        bool created = false;
        std::set<PartitionIndex> partitions;  // that are new or changed
    };
    struct TopicDeletion {
        std::string name;
        std::int32_t partition_count = 0;
    };

    std::map<Uuid, TopicChange> changed_topics;    // by id; all are in the new image
    std::map<Uuid, TopicDeletion> deleted_topics;  // by id; all were in the old image
    std::set<ConfigResource> changed_configs;      // set, altered or removed
    std::set<BrokerId> changed_brokers;            // registered, changed or gone
    std::set<BrokerId> changed_controllers;
    bool features_changed = false;
    bool producer_ids_changed = false;
    bool carried_changed = false;  // ACLs, quotas, credentials, tokens

    bool empty() const;
    // The settings of every topic follow the brokers' too: whether those of this broker changed.
    bool broker_config_changed(BrokerId broker) const;
    // Adds what happened after this delta.
    void merge(const MetadataDelta& later);
};

// What is different between any two images: all of `now` when `before` is empty.
MetadataDelta compare(const MetadataState& before, const MetadataState& now);

}  // namespace kq
