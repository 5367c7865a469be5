// SPDX-License-Identifier: Apache-2.0
//
// The handler of Produce. What it does over several turns is broker/pending_produces.
#pragma once

#include "broker/pending_produces.hpp"
#include "broker/reply.hpp"
#include "broker/request_context.hpp"
#include "protocol/messages/00_produce.hpp"

namespace kq {

void handle_produce(RequestContext& context, wire::ProduceRequest request, PendingProduces& pending,
                    Reply<wire::ProduceResponse> reply);

}  // namespace kq
