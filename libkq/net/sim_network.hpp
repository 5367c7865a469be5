// SPDX-License-Identifier: Apache-2.0
//
// SimNetwork: the network of a SimScheduler's world.
//
// The fault model. Bytes of a connection arrive in order, after a random delay, in random pieces; a
// receiver that does not read fills its window and the sender's bytes wait. A connection may be cut
// at any moment: bytes under way are lost, each side hears io_error (a reset) in its own time. Two
// hosts may be parted: bytes under way are held, new connections wait and fail at the time limit;
// nobody is told. A host may refuse. Nothing is duplicated or changed: TCP does not.
//
// owner    the test's thread
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/sim_loop.hpp"
#include "net/network.hpp"

namespace kq {

class SimNetwork {
public:
    explicit SimNetwork(SimScheduler& world);
    ~SimNetwork();

    // The sockets of `host` on `loop`. Ports are of the host: several loops may share one.
    std::unique_ptr<Network> network_for(SimLoop& loop, const std::string& host);

    void set_delay(std::chrono::nanoseconds least, std::chrono::nanoseconds most);
    // The chance that a flush cuts its connection.
    void set_cut_chance(double probability);
    // Cuts every connection of `host`; returns how many.
    std::size_t cut_all(const std::string& host);
    // Between two hosts nothing passes until join().
    void part(const std::string& a, const std::string& b);
    void join(const std::string& a, const std::string& b);
    // New connections to `host` are refused.
    void set_refuse(const std::string& host, bool refuse);
    // The host died: its listeners are gone and its connections reset.
    void kill(const std::string& host);

    std::size_t connection_count() const;
    // What was received of the connections that `host` made and that both ends still have.
    std::uint64_t received_from(const std::string& host) const;

    struct Hub;

private:
    std::shared_ptr<Hub> hub_;
};

}  // namespace kq
