// SPDX-License-Identifier: Apache-2.0
//
// PocoSocket: a connected POCO socket on its way between loops; and the options every socket of
// ours gets. For poco_network and poco_connection only.
#pragma once

#include <string>

#include <Poco/Net/SocketAddress.h>
#include <Poco/Net/StreamSocket.h>

#include "net/network.hpp"
#include "net/poco_network.hpp"

namespace kq {

class PocoSocket final : public Socket {
public:
    PocoSocket(Poco::Net::StreamSocket socket_in, Endpoint peer_in, Endpoint local_in)
        : socket(std::move(socket_in)),
          peer_endpoint(std::move(peer_in)),
          local_endpoint(std::move(local_in)) {}
    Endpoint peer() const override { return peer_endpoint; }

    Poco::Net::StreamSocket socket;
    Endpoint peer_endpoint;
    Endpoint local_endpoint;
};

Endpoint endpoint_of(const Poco::Net::SocketAddress& address);
int descriptor_of(const Poco::Net::Socket& socket);
// A POCO socket that owns this descriptor.
Poco::Net::StreamSocket stream_socket_of(int descriptor);

// No delay, buffer sizes, congestion control.
void set_options(int descriptor, const PocoNetworkOptions& options, const Endpoint& peer,
                 const Endpoint& local);

// "connection refused" for an errno.
std::string reason_of(int number);

}  // namespace kq
