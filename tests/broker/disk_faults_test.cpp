// SPDX-License-Identifier: Apache-2.0
//
// Disks that fail and disks that fill up under a whole broker: what clients are told, what is on
// the disk afterwards, and that the rest goes on.
#include <catch2/catch.hpp>

#include "tests/broker/broker_world.hpp"

using namespace kq;
using namespace kq::sim;

namespace {

using Values = std::vector<std::string>;

Errc code_of(const wire::ProduceResponse::PartitionProduceResponse& answer) {
    return static_cast<Errc>(answer.error_code);
}

const std::string log_file = "/00000000000000000000.log";

// A broker whose metadata lies in /meta, with two disks beside it; "t" has a partition on each.
struct TwoDisks : BrokerWorld {
    TwoDisks() : BrokerWorld({{"log.dirs", "/one,/two,/meta"}, {"metadata.log.dir", "/meta"}}) {
        REQUIRE(create("t", 3) == Errc::none);
        for (int i = 0; i < 3; ++i) {
            REQUIRE(code_of(send("t", i, {"first"})) == Errc::none);
            if (node.disk().exists(directory(i, "/two"))) bad = i;
            if (node.disk().exists(directory(i, "/one"))) good = i;
        }
        REQUIRE(bad >= 0);
        REQUIRE(good >= 0);
    }
    std::string directory(int partition, const std::string& disk) const {
        return disk + "/t-" + std::to_string(partition);
    }
    int bad = -1;   // the partition on the disk that fails
    int good = -1;  // one on another disk
};

}  // namespace

TEST_CASE("a sync that fails acknowledges nothing, and is not tried again", "[broker][I1][I31]") {
    TwoDisks world;
    const auto log = world.directory(world.bad, "/two") + log_file;
    const auto acks = GENERATE(std::int16_t{-1}, std::int16_t{1});
    CAPTURE(acks);
    world.node.disk().fail_next_sync(log);
    if (acks == 1) {
        // Answered from the page cache; the next acks=all brings the sync.
        REQUIRE(code_of(world.send("t", world.bad, {"unsafe"}, 1)) == Errc::none);
    }
    CHECK(code_of(world.send("t", world.bad, {"second"})) == Errc::kafka_storage_error);
    // The next sync of the file would succeed; but nobody knows what the disk holds.
    CHECK(code_of(world.send("t", world.bad, {"third"})) == Errc::kafka_storage_error);
    CHECK(code_of(world.send("t", world.bad, {"fourth"}, 1)) == Errc::kafka_storage_error);
    CHECK(world.fetch("t", world.bad).code == Errc::kafka_storage_error);
    world.world.run_for(60s);
    CHECK_FALSE(world.node.disk().is_durable(log));
    CHECK(world.node.metric("kq_offline_partitions") == 1);
    CHECK(world.sink.contains("a log directory is offline"));

    // The rest goes on.
    CHECK(code_of(world.send("t", world.good, {"second"})) == Errc::none);
    CHECK(world.values("t", world.good) == Values{"first", "second"});
    CHECK(world.create("u", 4) == Errc::none);
    CHECK(code_of(world.send("u", 0, {"x"})) == Errc::none);
    CHECK(world.node.failure() == std::nullopt);
    const auto names = world.node.disk().list("/two").value();
    for (const auto& name : names)
        CHECK_FALSE(name.starts_with("u-"));

    SECTION("a clean stop is not called clean, and nothing that was acknowledged is lost") {
        REQUIRE(world.stop());
        CHECK_FALSE(world.node.stopped_cleanly());
        CHECK_FALSE(world.node.disk().exists("/two/.kafka_cleanshutdown"));
    }
    SECTION("after a crash nothing that was acknowledged is lost") {
        world.node.kill();
    }
    SECTION("after a power cut nothing that was acknowledged is lost") {
        world.node.power_off();
    }
    if (world.node.is_running()) world.node.kill();
    world.start();
    const auto found = world.values("t", world.bad);
    REQUIRE_FALSE(found.empty());
    CHECK(found.front() == "first");
    CHECK(world.values("t", world.good) == Values{"first", "second"});
    CHECK(code_of(world.send("t", world.bad, {"again"})) == Errc::none);
}

TEST_CASE("a write that fails takes its directory offline", "[broker][I1]") {
    TwoDisks world;
    world.node.disk().fail_writes(world.directory(world.bad, "/two") + log_file);
    const auto acks = GENERATE(std::int16_t{-1}, std::int16_t{1});
    CHECK(code_of(world.send("t", world.bad, {"second"}, acks)) == Errc::kafka_storage_error);
    world.node.disk().clear_faults();  // the disk seems to work again: that is not believed
    CHECK(code_of(world.send("t", world.bad, {"third"}, acks)) == Errc::kafka_storage_error);
    CHECK(world.fetch("t", world.bad).code == Errc::kafka_storage_error);
    CHECK(world.node.metric("kq_offline_partitions") == 1);
    CHECK(code_of(world.send("t", world.good, {"second"})) == Errc::none);
    world.node.kill();
    world.start();
    CHECK(world.values("t", world.bad) == Values{"first"});
    CHECK(code_of(world.send("t", world.bad, {"again"})) == Errc::none);
}

TEST_CASE("who waits on a disk that fails is told at once", "[broker]") {
    TwoDisks world;
    // A long poll that waits for records of the disk that fails.
    std::optional<Errc> told;
    wire::FetchRequest request;
    request.max_wait_ms = 15'000;
    request.min_bytes = 1;
    request.max_bytes = 1 << 20;
    auto& asked = request.topics.emplace_back();
    asked.topic = "t";
    auto& place = asked.partitions.emplace_back();
    place.partition = world.bad;
    place.fetch_offset = 1;
    place.partition_max_bytes = 1 << 20;
    auto waiting = std::move(world.connection);
    world.client.post([&] {
        waiting->send(request, 12, world.world.now() + 20s, [&](Result<kq::Answer> got) {
            REQUIRE(got.ok());
            auto answer = wire::decode<wire::FetchResponse>(got.value().body, got.value().version);
            told = static_cast<Errc>(answer.value().responses.at(0).partitions.at(0).error_code);
        });
    });
    world.world.run_for(100ms);
    world.node.disk().fail_next_sync(world.directory(world.bad, "/two") + log_file);
    CHECK(code_of(world.send("t", world.bad, {"second"})) == Errc::kafka_storage_error);
    CHECK(world.until([&] { return told.has_value(); }, 1s));
    CHECK(told == Errc::kafka_storage_error);
    waiting = nullptr;
}

TEST_CASE("damage is told to who reads it, and the rest is served", "[broker][I28]") {
    BrokerWorld world;
    REQUIRE(world.create("t", 2) == Errc::none);
    for (int i = 0; i < 2; ++i) {
        for (int n = 0; n < 4; ++n)  // so many bytes that a start does not look at the first
            REQUIRE(code_of(world.send("t", i, {std::string(5000, 'x')})) == Errc::none);
    }
    REQUIRE(world.stop());  // a clean stop is not followed by a scan
    // The base offset of the batch, which its checksum does not cover.
    world.node.disk().flip_bit("/data/t-0" + log_file, 7, 7);
    world.start();
    CHECK(world.fetch("t", 0).code == Errc::corrupt_message);
    CHECK(world.fetch("t", 1).code == Errc::none);
    CHECK(code_of(world.send("t", 0, {"fifth"})) == Errc::none);
    CHECK_FALSE(world.node.failure().has_value());
}

TEST_CASE("records that are missing are told once and counted, and their offsets stay taken",
          "[broker][I1][I2][I5]") {
    BrokerWorld world;
    REQUIRE(world.create("t", 2) == Errc::none);
    for (int i = 0; i < 2; ++i) {
        for (const char* value : {"one", "two", "three"})
            REQUIRE(code_of(world.send("t", i, {value})) == Errc::none);
    }
    const auto lines_with = [&](std::string_view text) {
        const auto lines = world.sink.lines();
        return std::count_if(lines.begin(), lines.end(), [&](const std::string& line) {
            return line.find(text) != std::string::npos;
        });
    };
    auto& disk = world.node.disk();
    world.node.kill();
    const auto log = "/data/t-0" + log_file;
    const auto second = read_file(disk, log).value().size() / 3 + 65;
    disk.flip_bit(log, second);

    SECTION("with room for a copy") {
        world.start();
        CHECK(lines_with("records are missing") == 1);
        CHECK(lines_with("1..2") == 1);
        CHECK(lines_with(log + ".damaged") == 1);
    }
    SECTION("without it the partition waits, and says what it needs") {
        auto file = disk.open(log, OpenMode::read_write).value();
        REQUIRE(file->pwrite(file->size(), Bytes(100'000, std::uint8_t{7})).ok());
        disk.set_capacity(disk.used_bytes() + 60'000);
        const auto before = read_file(disk, log).value();
        world.start();
        world.world.run_for(30s);
        CHECK(world.node.metric("kq_offline_partitions") == 1);
        CHECK(lines_with("a log cannot be opened") == 1);
        CHECK(lines_with("bytes from there on, which are kept before they are cut off") == 1);
        CHECK(lines_with("records are missing") == 0);
        CHECK(read_file(disk, log).value() == before);
        CHECK(world.fetch("t", 0).code == Errc::kafka_storage_error);
        CHECK(world.values("t", 1) == Values{"one", "two", "three"});
        disk.set_capacity(std::uint64_t{1} << 40);
        world.world.run_for(10s);
        CHECK(lines_with("records are missing") == 1);
    }
    CHECK(world.node.metric("kq_offline_partitions") == 0);
    CHECK(world.node.metric("kq_partitions_missing_records") == 1);
    CHECK(world.values("t", 0) == Values{"one"});
    CHECK(world.send("t", 0, {"four"}).base_offset == 3);
    CHECK(world.values("t", 0) == Values{"one", "four"});
    CHECK(world.values("t", 1) == Values{"one", "two", "three"});
    // Once mended it is whole again, and one that is gone is not counted.
    REQUIRE(world.stop());
    world.start();
    CHECK(world.node.metric("kq_partitions_missing_records") == 0);
    CHECK(lines_with("records are missing") == 1);
    CHECK(world.values("t", 0) == Values{"one", "four"});
    REQUIRE(world.stop());
    disk.flip_bit(log, 65);
    REQUIRE(disk.unlink("/data/.kafka_cleanshutdown").ok());
    world.start();
    CHECK(world.node.metric("kq_partitions_missing_records") == 1);
    CHECK(world.remove("t") == Errc::none);
    CHECK(world.node.metric("kq_partitions_missing_records") == 0);
}

TEST_CASE("without any disk, or without its metadata's, a broker gives up and says why",
          "[broker]") {
    SECTION("the only directory") {
        BrokerWorld world;
        REQUIRE(world.create("t") == Errc::none);
        world.node.disk().fail_next_sync("/data/t-0" + log_file);
        CHECK(code_of(world.send("t", 0, {"x"})) == Errc::kafka_storage_error);
        REQUIRE(world.until([&] { return world.node.failure().has_value(); }, 1s));
        CHECK(world.node.failure()->code == Errc::io_error);
        CHECK(world.node.failure()->message.find("/data") != std::string::npos);
    }
    SECTION("the metadata's directory, by a partition that lies there") {
        BrokerWorld world(BrokerWorld::Configs{{"log.dirs", "/data,/other"}});
        REQUIRE(world.create("t", 2) == Errc::none);
        const int bad = world.node.disk().exists("/data/t-0") ? 0 : 1;
        world.node.disk().fail_next_sync("/data/t-" + std::to_string(bad) + log_file);
        CHECK(code_of(world.send("t", bad, {"x"})) == Errc::kafka_storage_error);
        REQUIRE(world.until([&] { return world.node.failure().has_value(); }, 1s));
        CHECK(world.node.failure()->message.find("metadata") != std::string::npos);
    }
    SECTION("the metadata log itself") {
        BrokerWorld world;
        world.node.disk().fail_next_sync("/data/__cluster_metadata-0" + log_file);
        CHECK(world.create("t") != Errc::none);
        REQUIRE(world.until([&] { return world.node.failure().has_value(); }, 1s));
        world.node.kill();
        world.start();
        CHECK(world.create("u") == Errc::none);
    }
}

TEST_CASE("a disk that fills up refuses producers before it is full", "[broker][disk_full]") {
    BrokerWorld world;
    REQUIRE(world.create("t") == Errc::none);
    REQUIRE(world.create("other") == Errc::none);
    auto& disk = world.node.disk();
    const std::string big(100'000, 'x');
    // A twentieth of this is kept for others.
    disk.set_capacity(disk.used_bytes() + 20'000'000);
    int taken = 0;
    wire::ProduceResponse::PartitionProduceResponse answer;
    for (; taken < 400; ++taken) {
        answer = world.send("t", 0, {std::to_string(taken) + big});
        if (answer.error_code != 0) break;
    }
    CAPTURE(taken);
    CHECK(code_of(answer) == Errc::kafka_storage_error);
    REQUIRE(answer.error_message.has_value());
    CHECK(answer.error_message->find("full") != std::string::npos);
    CHECK(taken > 100);
    const auto log = "/data/t-0" + log_file;
    const auto before = read_file(disk, log).value();
    CHECK(code_of(world.send("t", 0, {big}, 1)) == Errc::kafka_storage_error);
    CHECK(code_of(world.send("other", 0, {big})) == Errc::kafka_storage_error);
    CHECK(read_file(disk, log).value() == before);

    // Reading, making and deleting topics go on; nothing went offline.
    CHECK(world.values("t", 0).size() == static_cast<std::size_t>(taken));
    CHECK(world.create("while-full") == Errc::none);
    CHECK(world.remove("while-full") == Errc::none);
    CHECK(world.node.metric("kq_offline_partitions") == 0);
    CHECK(world.node.failure() == std::nullopt);

    SECTION("and takes them again when there is room") {
        disk.set_capacity(std::uint64_t{1} << 40);
        CHECK(code_of(world.send("t", 0, {"after"})) == Errc::none);
        CHECK(world.values("t", 0).back() == "after");
    }
    SECTION("also when the room comes from a deleted topic") {
        REQUIRE(world.create("spare") == Errc::none);
        REQUIRE(world.remove("t") == Errc::none);
        world.world.run_for(61s);  // file.delete.delay.ms
        CHECK(code_of(world.send("spare", 0, {"after"})) == Errc::none);
    }
    SECTION("and what was acknowledged outlives a power cut") {
        world.node.power_off();
        disk.set_capacity(std::uint64_t{1} << 40);
        world.start();
        CHECK(world.values("t", 0).size() == static_cast<std::size_t>(taken));
    }
    SECTION("and stops cleanly") {
        REQUIRE(world.stop());
        CHECK(world.node.stopped_cleanly());
    }
}

TEST_CASE("a log that finds no descriptor is opened once there is one", "[broker]") {
    BrokerWorld world;
    REQUIRE(world.create("t") == Errc::none);
    REQUIRE(code_of(world.send("t", 0, {"first"})) == Errc::none);
    const bool is_new = GENERATE(true, false);
    auto& disk = world.node.disk();
    const std::string topic = is_new ? "u" : "t";
    if (!is_new) world.node.kill();
    disk.take_descriptors("/data/" + topic + "-0" + log_file);
    if (is_new) {
        REQUIRE(world.create("u") == Errc::none);
    } else {
        world.start();
    }
    world.world.run_for(20s);
    CHECK(code_of(world.send(topic, 0, {"too early"})) == Errc::kafka_storage_error);
    CHECK(world.node.metric("kq_offline_partitions") == 1);
    CHECK(world.node.failure() == std::nullopt);
    CHECK_FALSE(world.sink.contains("a log directory is offline"));
    if (is_new) CHECK(world.values("t", 0) == Values{"first"});

    disk.clear_faults();
    REQUIRE(world.until([&] { return world.node.metric("kq_offline_partitions") == 0; }));
    CHECK(code_of(world.send(topic, 0, {"in time"})) == Errc::none);
    CHECK(world.values(topic, 0) == (is_new ? Values{"in time"} : Values{"first", "in time"}));
    REQUIRE(world.stop());
    CHECK(world.node.stopped_cleanly());
}

TEST_CASE("a disk without any room at all breaks nothing", "[broker][disk_full]") {
    BrokerWorld world;
    REQUIRE(world.create("t") == Errc::none);
    REQUIRE(code_of(world.send("t", 0, {"first"})) == Errc::none);
    auto& disk = world.node.disk();
    const auto log = "/data/t-0" + log_file;
    const auto before = read_file(disk, log).value();
    disk.set_capacity(disk.used_bytes() + GENERATE(0u, 10u, 70u, 100u));
    for (int i = 0; i < 3; ++i) {
        CHECK(code_of(world.send("t", 0, {std::string(200, 'x')})) == Errc::kafka_storage_error);
        CHECK(code_of(world.send("t", 0, {std::string(200, 'x')}, 1)) == Errc::kafka_storage_error);
        world.world.run_for(10s);  // checkpoints find no room either
    }
    CHECK(read_file(disk, log).value() == before);
    CHECK(world.create("u") != Errc::none);
    CHECK(world.values("t", 0) == Values{"first"});
    CHECK(world.node.failure() == std::nullopt);
    CHECK(world.node.metric("kq_offline_partitions") == 0);

    disk.set_capacity(std::uint64_t{1} << 40);
    CHECK(code_of(world.send("t", 0, {"after"})) == Errc::none);
    CHECK(world.create("u") == Errc::none);
    CHECK(world.create("v") == Errc::none);
    CHECK(world.values("t", 0) == Values{"first", "after"});
    world.node.kill();
    world.start();
    CHECK(world.values("t", 0) == Values{"first", "after"});
    CHECK(code_of(world.send("v", 0, {"x"})) == Errc::none);
}
