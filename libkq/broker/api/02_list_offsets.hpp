// SPDX-License-Identifier: Apache-2.0
//
// The handler of ListOffsets: the offset of the first, the last, or a record found by its time.
#pragma once

#include "broker/partition_router.hpp"
#include "broker/reply.hpp"
#include "broker/request_context.hpp"
#include "protocol/messages/02_list_offsets.hpp"

namespace kq {

void handle_list_offsets(RequestContext& context, wire::ListOffsetsRequest request,
                         const PartitionRouter& router, Reply<wire::ListOffsetsResponse> reply);

}  // namespace kq
