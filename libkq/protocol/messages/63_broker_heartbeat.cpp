// SPDX-License-Identifier: Apache-2.0
#include "protocol/messages/63_broker_heartbeat.hpp"

#include "protocol/walkers.hpp"

namespace kq::wire {

KQ_WIRE_INSTANTIATE(BrokerHeartbeatRequest);
KQ_WIRE_INSTANTIATE(BrokerHeartbeatResponse);

}  // namespace kq::wire
