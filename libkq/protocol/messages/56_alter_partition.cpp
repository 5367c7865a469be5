// SPDX-License-Identifier: Apache-2.0
#include "protocol/messages/56_alter_partition.hpp"

#include "protocol/walkers.hpp"

namespace kq::wire {

KQ_WIRE_INSTANTIATE(AlterPartitionRequest);
KQ_WIRE_INSTANTIATE(AlterPartitionResponse);

}  // namespace kq::wire
