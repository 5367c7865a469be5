// SPDX-License-Identifier: Apache-2.0
#include "protocol/messages/32_describe_configs.hpp"

#include "protocol/walkers.hpp"

namespace kq::wire {

KQ_WIRE_INSTANTIATE(DescribeConfigsRequest);
KQ_WIRE_INSTANTIATE(DescribeConfigsResponse);

}  // namespace kq::wire
