// SPDX-License-Identifier: Apache-2.0
//
// The settings that a metadata image holds, as the config registry understands them.
//
// errors   none: what a controller of another version accepted and we do not know is left out, and
//          the default counts
#pragma once

#include <string_view>

#include "base/config.hpp"
#include "base/ids.hpp"
#include "metadata/metadata_state.hpp"

namespace kq {

// What was set for one topic, without its broker's settings and the defaults.
ConfigSet topic_configs(const MetadataState& image, std::string_view topic);

// The layers of one broker's settings; `file` is what it was started with.
BrokerConfigs broker_configs(const MetadataState& image, BrokerId broker, const ConfigSet& file);

}  // namespace kq
