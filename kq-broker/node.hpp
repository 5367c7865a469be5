// SPDX-License-Identifier: Apache-2.0
//
// Node: one broker with its loops, threads, sockets and files: what the simulator has of its own
// instead.
//
// owner    the main thread, which is the control loop
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/counters.hpp"
#include "base/log.hpp"
#include "base/process.hpp"
#include "base/random.hpp"
#include "base/system_clock.hpp"
#include "base/thread.hpp"
#include "base/thread_io_pool.hpp"
#include "broker/broker.hpp"
#include "net/epoll_loop.hpp"
#include "net/poco_network.hpp"
#include "settings.hpp"

namespace kq {

class Node {
public:
    Node(const BrokerSettings& settings, Process& process);
    ~Node();
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;

    // Takes the directories and the ports. What it answers is for the console.
    Status open();
    // Serves until a signal, stop(), or a failure; then stops cleanly. `on_ready` runs on the
    // control loop once clients are served.
    Status serve(std::function<void()> on_ready);
    // On the control loop.
    void stop();
    // What a signal does instead of stop().
    void on_signal(Task task) { on_signal_ = std::move(task); }

    // "127.0.0.1:9092": where it listens, as one on this machine dials it, whatever is advertised.
    // With several listeners one address of each, with commas between them, as the lists of
    // clients have it.
    std::string address() const;
    // "kafka=127.0.0.1:40117 http=127.0.0.1:40118"
    std::string ready_line() const;
    EpollLoop& loop() { return control_; }

private:
    std::uint64_t descriptors_of_process() const;
    void say_ready();
    void remove_ready_file();
    void look_for_signal();

    const BrokerSettings& settings_;
    Process& process_;
    SystemClock clock_;
    SystemRandom random_;
    DescriptorLogSink log_sink_;
    Logger log_;
    MetricRegistry metrics_;
    std::unique_ptr<FileSystem> files_;
    EpollLoop control_;
    std::vector<std::unique_ptr<EpollLoop>> data_loops_;
    ThreadIoPool pool_;
    PocoNetwork control_network_;
    std::vector<std::unique_ptr<PocoNetwork>> data_networks_;
    std::unique_ptr<Broker> broker_;
    Task on_signal_;
    bool stopping_ = false;
    std::optional<Error> failure_;
};

}  // namespace kq
