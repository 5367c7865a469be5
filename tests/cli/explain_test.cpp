// SPDX-License-Identifier: Apache-2.0
#include "cli/explain.hpp"

#include <catch2/catch.hpp>

using namespace kq;

namespace {

// As a person sees it.
Result<std::string> explained(std::string_view what) {
    KQ_LET(auto all, explain(what));
    std::string text;
    for (const auto& one : all)
        text += (text.empty() ? "" : "\n") + text_of(one);
    return text;
}

}  // namespace

TEST_CASE("every error code explains itself, by name and by number", "[cli]") {
    for (int number = -1100; number < 200; ++number) {
        auto text = explained(std::to_string(number));
        if (!text.ok()) continue;
        auto name = text.value().substr(0, text.value().find(' '));
        CAPTURE(name);
        CHECK(explained(name).value() == text.value());
        CHECK(text.value().find("meaning   ") != std::string::npos);
    }
    CHECK(explained("3").ok());
    CHECK(explained("-1008").ok());
    auto lower = explained("unknown_topic_or_partition");
    REQUIRE(lower.ok());
    CHECK(lower.value().starts_with("UNKNOWN_TOPIC_OR_PARTITION (3)\n"));
    CHECK(lower.value().find("kq-topics create NAME") != std::string::npos);
}

TEST_CASE("lines of an explanation fit on a terminal", "[cli]") {
    for (const char* what : {"KQ_UNREACHABLE", "retention.ms", "acks", "log.dirs"}) {
        auto text = explained(what);
        REQUIRE(text.ok());
        std::size_t width = 0;
        for (char c : text.value()) {
            width = c == '\n' ? 0 : width + 1;
            CHECK(width <= 80);
        }
    }
}

TEST_CASE("settings are explained for everyone who has them", "[cli]") {
    auto text = explained("compression.type");
    REQUIRE(text.ok());
    CHECK(text.value().find("compression.type (topic)") != std::string::npos);
    CHECK(text.value().find("compression.type (producer)") != std::string::npos);
}

TEST_CASE("what kq does not act on is said, of clients as they do it", "[cli]") {
    CHECK(text_of(explain("group.id").value()[0]).find("refuse") != std::string::npos);
    CHECK(text_of(explain("acks").value()[0]).find("effect") == std::string::npos);
    CHECK(text_of(explain("log.cleaner.threads").value()[0]).find("read and kept") !=
          std::string::npos);
}

TEST_CASE("what nobody knows names the nearest", "[cli]") {
    CHECK(explained("NOT_ENUOGH_REPLICAS").error().message ==
          "'NOT_ENUOGH_REPLICAS' is neither an error code nor a setting; is "
          "'NOT_ENOUGH_REPLICAS' meant?");
    CHECK(explained("retension.ms").error().message.find("'retention.ms'") != std::string::npos);
    CHECK(explained("retention.huors").error().message ==
          "'retention.huors' is neither an error code nor a setting; is 'retention.ms' meant?");
}

TEST_CASE("a setting is explained as kq has it, not as Kafka", "[cli]") {
    for (const char* name : {"log.dir", "log.dirs"}) {
        CHECK(explained(name).value().find("default   ${XDG_STATE_HOME:-~/.local/state}/kq") !=
              std::string::npos);
    }
    CHECK(explained("allow.auto.create.topics").value().find("false in kq-consume") !=
          std::string::npos);
    for (const char* name : {"listeners", "compression.type", "num.io.threads"}) {
        CAPTURE(name);
        const auto text = explained(name).value();
        CHECK(text.find("changes   with a restart (Kafka: while it runs") != std::string::npos);
    }
}

TEST_CASE("an explanation is a row, too", "[cli]") {
    const auto codes = explain("5");
    REQUIRE(codes.value().size() == 1);
    const auto row = row_of(codes.value().front());
    REQUIRE(row.size() == explain_schema().columns.size());
    CHECK(row[0] == Cell("LEADER_NOT_AVAILABLE"));
    CHECK(row[1] == Cell("error"));
    CHECK(row[3] == Cell(5));
    CHECK(row[6] == Cell(true));
    CHECK(row[8].is_unknown());
    const auto settings = explain("compression.type");
    for (const auto& one : settings.value()) {
        CHECK(row_of(one)[1] == Cell("setting"));
        CHECK(row_of(one)[3].is_unknown());
    }
}
