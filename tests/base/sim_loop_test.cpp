// SPDX-License-Identifier: Apache-2.0
#include "base/sim_loop.hpp"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

using namespace kq;

namespace {

// A little world of three loops that post to one another, set timers and use a pool, and write down
// what happened in which order.
struct Story {
    std::vector<std::string> lines;
    std::uint64_t fingerprint = 0;
};

Story play(std::uint64_t seed) {
    SimScheduler world(seed);
    Story story;
    SimLoop a(world);
    SimLoop b(world);
    SimLoop c(world);
    SimIoPool pool(world);
    auto say = [&](std::string line) {
        story.lines.push_back(std::to_string(world.now().time_since_epoch().count()) + line);
    };
    for (int i = 0; i < 20; ++i) {
        a.post([&, i] {
            say("a" + std::to_string(i));
            b.post([&, i] { say("b" + std::to_string(i)); });
            if (i % 3 == 0) {
                pool.submit(
                    a, [] {}, [&, i] { say("job" + std::to_string(i)); });
            }
        });
        c.post([&, i] { c.after(Millis(i % 4), [&, i] { say("c" + std::to_string(i)); }); });
    }
    world.run_for(1s);
    story.fingerprint = world.fingerprint();
    return story;
}

}  // namespace

TEST_CASE("a seed replays a run of the simulator exactly, another seed gives another", "[sim]") {
    std::size_t different = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        auto first = play(seed);
        auto second = play(seed);
        CHECK(first.lines == second.lines);
        CHECK(first.fingerprint == second.fingerprint);
        CHECK(first.lines.size() == 67);  // 20 of each loop and 7 jobs
        if (play(seed + 1000).lines != first.lines) ++different;
    }
    CHECK(different == 20);
}

TEST_CASE("posts to a loop run in order, and what a turn posts waits for the next", "[sim]") {
    SimScheduler world(7);
    SimLoop loop(world);
    std::string order;
    loop.post([&] {
        order += "1";
        loop.post([&] { order += "3"; });
        loop.at_turn_end([&] {
            order += "x";
            loop.at_turn_end([&] { order += "y"; });
        });
        loop.at_flush([&] { order += "!"; });
    });
    loop.post([&] { order += "2"; });
    world.run_ready();
    CHECK(order == "12xy!3");
}

TEST_CASE("timers fire in time and order, never early, and not at all once cancelled", "[sim]") {
    SimScheduler world(7);
    SimLoop loop(world);
    std::string order;
    auto start = world.now();
    loop.after(30ms, [&] {
        order += "c";
        CHECK(world.now() >= start + 30ms);
    });
    loop.after(10ms, [&] { order += "a"; });
    loop.after(10ms, [&] { order += "b"; });
    auto dead = loop.after(20ms, [&] { order += "X"; });
    loop.cancel(dead);
    loop.cancel(dead);
    world.run_for(25ms);
    CHECK(order == "ab");
    CHECK(world.now() - start == 25ms);
    world.run_for(25ms);
    CHECK(order == "abc");
}

TEST_CASE("nobody is on a loop while a job of the pool runs", "[sim]") {
    SimScheduler world(3);
    SimLoop loop(world);
    SimLoop other(world);
    SimIoPool pool(world, 1);
    bool ran = false;
    CHECK(loop.is_here());  // the test itself, between turns
    loop.post([&] {
        CHECK(loop.is_here());
        CHECK_FALSE(other.is_here());
        CHECK(world.is_in_turn());
        pool.submit(
            loop,
            [&] {
                CHECK_FALSE(loop.is_here());
                CHECK_FALSE(world.is_in_turn());
            },
            [&] {
                CHECK(loop.is_here());
                ran = true;
            });
    });
    CHECK(world.run_until([&] { return ran; }, 1s));
}

TEST_CASE("a killed node does nothing any more", "[sim]") {
    SimScheduler world(3);
    SimLoop loop(world);
    SimIoPool pool(world);
    int ran = 0;
    loop.post([&] { ++ran; });
    loop.after(1ms, [&] { ++ran; });
    pool.submit(
        loop, [&] { ++ran; }, [&] { ++ran; });
    pool.kill();
    loop.kill();
    loop.post([&] { ++ran; });
    world.run_for(100ms);
    CHECK(ran == 0);
}

TEST_CASE("run_until gives up at its limit", "[sim]") {
    SimScheduler world(3);
    auto start = world.now();
    CHECK_FALSE(world.run_until([] { return false; }, 5s));
    CHECK(world.now() - start == 5s);
    CHECK_FALSE(world.step());
}
