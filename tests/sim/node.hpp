// SPDX-License-Identifier: Apache-2.0
//
// Node: one simulated machine that runs a broker: the real Broker on simulated loops, network,
// disk and pool. Its process may be killed, its power may fail, its clock may jump.
//
// owner    the test's thread, outside every turn
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/counters.hpp"
#include "base/log.hpp"
#include "base/memory_file_system.hpp"
#include "base/sim_loop.hpp"
#include "broker/broker.hpp"
#include "net/sim_network.hpp"

namespace kq::sim {

struct NodeOptions {
    std::string host = "broker";
    std::uint16_t port = 9092;
    std::size_t data_loops = 1;
    std::vector<std::pair<std::string, std::string>> configs;
    LogSink* log = nullptr;
    std::int64_t request_memory_max = 0;  // as configured, to be checked; 0: nothing is
};

class Node {
public:
    Node(SimScheduler& world, SimNetwork& network, NodeOptions options);
    ~Node();
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;

    // Starts the process; serves some time later. An Error when open() refuses.
    Status start();
    bool is_running() const { return process_ != nullptr; }
    bool is_serving() const { return process_ != nullptr && process_->serving; }
    // A running broker gave up by itself.
    const std::optional<Error>& failure() const { return failure_; }

    // The process ends at once; what it wrote stays.
    void kill();
    // The machine loses its power: what was not synced may be lost or torn.
    void power_off();
    // The machine of a stopped broker loses its power.
    void power_off_machine() { disk_.power_off(world_.random()); }
    // Asks for a clean stop; is_running() is false once it is done.
    void stop();
    bool is_stopping() const { return process_ != nullptr && process_->stopping; }
    // Forgets the process of a finished stop. Called by the world after every step.
    void reap();
    bool stopped_cleanly() const { return stopped_cleanly_; }

    void jump_wall_clock(Millis by) { clock_.jump_wall(by); }
    MemoryFileSystem& disk() { return disk_; }
    const NodeOptions& options() const { return options_; }
    const std::string& host() const { return options_.host; }
    std::uint16_t port() const { return options_.port; }
    std::size_t connection_count() const;
    std::int64_t metric(std::string_view name) const;

private:
    // What dies with the process.
    struct Process {
        Process(SimScheduler& world, SimNetwork& network, const Clock& clock,
                const NodeOptions& options);
        MetricRegistry metrics;
        SimLoop control;
        std::unique_ptr<Network> control_network;
        std::vector<std::unique_ptr<SimLoop>> data;
        std::vector<std::unique_ptr<Network>> data_networks;
        SimIoPool pool;
        std::unique_ptr<SeededRandom> random;
        std::unique_ptr<Broker> broker;
        bool serving = false;
        bool stopping = false;
        bool stopped = false;
        bool clean = false;
    };
    void end_process();

    SimScheduler& world_;
    SimNetwork& network_;
    const NodeOptions options_;
    SimClock clock_;
    MemoryFileSystem disk_;
    std::shared_ptr<const ConfigSet> config_;
    std::unique_ptr<Process> process_;
    std::optional<Error> failure_;
    bool stopped_cleanly_ = false;
};

}  // namespace kq::sim
