// SPDX-License-Identifier: Apache-2.0
//
// DescriptorShares: who gets how many of the open files that the process may have, so that neither
// connections nor partitions take those that the other needs, nor those of checkpoints and reads.
//
// shape    shared out once, at the start: a fixed part for the process itself, an eighth of the
//          rest for files that are open for a while (closed segments, checkpoints, snapshots,
//          directories), half of it for partitions (one file each), what is left for connections.
//          What connections may not take (max.connections) goes to partitions; partitions that are
//          there already take from connections
// errors   too_many_open_files: not even the partitions that are there have room
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "base/result.hpp"

namespace kq {

struct OpenFiles {
    std::uint64_t allowed = 0;  // RLIMIT_NOFILE
    std::uint64_t fixed = 0;    // of loops, threads, listeners, locks, the metadata log
};

struct DescriptorShares {
    std::size_t connections = std::numeric_limits<std::int32_t>::max();
    std::size_t partitions = std::numeric_limits<std::int32_t>::max();
};

Result<DescriptorShares> descriptor_shares(const OpenFiles& files, std::size_t partitions_there,
                                           std::size_t connections_max);

}  // namespace kq
