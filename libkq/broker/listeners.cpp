// SPDX-License-Identifier: Apache-2.0
#include "broker/listeners.hpp"

#include <algorithm>
#include <map>

namespace kq {
namespace {

constexpr std::string_view plaintext = "PLAINTEXT";

struct NamedAddress {
    std::string name;
    Endpoint address;
};

Error wrong(const char* setting, const std::string& value, const std::string& why) {
    return {Errc::usage, std::string(setting) + ": '" + value + "' " + why};
}

// NAME://HOST:PORT
Result<NamedAddress> parse_one(const char* setting, const std::string& text) {
    auto separator = text.find("://");
    if (separator == std::string::npos || separator == 0) {
        return wrong(setting, text, "is no listener; one reads NAME://HOST:PORT");
    }
    NamedAddress out;
    out.name = text.substr(0, separator);
    for (auto& c : out.name)
        c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    auto address = text.substr(separator + 3);
    if (address.find_last_of(':') == std::string::npos || address.ends_with(']')) {
        return wrong(setting, text, "has no port; a listener reads NAME://HOST:PORT");
    }
    auto parsed = Endpoint::parse(address, 0);
    if (!parsed.ok()) return wrong(setting, text, "is wrong: " + parsed.error().message);
    out.address = parsed.value();
    if (out.address.host == "::") out.address.host.clear();
    return out;
}

// 0.0.0.0 is every address of IPv4; an empty host, or ::, is every address of both families.
bool is_wildcard(const Endpoint& address) {
    return address.host.empty() || address.host == "0.0.0.0";
}

// The elements of a setting that may be null or, like the map of protocols, a plain string.
std::vector<std::string> elements(const ConfigSet& config, std::string_view name) {
    std::vector<std::string> out;
    std::string text = config.optional_text(name).value_or("");
    for (std::size_t at = 0; at < text.size();) {
        auto comma = std::min(text.find(',', at), text.size());
        auto first = text.find_first_not_of(' ', at);
        auto last = text.find_last_not_of(' ', comma - 1);
        if (first < comma) out.push_back(text.substr(first, last - first + 1));
        at = comma + 1;
    }
    return out;
}

// The protocol that a listener speaks; only PLAINTEXT is built.
Status check_protocol(const ConfigSet& config, const std::string& name) {
    for (const auto& entry : elements(config, "listener.security.protocol.map")) {
        auto colon = entry.find(':');
        if (colon == std::string::npos) {
            return wrong("listener.security.protocol.map", entry, "reads NAME:PROTOCOL");
        }
        if (entry.substr(0, colon) != name) continue;
        auto protocol = entry.substr(colon + 1);
        if (protocol == plaintext) return done();
        return Error{Errc::unsupported,
                     "listener " + name + " speaks " + protocol +
                         ", which is not built yet; only PLAINTEXT listeners are served"};
    }
    return Error{Errc::usage,
                 "listener.security.protocol.map: it does not say which protocol "
                 "listener " +
                     name + " speaks"};
}

bool is_v6(const Endpoint& address) {
    return address.host.find(':') != std::string::npos;
}

Status add_address(std::vector<ListenerOptions>& listeners, const NamedAddress& named) {
    for (const auto& other : listeners) {
        for (const auto& address : other.addresses) {
            bool same_port = address.port == named.address.port && address.port != 0;
            bool both_families = other.name == named.name && is_v6(address) != is_v6(named.address);
            if (same_port && !both_families &&
                (address.host == named.address.host || other.name == named.name)) {
                return wrong("listeners", named.name + "://" + named.address.text(),
                             "takes the port of another listener");
            }
        }
    }
    auto found = std::find_if(listeners.begin(), listeners.end(),
                              [&](const auto& other) { return other.name == named.name; });
    if (found == listeners.end()) {
        listeners.push_back({named.name, {named.address}, std::nullopt});
        return done();
    }
    if (found->addresses.size() > 1 || found->addresses[0].port != named.address.port ||
        is_v6(found->addresses[0]) == is_v6(named.address)) {
        return wrong("listeners", named.name + "://" + named.address.text(),
                     "has the name of another listener; only an IPv4 and an IPv6 address with the "
                     "same port may share one");
    }
    found->addresses.push_back(named.address);
    return done();
}

}  // namespace

Result<ListenersOptions> parse_listeners(const ConfigSet& config) {
    ListenersOptions out;
    auto controllers = elements(config, "controller.listener.names");
    for (const auto& text : elements(config, "listeners")) {
        KQ_LET(auto named, parse_one("listeners", text));
        bool is_controller =
            std::find(controllers.begin(), controllers.end(), named.name) != controllers.end();
        if (is_controller) {
            const auto host = is_wildcard(named.address) ? "" : named.address.host;
            out.controller = ListenerEndpoint{named.name, host, named.address.port, 0};
            continue;
        }
        KQ_TRY(check_protocol(config, named.name));
        KQ_TRY(add_address(out.clients, named));
    }
    if (out.clients.empty()) {
        return Error{Errc::usage, "listeners: there is none for clients"};
    }
    for (const auto& text : elements(config, "advertised.listeners")) {
        KQ_LET(auto named, parse_one("advertised.listeners", text));
        if (is_wildcard(named.address)) {
            return wrong("advertised.listeners", text, "is no address that a client could dial");
        }
        if (out.controller && out.controller->listener == named.name) {
            out.controller->host = named.address.host;
            out.controller->port = named.address.port;
            continue;
        }
        auto found =
            std::find_if(out.clients.begin(), out.clients.end(),
                         [&](const auto& listener) { return listener.name == named.name; });
        if (found == out.clients.end()) {
            return wrong("advertised.listeners", text, "names a listener that `listeners` lacks");
        }
        found->advertised = named.address;
    }
    // A bare start listens on both loopback addresses; their common name is localhost.
    if (!config.is_set("listeners") && !out.clients[0].advertised) {
        out.clients[0].advertised = Endpoint{"localhost", 0};
    }
    return out;
}

ListenerEndpoint advertised_endpoint(const ListenerOptions& listener, const Endpoint& bound,
                                     const std::string& own_name) {
    ListenerEndpoint out{listener.name, bound.host, bound.port, 0};
    if (listener.advertised) {
        out.host = listener.advertised->host;
        if (listener.advertised->port != 0) out.port = listener.advertised->port;
    } else if (is_wildcard(listener.addresses[0])) {
        out.host = own_name;
    } else {
        out.host = listener.addresses[0].host;
    }
    return out;
}

}  // namespace kq
