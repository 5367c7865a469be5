// SPDX-License-Identifier: Apache-2.0
//
// The settings that a metadata image holds, as the config registry understands them, put together
// with a broker's file.
//
// errors   none: what a controller of another version accepted and we do not know is left out, and
//          the default counts
// owner    pure functions of an image
#pragma once

#include <string_view>

#include "base/config.hpp"
#include "metadata/metadata_state.hpp"

namespace kq {

// What was set for one topic, without its broker's settings and the defaults.
ConfigSet topic_configs(const MetadataState& state, std::string_view topic);

// What a broker runs with: the settings of the metadata over its file.
BrokerConfigs broker_configs(const MetadataState& state, BrokerId broker, const ConfigSet& file);

// min.insync.replicas of a topic as the controller counts it (KIP-966): its own, else the
// cluster's, else the file's.
std::int32_t min_insync_replicas(const MetadataState& state, std::string_view topic,
                                 const ConfigSet& file);
bool allows_unclean_election(const MetadataState& state, std::string_view topic,
                             const ConfigSet& file);

}  // namespace kq
