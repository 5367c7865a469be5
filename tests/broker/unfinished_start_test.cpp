// SPDX-License-Identifier: Apache-2.0
//
// Starts that end before the logs are open: refused ones, and those that a signal cuts short. The
// mark of a clean stop would be a lie then, and the next start would look at nothing.
#include <algorithm>

#include <catch2/catch.hpp>

#include "storage/file_names.hpp"
#include "tests/broker/broker_world.hpp"

using namespace kq;
using namespace kq::sim;

namespace {

using Values = std::vector<std::string>;

const std::string log_of_t = "/data/t-0/00000000000000000000.log";
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

    // Another directory id: the quorum does not know this voter.
    const auto meta = world.content("/data/meta.properties");
    std::string text(as_text(meta));
    const auto at = text.find("directory.id=") + 13;
    text.replace(at, text.find('\n', at) - at, "AAAAAAAAAAAAAAAAAAAA1g");
    REQUIRE(replace_file(world.node.disk(), "/data/meta.properties", as_bytes(text)).ok());
    const auto stops = world.count("broker has stopped");
    REQUIRE(world.node.start().ok());
    REQUIRE(world.until([&] { return world.node.failure().has_value(); }));
    CHECK(world.node.failure()->code == Errc::unsupported);
    REQUIRE(world.stop());
    CHECK(world.node.disk().exists(marker) == clean);
    // Its error is all that it says.
    CHECK(world.count("broker has stopped") == stops);

    REQUIRE(replace_file(world.node.disk(), "/data/meta.properties", meta).ok());
    const auto recoveries = world.count("log recovered");
    world.start();
    CHECK((world.count("log recovered") > recoveries) == !clean);
    CHECK(world.values("t", 0) == world.all);
    CHECK(world.send("t", 0, {"more"}).error_code == 0);
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
