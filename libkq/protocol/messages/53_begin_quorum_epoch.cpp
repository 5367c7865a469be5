// SPDX-License-Identifier: Apache-2.0
#include "protocol/messages/53_begin_quorum_epoch.hpp"

#include "protocol/walkers.hpp"

namespace kq::wire {

KQ_WIRE_INSTANTIATE(BeginQuorumEpochRequest);
KQ_WIRE_INSTANTIATE(BeginQuorumEpochResponse);

}  // namespace kq::wire
