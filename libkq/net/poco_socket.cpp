// SPDX-License-Identifier: Apache-2.0
#include "net/poco_socket.hpp"

#include <array>
#include <cctype>
#include <system_error>

#include <Poco/Net/StreamSocketImpl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace kq {
namespace {

// POCO counts the references to its sockets itself; all it needs is one that may be made here.
class OwnedSocket final : public Poco::Net::StreamSocketImpl {
public:
    explicit OwnedSocket(int descriptor) : StreamSocketImpl(descriptor) {}
    ~OwnedSocket() override = default;
};

bool is_on_this_machine(const Endpoint& peer, const Endpoint& local) {
    return peer.host == local.host || peer.host.starts_with("127.") || peer.host == "::1" ||
           peer.host.starts_with("::ffff:127.");
}

void set_congestion_control(int descriptor, const std::string& name) {
    // An algorithm the kernel lacks leaves the default in place, which works as well.
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_CONGESTION, name.c_str(),
                 static_cast<socklen_t>(name.size()));
}

std::string congestion_control_of(int descriptor) {
    std::array<char, 32> name{};
    socklen_t size = name.size();
    if (::getsockopt(descriptor, IPPROTO_TCP, TCP_CONGESTION, name.data(), &size) != 0) return {};
    return name.data();
}

}  // namespace

Endpoint endpoint_of(const Poco::Net::SocketAddress& address) {
    return {address.host().toString(), address.port()};
}

int descriptor_of(const Poco::Net::Socket& socket) {
    return socket.impl()->sockfd();
}

Poco::Net::StreamSocket stream_socket_of(int descriptor) {
    return Poco::Net::StreamSocket(std::make_unique<OwnedSocket>(descriptor).release());
}

void set_options(int descriptor, const PocoNetworkOptions& options, const Endpoint& peer,
                 const Endpoint& local) {
    int on = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    // A peer that vanished without a word is found by the kernel: 60 s idle, then 4 probes.
    int idle_s = 60;
    int interval_s = 15;
    int probes = 4;
    ::setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    if (options.send_buffer_bytes >= 0) {
        ::setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &options.send_buffer_bytes, sizeof(int));
    }
    if (options.receive_buffer_bytes >= 0) {
        ::setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &options.receive_buffer_bytes, sizeof(int));
    }
    const auto& control = options.congestion_control;
    if (control == "system") return;
    if (control != "auto") return set_congestion_control(descriptor, control);
    // BBR paces what it sends; on loopback that costs most of the throughput and much CPU.
    if (is_on_this_machine(peer, local) && congestion_control_of(descriptor) == "bbr") {
        set_congestion_control(descriptor, "reno");
    }
}

std::string reason_of(int number) {
    auto text = std::generic_category().message(number);
    if (!text.empty()) {
        text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
    }
    return text;
}

}  // namespace kq
