// SPDX-License-Identifier: Apache-2.0
#include "metadata/image_configs.hpp"

#include <charconv>
#include <string>

namespace kq {
namespace {

void put_known(ConfigSet& set, const ConfigEntries& entries) {
    for (const auto& [name, value] : entries) {
        const Status stored = set.set(name, value);
        if (!stored.ok()) continue;
    }
}

std::string best_value(const MetadataState& state, std::string_view topic, const ConfigSet& file,
                       std::string_view name) {
    const auto origins = topic_config_origins(name, topic_configs(state, topic),
                                              broker_configs(state, no_broker, file));
    return origins.front().value.value_or("");
}

}  // namespace

ConfigSet topic_configs(const MetadataState& state, std::string_view topic) {
    ConfigSet set(ConfigScope::topic);
    put_known(set, state.config(ConfigResourceType::topic, topic));
    return set;
}

BrokerConfigs broker_configs(const MetadataState& state, BrokerId broker, const ConfigSet& file) {
    BrokerConfigs configs;
    if (broker != no_broker) {
        put_known(configs.dynamic_broker,
                  state.config(ConfigResourceType::broker, std::to_string(broker.value)));
    }
    put_known(configs.dynamic_default, state.config(ConfigResourceType::broker, ""));
    configs.file = file;
    return configs;
}

std::int32_t min_insync_replicas(const MetadataState& state, std::string_view topic,
                                 const ConfigSet& file) {
    const auto text = best_value(state, topic, file, "min.insync.replicas");
    std::int32_t value = 1;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

bool allows_unclean_election(const MetadataState& state, std::string_view topic,
                             const ConfigSet& file) {
    return best_value(state, topic, file, "unclean.leader.election.enable") == "true";
}

}  // namespace kq
