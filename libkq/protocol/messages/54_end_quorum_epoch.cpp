// SPDX-License-Identifier: Apache-2.0
#include "protocol/messages/54_end_quorum_epoch.hpp"

#include "protocol/walkers.hpp"

namespace kq::wire {

KQ_WIRE_INSTANTIATE(EndQuorumEpochRequest);
KQ_WIRE_INSTANTIATE(EndQuorumEpochResponse);

}  // namespace kq::wire
