// SPDX-License-Identifier: Apache-2.0
#include "consensus/quorum_world.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

namespace kq::sim {
namespace {

Uuid directory_of(int node) {
    Uuid id;
    id.bytes[15] = static_cast<std::uint8_t>(100 + node);
    return id;
}

ReplicaKey key_of(BrokerId id) {
    return {id, directory_of(id.value)};
}

}  // namespace

QuorumWorld::QuorumWorld(std::uint64_t seed, int voters, int observers) : random_(seed) {
    for (int i = 1; i <= voters; ++i)
        voters_.emplace(BrokerId{i}, Voter{key_of(BrokerId{i}), {}, 0, 1});
    for (int i = 1; i <= voters + observers; ++i) {
        nodes_[BrokerId{i}];
        restart(BrokerId{i});
    }
}

std::vector<BrokerId> QuorumWorld::node_ids() const {
    std::vector<BrokerId> ids;
    for (const auto& [id, node] : nodes_)
        ids.push_back(id);
    return ids;
}

LogOutline QuorumWorld::outline(const std::vector<Entry>& log) {
    LogOutline outline;
    Offset end{0};
    for (const auto& entry : log)
        outline.append(entry.epoch, ++end);
    return outline;
}

Bytes QuorumWorld::pack(const std::vector<Entry>& log, std::size_t from, std::size_t limit) {
    Bytes bytes;
    for (std::size_t i = from; i < std::min(log.size(), from + limit); ++i) {
        append_be(bytes, log[i].epoch.value);
        append_be(bytes, static_cast<std::int64_t>(log[i].value));
    }
    return bytes;
}

std::vector<Entry> QuorumWorld::unpack(ByteView bytes) {
    std::vector<Entry> entries;
    for (std::size_t at = 0; at < bytes.size(); at += 12) {
        entries.push_back(
            {Epoch{load_be<std::int32_t>(bytes.data() + at)},
             static_cast<std::uint64_t>(load_be<std::int64_t>(bytes.data() + at + 4))});
    }
    return entries;
}

void QuorumWorld::crash(BrokerId id) {
    Node& node = nodes_.at(id);
    if (node.machine == nullptr) return;
    node.machine.reset();
    ++crashes_;
    // Of what was written and not confirmed, some prefix made it to the disk.
    const auto states = random_.below(node.pending_states.size() + 1);
    for (std::uint64_t i = 0; i < states; ++i)
        node.durable_state = node.pending_states[i].state;
    node.pending_states.clear();
    const auto kept =
        node.durable_entries + random_.below(node.log.size() - node.durable_entries + 1);
    node.log.resize(kept);
    node.durable_entries = kept;
    node.sync_to.reset();
    node.committed = 0;
    node.deadline.reset();
}

void QuorumWorld::restart(BrokerId id) {
    Node& node = nodes_.at(id);
    if (node.machine != nullptr) return;
    node.machine = std::make_unique<Quorum>(random_, key_of(id), voters_, timings_,
                                            node.durable_state, outline(node.log));
    feed(id, QuorumTick{});
}

void QuorumWorld::heal() {
    faults = Faults{};
    cuts_.clear();
    for (const auto& [id, node] : nodes_)
        restart(id);
}

void QuorumWorld::shut_down(BrokerId id) {
    feed(id, QuorumShutdown{});
}

std::optional<BrokerId> QuorumWorld::leader() const {
    std::optional<BrokerId> best;
    for (const auto& [id, node] : nodes_) {
        if (node.machine == nullptr || !node.machine->is_leader()) continue;
        if (!best || machine(*best).epoch() < node.machine->epoch()) best = id;
    }
    return best;
}

bool QuorumWorld::append(BrokerId id, std::uint64_t value) {
    Node& node = nodes_.at(id);
    if (node.machine == nullptr || !node.machine->epoch_start()) return false;
    node.log.push_back({node.machine->epoch(), value});
    feed(id,
         LogAppended{node.machine->epoch(), Offset{static_cast<std::int64_t>(node.log.size())}});
    start_sync(node);
    return true;
}

void QuorumWorld::feed(BrokerId id, QuorumInput input) {
    Node& node = nodes_.at(id);
    act(id, node.machine->step(now_, std::move(input)));
}

void QuorumWorld::act(BrokerId id, QuorumOutputs outputs) {
    Node& node = nodes_.at(id);
    REQUIRE_FALSE(outputs.failure);
    node.deadline = outputs.deadline;
    if (outputs.persist) node.pending_states.push_back({*outputs.persist});
    if (outputs.truncate_to) {
        const auto end = static_cast<std::size_t>(outputs.truncate_to->value);
        REQUIRE(end >= node.committed);
        node.log.resize(end);
        node.durable_entries = std::min(node.durable_entries, end);
        node.sync_to.reset();  // its result would speak of records that are gone
    }
    check(id);
    for (auto& envelope : outputs.messages) {
        check_spoken(node, envelope);
        flying_.push_back({id, std::move(envelope)});
    }
    if (outputs.append) {
        REQUIRE(outputs.append->from.value == static_cast<std::int64_t>(node.log.size()));
        for (const auto& entry : unpack(outputs.append->records)) {
            node.log.push_back(entry);
            const auto end = Offset{static_cast<std::int64_t>(node.log.size())};
            feed(id, LogAppended{entry.epoch, end});
        }
        start_sync(node);
    }
    if (outputs.leader_change) {
        REQUIRE(outputs.leader_change->granting.size() >= voters_.size() / 2 + 1);
        node.log.push_back({outputs.leader_change->epoch, 0});
        const auto end = Offset{static_cast<std::int64_t>(node.log.size())};
        feed(id, LogAppended{outputs.leader_change->epoch, end});
        start_sync(node);
    }
}

// I23: what leaves a node rests on what its disk holds.
void QuorumWorld::check_spoken(const Node& node, const QuorumEnvelope& envelope) const {
    REQUIRE(node.pending_states.empty());
    if (const auto* vote = std::get_if<QuorumVoteRequest>(&envelope.message)) {
        if (!vote->pre_vote) {
            REQUIRE(node.durable_state.epoch == vote->epoch);
            REQUIRE(node.durable_state.voted == vote->candidate);
        }
    } else if (const auto* fetch = std::get_if<QuorumFetchRequest>(&envelope.message)) {
        REQUIRE(node.durable_entries >= static_cast<std::size_t>(fetch->from.offset.value));
    }
}

void QuorumWorld::check(BrokerId id) {
    Node& node = nodes_.at(id);
    const Quorum& machine = *node.machine;
    if (machine.is_leader()) {
        auto [known, is_new] = leaders_.emplace(machine.epoch(), id);
        REQUIRE(known->second == id);
    }
    const auto committed = static_cast<std::size_t>(machine.high_watermark().value);
    REQUIRE(committed <= node.log.size());
    REQUIRE(committed >= node.committed);
    for (std::size_t i = node.committed; i < committed; ++i) {
        if (i < committed_.size()) {
            REQUIRE(committed_[i] == node.log[i]);
        } else {
            committed_.push_back(node.log[i]);
        }
    }
    node.committed = committed;
}

void QuorumWorld::start_sync(Node& node) {
    if (!node.sync_to && node.durable_entries < node.log.size()) node.sync_to = node.log.size();
}

void QuorumWorld::finish_sync(BrokerId id) {
    Node& node = nodes_.at(id);
    const auto end = *std::exchange(node.sync_to, std::nullopt);
    node.durable_entries = std::max(node.durable_entries, end);
    feed(id, LogSynced{Offset{static_cast<std::int64_t>(end)}});
    start_sync(nodes_.at(id));
}

void QuorumWorld::deliver(std::size_t index) {
    Flight flight = flying_[index];
    if (!chance(faults.repeat)) {
        flying_[index] = flying_.back();
        flying_.pop_back();
    }
    const BrokerId to = flight.envelope.peer;
    if (cuts_.contains({flight.from, to}) || chance(faults.lose) || !is_up(to)) {
        ++lost_messages_;
        return;
    }
    if (auto* response = std::get_if<QuorumFetchResponse>(&flight.envelope.message)) {
        // The driver of the leader reads the records when the answer leaves; a leader that is gone
        // by now sent nothing.
        if (response->records_from && response->records.empty()) {
            const Node& leader = nodes_.at(flight.from);
            if (leader.machine == nullptr || !leader.machine->is_leader() ||
                leader.machine->epoch() != response->epoch)
                return;
            response->records =
                pack(leader.log, static_cast<std::size_t>(response->records_from->value),
                     1 + random_.below(4));
        }
    }
    flight.envelope.peer = flight.from;
    feed(to, QuorumReceived{std::move(flight.envelope)});
}

void QuorumWorld::step() {
    if (chance(faults.crash)) {
        auto id = node_ids()[random_.below(nodes_.size())];
        if (is_up(id))
            crash(id);
        else
            restart(id);
    }
    if (chance(faults.cut)) {
        const auto ids = node_ids();
        auto link = std::pair{ids[random_.below(ids.size())], ids[random_.below(ids.size())]};
        if (!cuts_.erase(link)) cuts_.insert(link);
    }
    std::vector<std::pair<int, BrokerId>> writes;  // 0: election state, 1: log
    for (auto& [id, node] : nodes_) {
        if (node.machine == nullptr) continue;
        if (!node.pending_states.empty()) writes.emplace_back(0, id);
        if (node.sync_to) writes.emplace_back(1, id);
    }
    const auto choices = writes.size() + flying_.size();
    if (choices > 0 && !chance(0.05)) {
        const auto chosen = random_.below(choices);
        if (chosen >= writes.size()) {
            deliver(chosen - writes.size());
            return;
        }
        auto [kind, id] = writes[chosen];
        Node& node = nodes_.at(id);
        if (kind == 1) {
            finish_sync(id);
            return;
        }
        node.durable_state = node.pending_states.front().state;
        node.pending_states.erase(node.pending_states.begin());
        feed(id, ElectionPersisted{});
        return;
    }
    now_ += std::chrono::milliseconds(1 + random_.below(200));
    for (const auto& id : node_ids()) {
        if (is_up(id) && nodes_.at(id).deadline && now_ >= *nodes_.at(id).deadline)
            feed(id, QuorumTick{});
    }
}

void QuorumWorld::run(int steps) {
    for (int i = 0; i < steps; ++i)
        step();
}

}  // namespace kq::sim
