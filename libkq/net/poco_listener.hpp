// SPDX-License-Identifier: Apache-2.0
//
// PocoListener: the listening sockets of one endpoint: one for each address its name stands for,
// all on one port.
//
// owner    its loop
// errors   port_in_use, permission_denied, unreachable (no such address on this machine)
#pragma once

#include <memory>
#include <vector>

#include <Poco/Net/ServerSocket.h>

#include "net/poco_socket.hpp"

namespace kq {

class PocoListener final : public Listener {
public:
    PocoListener(EpollLoop& loop, const PocoNetworkOptions& options, Logger log, Endpoint name,
                 Callback<void(std::unique_ptr<Socket>)> on_accepted);
    ~PocoListener() override;

    // One of several addresses may be missing on this machine (no IPv6); a port that is taken on
    // one of them is taken. `dual_stack`: the first, an IPv6 wildcard, stands for all where it can.
    Status open(std::vector<Poco::Net::SocketAddress> addresses, bool dual_stack);

    Endpoint local() const override {
        loop_.assert_here();
        return local_;
    }
    void pause() override;
    void resume() override;

private:
    struct Port final : DescriptorEvents {
        PocoListener& owner;
        Poco::Net::ServerSocket socket;
        Port(PocoListener& owner_in, Poco::Net::ServerSocket socket_in)
            : owner(owner_in), socket(std::move(socket_in)) {}
        void on_events(std::uint32_t epoll_events) override;
    };
    enum class Opened { yes, no_such_address };
    Result<Opened> open_one(const Poco::Net::SocketAddress& address, bool dual_stack) KQ_ON(loop_);
    void accept(Port& port);
    void out_of_descriptors(int number) KQ_ON(loop_);
    void start() KQ_ON(loop_);
    void stop() KQ_ON(loop_);

    EpollLoop& loop_;
    const PocoNetworkOptions& options_;
    Logger log_;
    const Endpoint name_;
    Endpoint local_ KQ_OWNED_BY(loop_);
    Callback<void(std::unique_ptr<Socket>)> on_accepted_ KQ_OWNED_BY(loop_);
    std::vector<std::unique_ptr<Port>> ports_ KQ_OWNED_BY(loop_);
    bool is_paused_ KQ_OWNED_BY(loop_) = false;
    bool is_watched_ KQ_OWNED_BY(loop_) = false;
    Timer rest_ KQ_OWNED_BY(loop_);  // until accepting is tried again
    MonoTime last_complaint_ KQ_OWNED_BY(loop_) = MonoTime::min();
    const std::shared_ptr<PocoListener*> self_;  // holds null once destroyed; read on the loop
};

}  // namespace kq
