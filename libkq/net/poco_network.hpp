// SPDX-License-Identifier: Apache-2.0
//
// PocoNetwork: the real Network of one EpollLoop, over POCO's sockets.
//
// shape    one send per connection and turn; memory pieces by sendmsg (MSG_MORE where a file slice
//          follows), file slices by sendfile, at most `bytes_per_turn_max` of them a turn, so that
//          one fast reader does not hold the loop. EPOLLOUT only after a short write. An idle
//          connection holds no buffer
// owner    its loop; Sockets may travel
// errors   of Network. When descriptors run out, accepting pauses for 100 ms at a time
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/io_pool.hpp"
#include "base/log.hpp"
#include "net/epoll_loop.hpp"
#include "net/network.hpp"

namespace kq {

struct PocoNetworkOptions {
    // kq.socket.congestion.control: "auto" takes reno for peers on this machine where the system's
    // default is bbr, whose pacing costs loopback most of its throughput; "system" leaves it alone;
    // anything else is set on every connection.
    std::string congestion_control = "auto";
    int backlog = 128;
    int send_buffer_bytes = -1;     // -1: the kernel's
    int receive_buffer_bytes = -1;  // -1: the kernel's
    std::uint64_t bytes_per_turn_max = 4u << 20;
    std::chrono::milliseconds connect_timeout{10'000};  // for each address
};

// The name by which others know this machine; "localhost" where it has none.
std::string host_name();

class PocoNetwork final : public Network {
public:
    PocoNetwork(EpollLoop& loop, IoPool& resolver, PocoNetworkOptions options = {},
                Logger log = {});
    ~PocoNetwork() override;

    Result<std::unique_ptr<Listener>> listen(
        const Endpoint& at, Callback<void(std::unique_ptr<Socket>)> on_accepted) override;
    std::unique_ptr<Connection> adopt(std::unique_ptr<Socket> socket,
                                      ConnectionEvents& events) override;
    std::unique_ptr<Connection> connect(const Endpoint& to, ConnectionEvents& events) override;

private:
    EpollLoop& loop_;
    IoPool& resolver_;
    const PocoNetworkOptions options_;
    Logger log_;
};

}  // namespace kq
