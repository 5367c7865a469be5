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

TEST_CASE("memory that one loop gives back serves those who wait on others, in order", "[base]") {
    SimScheduler world(3);
    SimLoop first(world);
    SimLoop second(world);
    MemoryBudget budget(100);
    REQUIRE(budget.try_take(100));
    std::vector<int> served;
    auto wait = [&](SimLoop& loop, int who) {
        budget.when_freed(loop, [&, who] {
            REQUIRE(loop.is_here());
            if (budget.try_take(60)) served.push_back(who);
        });
    };
    wait(second, 1);
    wait(second, 2);
    wait(second, 3);
    first.post([&] { budget.give_back(100); });
    world.run_ready();
    CHECK(served == std::vector<int>{1});  // the others were asked, and there was no more
    CHECK(budget.used() == 60);
    budget.give_back(60);
    world.run_ready();
    CHECK(served == std::vector<int>{1});  // who found none has to wait again by himself
}

TEST_CASE("memory is short while somebody waits, whoever it is", "[base]") {
    MemoryBudget budget(100);
    CHECK_FALSE(budget.is_short());
    {
        MemoryWait first(budget);
        {
            MemoryWait second(budget);
            CHECK(budget.is_short());
        }
        CHECK(budget.is_short());
    }
    CHECK_FALSE(budget.is_short());
}

TEST_CASE("a lease that is replaced or let go of gives back once", "[base]") {
    MemoryBudget budget(100);
    REQUIRE(budget.try_take(30));
    MemoryLease lease(budget, 30);
    REQUIRE(budget.try_take(50));
    lease = MemoryLease(budget, 50);
    CHECK(budget.used() == 50);
    lease.release();
    lease.release();
    CHECK_FALSE(lease.held());
    CHECK(budget.used() == 0);
}
