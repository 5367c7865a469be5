// SPDX-License-Identifier: Apache-2.0
#include "broker/descriptor_shares.hpp"

#include <algorithm>
#include <string>

namespace kq {
namespace {

// A broker that lets in fewer is of no use.
constexpr std::uint64_t connections_min = 16;
constexpr std::uint64_t for_a_while_min = 16;

std::uint64_t for_a_while_of(std::uint64_t room) {
    return std::max(room / 8, for_a_while_min);
}

}  // namespace

Result<DescriptorShares> descriptor_shares(const OpenFiles& files, std::size_t partitions_there,
                                           std::size_t connections_max) {
    const std::uint64_t room = files.allowed - std::min(files.fixed, files.allowed);
    const std::uint64_t fewest = std::min<std::uint64_t>(connections_max, connections_min);
    const std::uint64_t for_a_while = for_a_while_of(room);
    const std::uint64_t needed = for_a_while + partitions_there + fewest;
    if (needed > room) {
        // An eighth of the room is not for them: seven eighths have to do.
        const auto enough = (partitions_there + fewest) * 8 / 7 + for_a_while_min + files.fixed + 1;
        return Error{Errc::too_many_open_files,
                     std::to_string(partitions_there) + " partitions need at least " +
                         std::to_string(enough) + " open files, and " +
                         std::to_string(files.allowed) + " are allowed (ulimit -n, LimitNOFILE)"};
    }
    const std::uint64_t rest = room - for_a_while;
    const std::uint64_t half = std::min(rest, room / 2);
    const std::uint64_t for_connections =
        std::min<std::uint64_t>({rest - std::max<std::uint64_t>(half, partitions_there),
                                 connections_max, std::numeric_limits<std::int32_t>::max()});
    DescriptorShares shares;
    shares.connections = static_cast<std::size_t>(std::max(for_connections, fewest));
    shares.partitions = static_cast<std::size_t>(rest - shares.connections);
    return shares;
}

}  // namespace kq
