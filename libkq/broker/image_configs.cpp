// SPDX-License-Identifier: Apache-2.0
#include "broker/image_configs.hpp"

#include <string>

namespace kq {
namespace {

ConfigSet known_settings(ConfigScope scope, const ConfigEntries& entries) {
    ConfigSet set(scope);
    for (const auto& [name, value] : entries) {
        const Status stored = set.set(name, value);
        if (!stored.ok()) continue;
    }
    return set;
}

}  // namespace

ConfigSet topic_configs(const MetadataState& image, std::string_view topic) {
    return known_settings(ConfigScope::topic, image.config(ConfigResourceType::topic, topic));
}

BrokerConfigs broker_configs(const MetadataState& image, BrokerId broker, const ConfigSet& file) {
    BrokerConfigs configs;
    configs.dynamic_broker =
        known_settings(ConfigScope::broker,
                       image.config(ConfigResourceType::broker, std::to_string(broker.value)));
    configs.dynamic_default =
        known_settings(ConfigScope::broker, image.config(ConfigResourceType::broker, ""));
    configs.file = file;
    return configs;
}

}  // namespace kq
