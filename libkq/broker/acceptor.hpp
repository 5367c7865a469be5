// SPDX-License-Identifier: Apache-2.0
//
// Acceptor: takes connections in on one loop and hands each to the data loop that serves the
// fewest.
//
// shape    binds at once, accepts from open() on: who dials a broker that starts waits instead of
//          being refused
// owner    the first data loop
// errors   port_in_use, permission_denied, unreachable. A connection beyond max.connections or
//          max.connections.per.ip is closed at once, and counted. Without a descriptor left for
//          connections, accepting pauses until one ends
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/log_limiter.hpp"
#include "broker/listeners.hpp"
#include "broker/sessions.hpp"

namespace kq {

struct AcceptorOptions {
    std::size_t connections_max = 2'147'483'647;
    std::size_t connections_per_ip_max = 2'147'483'647;
    // So many descriptors there are for connections; who dials then waits.
    std::size_t descriptors_max = 2'147'483'647;
};

class Acceptor {
public:
    Acceptor(Loop& loop, Network& network, MetricRegistry& metrics, Logger log,
             AcceptorOptions options);
    ~Acceptor();
    Acceptor(const Acceptor&) = delete;
    Acceptor& operator=(const Acceptor&) = delete;

    // Whom connections go to, before open().
    struct Target {
        Loop* loop;
        Sessions* sessions;
    };
    void set_targets(std::vector<Target> targets);

    // The first address with its port. With several, those that this machine lacks are left out.
    Result<Endpoint> bind(const ListenerOptions& listener);
    void open();
    // Refuses new connections from here on.
    void close();

private:
    void pause_without_descriptors() KQ_ON(loop_);
    void accept(const std::string& listener, std::unique_ptr<Socket> socket) KQ_ON(loop_);
    void connection_over(std::size_t target, const std::string& host) KQ_ON(loop_);

    Loop& loop_;
    Network& network_;
    Logger log_;
    const AcceptorOptions options_;
    std::vector<Target> targets_ KQ_OWNED_BY(loop_);
    std::vector<std::size_t> counts_ KQ_OWNED_BY(loop_);  // of connections, by target
    std::size_t total_ KQ_OWNED_BY(loop_) = 0;
    bool paused_ KQ_OWNED_BY(loop_) = false;
    LogLimiter complaints_ KQ_OWNED_BY(loop_);
    std::unordered_map<std::string, std::size_t> by_host_ KQ_OWNED_BY(loop_);
    std::vector<std::unique_ptr<Listener>> listeners_ KQ_OWNED_BY(loop_);
    Counter& refused_;
    const std::shared_ptr<Acceptor*> self_;  // holds null once destroyed; read on the loop
};

}  // namespace kq
