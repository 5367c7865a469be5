// SPDX-License-Identifier: Apache-2.0
#include "protocol/messages/52_vote.hpp"

#include "protocol/walkers.hpp"

namespace kq::wire {

KQ_WIRE_INSTANTIATE(VoteRequest);
KQ_WIRE_INSTANTIATE(VoteResponse);

}  // namespace kq::wire
