// SPDX-License-Identifier: Apache-2.0
//
// OneBrokerWorld: one broker, several producers and readers, and what can go wrong around them, all
// drawn from a seed.
//
// The fault model. The broker's process is killed at any moment; its machine loses power, and with
// it any part of what was not synced, torn at sectors; caches (indexes, producer snapshots, epoch
// files that can be rebuilt, recovery points) are deleted or flipped while it is down. Connections
// are cut; bytes are late and come in pieces. The disk fills up and gets room again; writes and
// syncs fail. Wall clocks jump. Producers are replaced in the middle of their work. Topics come and
// go; retention deletes. At the very end of some runs a bit of a segment is flipped.
//
// shape    set-up, faults (safety), healing, then within 60 virtual seconds: everything that was
//          taken has its fate, everything acknowledged is read, and nothing is left over
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/sim_loop.hpp"
#include "net/sim_network.hpp"
#include "tests/sim/clients.hpp"
#include "tests/sim/ledger.hpp"
#include "tests/sim/node.hpp"

namespace kq::sim {

inline constexpr const char* staller_host = "staller";

struct RunResult {
    std::optional<std::string> broken;  // "I1: ..."
    std::uint64_t fingerprint = 0;
    std::uint64_t steps = 0;
    std::size_t acked = 0;
    std::size_t read = 0;
    std::map<std::string, int> counts;   // of each kind of fault that struck
    std::chrono::nanoseconds lasted{0};  // virtual time
};

inline std::chrono::milliseconds random_ms(Random& random, std::uint64_t least,
                                           std::uint64_t most) {
    return Millis(static_cast<std::int64_t>(least + random.below(most - least + 1)));
}

class OneBrokerWorld {
public:
    OneBrokerWorld(std::uint64_t seed, LogSink* log);
    ~OneBrokerWorld();
    RunResult run();

private:
    bool is_broken();
    void check_request_memory();
    // Runs the world; stops early when a promise is broken. False then, or at the limit.
    bool run_until(const std::function<bool()>& reached, std::chrono::nanoseconds limit);
    void run_for(std::chrono::nanoseconds duration);

    bool start_broker();
    bool create_topics();

    // Faults (world_faults.cpp).
    void struck(const std::string& kind);
    void one_fault();
    void die(bool power);
    void crash(bool power);
    void damage_caches();
    void fill_disk();
    void break_disk();
    void end_bad_disk();
    void jump_clock();
    void change_topics();
    void fill_topic(const std::string& name);
    void check_topic_is_empty(AdminCore& admin, const std::string& name, std::int32_t partitions);
    void stop_and_start();
    void stall();

    void heal();
    using OnRecord = std::function<void(const TopicPartition&, Offset, const RecordName&)>;
    bool read_all(const OnRecord& on_record, const std::function<void(Error)>& refused);
    void read_everything();
    void flip_a_bit();
    void check_ends_after_damage();
    void check_nothing_left();

    SimScheduler scheduler_;
    SimNetwork network_;
    Logger logger_;
    Ledger ledger_;
    std::unique_ptr<Node> node_;
    std::vector<SimTopic> topics_;
    std::unique_ptr<ClientWorld> clients_;
    std::vector<std::unique_ptr<SimProducer>> producers_;
    std::vector<std::unique_ptr<SimReader>> readers_;
    std::map<std::string, int> counts_;
    int extra_topics_ = 0;
    std::set<std::string> flipped_;  // caches, once each
    bool disk_is_bad_ = false;       // the broker may give up
    std::vector<std::unique_ptr<SimStaller>> stallers_;
    bool stalled_ = false;  // it takes a while until their memory is free
};

}  // namespace kq::sim
