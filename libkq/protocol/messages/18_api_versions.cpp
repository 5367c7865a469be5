// SPDX-License-Identifier: Apache-2.0
#include "protocol/messages/18_api_versions.hpp"

#include "protocol/walkers.hpp"

namespace kq::wire {

KQ_WIRE_INSTANTIATE(ApiVersionsRequest);
KQ_WIRE_INSTANTIATE(ApiVersionsResponse);

}  // namespace kq::wire
