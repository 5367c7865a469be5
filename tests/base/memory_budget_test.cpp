// SPDX-License-Identifier: Apache-2.0
#include "base/memory_budget.hpp"

#include <catch2/catch.hpp>

#include "base/sim_loop.hpp"

using namespace kq;

TEST_CASE("a budget is not overdrawn, but one request always fits", "[base]") {
    MemoryBudget budget(100);
    CHECK(budget.try_take(60));
    CHECK_FALSE(budget.try_take(41));
    CHECK(budget.try_take(40));
    CHECK_FALSE(budget.try_take(1));
    budget.give_back(100);
    CHECK(budget.try_take(1000));
    CHECK_FALSE(budget.try_take(1));
    budget.give_back(1000);
    {
        REQUIRE(budget.try_take(7));
        MemoryLease lease(budget, 7);
        MemoryLease moved = std::move(lease);
        CHECK(budget.used() == 7);
    }
    CHECK(budget.used() == 0);
}

TEST_CASE("who waits for memory is called once when some came back", "[base]") {
    SimScheduler world(1);
    SimLoop loop(world);
    MemoryBudget budget(100);
    REQUIRE(budget.try_take(100));
    int called = 0;
    budget.when_freed(loop, [&] { ++called; });
    world.run_ready();
    CHECK(called == 0);
    budget.give_back(1);
    budget.give_back(99);
    world.run_ready();
    CHECK(called == 1);
    budget.when_freed(loop, [&] { ++called; });  // nothing is taken: at once
    world.run_ready();
    CHECK(called == 2);
}
