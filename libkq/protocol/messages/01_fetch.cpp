// SPDX-License-Identifier: Apache-2.0
#include "protocol/messages/01_fetch.hpp"

#include "protocol/walkers.hpp"

namespace kq::wire {

KQ_WIRE_INSTANTIATE(FetchRequest);
KQ_WIRE_INSTANTIATE(FetchResponse);

}  // namespace kq::wire
