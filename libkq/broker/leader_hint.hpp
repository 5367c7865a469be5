// SPDX-License-Identifier: Apache-2.0
//
// add_endpoint: how an answer that names another leader tells where to find it (KIP-951).
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "metadata/metadata_state.hpp"

namespace kq {

// Adds the endpoint of `broker` on `listener` once; NodeEndpoint is that of a wire response.
template <class NodeEndpoint>
void add_endpoint(const MetadataState& image, BrokerId broker, std::string_view listener,
                  std::vector<NodeEndpoint>& endpoints) {
    const bool known =
        std::any_of(endpoints.begin(), endpoints.end(),
                    [broker](const auto& endpoint) { return endpoint.node_id == broker.value; });
    const BrokerRegistration* registration = image.broker(broker);
    if (known || registration == nullptr) return;
    const ListenerEndpoint* found = registration->endpoint(listener);
    if (found == nullptr) return;
    NodeEndpoint& added = endpoints.emplace_back();
    added.node_id = broker.value;
    added.host = found->host;
    added.port = found->port;
    added.rack = registration->rack;
}

}  // namespace kq
