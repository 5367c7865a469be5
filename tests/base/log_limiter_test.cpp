// SPDX-License-Identifier: Apache-2.0
#include "base/log_limiter.hpp"

#include <catch2/catch.hpp>

using namespace kq;

TEST_CASE("a source is told of once in a while, and there is a bound to sources", "[base]") {
    LogLimiter limiter({Millis{60'000}, 2});
    MonoTime now{std::chrono::hours(1)};
    CHECK(limiter.allows("a", now));
    CHECK_FALSE(limiter.allows("a", now));
    CHECK(limiter.allows("b", now + Millis{30'000}));
    CHECK_FALSE(limiter.allows("a", now + Millis{59'999}));
    CHECK_FALSE(limiter.allows("c", now + Millis{59'999}));  // no room
    CHECK(limiter.allows("a", now + Millis{60'000}));
    CHECK_FALSE(limiter.allows("c", now + Millis{60'000}));
    CHECK(limiter.allows("c", now + Millis{90'000}));  // b is forgotten
    CHECK_FALSE(limiter.allows("b", now + Millis{90'000}));
}
