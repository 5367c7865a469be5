// SPDX-License-Identifier: Apache-2.0
//
// Kafka's small text files: offset checkpoints, leader epochs, partition.metadata,
// meta.properties, the clean-shutdown marker.
//
// shape    checkpoints: a line "0", the number of lines, then that many; an empty file is one
//          without lines. All are replaced whole (base/file_system.hpp, replace_file)
// errors   corrupt_file with the line; unsupported for a version above the known one (of a
//          checkpoint: unless the rest is of the known one; that is damage)
// source   docs/formats.md, "Small files"
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"

namespace kq {

using OffsetsByPartition = std::map<TopicPartition, Offset>;

Result<OffsetsByPartition> parse_offset_checkpoint(std::string_view text);
std::string format_offset_checkpoint(const OffsetsByPartition& offsets);

struct EpochStart {
    Epoch epoch;
    Offset start;
    friend bool operator==(const EpochStart&, const EpochStart&) = default;
};
// Epochs and offsets must ascend.
Result<std::vector<EpochStart>> parse_epoch_checkpoint(std::string_view text);
std::string format_epoch_checkpoint(const std::vector<EpochStart>& epochs);

// partition.metadata
Result<Uuid> parse_partition_metadata(std::string_view text);
std::string format_partition_metadata(const Uuid& topic_id);

// meta.properties: who a log directory belongs to.
struct DirectoryIdentity {
    std::string cluster_id;
    BrokerId node_id = no_broker;
    Uuid directory_id;
    friend bool operator==(const DirectoryIdentity&, const DirectoryIdentity&) = default;
};
Result<DirectoryIdentity> parse_meta_properties(std::string_view text);
std::string format_meta_properties(const DirectoryIdentity& identity);

// .kafka_cleanshutdown: the broker epoch of the node that stopped; nothing where the file of an
// older Kafka is empty.
Result<std::optional<BrokerEpoch>> parse_clean_shutdown(std::string_view text);
std::string format_clean_shutdown(BrokerEpoch broker_epoch);

}  // namespace kq
