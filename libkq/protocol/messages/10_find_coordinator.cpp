// SPDX-License-Identifier: Apache-2.0
#include "protocol/messages/10_find_coordinator.hpp"

#include "protocol/walkers.hpp"

namespace kq::wire {

KQ_WIRE_INSTANTIATE(FindCoordinatorRequest);
KQ_WIRE_INSTANTIATE(FindCoordinatorResponse);

}  // namespace kq::wire
