// SPDX-License-Identifier: Apache-2.0
#include "protocol/messages/62_broker_registration.hpp"

#include "protocol/walkers.hpp"

namespace kq::wire {

KQ_WIRE_INSTANTIATE(BrokerRegistrationRequest);
KQ_WIRE_INSTANTIATE(BrokerRegistrationResponse);

}  // namespace kq::wire
