// SPDX-License-Identifier: Apache-2.0
#include "base/ids.hpp"

#include <catch2/catch.hpp>

using namespace kq;

TEST_CASE("an id reads back from its text, and refuses what is no id", "[base]") {
    Uuid id{{0xff, 0xfe, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}};
    CHECK(Uuid::parse(id.text()).value() == id);
    CHECK(metadata_topic_id.text() == "AAAAAAAAAAAAAAAAAAAAAQ");
    CHECK(Uuid::parse("AAAAAAAAAAAAAAAAAAAAA").code() == Errc::malformed);
    CHECK(Uuid::parse("AAAAAAAAAAAAAAAAAAAA+A").code() == Errc::malformed);
    CHECK(Uuid::parse("AAAAAAAAAAAAAAAAAAAAAB").code() == Errc::malformed);
}
