// SPDX-License-Identifier: Apache-2.0
//
// The handler of CreateTopics: checked and decided by the controller; answered once every loop of
// this broker knows the new topics (I26).
//
// source   Kafka protocol guide, "CreateTopics API (Key: 19)"; KIP-464, KIP-525
#pragma once

#include "broker/controller_channel.hpp"
#include "broker/reply.hpp"
#include "broker/request_context.hpp"

namespace kq {

void handle_create_topics(RequestContext& context, wire::CreateTopicsRequest request,
                          const ControllerChannel& controller,
                          Reply<wire::CreateTopicsResponse> reply);

}  // namespace kq
