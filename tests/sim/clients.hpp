// SPDX-License-Identifier: Apache-2.0
//
// The simulated clients: libkq's own producer, consumer and admin cores, each on a loop of its own,
// doing what the seed says and telling the ledger everything they are told.
//
// owner    the test's thread; the cores run on their loops
#pragma once

#include <deque>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/sim_loop.hpp"
#include "client/admin_core.hpp"
#include "client/consumer_core.hpp"
#include "client/producer_core.hpp"
#include "net/sim_network.hpp"
#include "tests/sim/ledger.hpp"

namespace kq::sim {

struct SimTopic {
    std::string name;
    std::int32_t partitions = 1;
    bool deletes = false;  // a small retention.bytes
};

// What all clients share.
struct ClientWorld {
    SimScheduler& scheduler;
    SimNetwork& network;
    Ledger& ledger;
    Endpoint bootstrap;
    const std::vector<SimTopic>& topics;
    // No power cuts and no failed syncs: then acks=1 is as good as acks=all.
    bool may_trust_memory = false;
};

// A loop with its own host and dice.
class ClientHost {
public:
    ClientHost(const ClientWorld& world, const std::string& host)
        : loop(world.scheduler),
          network(world.network.network_for(loop, host)),
          random(world.scheduler.random().u64()) {}

    SimLoop loop;
    std::unique_ptr<Network> network;
    SeededRandom random;
};

class SimProducer {
public:
    SimProducer(ClientWorld& world, std::int32_t id, bool idempotent);
    ~SimProducer();

    // Sends records at random intervals until stop().
    void start();
    void stop() { stopped_ = true; }
    // A new producer takes over; what the old one had in flight has an unknown fate.
    void replace();
    bool is_idle() const;
    std::int64_t sent() const { return next_number_; }
    // For a message: what it still waits for.
    std::string trouble() const;

private:
    void send_some();
    void schedule();
    void make_core();

    ClientWorld& world_;
    const std::int32_t id_;
    const bool idempotent_;
    ClientHost host_;
    std::unique_ptr<ProducerCore> core_;
    Timer timer_;
    std::int64_t next_number_ = 0;
    int generation_ = 0;
    bool stopped_ = false;
};

// Follows every partition from the start, over and over; asks for offsets in between.
class SimReader {
public:
    SimReader(ClientWorld& world, int id);
    ~SimReader();

    void start();
    void stop();
    std::int64_t rounds() const { return rounds_; }

private:
    void read_on();
    void take();
    void ask_offsets();

    ClientWorld& world_;
    ClientHost host_;
    std::unique_ptr<ConsumerCore> consumer_;
    std::unique_ptr<AdminCore> admin_;
    std::map<TopicPartition, Offset> expected_;
    Timer restart_;
    Timer offsets_;
    std::int64_t rounds_ = 0;
    bool stopped_ = false;
    bool may_delete_ = false;
    int generation_ = 0;
};

// Begins a request that is as long as it may be, and never ends it.
class SimStaller final : private ConnectionEvents {
public:
    static constexpr std::uint32_t frame_bytes = 250'000;
    SimStaller(ClientWorld& world, const std::string& host);

private:
    void on_connected() override;
    void on_readable() override {}
    void on_closed(const Error&) override { connection_ = nullptr; }

    ClientHost host_;
    std::unique_ptr<Connection> connection_;
};

ClientOptions client_options(const ClientWorld& world);

}  // namespace kq::sim
