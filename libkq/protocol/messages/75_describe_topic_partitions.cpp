// SPDX-License-Identifier: Apache-2.0
#include "protocol/messages/75_describe_topic_partitions.hpp"

#include "protocol/walkers.hpp"

namespace kq::wire {

KQ_WIRE_INSTANTIATE(DescribeTopicPartitionsRequest);
KQ_WIRE_INSTANTIATE(DescribeTopicPartitionsResponse);

}  // namespace kq::wire
