// SPDX-License-Identifier: Apache-2.0
#include <charconv>

#include "net/network.hpp"

namespace kq {
namespace {

Error bad(std::string_view text, const char* why) {
    return {Errc::usage, "'" + std::string(text) + "' is no address: " + why};
}

}  // namespace

std::string Endpoint::text() const {
    bool is_v6 = host.find(':') != std::string::npos;
    return (is_v6 ? '[' + host + ']' : host) + ':' + std::to_string(port);
}

Result<Endpoint> Endpoint::parse(std::string_view text, std::uint16_t default_port) {
    if (text.find("://") != std::string_view::npos) {
        return bad(text, "HOST:PORT is wanted, not a URL");
    }
    std::string_view host = text;
    std::string_view port;
    bool has_port = false;
    if (!text.empty() && text.front() == '[') {
        auto close = text.find(']');
        if (close == std::string_view::npos) return bad(text, "the bracket is not closed");
        host = text.substr(1, close - 1);
        auto rest = text.substr(close + 1);
        if (!rest.empty() && rest.front() != ':') return bad(text, "a port follows ':'");
        has_port = !rest.empty();
        if (has_port) port = rest.substr(1);
        if (host.empty()) return bad(text, "the host is missing");
    } else {
        auto colon = text.rfind(':');
        if (colon != std::string_view::npos) {
            host = text.substr(0, colon);
            port = text.substr(colon + 1);
            has_port = true;
            if (host.find(':') != std::string_view::npos) {
                return bad(text, "an IPv6 address stands in brackets");
            }
        }
    }
    Endpoint out{std::string(host), default_port};
    if (!has_port) {
        if (host.empty()) return bad(text, "it is empty");
        return out;
    }
    auto end = port.data() + port.size();
    auto [stop, failure] = std::from_chars(port.data(), end, out.port);
    if (port.empty() || failure != std::errc{} || stop != end) {
        return bad(text, "the port is a number from 0 to 65535");
    }
    return out;
}

}  // namespace kq
