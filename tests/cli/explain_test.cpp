// SPDX-License-Identifier: Apache-2.0
#include "cli/explain.hpp"

#include <catch2/catch.hpp>

using namespace kq;

TEST_CASE("every error code explains itself, by name and by number", "[cli]") {
    for (int number = -1100; number < 200; ++number) {
        auto text = explain(std::to_string(number));
        if (!text.ok()) continue;
        auto name = text.value().substr(0, text.value().find(' '));
        CAPTURE(name);
        CHECK(explain(name).value() == text.value());
        CHECK(text.value().find("meaning   ") != std::string::npos);
    }
    CHECK(explain("3").ok());
    CHECK(explain("-1008").ok());
    auto lower = explain("unknown_topic_or_partition");
    REQUIRE(lower.ok());
    CHECK(lower.value().starts_with("UNKNOWN_TOPIC_OR_PARTITION (3)\n"));
    CHECK(lower.value().find("kq-topics create NAME") != std::string::npos);
}

TEST_CASE("lines of an explanation fit on a terminal", "[cli]") {
    for (const char* what : {"KQ_UNREACHABLE", "retention.ms", "acks", "log.dirs"}) {
        auto text = explain(what);
        REQUIRE(text.ok());
        std::size_t width = 0;
        for (char c : text.value()) {
            width = c == '\n' ? 0 : width + 1;
            CHECK(width <= 80);
        }
    }
}

TEST_CASE("settings are explained for everyone who has them", "[cli]") {
    auto text = explain("compression.type");
    REQUIRE(text.ok());
    CHECK(text.value().find("compression.type (topic)") != std::string::npos);
    CHECK(text.value().find("compression.type (producer)") != std::string::npos);
}

TEST_CASE("what nobody knows names the nearest", "[cli]") {
    CHECK(explain("NOT_ENUOGH_REPLICAS").error().message ==
          "'NOT_ENUOGH_REPLICAS' is neither an error code nor a setting; is "
          "'NOT_ENOUGH_REPLICAS' meant?");
    CHECK(explain("retension.ms").error().message.find("'retention.ms'") != std::string::npos);
}
