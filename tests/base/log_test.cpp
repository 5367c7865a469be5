// SPDX-License-Identifier: Apache-2.0
#include "base/log.hpp"

#include <catch2/catch.hpp>

using namespace kq;

TEST_CASE("a log line is an event and its fields, in text and in JSON", "[base]") {
    LogField fields[] = {kv("topic", "orders"), kv("base", Offset{7}), kv("why", "a \"b\"\n"),
                         kv("ok", true), kv("empty", "")};
    WallTime at{Millis{1'772'375'400'123}};
    CHECK(format_log_line(LogFormat::text, at, LogLevel::info, "segment rolled", fields) ==
          R"(2026-03-01T14:30:00.123Z info segment rolled topic=orders base=7 why="a \"b\"\n" )"
          R"(ok=true empty="")");
    CHECK(format_log_line(LogFormat::json, at, LogLevel::warn, "x\x01y", fields) ==
          R"({"ts":"2026-03-01T14:30:00.123Z","level":"warn","event":"x\u0001y","topic":"orders",)"
          R"("base":7,"why":"a \"b\"\n","ok":true,"empty":""})");
    CHECK(format_log_line(LogFormat::text, WallTime{Millis{-1}}, LogLevel::error, "e", {}) ==
          "1969-12-31T23:59:59.999Z error e");
}

TEST_CASE("a logger keeps to its level and adds its context", "[base]") {
    MemoryLogSink sink;
    Logger log(sink);
    auto broker = log.with({kv("broker", 1)});
    broker.debug("unheard");
    broker.info("heard", {kv("n", 2)});
    sink.set_level(LogLevel::debug);
    log.debug("heard too");
    Logger().error("nobody listens");
    CHECK(sink.lines() == std::vector<std::string>{"info heard n=2 broker=1", "debug heard too"});
    CHECK(parse_log_level("warn").value() == LogLevel::warn);
    CHECK(parse_log_level("loud").code() == Errc::usage);
}
