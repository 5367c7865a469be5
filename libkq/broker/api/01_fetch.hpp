// SPDX-License-Identifier: Apache-2.0
//
// The handler of Fetch. What it does over several turns is broker/pending_fetches.
#pragma once

#include "broker/pending_fetches.hpp"
#include "broker/reply.hpp"
#include "broker/request_context.hpp"
#include "protocol/messages/01_fetch.hpp"

namespace kq {

void handle_fetch(RequestContext& context, wire::FetchRequest request, PendingFetches& pending,
                  Reply<wire::FetchResponse> reply);

}  // namespace kq
