// SPDX-License-Identifier: Apache-2.0
#include "base/timer_queue.hpp"

#include <map>
#include <set>

#include <catch2/catch.hpp>

#include "base/random.hpp"

using namespace kq;

TEST_CASE("the timer queue agrees with a sorted map under random use", "[base]") {
    // The model holds (deadline, number) -> TimerId; numbers rise, so equal deadlines keep order.
    SeededRandom random(42);
    TimerQueue queue;
    std::map<std::pair<MonoTime, int>, TimerId> model;
    int fired = -1;
    int number = 0;
    std::size_t fired_count = 0;
    MonoTime now{};
    for (int step = 0; step < 20000; ++step) {
        auto choice = random.below(10);
        if (choice < 5) {
            auto deadline = now + std::chrono::nanoseconds(random.below(50));
            int mine = number++;
            model[{deadline, mine}] = queue.add(deadline, [&fired, mine] { fired = mine; });
        } else if (choice < 7 && !model.empty()) {
            auto at = model.begin();
            std::advance(at, static_cast<long>(random.below(model.size())));
            queue.cancel(at->second);
            queue.cancel(at->second);  // harmless
            model.erase(at);
        } else {
            now += std::chrono::nanoseconds(random.below(20));
            while (auto task = queue.take_due(now)) {
                task();
                REQUIRE_FALSE(model.empty());
                REQUIRE(fired == model.begin()->first.second);
                model.erase(model.begin());
                ++fired_count;
            }
            REQUIRE((model.empty() || model.begin()->first.first > now));
        }
        REQUIRE(queue.size() == model.size());
        if (!model.empty()) {
            REQUIRE(queue.next_deadline() == model.begin()->first.first);
        }
    }
    CHECK(fired_count > 1000);
}

TEST_CASE("an old id does not cancel the timer that took its place", "[base]") {
    TimerQueue queue;
    auto first = queue.add(MonoTime{}, [] {});
    auto task = queue.take_due(MonoTime{});
    auto second = queue.add(MonoTime{}, [] {});
    CHECK(first != second);
    queue.cancel(first);
    CHECK(queue.size() == 1);
    queue.cancel(TimerId::none);
    CHECK(queue.size() == 1);
}
