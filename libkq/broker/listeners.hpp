// SPDX-License-Identifier: Apache-2.0
//
// Listeners: what `listeners`, `advertised.listeners`, `listener.security.protocol.map` and
// `controller.listener.names` come to: where to listen, and what to tell clients to dial.
//
// shape    every listener has a name; one name may stand for an IPv4 and an IPv6 address with the
//          same port, and is advertised once. A controller's listener is not served here: it opens
//          once another node may use it
// errors   usage: what does not parse, contradicts itself or names what is not there;
//          unsupported: a protocol other than PLAINTEXT
// source   Kafka's documentation of these settings; docs/architecture.md, 9.2
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/config.hpp"
#include "metadata/metadata_state.hpp"
#include "net/network.hpp"

namespace kq {

struct ListenerOptions {
    std::string name;                    // "PLAINTEXT"
    std::vector<Endpoint> addresses;     // where it listens; an empty host is every one
    std::optional<Endpoint> advertised;  // what clients are told; nothing: as bound
};

struct ListenersOptions {
    std::vector<ListenerOptions> clients;        // at least one
    std::optional<ListenerEndpoint> controller;  // as the settings name it, not served
};

Result<ListenersOptions> parse_listeners(const ConfigSet& config);

// What to advertise for a listener that was bound: `bound` is its first address, with its port.
// `own_name` stands in where it listens on every address.
ListenerEndpoint advertised_endpoint(const ListenerOptions& listener, const Endpoint& bound,
                                     const std::string& own_name);

}  // namespace kq
