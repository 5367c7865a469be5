// SPDX-License-Identifier: Apache-2.0
#include "protocol/messages/67_allocate_producer_ids.hpp"

#include "protocol/walkers.hpp"

namespace kq::wire {

KQ_WIRE_INSTANTIATE(AllocateProducerIdsRequest);
KQ_WIRE_INSTANTIATE(AllocateProducerIdsResponse);

}  // namespace kq::wire
