// SPDX-License-Identifier: Apache-2.0
#include "protocol/messages/60_describe_cluster.hpp"

#include "protocol/walkers.hpp"

namespace kq::wire {

KQ_WIRE_INSTANTIATE(DescribeClusterRequest);
KQ_WIRE_INSTANTIATE(DescribeClusterResponse);

}  // namespace kq::wire
