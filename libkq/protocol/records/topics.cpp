// SPDX-License-Identifier: Apache-2.0
#include "protocol/records/topics.hpp"

#include "protocol/walkers.hpp"

namespace kq::wire {

KQ_WIRE_INSTANTIATE(TopicRecord);
KQ_WIRE_INSTANTIATE(PartitionRecord);
KQ_WIRE_INSTANTIATE(PartitionChangeRecord);
KQ_WIRE_INSTANTIATE(RemoveTopicRecord);
KQ_WIRE_INSTANTIATE(ClearElrRecord);

}  // namespace kq::wire
