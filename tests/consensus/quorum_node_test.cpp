// SPDX-License-Identifier: Apache-2.0
#include "tests/consensus/quorum_node_world.hpp"

using namespace kq;
using namespace kq::sim;

TEST_CASE("a lone node elects itself, commits what it synced, and tells it in order", "[quorum]") {
    NodeWorld world;
    world.format();
    world.lead();
    CHECK(world.listener().led == Epoch{1});
    CHECK(world.node().kraft_version() == 1);
    CHECK(world.listener().next == Offset{3});  // LeaderChange, KRaftVersion, KRaftVoters
    CHECK(world.append({"a", "b"}).value() == Offset{4});
    CHECK(world.append({"c"}).value() == Offset{5});
    CHECK(world.listener().records.empty());
    world.settle();
    CHECK(world.listener().records == std::vector<std::string>{"a", "b", "c"});
    CHECK(world.node().append(Epoch{7}, {{std::nullopt, Bytes{1}}}).code() ==
          Errc::not_leader_or_follower);
    std::vector<std::string> too_much(9, std::string(1 << 20, 'x'));
    CHECK(world.append(too_much).code() == Errc::record_list_too_large);
    world.stop();

    world.lead();
    CHECK(world.listener().led == Epoch{2});
    CHECK(world.listener().records == std::vector<std::string>{"a", "b", "c"});
    CHECK(world.node().log_end() == Offset{7});  // one LeaderChange more, the voters stay
}

TEST_CASE("what was told as committed survives the power failing", "[quorum]") {
    const auto seed = GENERATE(range(1, 60));
    CAPTURE(seed);
    NodeWorld world(static_cast<std::uint64_t>(seed));
    world.format();
    std::vector<std::string> told;
    int n = 0;
    for (int life = 0; life < 8; ++life) {
        world.lead();
        REQUIRE(world.listener().records.size() >= told.size());
        for (std::size_t i = 0; i < told.size(); ++i)
            REQUIRE(world.listener().records[i] == told[i]);
        for (int i = 0; i < 10; ++i) {
            REQUIRE(world.append({"r" + std::to_string(n), "s" + std::to_string(n)}).ok());
            ++n;
            for (auto steps = world.scheduler.random().below(6); steps > 0; --steps)
                world.scheduler.step();
        }
        told = world.listener().records;
        if (life == 4) {
            // A snapshot in between; what it stands for is not told again as records.
            SnapshotContent content{world.node().committed_end(), world.node().epoch(), {}, {}};
            content.write = [told](const std::function<Status(Bytes)>& write) -> Status {
                for (const auto& value : told)
                    KQ_TRY(write(to_bytes(as_bytes(value))));
                return done();
            };
            bool taken = false;
            world.node().take_snapshot(std::move(content), [&](Status status) {
                CHECK(status.ok());
                taken = true;
            });
            REQUIRE(world.scheduler.run_until([&] { return taken; }, minute));
        }
        world.kill(true);
    }
    world.lead();
    CHECK(world.listener().snapshot_end);
}

TEST_CASE("records are not committed before the disk has them", "[quorum]") {
    NodeWorld world;
    world.format();
    world.lead();
    world.process->pool.set_delay(5s, 5s);
    REQUIRE(world.append({"slow"}).ok());
    world.scheduler.run_for(4s);
    CHECK(world.listener().records.empty());
    world.scheduler.run_for(2s);
    CHECK(world.listener().records.size() == 1);
}

TEST_CASE("a sync that fails ends the log for this process", "[quorum]") {
    NodeWorld world;
    world.format();
    world.lead();
    world.files.fail_next_sync(directory + "/00000000000000000000.log");
    REQUIRE(world.append({"lost"}).ok());
    REQUIRE(
        world.scheduler.run_until([&] { return world.listener().failure.has_value(); }, minute));
    CHECK(world.listener().records.empty());
    CHECK(world.append({"more"}).code() == Errc::kafka_storage_error);
}

TEST_CASE("a full disk refuses one append and no more", "[quorum]") {
    NodeWorld world;
    world.format();
    world.lead();
    world.files.set_capacity(world.files.used_bytes());
    CHECK(world.append({std::string(5000, 'x')}).code() == Errc::disk_full);
    world.files.clear_faults();
    REQUIRE(world.append({"fits"}).ok());
    world.settle();
    CHECK(world.listener().records == std::vector<std::string>{"fits"});
    CHECK_FALSE(world.listener().failure);
}

TEST_CASE("a start that finds no room for its vote says so", "[quorum]") {
    NodeWorld world;
    world.format();
    REQUIRE(world.start().ok());
    world.files.set_capacity(world.files.used_bytes());
    REQUIRE(
        world.scheduler.run_until([&] { return world.listener().failure.has_value(); }, minute));
    CHECK(world.listener().failure->code == Errc::disk_full);
    CHECK_FALSE(world.listener().led);
    bool stopped = false;
    world.node().stop([&](const Status&) { stopped = true; });
    REQUIRE(world.scheduler.run_until([&] { return stopped; }, minute));
}

TEST_CASE("a vote that finds no descriptor is tried again", "[quorum]") {
    NodeWorld world;
    world.format();
    world.lead();
    world.stop();
    REQUIRE(world.start().ok());
    world.files.take_descriptors(directory + "/quorum-state.tmp");
    world.scheduler.run_for(20s);  // the election would be over long ago
    CHECK_FALSE(world.listener().failure);
    CHECK_FALSE(world.listener().led);
    world.files.clear_faults();
    REQUIRE(world.scheduler.run_until([&] { return world.listener().led.has_value(); }, minute));
    REQUIRE(world.append({"after it"}).ok());
    world.settle();
    CHECK(world.listener().records.back() == "after it");
    world.stop();
}

TEST_CASE("a node stops while its vote waits for a descriptor", "[quorum]") {
    NodeWorld world;
    world.format();
    REQUIRE(world.start().ok());
    world.files.take_descriptors(directory + "/quorum-state.tmp");
    world.scheduler.run_for(20s);
    CHECK_FALSE(world.listener().led);
    bool stopped = false;
    world.node().stop([&](const Status&) { stopped = true; });
    REQUIRE(world.scheduler.run_until([&] { return stopped; }, minute));
    world.files.clear_faults();
    world.scheduler.run_for(20s);
}

TEST_CASE("a voter that moved says so in the log", "[quorum]") {
    NodeWorld world;
    world.format();
    world.lead();
    world.stop();
    world.options.endpoints = {{"CONTROLLER", "there", 1234}};
    world.lead();
    CHECK(world.node().log_end() == Offset{5});  // LeaderChange and new KRaftVoters
    CHECK(world.node().voters().at(BrokerId{1}).endpoints[0].host == "there");
    world.stop();
    world.lead();
    CHECK(world.node().log_end() == Offset{6});
}

TEST_CASE("Kafka's metadata directories are opened as they are", "[quorum]") {
    NodeWorld world;
    SECTION("a static voter, with snapshots") {
        world.options.static_voters = {BrokerId{1}};
        world.put("00000000000000000000.log", "single/00000000000000000000.log");
        world.put("00000000000000000312-0000000001.checkpoint",
                  "single/00000000000000000312-0000000001.checkpoint");
        world.put("quorum-state", "single/quorum-state");
        world.lead();
        CHECK(world.listener().snapshot_end == Offset{312});
        CHECK(world.listener().led == Epoch{2});
        CHECK(world.node().kraft_version() == 0);
        const auto content = read_file(world.files, directory + "/quorum-state").value();
        CHECK(
            as_text(content) ==
            R"({"clusterId":"","leaderId":1,"leaderEpoch":2,"votedId":-1,"appliedOffset":0,"currentVoters":[{"voterId":1}],"data_version":0})");
    }
    SECTION("a directory that was only formatted") {
        world.put("00000000000000000000-0000000000.checkpoint",
                  "standalone/00000000000000000000-0000000000.checkpoint");
        // Its voter has another directory id than ours.
        const auto refused = world.start();
        CHECK(refused.code() == Errc::unsupported);
        CHECK(refused.error().message.find("Dhjz0ulgSG2RmisnDBrtoQ") != std::string::npos);
        world.options.self.directory = Uuid::parse("Dhjz0ulgSG2RmisnDBrtoQ").value();
        world.lead();
        CHECK(world.listener().led == Epoch{1});
    }
    SECTION("one of three voters: that quorum cannot be joined yet") {
        world.put("00000000000000005110.log", "cluster/00000000000000005110.log");
        world.put("00000000000000005197-0000000026.checkpoint",
                  "cluster/00000000000000005197-0000000026.checkpoint");
        world.put("quorum-state", "cluster/quorum-state");
        const auto refused = world.start();
        CHECK(refused.code() == Errc::unsupported);
        CHECK(refused.error().message.find("1, 2, 3") != std::string::npos);
    }
}

TEST_CASE("a directory that this node cannot vote in is refused", "[quorum]") {
    NodeWorld world;
    SECTION("it belongs to another node") {
        world.format(2);
        const auto refused = world.start();
        CHECK(refused.code() == Errc::unsupported);
        CHECK(refused.error().message.find("node 1 is not in") != std::string::npos);
    }
    SECTION("others vote, too") {
        world.format(1, 3);
        CHECK(world.start().code() == Errc::unsupported);
    }
    SECTION("the log below the snapshot is gone, and so is the snapshot") {
        world.put("00000000000000005110.log", "cluster/00000000000000005110.log");
        CHECK(world.start().code() == Errc::corrupt_file);
    }
    SECTION("the snapshot is damaged") {
        world.put("00000000000000000312-0000000001.checkpoint",
                  "single/00000000000000000312-0000000001.checkpoint");
        world.files.flip_bit(directory + "/00000000000000000312-0000000001.checkpoint", 4000);
        CHECK(world.start().code() == Errc::corrupt_file);
    }
}

TEST_CASE("old snapshots go by size and age, the newest never", "[quorum]") {
    NodeWorld world;
    REQUIRE(world.files.mkdir(directory).ok());
    auto snapshot = [&](std::int64_t end) {
        const SnapshotId id{Offset{end}, Epoch{1}};
        REQUIRE(write_snapshot(world.files, directory + '/' + id.file_name(), {Epoch{1}, {}, {}},
                               world.scheduler.clock().wall(),
                               [](const auto& write) { return write(Bytes(1000, 'x')); })
                    .ok());
    };
    for (std::int64_t end : {10, 20, 30, 40})
        snapshot(end);
    const auto size =
        world.files.info(directory + "/00000000000000000010-0000000001.checkpoint").value().size;
    auto clean = [&](MetadataRetention retention, std::uint64_t log_bytes) {
        const auto oldest = clean_snapshots(world.files, directory, retention, log_bytes,
                                            world.scheduler.clock().wall());
        REQUIRE(oldest.ok());
        return oldest.value().end.value;
    };
    CHECK(clean({-1, Millis{-1}}, 1 << 30) == 10);
    CHECK(clean({static_cast<std::int64_t>(size * 4), Millis{-1}}, 0) == 10);
    CHECK(clean({static_cast<std::int64_t>(size * 4), Millis{-1}}, 10) == 20);
    world.scheduler.run_for(1s);
    snapshot(50);
    CHECK(clean({-1, Millis{500}}, 0) == 50);
    CHECK(clean({0, Millis{0}}, 1 << 30) == 50);
}
