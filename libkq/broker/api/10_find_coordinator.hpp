// SPDX-License-Identifier: Apache-2.0
//
// The handler of FindCoordinator: which broker answers for a group or a transactional id: the
// leader of its partition of the internal topic, which is made when it is first asked for.
//
// source   Kafka protocol guide, "FindCoordinator API (Key: 10)"; KIP-699
#pragma once

#include <set>

#include "base/function.hpp"
#include "broker/reply.hpp"
#include "broker/request_context.hpp"
#include "protocol/messages/10_find_coordinator.hpp"

namespace kq {

struct CoordinatorNeeds {
    // Asks the controller for internal topics; nobody waits for it.
    Function<void(std::set<std::string>)> create_topics;
};

void handle_find_coordinator(RequestContext& context, const wire::FindCoordinatorRequest& request,
                             CoordinatorNeeds& needs, Reply<wire::FindCoordinatorResponse> reply);

}  // namespace kq
