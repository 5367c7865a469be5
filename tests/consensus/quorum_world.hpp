// SPDX-License-Identifier: Apache-2.0
//
// QuorumWorld: several quorum machines, a network and disks, all in memory and driven by a seed.
//
// Fault model: a message is delivered at any time, in any order, twice, or never. A write to disk
// (election state, log) takes any time; a crash loses what was not confirmed, or keeps it. A
// crashed node comes back with what its disk holds. Links may be cut in one direction.
//
// After every step the world checks: an epoch has one leader (I6); committed logs are prefixes of
// one another, and no committed entry ever changes (I22); an epoch and a vote are on disk before
// they are spoken of (I23).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/random.hpp"
#include "consensus/quorum.hpp"

namespace kq::sim {

struct Entry {
    Epoch epoch;
    std::uint64_t value = 0;  // 0: the LeaderChange of its epoch
    friend bool operator==(const Entry&, const Entry&) = default;
};

class QuorumWorld {
public:
    QuorumWorld(std::uint64_t seed, int voters, int observers = 0);

    struct Faults {
        double lose = 0;
        double repeat = 0;
        double crash = 0;  // of one node, at a step
        double cut = 0;    // of one direction of one link, at a step
    };
    Faults faults;

    // One thing happens: a message arrives, a write ends, time passes, a node fails.
    void step();
    void run(int steps);
    // No more faults; every node and link works again.
    void heal();
    void crash(BrokerId id);
    void restart(BrokerId id);
    void cut(BrokerId from, BrokerId to) { cuts_.insert({from, to}); }
    void shut_down(BrokerId id);

    // Lets a leader append; false where `id` does not lead.
    bool append(BrokerId id, std::uint64_t value);
    // Some node that leads the highest epoch; nothing when none does.
    std::optional<BrokerId> leader() const;
    const Quorum& machine(BrokerId id) const { return *nodes_.at(id).machine; }
    bool is_up(BrokerId id) const { return nodes_.at(id).machine != nullptr; }
    const std::vector<Entry>& committed() const { return committed_; }
    const std::vector<Entry>& log_of(BrokerId id) const { return nodes_.at(id).log; }
    std::vector<BrokerId> node_ids() const;
    const std::map<Epoch, BrokerId>& leaders_seen() const { return leaders_; }
    int crashes() const { return crashes_; }
    int lost_messages() const { return lost_messages_; }

private:
    struct PendingState {
        ElectionState state;
    };
    struct Node {
        std::unique_ptr<Quorum> machine;  // null: down
        // On disk for certain.
        ElectionState durable_state;
        std::size_t durable_entries = 0;
        // Written, perhaps not on disk.
        std::vector<PendingState> pending_states;
        std::vector<Entry> log;
        std::optional<std::size_t> sync_to;  // of the sync under way
        std::optional<MonoTime> deadline;
        std::size_t committed = 0;
        std::set<Epoch> spoken_epochs;
    };

    void feed(BrokerId id, QuorumInput input);
    void act(BrokerId id, QuorumOutputs outputs);
    void check_spoken(const Node& node, const QuorumEnvelope& envelope) const;
    void check(BrokerId id);
    void start_sync(Node& node);
    void finish_sync(BrokerId id);
    void deliver(std::size_t index);
    static LogOutline outline(const std::vector<Entry>& log);
    static Bytes pack(const std::vector<Entry>& log, std::size_t from, std::size_t limit);
    static std::vector<Entry> unpack(ByteView bytes);
    bool chance(double probability) { return random_.chance(probability); }

    SeededRandom random_;
    MonoTime now_{std::chrono::seconds(1000)};
    QuorumTimings timings_;
    VoterSet voters_;
    std::map<BrokerId, Node> nodes_;
    struct Flight {
        BrokerId from;
        QuorumEnvelope envelope;  // peer: the receiver
    };
    std::vector<Flight> flying_;
    std::set<std::pair<BrokerId, BrokerId>> cuts_;
    std::map<Epoch, BrokerId> leaders_;
    std::vector<Entry> committed_;  // the longest committed prefix that any node knows
    int crashes_ = 0;
    int lost_messages_ = 0;
};

}  // namespace kq::sim
