// SPDX-License-Identifier: Apache-2.0
//
// The handler of InitProducerId: an id for an idempotent producer. Transactional ids are refused:
// this broker coordinates no transactions yet.
#pragma once

#include "broker/producer_ids.hpp"
#include "broker/reply.hpp"
#include "broker/request_context.hpp"
#include "protocol/messages/22_init_producer_id.hpp"

namespace kq {

void handle_init_producer_id(RequestContext& context, wire::InitProducerIdRequest request,
                             ProducerIds& ids, Reply<wire::InitProducerIdResponse> reply);

}  // namespace kq
