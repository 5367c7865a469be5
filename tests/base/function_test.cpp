// SPDX-License-Identifier: Apache-2.0
#include "base/function.hpp"

#include <array>
#include <memory>

#include <catch2/catch.hpp>

using namespace kq;

TEST_CASE("a function owns what it captures, small or large, and gives it up once", "[base]") {
    auto owned = std::make_shared<int>(7);
    std::array<char, 200> large{};
    SECTION("inline") {
        Function<int(int)> f = [owned](int x) { return *owned + x; };
        auto g = std::move(f);
        CHECK_FALSE(f);
        CHECK(g(1) == 8);
        CHECK(owned.use_count() == 2);
    }
    SECTION("on the heap") {
        Function<int(int)> f = [owned, large](int x) { return *owned + x + large[0]; };
        auto g = std::move(f);
        CHECK(g(1) == 8);
        g = nullptr;
    }
    owned = std::make_shared<int>(*owned);
    CHECK(owned.use_count() == 1);
}
