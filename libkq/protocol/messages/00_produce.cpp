// SPDX-License-Identifier: Apache-2.0
#include "protocol/messages/00_produce.hpp"

#include "protocol/walkers.hpp"

namespace kq::wire {

KQ_WIRE_INSTANTIATE(ProduceRequest);
KQ_WIRE_INSTANTIATE(ProduceResponse);

}  // namespace kq::wire
