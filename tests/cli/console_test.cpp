// SPDX-License-Identifier: Apache-2.0
#include "cli/console.hpp"

#include <Poco/JSON/Parser.h>
#include <catch2/catch.hpp>

#include "cli/fake_process.hpp"

using namespace kq;

namespace {

const Problem too_few{"cannot create 'orders'",
                      Error{Errc::invalid_replication_factor, "3 replicas wanted, 1 broker is up"},
                      "orders",
                      {"kq-topics create orders -p 6 -r 1"}};

}  // namespace

TEST_CASE("a problem is one line, what to try, and where to read more", "[cli]") {
    CHECK(problem_text("kq-topics", too_few) ==
          "kq-topics: cannot create 'orders': 3 replicas wanted, 1 broker is up "
          "[INVALID_REPLICATION_FACTOR]\n"
          "  try: kq-topics create orders -p 6 -r 1\n"
          "  see: kq explain INVALID_REPLICATION_FACTOR\n");
    // A name with a line break in it does not make two lines of one.
    const Problem two_lines{{}, Error{Errc::usage, "no 'a\nb'"}};
    auto text = problem_text("t", two_lines);
    CHECK(text == "t: no 'a\\nb'\n");
}

TEST_CASE("a problem in JSON reads back with another library", "[cli]") {
    Poco::JSON::Parser parser;
    auto root = parser.parse(problem_json(too_few)).extract<Poco::JSON::Object::Ptr>();
    auto error = root->getObject("error");
    CHECK(error->getValue<std::string>("code") == "INVALID_REPLICATION_FACTOR");
    CHECK(error->getValue<int>("number") == 38);
    CHECK(error->getValue<std::string>("target") == "orders");
    CHECK(error->getValue<bool>("retriable") == false);
    CHECK(error->getValue<int>("exit") == 4);
    CHECK(error->getArray("try")->size() == 1);
}

TEST_CASE("exit statuses follow the kind of error", "[cli]") {
    struct Row {
        Errc code;
        int exit;
    };
    for (auto [code, exit] : std::vector<Row>{{Errc::usage, 2},
                                              {Errc::unknown_topic_or_partition, 4},
                                              {Errc::topic_already_exists, 4},
                                              {Errc::disk_full, 4},
                                              {Errc::port_in_use, 4},
                                              {Errc::unreachable, 5},
                                              {Errc::connection_closed, 5},
                                              {Errc::topic_authorization_failed, 6},
                                              {Errc::sasl_authentication_failed, 6},
                                              {Errc::deadline_passed, 7},
                                              {Errc::request_timed_out, 7},
                                              {Errc::bad_data, 8},
                                              {Errc::corrupt_message, 8}}) {
        CAPTURE(name_of(code));
        CHECK(exit_of(code) == exit);
    }
}

TEST_CASE("results and talk stay on their own streams", "[cli]") {
    FakeProcess process({});
    {
        Console console(process, "t");
        REQUIRE(console.write("row\n").ok());
        console.note("a note");
        console.warn("careful");
        console.set_quiet(true);
        console.note("not said");
        CHECK(console.fail("cannot", Error{Errc::unreachable, "nobody there"}) == 5);
        CHECK(console.finish(exit_ok) == 0);
    }
    CHECK(process.out == "row\n");
    CHECK(process.err ==
          "a note\nt: warning: careful\nt: cannot: nobody there [KQ_UNREACHABLE]\n"
          "  see: kq explain KQ_UNREACHABLE\n");
}

TEST_CASE("the end of a program tells signals, lost readers and full disks apart", "[cli]") {
    FakeProcess process({});
    Console console(process, "t");
    SECTION("a signal") {
        process.signal_number = 15;
        CHECK(console.finish(exit_ok) == 143);
        CHECK(console.fail("", Error{Errc::interrupted, "x"}) == 143);
        CHECK(process.err.empty());
    }
    SECTION("nobody reads") {
        process.output_error = Error{Errc::connection_closed, "gone"};
        REQUIRE(console.write("row\n").ok());
        CHECK(console.finish(exit_ok) == 141);
        CHECK(process.err.empty());
    }
    SECTION("no room") {
        process.output_error = Error{Errc::disk_full, "cannot write standard output: no space"};
        REQUIRE(console.write("row\n").ok());
        CHECK(console.finish(exit_ok) == 4);
        CHECK(process.err.starts_with("t: cannot write standard output: no space [KQ_DISK_FULL]"));
    }
    SECTION("no room, but something was changed") {
        process.output_error = Error{Errc::disk_full, "cannot write standard output: no space"};
        REQUIRE(console.write("row\n").ok());
        console.note_change("created a");
        CHECK(console.finish(exit_ok) == exit_partial);
        CHECK(process.err.starts_with("t: created a, but it cannot be told: cannot write"));
    }
    SECTION("something was changed, and told") {
        REQUIRE(console.write("row\n").ok());
        console.note_change("created a");
        CHECK(console.finish(exit_ok) == exit_ok);
        CHECK(process.err.empty());
    }
    SECTION("no room is told once") {
        process.output_error = Error{Errc::disk_full, "cannot write standard output: no space"};
        REQUIRE(console.write("row\n").ok());
        int exit = console.fail("", console.flush().error());
        CHECK(exit == 4);
        CHECK(console.finish(exit) == 4);
        CHECK(process.err.find("[KQ_DISK_FULL]") == process.err.rfind("[KQ_DISK_FULL]"));
    }
    SECTION("another problem does not hide it") {
        process.output_error = Error{Errc::disk_full, "cannot write standard output: no space"};
        REQUIRE(console.write("row\n").ok());
        CHECK(console.finish(console.fail("", Error{Errc::unreachable, "nobody there"})) == 4);
        CHECK(process.err.find("[KQ_DISK_FULL]") != std::string::npos);
    }
    SECTION("nobody reads, seen before there was anything to write") {
        console.reader_is_gone();
        CHECK(console.fail("", Error{Errc::interrupted, "a wait"}) == 141);
        CHECK(console.finish(exit_ok) == 141);
        CHECK(process.err.empty());
    }
}

TEST_CASE("colour needs a terminal, and NO_COLOR and TERM=dumb forbid it", "[cli]") {
    FakeProcess process({});
    Console console(process, "t");
    CHECK(!console.color_on(Stream::err));
    process.terminal = true;
    CHECK(console.color_on(Stream::err));
    process.environment["NO_COLOR"] = "1";
    CHECK(!console.color_on(Stream::err));
    process.environment = {{"TERM", "dumb"}};
    CHECK(!console.color_on(Stream::err));
    console.set_color(When::always);
    CHECK(console.color_on(Stream::err));
}
