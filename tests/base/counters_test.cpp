// SPDX-License-Identifier: Apache-2.0
#include "base/counters.hpp"

#include <csignal>

#include <catch2/catch.hpp>
#include <sys/wait.h>
#include <unistd.h>

using namespace kq;

TEST_CASE("instances of one series are shown as their sum", "[base]") {
    MetricRegistry metrics;
    auto& first = metrics.counter("kq_requests_total", "Requests.", {{"api", "Fetch"}});
    auto& second = metrics.counter("kq_requests_total", "Requests.", {{"api", "Fetch"}});
    auto& other = metrics.counter("kq_requests_total", "Requests.", {{"api", "a\"b\\\n"}});
    auto& gauge = metrics.gauge("kq_connections", "Open connections.");
    first.add();
    second.add(4);
    other.add();
    gauge.add(3);
    gauge.add(-5);
    CHECK(metrics.value("kq_requests_total", {{"api", "Fetch"}}) == 5);
    CHECK(metrics.render() ==
          "# HELP kq_connections Open connections.\n# TYPE kq_connections gauge\n"
          "kq_connections -2\n"
          "# HELP kq_requests_total Requests.\n# TYPE kq_requests_total counter\n"
          "kq_requests_total{api=\"Fetch\"} 5\n"
          "kq_requests_total{api=\"a\\\"b\\\\\\n\"} 1\n");
}

TEST_CASE("what is counted elsewhere is asked for its value, as long as somebody wants it",
          "[base]") {
    MetricRegistry metrics;
    std::int64_t bytes = 7;
    {
        auto first = metrics.observe("kq_bytes", "Bytes.", [&] { return bytes; });
        auto second = metrics.observe("kq_bytes", "Bytes.", [] { return 100; });
        CHECK(metrics.value("kq_bytes") == 107);
        bytes = 9;
        CHECK(metrics.render() == "# HELP kq_bytes Bytes.\n# TYPE kq_bytes gauge\nkq_bytes 109\n");
        auto moved = std::move(second);
        CHECK(metrics.value("kq_bytes") == 109);
    }
    CHECK(metrics.value("kq_bytes") == 0);
}

TEST_CASE("a metric that nobody defined has no value, not even 0", "[base]") {
    MetricRegistry metrics;
    metrics.counter("kq_requests_total", "Requests.", {{"api", "Fetch"}}).add();
    CHECK(metrics.value("kq_requests_total", {{"api", "Produce"}}) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        std::signal(SIGABRT, SIG_DFL);  // not Catch's report
        ::close(STDERR_FILENO);
        static_cast<void>(metrics.value("kq_request_total"));
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGABRT);
}
