// SPDX-License-Identifier: Apache-2.0
//
// TopicSettingsSource: what a topic's partitions and logs need of its settings and its broker's.
//
// owner    immutable; every loop reads it
#pragma once

#include <memory>
#include <string_view>

#include "base/config.hpp"
#include "base/ids.hpp"
#include "metadata/metadata_state.hpp"
#include "replication/partition_types.hpp"
#include "storage/log_options.hpp"

namespace kq {

struct TopicSettings {
    PartitionSettings partition;
    LogOptions log;
    Millis segment_jitter_max{0};  // segment.jitter.ms, from which each log draws its own
    Millis delete_delay{60'000};   // file.delete.delay.ms
};

class TopicSettingsSource {
public:
    // `file` is what the broker was started with; `producers` is shared by all logs.
    TopicSettingsSource(BrokerId broker, std::shared_ptr<const ConfigSet> file,
                        std::shared_ptr<SharedLimit> producers = nullptr);

    // The settings of a topic: its own, else this broker's, else the cluster's, else the defaults.
    TopicSettings settings_of(const MetadataState& image, std::string_view topic) const;

private:
    BrokerId broker_;
    std::shared_ptr<const ConfigSet> file_;
    std::shared_ptr<SharedLimit> producers_;
};

}  // namespace kq
