// SPDX-License-Identifier: Apache-2.0
//
// The file quorum-state: epoch, leader and vote of this node, in Kafka's JSON.
//
// shape    one line of JSON in __cluster_metadata-0/quorum-state. Version 0 (kraft.version 0) names
//          the voters and knows no directories; version 1 keeps the directory of who was voted for
// errors   corrupt_file  no such JSON; unsupported  a data_version above 1; those of FileSystem
// source   Kafka QuorumStateData; docs/formats.md, "quorum-state"
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.hpp"
#include "base/result.hpp"
#include "consensus/quorum.hpp"

namespace kq {

struct QuorumStateFile {
    ElectionState election;
    std::int16_t data_version = 1;
    // Version 0 only, kept as they are.
    std::string cluster_id;
    std::int64_t applied_offset = 0;
    std::vector<BrokerId> current_voters;

    friend bool operator==(const QuorumStateFile&, const QuorumStateFile&) = default;
};

Result<QuorumStateFile> parse_quorum_state(std::string_view text);
std::string format_quorum_state(const QuorumStateFile& state);

// Nothing where there is no such file.
Result<std::optional<QuorumStateFile>> read_quorum_state(FileSystem& files,
                                                         const std::string& path);
// Replaces the file; durable when it returns. Blocks.
Status write_quorum_state(FileSystem& files, const std::string& path, const QuorumStateFile& state);

}  // namespace kq
