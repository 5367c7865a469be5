// SPDX-License-Identifier: Apache-2.0
#include "protocol/records/brokers.hpp"

#include "protocol/walkers.hpp"

namespace kq::wire {

KQ_WIRE_INSTANTIATE(RegisterBrokerRecord);
KQ_WIRE_INSTANTIATE(UnregisterBrokerRecord);
KQ_WIRE_INSTANTIATE(BrokerRegistrationChangeRecord);
KQ_WIRE_INSTANTIATE(FenceBrokerRecord);
KQ_WIRE_INSTANTIATE(UnfenceBrokerRecord);
KQ_WIRE_INSTANTIATE(RegisterControllerRecord);

}  // namespace kq::wire
