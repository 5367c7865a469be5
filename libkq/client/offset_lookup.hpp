// SPDX-License-Identifier: Apache-2.0
//
// look_up_offsets: asks the leaders of partitions for offsets: the ends, or by time. Leaders that
// have moved are looked for again until the deadline.
//
// source   Kafka protocol guide, "ListOffsets API"
#pragma once

#include <vector>

#include "client/admin_types.hpp"
#include "client/caller.hpp"
#include "client/options.hpp"

namespace kq {

// One result per query, in that order. Borrows `cluster` and `caller`; when `caller` is destroyed
// first, `done` is dropped. An outer error: no broker could be reached at all.
void look_up_offsets(Cluster& cluster, Caller& caller, std::vector<OffsetQuery> queries,
                     Isolation isolation, MonoTime deadline,
                     Callback<void(Result<std::vector<Result<ListedOffset>>>)> done);

}  // namespace kq
