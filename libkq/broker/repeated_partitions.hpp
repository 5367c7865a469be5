// SPDX-License-Identifier: Apache-2.0
//
// Requests that name a partition more than once, which no client should.
//
// source   Kafka's broker: Fetch and Produce keep what was named last and answer it once, at its
//          first place; ListOffsets answers it once, with INVALID_REQUEST
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/ids.hpp"

namespace kq {

struct NamedPartition {
    std::string_view topic;
    Uuid topic_id;
    std::int32_t partition;
};

// For each place of a request, the last place that names the same partition: mostly itself;
// `named_before` where an earlier place does.
constexpr std::size_t named_before = static_cast<std::size_t>(-1);
std::vector<std::size_t> last_places(const std::vector<NamedPartition>& named);

}  // namespace kq
