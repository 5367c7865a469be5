// SPDX-License-Identifier: Apache-2.0
#include "consensus/quorum.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

#include "consensus/quorum_world.hpp"

using namespace kq;
using kq::sim::QuorumWorld;

namespace {

bool all_committed(const QuorumWorld& world, std::size_t entries) {
    for (auto id : world.node_ids()) {
        if (!world.is_up(id)) continue;
        if (world.machine(id).high_watermark().value < static_cast<std::int64_t>(entries))
            return false;
    }
    return true;
}

// Runs until some node leads and has begun its epoch.
BrokerId elect(QuorumWorld& world) {
    for (int i = 0; i < 20000; ++i) {
        world.step();
        if (auto leader = world.leader(); leader && world.machine(*leader).epoch_start())
            return *leader;
    }
    FAIL("no leader was elected");
    return no_broker;
}

}  // namespace

TEST_CASE("a quorum of one elects itself without waiting and commits what it synced", "[quorum]") {
    SeededRandom random(1);
    const ReplicaKey self{BrokerId{1}, random.uuid()};
    VoterSet voters{{BrokerId{1}, Voter{self, {}, 0, 1}}};
    Quorum quorum(random, self, voters, {}, {}, {});
    const MonoTime now{std::chrono::seconds(5)};

    auto out = quorum.step(now, QuorumTick{});
    REQUIRE(out.persist);
    CHECK(*out.persist == ElectionState{Epoch{1}, BrokerId{1}, std::nullopt});
    CHECK_FALSE(out.leader_change);  // not before it is on disk
    CHECK_FALSE(quorum.epoch_start());

    out = quorum.step(now, ElectionPersisted{});
    REQUIRE(out.leader_change);
    CHECK(out.leader_change->voters == std::vector{BrokerId{1}});
    CHECK(out.leader_change->granting == std::vector{BrokerId{1}});

    out = quorum.step(now, LogAppended{Epoch{1}, Offset{1}});
    CHECK_FALSE(out.committed);
    out = quorum.step(now, LogSynced{Offset{1}});
    CHECK(out.committed == Offset{1});
    CHECK_FALSE(out.deadline);  // a lone node needs no timer

    quorum.step(now, LogAppended{Epoch{1}, Offset{4}});
    out = quorum.step(now, LogAppended{Epoch{1}, Offset{6}});
    CHECK_FALSE(out.committed);
    out = quorum.step(now, LogSynced{Offset{4}});
    CHECK(out.committed == Offset{4});
    CHECK_FALSE(quorum.has_fetchers(now));
}

TEST_CASE("a node that led its epoch before a restart takes a new one", "[quorum]") {
    SeededRandom random(1);
    const ReplicaKey self{BrokerId{1}, random.uuid()};
    LogOutline log;
    log.append(Epoch{3}, Offset{10});
    SECTION("alone") {
        VoterSet voters{{BrokerId{1}, Voter{self, {}, 0, 1}}};
        Quorum quorum(random, self, voters, {}, {Epoch{3}, BrokerId{1}, std::nullopt}, log);
        auto out = quorum.step(MonoTime{1s}, QuorumTick{});
        REQUIRE(out.persist);
        CHECK(out.persist->epoch == Epoch{4});
    }
    SECTION("among others, after an election timeout, and votes for nobody in the old one") {
        VoterSet voters;
        for (int i = 1; i <= 3; ++i)
            voters.emplace(BrokerId{i},
                           Voter{{BrokerId{i}, i == 1 ? self.directory : Uuid{}}, {}, 0, 1});
        Quorum quorum(random, self, voters, {}, {Epoch{3}, BrokerId{1}, std::nullopt}, log);
        auto out = quorum.step(MonoTime{1s}, QuorumTick{});
        CHECK(quorum.role() == QuorumRole::resigned);
        CHECK(quorum.leader() == no_broker);
        QuorumVoteRequest ask{Epoch{3}, {BrokerId{2}, {}}, self, {Epoch{3}, Offset{20}}, false};
        out = quorum.step(MonoTime{1s}, QuorumReceived{{BrokerId{2}, 7, ask}});
        REQUIRE(out.messages.size() == 1);
        CHECK_FALSE(std::get<QuorumVoteResponse>(out.messages[0].message).granted);
        CHECK(out.messages[0].number == 7);
    }
}

TEST_CASE("a vote goes to one candidate an epoch, whose log is as good, once it is on disk",
          "[quorum]") {
    SeededRandom random(1);
    const ReplicaKey self{BrokerId{1}, random.uuid()};
    VoterSet voters;
    for (int i = 1; i <= 3; ++i)
        voters.emplace(BrokerId{i},
                       Voter{{BrokerId{i}, i == 1 ? self.directory : Uuid{}}, {}, 0, 1});
    LogOutline log;
    log.append(Epoch{2}, Offset{5});
    Quorum quorum(random, self, voters, {}, {Epoch{2}, no_broker, std::nullopt}, log);
    const MonoTime now{1s};
    quorum.step(now, QuorumTick{});

    struct Row {
        const char* what;
        BrokerId candidate;
        Epoch epoch;
        LogPosition log_end;
        bool pre_vote;
        bool granted;
    };
    const Row row = GENERATE(values<Row>({
        {"equal log", BrokerId{2}, Epoch{3}, {Epoch{2}, Offset{5}}, false, true},
        {"longer log", BrokerId{2}, Epoch{3}, {Epoch{2}, Offset{6}}, false, true},
        {"shorter log", BrokerId{2}, Epoch{3}, {Epoch{2}, Offset{4}}, false, false},
        {"older but longer log", BrokerId{2}, Epoch{3}, {Epoch{1}, Offset{9}}, false, false},
        {"newer but shorter log", BrokerId{2}, Epoch{9}, {Epoch{3}, Offset{1}}, false, true},
        {"old epoch", BrokerId{2}, Epoch{1}, {Epoch{2}, Offset{9}}, false, false},
        {"pre-vote", BrokerId{2}, Epoch{2}, {Epoch{2}, Offset{5}}, true, true},
        {"pre-vote, shorter log", BrokerId{2}, Epoch{2}, {Epoch{2}, Offset{4}}, true, false},
    }));
    CAPTURE(row.what);
    QuorumVoteRequest ask{row.epoch, {row.candidate, {}}, self, row.log_end, row.pre_vote};
    auto out = quorum.step(now, QuorumReceived{{row.candidate, 1, ask}});
    if (row.granted && !row.pre_vote) {
        REQUIRE(out.persist);
        CHECK(out.persist->voted == ReplicaKey{row.candidate, {}});
    }
    if (out.persist) {
        CHECK(out.messages.empty());  // not before it is on disk
        out = quorum.step(now, ElectionPersisted{});
    }
    REQUIRE(out.messages.size() == 1);
    CHECK(std::get<QuorumVoteResponse>(out.messages[0].message).granted == row.granted);
    if (!row.granted || row.pre_vote) return;

    // The same candidate may ask again; another one comes too late.
    out = quorum.step(now, QuorumReceived{{row.candidate, 2, ask}});
    CHECK_FALSE(out.persist);
    CHECK(std::get<QuorumVoteResponse>(out.messages.at(0).message).granted);
    ask.candidate = {BrokerId{3}, {}};
    out = quorum.step(now, QuorumReceived{{BrokerId{3}, 3, ask}});
    CHECK_FALSE(std::get<QuorumVoteResponse>(out.messages.at(0).message).granted);
}

TEST_CASE("a vote that was meant for another directory of this node is refused", "[quorum]") {
    SeededRandom random(1);
    const ReplicaKey self{BrokerId{1}, random.uuid()};
    VoterSet voters;
    for (int i = 1; i <= 3; ++i)
        voters.emplace(BrokerId{i},
                       Voter{{BrokerId{i}, i == 1 ? self.directory : Uuid{}}, {}, 0, 1});
    Quorum quorum(random, self, voters, {}, {}, {});
    quorum.step(MonoTime{1s}, QuorumTick{});
    QuorumVoteRequest ask{Epoch{1}, {BrokerId{2}, {}}, {BrokerId{1}, random.uuid()}, {}, false};
    auto out = quorum.step(MonoTime{1s}, QuorumReceived{{BrokerId{2}, 1, ask}});
    REQUIRE(out.messages.size() == 1);
    const auto& response = std::get<QuorumVoteResponse>(out.messages[0].message);
    CHECK(response.error == Errc::invalid_voter_key);
    CHECK_FALSE(response.granted);
    CHECK(quorum.epoch() == Epoch{0});
}

namespace {

// Voter 1 of three, after `log`; asks the others to elect it, and hears nothing yet.
struct Campaign {
    SeededRandom random{1};
    ReplicaKey self{BrokerId{1}, {}};
    VoterSet voters{{BrokerId{1}, Voter{{BrokerId{1}, {}}, {}, 0, 1}},
                    {BrokerId{2}, Voter{{BrokerId{2}, {}}, {}, 0, 1}},
                    {BrokerId{3}, Voter{{BrokerId{3}, {}}, {}, 0, 1}}};
    Quorum quorum;
    MonoTime now{1s};
    QuorumOutputs out;

    explicit Campaign(LogOutline log)
        : quorum(random, self, voters, {}, {log.last().epoch, no_broker, std::nullopt},
                 std::move(log)) {
        quorum.step(now, QuorumTick{});
        now += 10s;
        out = quorum.step(now, QuorumTick{});
    }
    // The number of the request to `peer` among what went out last.
    std::uint64_t number_for(int peer) const {
        for (const auto& envelope : out.messages) {
            if (envelope.peer == BrokerId{peer}) return envelope.number;
        }
        FAIL("nothing was sent to " << peer);
        return 0;
    }
    void grant(int peer, std::uint64_t number) {
        QuorumVoteResponse response{Errc::none, quorum.epoch(), no_broker, true};
        out = quorum.step(now, QuorumReceived{{BrokerId{peer}, number, response}});
    }
};

}  // namespace

TEST_CASE("a late answer to a pre-vote is no vote", "[quorum]") {
    Campaign campaign{LogOutline{}};
    const auto asked_2 = campaign.number_for(2);
    const auto asked_3 = campaign.number_for(3);
    campaign.grant(2, asked_2);
    REQUIRE(campaign.quorum.role() == QuorumRole::candidate);
    campaign.out = campaign.quorum.step(campaign.now, ElectionPersisted{});
    const auto vote_3 = campaign.number_for(3);
    campaign.grant(3, asked_3);
    CHECK(campaign.quorum.role() == QuorumRole::candidate);
    campaign.grant(3, vote_3);
    CHECK(campaign.quorum.role() == QuorumRole::leader);
}

TEST_CASE("records of earlier epochs are committed only together with one of the leader's own",
          "[quorum]") {
    // Held by a majority, they may still be replaced by a candidate with a record of an epoch in
    // between; once a majority holds a record of ours that cannot happen any more (Raft, 5.4.2).
    LogOutline log;
    log.append(Epoch{2}, Offset{8});
    Campaign campaign{log};
    campaign.grant(2, campaign.number_for(2));
    campaign.out = campaign.quorum.step(campaign.now, ElectionPersisted{});
    campaign.grant(2, campaign.number_for(2));
    REQUIRE(campaign.quorum.is_leader());
    campaign.out = campaign.quorum.step(campaign.now, ElectionPersisted{});
    REQUIRE(campaign.out.leader_change);
    const Epoch epoch = campaign.quorum.epoch();
    campaign.quorum.step(campaign.now, LogAppended{epoch, Offset{9}});
    campaign.quorum.step(campaign.now, LogSynced{Offset{9}});

    auto fetch = [&](Offset from, Epoch last) {
        QuorumFetchRequest request{epoch, {BrokerId{2}, {}}, {last, from}};
        return campaign.quorum.step(campaign.now, QuorumReceived{{BrokerId{2}, 9, request}});
    };
    CHECK_FALSE(fetch(Offset{8}, Epoch{2}).committed);
    CHECK(campaign.quorum.high_watermark() == Offset{0});
    CHECK(fetch(Offset{9}, epoch).committed == Offset{9});
}

TEST_CASE("a leader tells a follower where their logs part, or which snapshot to start from",
          "[quorum]") {
    // Ours: epoch 2 in [5, 10), epoch 4 in [10, 15), after a snapshot that ends at 5 in epoch 1.
    LogOutline log(EpochHistory({{Epoch{2}, Offset{5}}, {Epoch{4}, Offset{10}}}),
                   {Epoch{1}, Offset{5}}, Offset{15});
    Campaign campaign{log};
    campaign.grant(2, campaign.number_for(2));
    campaign.out = campaign.quorum.step(campaign.now, ElectionPersisted{});
    campaign.grant(2, campaign.number_for(2));
    campaign.quorum.step(campaign.now, ElectionPersisted{});
    const Epoch epoch = campaign.quorum.epoch();
    campaign.quorum.step(campaign.now, LogAppended{epoch, Offset{16}});

    struct Row {
        LogPosition from;
        std::optional<LogPosition> diverging;
        std::optional<LogPosition> snapshot;
        std::optional<Offset> records_from;
    };
    const Row row = GENERATE(values<Row>({
        {{Epoch{4}, Offset{12}}, {}, {}, Offset{12}},
        {{Epoch{2}, Offset{10}}, {}, {}, Offset{10}},
        {{Epoch{2}, Offset{12}}, LogPosition{Epoch{2}, Offset{10}}, {}, {}},
        {{Epoch{3}, Offset{12}}, LogPosition{Epoch{2}, Offset{10}}, {}, {}},
        {{Epoch{4}, Offset{18}}, LogPosition{Epoch{4}, Offset{15}}, {}, {}},
        {{Epoch{1}, Offset{7}}, LogPosition{Epoch{1}, Offset{5}}, {}, {}},
        {{Epoch{1}, Offset{5}}, {}, {}, Offset{5}},
        {{Epoch{0}, Offset{5}}, {}, LogPosition{Epoch{1}, Offset{5}}, {}},
        {{Epoch{0}, Offset{0}}, {}, LogPosition{Epoch{1}, Offset{5}}, {}},
    }));
    CAPTURE(row.from.epoch.value, row.from.offset.value);
    QuorumFetchRequest request{epoch, {BrokerId{3}, {}}, row.from};
    auto out = campaign.quorum.step(campaign.now, QuorumReceived{{BrokerId{3}, 9, request}});
    REQUIRE(out.messages.size() == 1);
    const auto& response = std::get<QuorumFetchResponse>(out.messages[0].message);
    CHECK(response.error == Errc::none);
    CHECK(response.diverging == row.diverging);
    CHECK(response.snapshot == row.snapshot);
    CHECK(response.records_from == row.records_from);
}

TEST_CASE("three voters elect a leader and commit on a majority", "[quorum]") {
    const auto seed = GENERATE(range(1, 20));
    CAPTURE(seed);
    QuorumWorld world(static_cast<std::uint64_t>(seed), 3, 1);
    auto leader = elect(world);
    for (std::uint64_t value = 1; value <= 10; ++value)
        REQUIRE(world.append(leader, value));
    const auto entries = world.log_of(leader).size();
    for (int i = 0; i < 20000 && !all_committed(world, entries); ++i)
        world.step();
    CHECK(all_committed(world, entries));  // the observer's machine follows, too
    CHECK(world.machine(leader).has_fetchers(MonoTime{std::chrono::seconds(1000)}));
}

TEST_CASE("a leader that is cut off resigns, and its uncommitted records are replaced",
          "[quorum]") {
    const auto seed = GENERATE(range(1, 20));
    CAPTURE(seed);
    QuorumWorld world(static_cast<std::uint64_t>(seed), 3);
    const auto old_leader = elect(world);
    world.run(500);
    for (auto id : world.node_ids()) {
        if (id == old_leader) continue;
        world.cut(old_leader, id);
        world.cut(id, old_leader);
    }
    const auto old_epoch = world.machine(old_leader).epoch();
    REQUIRE(world.append(old_leader, 666));
    std::optional<BrokerId> next;
    for (int i = 0; i < 50000 && !next; ++i) {
        world.step();
        auto leader = world.leader();
        if (leader && *leader != old_leader && world.machine(*leader).epoch_start()) next = leader;
    }
    REQUIRE(next);
    CHECK(world.machine(*next).epoch() > old_epoch);
    for (int i = 0; i < 5000 && world.machine(old_leader).is_leader(); ++i)
        world.step();
    CHECK_FALSE(world.machine(old_leader).is_leader());  // it knows by itself
    REQUIRE(world.append(*next, 7));
    world.heal();
    const auto entries = world.log_of(*next).size();
    for (int i = 0; i < 50000 && !all_committed(world, entries); ++i)
        world.step();
    CHECK(all_committed(world, entries));
    const auto& committed = world.committed();
    CHECK(std::none_of(committed.begin(), committed.end(),
                       [](const auto& entry) { return entry.value == 666; }));
    CHECK(std::any_of(committed.begin(), committed.end(),
                      [](const auto& entry) { return entry.value == 7; }));
}

TEST_CASE("a voter that was cut off does not depose the leader when it returns", "[quorum]") {
    const auto seed = GENERATE(range(1, 10));
    CAPTURE(seed);
    QuorumWorld world(static_cast<std::uint64_t>(seed), 3);
    const auto leader = elect(world);
    world.run(1000);
    REQUIRE(world.leader() == leader);
    const auto epoch = world.machine(leader).epoch();
    const auto lonely = BrokerId{leader.value % 3 + 1};
    for (auto id : world.node_ids()) {
        world.cut(lonely, id);
        world.cut(id, lonely);
    }
    world.run(4000);
    CHECK(world.machine(lonely).epoch() == epoch);  // it asked, and never raised its epoch
    world.heal();
    REQUIRE(world.append(leader, 5));
    for (int i = 0; i < 50000 && !all_committed(world, world.log_of(leader).size()); ++i)
        world.step();
    CHECK(world.machine(leader).is_leader());
    CHECK(world.machine(leader).epoch() == epoch);
    CHECK(all_committed(world, world.log_of(leader).size()));
}

TEST_CASE("a leader that shuts down hands over faster than a timeout", "[quorum]") {
    QuorumWorld world(4, 3);
    const auto leader = elect(world);
    world.run(500);
    const auto epoch = world.machine(leader).epoch();
    world.shut_down(leader);
    CHECK(world.machine(leader).role() == QuorumRole::resigned);
    const auto next = elect(world);
    CHECK(next != leader);
    CHECK(world.machine(next).epoch() > epoch);
}

TEST_CASE("under crashes, cuts, loss and repetition the quorum stays one", "[quorum]") {
    // Hundreds of short lives: the world checks after every step, the test checks at the end that
    // faults did bite, and that a healed quorum works again.
    std::size_t elections = 0;
    std::size_t commits = 0;
    for (int seed = 1; seed <= 150; ++seed) {
        CAPTURE(seed);
        QuorumWorld world(static_cast<std::uint64_t>(seed), seed % 3 == 0 ? 5 : 3, seed % 2);
        world.faults = {.lose = 0.05, .repeat = 0.05, .crash = 0.004, .cut = 0.002};
        std::uint64_t value = 0;
        for (int i = 0; i < 6000; ++i) {
            world.step();
            if (i % 13 != 0) continue;
            for (auto id : world.node_ids())
                world.append(id, ++value);
        }
        CHECK(world.crashes() > 5);
        CHECK(world.lost_messages() > 20);
        elections += world.leaders_seen().size();
        commits += world.committed().size();

        world.heal();
        bool is_whole = false;
        std::size_t target = 0;
        for (int i = 0; i < 100000 && !is_whole; ++i) {
            world.step();
            if (i % 20000 == 19999) target = 0;  // its leader may have been deposed: try again
            auto leader = world.leader();
            if (leader && target == 0 && world.append(*leader, ++value))
                target = world.log_of(*leader).size();
            is_whole = target > 0 && all_committed(world, target);
        }
        CHECK(is_whole);
    }
    CHECK(elections > 150 * 5);
    CHECK(commits > 150 * 50);
}
