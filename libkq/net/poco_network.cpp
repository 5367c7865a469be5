// SPDX-License-Identifier: Apache-2.0
#include "net/poco_network.hpp"

#include <cerrno>

#include <Poco/Exception.h>
#include <Poco/Net/DNS.h>
#include <Poco/Net/HostEntry.h>
#include <Poco/Net/IPAddress.h>
#include <sys/socket.h>

#include "net/poco_connection.hpp"
#include "net/poco_listener.hpp"
#include "net/poco_socket.hpp"

namespace kq {
namespace {

using Poco::Net::SocketAddress;

struct Resolved {
    std::vector<SocketAddress> addresses;
    std::string why_none;
};

// What needs no question to anybody: numbers, and "localhost", which is this machine whatever a
// resolver says (RFC 6761).
bool resolve_at_once(const Endpoint& name, Resolved& out) {
    if (name.host == "localhost") {
        out.addresses = {SocketAddress("127.0.0.1", name.port), SocketAddress("::1", name.port)};
        return true;
    }
    Poco::Net::IPAddress address;
    if (!Poco::Net::IPAddress::tryParse(name.host, address)) return false;
    out.addresses = {SocketAddress(address, name.port)};
    return true;
}

// Asks the resolver of the system; waits for it.
Resolved resolve(const Endpoint& name) {
    Resolved out;
    try {
        const auto entry = Poco::Net::DNS::hostByName(name.host);
        for (const auto& address : entry.addresses()) {
            out.addresses.emplace_back(address, name.port);
        }
        if (out.addresses.empty()) out.why_none = "the name has no address";
    } catch (const Poco::Exception& failure) {
        out.why_none = "the name '" + name.host + "' is not known";
    }
    return out;
}

}  // namespace

std::string host_name() {
    try {
        auto name = Poco::Net::DNS::hostName();
        return name.empty() ? "localhost" : name;
    } catch (const Poco::Exception&) {
        return "localhost";
    }
}

PocoNetwork::PocoNetwork(EpollLoop& loop, IoPool& resolver, PocoNetworkOptions options, Logger log)
    : loop_(loop), resolver_(resolver), options_(std::move(options)), log_(std::move(log)) {}

PocoNetwork::~PocoNetwork() = default;

Result<std::unique_ptr<Listener>> PocoNetwork::listen(
    const Endpoint& at, Callback<void(std::unique_ptr<Socket>)> on_accepted) {
    Resolved where;
    Endpoint name = at;
    bool is_wildcard = name.host.empty();
    if (is_wildcard) {
        // Every address of this machine, of both families where there are two.
        where.addresses = {SocketAddress("::", name.port), SocketAddress("0.0.0.0", name.port)};
    } else if (!resolve_at_once(name, where)) {
        where = resolve(name);
        if (where.addresses.empty()) {
            return Error{Errc::unreachable,
                         "cannot listen on " + at.text() + ": " + where.why_none};
        }
    }
    auto listener =
        std::make_unique<PocoListener>(loop_, options_, log_, at, std::move(on_accepted));
    KQ_TRY(listener->open(where.addresses, is_wildcard));
    return std::unique_ptr<Listener>(std::move(listener));
}

std::unique_ptr<Connection> PocoNetwork::adopt(std::unique_ptr<Socket> socket,
                                               ConnectionEvents& events) {
    auto* raw = dynamic_cast<PocoSocket*>(socket.get());
    KQ_CHECK(raw != nullptr);
    socket.release();
    return std::make_unique<PocoConnection>(loop_, options_, std::unique_ptr<PocoSocket>(raw),
                                            events);
}

std::unique_ptr<Connection> PocoNetwork::connect(const Endpoint& to, ConnectionEvents& events) {
    auto connection = std::make_unique<PocoConnection>(loop_, options_, to, events);
    auto resolved = std::make_shared<Resolved>();
    auto start = [self = connection->self(), resolved] {
        if (*self != nullptr) (*self)->connect_to(resolved->addresses, resolved->why_none);
    };
    if (resolve_at_once(to, *resolved)) {
        loop_.post(std::move(start));  // in a later turn, as the seam promises
    } else {
        resolver_.submit(
            loop_, [to, resolved] { *resolved = resolve(to); }, std::move(start));
    }
    return connection;
}

}  // namespace kq
