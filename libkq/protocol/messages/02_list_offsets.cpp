// SPDX-License-Identifier: Apache-2.0
#include "protocol/messages/02_list_offsets.hpp"

#include "protocol/walkers.hpp"

namespace kq::wire {

KQ_WIRE_INSTANTIATE(ListOffsetsRequest);
KQ_WIRE_INSTANTIATE(ListOffsetsResponse);

}  // namespace kq::wire
