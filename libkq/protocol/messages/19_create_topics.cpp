// SPDX-License-Identifier: Apache-2.0
#include "protocol/messages/19_create_topics.hpp"

#include "protocol/walkers.hpp"

namespace kq::wire {

KQ_WIRE_INSTANTIATE(CreateTopicsRequest);
KQ_WIRE_INSTANTIATE(CreateTopicsResponse);

}  // namespace kq::wire
