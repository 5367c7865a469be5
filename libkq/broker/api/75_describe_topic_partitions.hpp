// SPDX-License-Identifier: Apache-2.0
//
// The handler of DescribeTopicPartitions: topics and their partitions, page by page.
//
// source   Kafka protocol guide, "DescribeTopicPartitions API (Key: 75)"; KIP-966
#pragma once

#include "broker/reply.hpp"
#include "broker/request_context.hpp"
#include "protocol/messages/75_describe_topic_partitions.hpp"

namespace kq {

// `partitions_max` is max.request.partition.size.limit.
void handle_describe_topic_partitions(RequestContext& context,
                                      const wire::DescribeTopicPartitionsRequest& request,
                                      std::int32_t partitions_max,
                                      Reply<wire::DescribeTopicPartitionsResponse> reply);

}  // namespace kq
