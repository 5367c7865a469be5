// SPDX-License-Identifier: Apache-2.0
#include "base/random.hpp"

#include <set>

#include <catch2/catch.hpp>

using namespace kq;

TEST_CASE("a seed gives the same numbers, uniform within a bound", "[base]") {
    SeededRandom a(1);
    SeededRandom b(1);
    SeededRandom c(2);
    int buckets[10] = {};
    bool differs = false;
    for (int i = 0; i < 10000; ++i) {
        auto x = a.u64();
        REQUIRE(x == b.u64());
        differs |= x != c.u64();
    }
    CHECK(differs);
    for (int i = 0; i < 10000; ++i)
        ++buckets[a.below(10)];
    for (int count : buckets)
        CHECK((count > 850 && count < 1150));
    CHECK_FALSE(a.chance(0.0));
    CHECK(a.chance(1.0));
}

TEST_CASE("ids are of version 4, all different, and never look like an option", "[base]") {
    SeededRandom random(5);
    std::set<Uuid> seen;
    for (int i = 0; i < 2000; ++i) {
        auto id = random.uuid();
        CHECK(id.text()[0] != '-');
        CHECK((id.bytes[6] >> 4) == 4);
        CHECK(seen.insert(id).second);
        CHECK(Uuid::parse(id.text()).value() == id);
    }
}
