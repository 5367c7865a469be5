// SPDX-License-Identifier: Apache-2.0
//
// The handler of DescribeConfigs: what a topic or this broker runs with, and where each value comes
// from.
//
// errors   per resource: invalid_topic_exception, unknown_topic_or_partition; invalid_request for
//          another broker's settings and for kinds of resources that are not built
// source   Kafka protocol guide, "DescribeConfigs API (Key: 32)"; KIP-226, KIP-569
#pragma once

#include "base/config.hpp"
#include "broker/reply.hpp"
#include "broker/request_context.hpp"
#include "protocol/messages/32_describe_configs.hpp"

namespace kq {

// `file` is what broker `self` was started with.
void handle_describe_configs(RequestContext& context, const wire::DescribeConfigsRequest& request,
                             BrokerId self, const ConfigSet& file,
                             Reply<wire::DescribeConfigsResponse> reply);

}  // namespace kq
