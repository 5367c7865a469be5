// SPDX-License-Identifier: Apache-2.0
#include "protocol/messages/03_metadata.hpp"

#include "protocol/walkers.hpp"

namespace kq::wire {

KQ_WIRE_INSTANTIATE(MetadataRequest);
KQ_WIRE_INSTANTIATE(MetadataResponse);

}  // namespace kq::wire
