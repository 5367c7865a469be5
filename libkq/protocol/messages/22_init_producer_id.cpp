// SPDX-License-Identifier: Apache-2.0
#include "protocol/messages/22_init_producer_id.hpp"

#include "protocol/walkers.hpp"

namespace kq::wire {

KQ_WIRE_INSTANTIATE(InitProducerIdRequest);
KQ_WIRE_INSTANTIATE(InitProducerIdResponse);

}  // namespace kq::wire
