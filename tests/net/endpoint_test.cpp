// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "net/network.hpp"

using namespace kq;

TEST_CASE("addresses are read as people write them", "[net]") {
    CHECK(Endpoint::parse("h:1", 9092).value() == Endpoint{"h", 1});
    CHECK(Endpoint::parse("h", 9092).value() == Endpoint{"h", 9092});
    CHECK(Endpoint::parse(":0", 9092).value() == Endpoint{"", 0});
    CHECK(Endpoint::parse("[::1]:7", 9092).value() == Endpoint{"::1", 7});
    CHECK(Endpoint::parse("[::1]", 9092).value() == Endpoint{"::1", 9092});
    CHECK(Endpoint{"::1", 7}.text() == "[::1]:7");
    CHECK(Endpoint{"h", 7}.text() == "h:7");
    for (const char* bad : {"", "h:", "h:x", "h:65536", "h:-1", "::1", "[::1", "[]:1", "[::1]7",
                            "h:1 ", "http://localhost:1"}) {
        CAPTURE(bad);
        CHECK(Endpoint::parse(bad, 9092).code() == Errc::usage);
    }
}
