// SPDX-License-Identifier: Apache-2.0
#include "cli/trouble_notes.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

#include "base/sim_loop.hpp"
#include "cli/fake_process.hpp"

using namespace kq;
using namespace std::chrono_literals;

namespace {

struct Waiting {
    Waiting() { console.set_progress(When::automatic, false); }
    void begin() {
        notes.emplace(
            console, loop, [this] { return trouble; },
            [this](const std::string& why) { drawn.push_back(why); });
    }
    void meet(const std::string& what) {
        const auto since = trouble ? trouble->since : world.now();
        trouble = Trouble{Error{Errc::unreachable, what}, since};
    }

    SimScheduler world{1};
    SimLoop loop{world};
    FakeProcess process{{}};
    Console console{process, "t"};
    std::optional<Trouble> trouble;
    std::vector<std::string> drawn;
    std::optional<TroubleNotes> notes;
};

}  // namespace

TEST_CASE("a wait is told once for each reason, and again when it comes back", "[cli]") {
    Waiting at;
    at.begin();
    at.world.run_for(20s);
    CHECK(at.process.err.empty());
    at.meet("a is gone");
    at.world.run_for(4s);
    CHECK(at.process.err.empty());  // most troubles pass
    at.world.run_for(2s);
    const std::string first = "t: warning: still waiting: a is gone\n";
    CHECK(at.process.err == first);
    at.world.run_for(60s);
    CHECK(at.process.err == first);
    at.meet("b is gone");
    at.world.run_for(1s);
    at.meet("a is gone");
    at.world.run_for(1s);
    CHECK(at.process.err == first + "t: warning: still waiting: b is gone\n");
    at.trouble.reset();
    at.world.run_for(1s);
    at.process.err.clear();
    at.meet("a is gone");
    at.world.run_for(6s);
    CHECK(at.process.err == first);
    CHECK(at.drawn.empty());
}

TEST_CASE("reasons without end are not told without end", "[cli]") {
    Waiting at;
    at.begin();
    for (int i = 0; i < 100; ++i) {
        at.meet("reason " + std::to_string(i));
        at.world.run_for(1s);
    }
    CHECK(std::count(at.process.err.begin(), at.process.err.end(), '\n') == 5);
}

TEST_CASE("on a terminal the wait is drawn, and -q says nothing", "[cli]") {
    Waiting at;
    SECTION("drawn") {
        at.process.terminal = true;
        at.console.set_progress(When::automatic, false);
        at.begin();
        at.world.run_for(600ms);
        CHECK(at.drawn == std::vector<std::string>{""});
        at.meet("a is gone");
        at.world.run_for(1100ms);
        CHECK(at.drawn.back() == "a is gone");
        at.trouble.reset();
        at.world.run_for(1s);
        CHECK(at.drawn.back().empty());
    }
    SECTION("quiet") {
        at.console.set_quiet(true);
        at.begin();
        at.meet("a is gone");
        at.world.run_for(20s);
        CHECK(at.drawn.empty());
    }
    CHECK(at.process.err.empty());
}

TEST_CASE("a line of progress goes before results take its place", "[cli]") {
    FakeProcess process({});
    process.terminal = true;
    Console console(process, "t");
    console.set_progress(When::automatic, false);
    console.progress("waiting", MonoTime{std::chrono::seconds(1)});
    REQUIRE(console.write("row\n").ok());
    REQUIRE(console.flush().ok());
    CHECK(process.err.ends_with("\r\x1b[K"));
    CHECK(process.out == "row\n");
}
