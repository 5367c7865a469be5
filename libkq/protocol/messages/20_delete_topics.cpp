// SPDX-License-Identifier: Apache-2.0
#include "protocol/messages/20_delete_topics.hpp"

#include "protocol/walkers.hpp"

namespace kq::wire {

KQ_WIRE_INSTANTIATE(DeleteTopicsRequest);
KQ_WIRE_INSTANTIATE(DeleteTopicsResponse);

}  // namespace kq::wire
