// SPDX-License-Identifier: Apache-2.0
//
// Starts that end before the logs are open: refused ones, and those that a signal cuts short. The
// mark of a clean stop would be a lie then, and the next start would look at nothing.
#include <algorithm>
#include <map>

#include <catch2/catch.hpp>

#include "storage/file_names.hpp"
#include "tests/broker/broker_world.hpp"

using namespace kq;
using namespace kq::sim;

namespace {

using Values = std::vector<std::string>;

const std::string log_of_t = "/data/t-0/00000000000000000000.log";
const std::string told = "the last stop may have lost records";
const std::string marker = "/data/.kafka_cleanshutdown";

struct OneTopic : BrokerWorld {
    OneTopic() : BrokerWorld(Configs{{"log.dirs", "/data"}}) {
        REQUIRE(create("t") == Errc::none);
        for (int i = 0; i < 5; ++i)
            REQUIRE(send("t", 0, {"r" + std::to_string(i)}).error_code == 0);
        REQUIRE(fetch("t", 0).values.size() == 5);
    }
    const Values all{"r0", "r1", "r2", "r3", "r4"};

    // What a crash tore off a batch.
    void tear() {
        auto file = node.disk().open(log_of_t, OpenMode::read_write).value();
        REQUIRE(file->pwrite(file->size(), Bytes(70, 'x')).ok());
    }
    std::size_t count(const std::string& text) const {
        const auto lines = sink.lines();
        return static_cast<std::size_t>(std::count_if(
            lines.begin(), lines.end(),
            [&](const std::string& line) { return line.find(text) != std::string::npos; }));
    }
    std::int32_t leader_epoch() {
        wire::MetadataRequest request;
        request.topics = std::nullopt;
        auto answer = ask<wire::MetadataResponse>(request, 9);
        if (!answer.ok()) FAIL(answer.error().text());
        return answer.value().topics.at(0).partitions.at(0).leader_epoch;
    }
    // Every file but the lock.
    std::map<std::string, Bytes> files() {
        std::map<std::string, Bytes> found;
        for (const std::string folder : {"/data", "/data/t-0", "/data/__cluster_metadata-0"}) {
            const auto names = node.disk().list(folder).value();
            for (const auto& name : names) {
                const auto path = folder + '/' + name;
                if (name == ".lock" || node.disk().info(path).value().is_directory) continue;
                found[path] = content(path);
            }
        }
        return found;
    }
    Bytes content(const std::string& path) { return read_file(node.disk(), path, 1 << 20).value(); }
};

}  // namespace

TEST_CASE("a start that is refused does not call the stop before it clean", "[broker][I27]") {
    OneTopic world;
    const bool clean = GENERATE(false, true);
    if (clean) {
        REQUIRE(world.stop());
    } else {
        world.node.kill();
        world.tear();
    }
    REQUIRE(world.node.disk().exists(marker) == clean);
    const auto stops = world.count("broker has stopped");
    // Once everything is open, the metadata log turns out not to be readable.
    REQUIRE(world.node.start().ok());
    world.node.disk().fail_reads("/data/__cluster_metadata-0/quorum-state");
    REQUIRE(world.until([&] { return world.node.failure().has_value(); }));
    CHECK(world.node.failure()->code == Errc::io_error);
    REQUIRE(world.stop());
    world.node.disk().clear_faults();
    CHECK(world.node.disk().exists(marker) == clean);
    // Its error is all that it says.
    CHECK(world.count("broker has stopped") == stops);

    const auto recoveries = world.count("log recovered");
    world.start();
    CHECK((world.count("log recovered") > recoveries) == !clean);
    CHECK(world.values("t", 0) == world.all);
    CHECK(world.send("t", 0, {"more"}).error_code == 0);
}

TEST_CASE("a directory that is another voter's, or nobody's, is refused untouched",
          "[broker][I32]") {
    OneTopic world;
    const bool clean = GENERATE(false, true);
    if (clean) {
        REQUIRE(world.stop());
    } else {
        world.node.kill();
    }
    const auto meta = world.content("/data/meta.properties");
    Errc code = Errc::none;
    SECTION("the quorum knows the node by another directory") {
        std::string text(as_text(meta));
        const auto at = text.find("directory.id=") + 13;
        text.replace(at, text.find('\n', at) - at, "AAAAAAAAAAAAAAAAAAAA1g");
        REQUIRE(replace_file(world.node.disk(), "/data/meta.properties", as_bytes(text)).ok());
        code = Errc::unsupported;
    }
    SECTION("meta.properties is gone") {
        REQUIRE(world.node.disk().unlink("/data/meta.properties").ok());
        code = Errc::corrupt_file;
    }
    const auto before = world.files();
    for (int i = 0; i < 2; ++i) {
        CHECK(world.node.start().code() == code);
        CHECK(world.files() == before);
    }
    REQUIRE(replace_file(world.node.disk(), "/data/meta.properties", meta).ok());
    world.start();
    CHECK(world.values("t", 0) == world.all);
}

TEST_CASE("an empty log directory beside used ones is made, a used one needs its identity",
          "[broker]") {
    BrokerWorld world({{"log.dirs", "/one,/two"}, {"metadata.log.dir", "/one"}});
    auto& disk = world.node.disk();
    REQUIRE(world.create("t", 4) == Errc::none);
    REQUIRE(world.stop());
    const std::string lost = "/two/meta.properties";
    REQUIRE(disk.unlink(lost).ok());
    const auto names = disk.list("/two").value();
    const auto refused = world.node.start();
    CHECK(refused.code() == Errc::corrupt_file);
    CHECK(refused.error().message.find(lost + " is missing") != std::string::npos);
    CHECK(disk.list("/two").value() == names);
    // A disk that was replaced by an empty one.
    REQUIRE(remove_tree(disk, "/two").ok());
    world.start();
    CHECK(disk.exists(lost));
}

TEST_CASE("what a power cut may have lost the cluster is told, however many starts die before",
          "[broker][I10]") {
    // A start that was cut short after some number of steps stands between the power cut and the
    // one that serves. The partition's leader must change: nobody may go on as if nothing was.
    int unregistered = 0;
    for (int steps = 0; steps < 400; steps += steps < 60 ? 1 : 20) {
        CAPTURE(steps);
        OneTopic world;
        const bool power = steps % 8 != 7;  // or else only the process died
        const bool stops = steps % 2 == 0;  // by a signal that lets it end
        const auto epoch = world.leader_epoch();
        power ? world.node.power_off() : world.node.kill();
        REQUIRE(world.node.start().ok());
        for (int i = 0; i < steps; ++i)
            world.world.step();
        unregistered += !world.sink.contains(told);
        if (stops) {
            REQUIRE(world.stop());
        } else {
            world.node.kill();
        }
        world.start();
        CHECK(world.sink.contains(told) == power);
        if (power) CHECK(world.leader_epoch() > epoch);
        if (!power && !stops) CHECK(world.leader_epoch() == epoch);
        CHECK(world.values("t", 0) == world.all);
    }
    CHECK(unregistered > 20);
}

TEST_CASE("a stop amid a start marks as clean only what was opened and closed",
          "[broker][I12][I27]") {
    // After some number of steps of a start that follows a kill.
    const auto end = "/data/t-0/" + twenty_digits(Offset{5}) + ".snapshot";
    int marked = 0;
    int unmarked = 0;
    for (int steps = 0; steps < 400; steps += steps < 40 ? 1 : 20) {
        CAPTURE(steps);
        OneTopic world;
        world.node.kill();
        world.tear();
        REQUIRE_FALSE(world.node.disk().exists(end));
        REQUIRE(world.node.start().ok());
        for (int i = 0; i < steps; ++i)
            world.world.step();
        REQUIRE(world.stop());
        CHECK(world.node.stopped_cleanly());
        if (world.node.disk().exists(marker)) {
            ++marked;
            CHECK(world.node.disk().exists(end));
        } else {
            ++unmarked;
        }
        world.start();
        CHECK(world.values("t", 0) == world.all);
    }
    CHECK(marked > 5);
    CHECK(unmarked > 5);
}
