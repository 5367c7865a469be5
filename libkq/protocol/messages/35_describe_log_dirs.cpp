// SPDX-License-Identifier: Apache-2.0
#include "protocol/messages/35_describe_log_dirs.hpp"

#include "protocol/walkers.hpp"

namespace kq::wire {

KQ_WIRE_INSTANTIATE(DescribeLogDirsRequest);
KQ_WIRE_INSTANTIATE(DescribeLogDirsResponse);

}  // namespace kq::wire
