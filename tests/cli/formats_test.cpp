// SPDX-License-Identifier: Apache-2.0
#include "cli/formats.hpp"

#include <catch2/catch.hpp>

#include "cli/fake_process.hpp"
#include "cli/framing.hpp"

using namespace kq;

namespace {

std::string chosen(FormatFamily family, const std::optional<std::string>& option,
                   const std::optional<std::string>& variable) {
    FakeProcess process({});
    if (variable) process.environment["KQ_FORMAT"] = *variable;
    auto format = choose_format(family, option, process);
    return format.ok() ? format.value().value + " of " + format.value().origin
                       : "! " + format.error().message;
}

}  // namespace

TEST_CASE("a configured format counts where it means something, and else not", "[cli]") {
    constexpr auto rows = FormatFamily::rows;
    constexpr auto records = FormatFamily::records;
    CHECK(chosen(rows, {}, {}) == "text of default");
    for (const char* word : {"wide", "tsv", "json", "%{name}\\n", "a%%b%{name}"}) {
        CAPTURE(word);
        CHECK(chosen(rows, {}, word) == std::string(word) + " of KQ_FORMAT");
        CHECK(chosen(records, {}, word) == "text of default");
    }
    for (const char* word : {"frame", "raw", "%k %v\\n", "%v{hex}", "%%{%v}"}) {
        CAPTURE(word);
        CHECK(chosen(records, {}, word) == std::string(word) + " of KQ_FORMAT");
        CHECK(chosen(rows, {}, word) == "text of default");
    }
    for (auto family : {rows, records}) {
        CHECK(chosen(family, {}, "jsonl") == "jsonl of KQ_FORMAT");
        CHECK(chosen(family, "raw", "jsonl") == "raw of --format");
        CHECK(chosen(family, {}, "jsn") ==
              "! KQ_FORMAT: 'jsn' is none of text, wide, tsv, json, jsonl, frame, raw, or a "
              "template with %; is 'json' meant?");
    }
}

TEST_CASE("an option of lines counts before a configured format", "[cli]") {
    const FramingOptions keyed{.key_separator = ":"};
    CHECK(framing_of(keyed, {"jsonl", "KQ_FORMAT"}).value().kind == Framing::Kind::lines);
    CHECK(framing_of(keyed, {"jsonl", "--format"}).code() == Errc::usage);
}

TEST_CASE("what is wrong with a format tells where it came from", "[cli]") {
    const Error wrong{Errc::usage, "the template is empty"};
    CHECK(wrong_format({"", "--format"}, wrong).message == "the template is empty");
    CHECK(wrong_format({"", "c.toml:3"}, wrong).message == "c.toml:3: the template is empty");
    CHECK(no_such_format({"jsn", "--format"}, row_formats).message ==
          "option '--format': 'jsn' is none of text, wide, tsv, json, jsonl, or a template with "
          "%; is 'json' meant?");
}
