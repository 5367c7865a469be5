// SPDX-License-Identifier: Apache-2.0
//
// The handler of DeleteTopics: decided by the controller; answered once every loop of this broker
// has let go of the topics (I26). Their files go in the background.
//
// source   Kafka protocol guide, "DeleteTopics API (Key: 20)"; KIP-516
#pragma once

#include "broker/controller_channel.hpp"
#include "broker/reply.hpp"
#include "broker/request_context.hpp"

namespace kq {

// `allowed` is delete.topic.enable.
void handle_delete_topics(RequestContext& context, wire::DeleteTopicsRequest request,
                          const ControllerChannel& controller, bool allowed,
                          Reply<wire::DeleteTopicsResponse> reply);

}  // namespace kq
