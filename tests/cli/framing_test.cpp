// SPDX-License-Identifier: Apache-2.0
#include "cli/framing.hpp"

#include <algorithm>

#include <Poco/JSON/Parser.h>
#include <catch2/catch.hpp>

#include "cli/random_records.hpp"
#include "cli/record_parser.hpp"
#include "cli/record_writer.hpp"

using namespace kq;

namespace {

constexpr std::size_t record_bytes_max = 64 << 20;

Setting asked(std::string_view format) {
    return {std::string(format), "--format"};
}

Framing framing(std::string_view format, const FramingOptions& options = {}) {
    auto made = framing_of(options, asked(format));
    REQUIRE(made.ok());
    return made.value();
}

// Reads all of `input`, which comes in pieces of `piece_bytes`; the records in words.
std::vector<std::string> read_all(const Framing& form, std::string_view input,
                                  std::size_t piece_bytes = 1 << 20) {
    auto reader = RecordParser::create(form, record_bytes_max);
    REQUIRE(reader.ok());
    std::vector<std::string> records;
    auto drain = [&] {
        while (true) {
            auto next = reader.value().next();
            if (!next.ok()) {
                records.push_back(reader.value().where() + ' ' + next.error().message);
                if (!reader.value().skip_bad()) return false;
                continue;
            }
            if (next.value() == nullptr) return true;
            records.push_back(shown(*next.value()));
        }
    };
    while (!input.empty()) {
        auto room = reader.value().room();
        auto size = std::min({piece_bytes, input.size(), room.size()});
        std::copy_n(input.begin(), size, room.begin());
        reader.value().filled(size);
        input.remove_prefix(size);
        if (!drain()) return records;
    }
    reader.value().end_of_input();
    drain();
    return records;
}

// Of lines: key and value in plain text.
std::vector<std::string> lines(const FramingOptions& options, std::string_view input,
                               std::size_t piece_bytes = 1 << 20) {
    auto reader = RecordParser::create(framing("text", options), record_bytes_max);
    REQUIRE(reader.ok());
    std::vector<std::string> records;
    auto text = [](const std::optional<ByteView>& bytes) {
        return bytes ? std::string(as_text(*bytes)) : std::string("<null>");
    };
    auto drain = [&] {
        while (true) {
            auto next = reader.value().next();
            if (!next.ok()) {
                records.push_back("! " + reader.value().where());
                if (!reader.value().skip_bad()) return;
                continue;
            }
            if (next.value() == nullptr) return;
            records.push_back(text(next.value()->key) + '|' + text(next.value()->value));
        }
    };
    while (!input.empty()) {
        auto room = reader.value().room();
        auto size = std::min(piece_bytes, input.size());
        std::copy_n(input.begin(), size, room.begin());
        reader.value().filled(size);
        input.remove_prefix(size);
        drain();
    }
    reader.value().end_of_input();
    drain();
    return records;
}

using Strings = std::vector<std::string>;

std::string written(const Framing& form, const std::vector<PipedRecord>& records) {
    auto writer = RecordWriter::create(form);
    REQUIRE(writer.ok());
    Bytes out;
    for (const auto& record : records)
        REQUIRE(writer.value().write(record, out).ok());
    return std::string(as_text(out));
}

}  // namespace

TEST_CASE("lines: one value each, the last one with or without its end", "[cli]") {
    for (std::size_t piece : {1u, 2u, 3u, 100u}) {
        CAPTURE(piece);
        CHECK(lines({}, "", piece).empty());
        CHECK(lines({}, "\n", piece) == Strings{"<null>|"});
        CHECK(lines({}, "a\nb\n", piece) == Strings{"<null>|a", "<null>|b"});
        CHECK(lines({}, "a\n\nb", piece) == Strings{"<null>|a", "<null>|", "<null>|b"});
        CHECK(lines({}, "a\r\n", piece) == Strings{"<null>|a\r"});
        CHECK(lines({.crlf = true}, "a\r\nb\r", piece) == Strings{"<null>|a", "<null>|b"});
        CHECK(lines({.nul = true}, std::string_view("a\nb\0c", 5), piece) ==
              Strings{"<null>|a\nb", "<null>|c"});
        CHECK(lines({.delimiter = "--"}, "a-b--c--", piece) == Strings{"<null>|a-b", "<null>|c"});
        CHECK(lines({.delimiter = "aab"}, "xaaaabyaab", piece) ==
              Strings{"<null>|xaa", "<null>|y"});
        CHECK(lines({.key_separator = "\\t"}, "k\tv\tw\n\tx\ny\t", piece) ==
              Strings{"k|v\tw", "|x", "y|"});
        CHECK(lines({.key_separator = "::", .null_text = "NULL"}, "NULL::v\nk::NULL\n", piece) ==
              Strings{"<null>|v", "k|<null>"});
        CHECK(lines({.key_separator = ":"}, "a:b\nbad\nc:d\n", piece) ==
              Strings{"a|b", "! -:2:1", "c|d"});
    }
}

TEST_CASE("lines are written as they are read", "[cli]") {
    FramingOptions options{.key_separator = "\\t", .null_text = "~"};
    const std::string input = "k\tv\n~\tw\nx\t~\n";
    auto reader = RecordParser::create(framing("text", options), record_bytes_max);
    std::vector<PipedRecord> records(3);
    records[0].key = as_bytes("k");
    records[0].value = as_bytes("v");
    records[1].value = as_bytes("w");
    records[2].key = as_bytes("x");
    CHECK(written(framing("text", options), records) == input);
    CHECK(written(framing("text"), records) == "v\nw\n\n");
    CHECK(written(framing("raw"), records) == "vw");
}

TEST_CASE("a long line grows the buffer and comes back whole", "[cli]") {
    const std::string line(5'000'000, 'x');
    auto got = lines({}, line + "\nshort\n", 65'536);
    REQUIRE(got.size() == 2);
    CHECK(got[0].size() == line.size() + 7);
    CHECK(got[1] == "<null>|short");
}

TEST_CASE("options that contradict the format are refused", "[cli]") {
    CHECK(framing_of({.key_separator = ":"}, asked("jsonl")).code() == Errc::usage);
    CHECK(framing_of({.delimiter = ";", .nul = true}, asked("text")).code() == Errc::usage);
    CHECK(framing_of({.delimiter = ""}, asked("text")).code() == Errc::usage);
    CHECK(framing_of({.delimiter = "\\q"}, asked("text")).code() == Errc::usage);
    auto typo = framing_of({}, asked("josnl"));
    CHECK(typo.code() == Errc::usage);
    CHECK(typo.error().message.find("is 'jsonl' meant?") != std::string::npos);
    CHECK(framing_of({}, asked("tsv")).code() == Errc::usage);
}

TEST_CASE("frames and JSON lines lose nothing", "[cli]") {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        RandomRecords source(seed);
        std::vector<PipedRecord> records;
        Strings expected;
        for (int i = 0; i < 25; ++i) {
            records.push_back(source.next());
            expected.push_back(shown(records.back()));
        }
        for (std::string_view format : {"frame", "jsonl"}) {
            const auto bytes = written(framing(format), records);
            const std::size_t piece = 1 + source.random().below(5000);
            CAPTURE(seed, format, piece);
            CHECK(read_all(framing(format), bytes, piece) == expected);
        }
    }
}

TEST_CASE("JSON lines are JSON to another library too", "[cli]") {
    RandomRecords source(7);
    for (int i = 0; i < 300; ++i) {
        const PipedRecord record = source.next();
        const auto line = written(framing("jsonl"), {record});
        CAPTURE(line);
        REQUIRE(line.find('\n') == line.size() - 1);
        Poco::JSON::Parser parser;
        auto object = parser.parse(line).extract<Poco::JSON::Object::Ptr>();
        CHECK(object->getValue<std::string>("topic") == record.topic);
        CHECK(object->isNull("offset") == (record.offset < 0));
        CHECK(object->getArray("headers")->size() == record.headers.size());
        if (!record.value) {
            CHECK(object->isNull("value"));
        } else if (object->has("value")) {
            CHECK(object->getValue<std::string>("value") == as_text(*record.value));
        } else {
            CHECK(object->has("value_b64"));
        }
    }
}

TEST_CASE("JSON lines written by others are understood", "[cli]") {
    auto one = [](std::string_view line) { return read_all(framing("jsonl"), line); };
    CHECK(one("{\"value\":\"v\"}") == Strings{" -1 -1 -1 key null value '76'"});
    CHECK(one("\n  \n{\"value\" : \"v\" , \"key\":\"k\"}\r\n\n") ==
          Strings{" -1 -1 -1 key '6b' value '76'"});
    CHECK(one("{\"value\":\"\\u00fc\\ud83d\\ude00\\n\"}") ==
          Strings{" -1 -1 -1 key null value 'c3bcf09f98800a'"});
    // Any other JSON value is taken as the text it is.
    CHECK(one("{\"value\":{\"a\": [1, 2.5e3]},\"key\":12}") ==
          Strings{" -1 -1 -1 key '3132' value '7b2261223a205b312c20322e3565335d7d'"});
    CHECK(one("{\"more\":[{\"x\":null}],\"value\":null,\"offset\":5}") ==
          Strings{" -1 5 -1 key null value null"});
    CHECK(one("{\"value_b64\":\"AP8=\"}") == Strings{" -1 -1 -1 key null value '00ff'"});
    CHECK(one("{\"headers\":[{\"k\":\"a\",\"v\":\"1\"},{\"k\":\"a\",\"v\":null}]}") ==
          Strings{" -1 -1 -1 key null value null header '61'='31' header '61'=null"});
}

TEST_CASE("what is wrong in a line is found at its byte", "[cli]") {
    const std::string good = "{\"value\":\"1\"}\n";
    struct Row {
        std::string_view line;
        int byte;
    };
    for (auto [line, byte] : std::vector<Row>{{"x", 1},
                                              {"{\"value\" 1}", 10},
                                              {"{\"value\":}", 10},
                                              {"  {\"value\":\"a\"} x", 17},
                                              {"{\"value\":\"a\"", 13},
                                              {"{\"partition\":\"3\"}", 14},
                                              {"{\"value\":1, \"value\":2}", 13},
                                              {"{\"value\":1,\"value_b64\":null}", 12},
                                              {"{\"key_b64\":\"\",\"k\\u0065y\":1}", 15},
                                              {"{\"x\":1,\"x\":1}", 8},
                                              {"{\"headers\":[{\"k\":\"a\",\"k\":1}]}", 22}}) {
        CAPTURE(line);
        const auto place = ':' + std::to_string(byte) + ' ';
        CHECK(read_all(framing("jsonl"), line).front().starts_with("-:1" + place));
        auto got = read_all(framing("jsonl"), good + "\n" + std::string(line) + "\n" + good);
        REQUIRE(got.size() == 3);
        CHECK(got[1].starts_with("-:3" + place));
    }
    // A template's fields, too; and what has no inside, at its beginning.
    CHECK(read_all(framing("%k=%p\\n"), "a=1\nbc=x\n")[1].starts_with("-:2:4 "));
    FramingOptions keyed;
    keyed.key_separator = ":";
    CHECK(read_all(framing_of(keyed, asked("text")).value(), "a:1\nb\n")[1].starts_with("-:2:1 "));
}

TEST_CASE("lines that are no record tell where, and the next one is read", "[cli]") {
    for (std::string_view bad :
         {"x", "{", "{\"value\"}", "{\"value\":}", "{\"value\":\"a}", "{\"value\":\"\\q\"}",
          "{\"value\":\"\\ud800\"}", "{\"value\":\"a\"} x", "[1]", "{\"partition\":\"3\"}",
          "{\"partition\":99999999999}", "{\"timestamp\":1.5}", "{\"key_b64\":\"?\"}",
          "{\"value\":01x}", "{\"value\":\"a\",}", "{\"a\":tru}", "{\"headers\":3}", "null"}) {
        auto got = read_all(framing("jsonl"),
                            "{\"value\":\"1\"}\n" + std::string(bad) + "\n{\"value\":\"2\"}\n");
        CAPTURE(bad, got);
        REQUIRE(got.size() == 3);
        CHECK(got[1].substr(0, 4) == "-:2:");
        CHECK(got[2] == " -1 -1 -1 key null value '32'");
    }
    std::string deep = "{\"a\":";
    for (int i = 0; i < 100'000; ++i)
        deep += '[';
    CHECK(read_all(framing("jsonl"), deep).front().find("too deep") != std::string::npos);
}

TEST_CASE("names that only look alike may stand in one JSON line", "[cli]") {
    CHECK(read_all(framing("jsonl"),
                   "{\"x\":1,\"x_b64\":2,\"headers\":[{\"k\":\"a\"},{\"k\":\"a\"}],"
                   "\"k\":1,\"more\":{\"value\":1},\"value\":\"v\"}") ==
          Strings{" -1 -1 -1 key null value '76' header '61'=null header '61'=null"});
}

TEST_CASE("a time that is none is refused in every framing", "[cli]") {
    PipedRecord record;
    record.timestamp = -5;
    CHECK(read_all(framing("frame"), written(framing("frame"), {record})) ==
          Strings{"-:1:1 -5 is no timestamp"});
    CHECK(read_all(framing("jsonl"), "{\"timestamp\":-5}").front().starts_with("-:1:14 "));
    CHECK(read_all(framing("%T %v\\n"), "-5 x\n").front().starts_with("-:1:1 "));
    record.timestamp = -1;
    CHECK(read_all(framing("frame"), written(framing("frame"), {record})).size() == 1);
}

TEST_CASE("a damaged frame is noticed, whatever bit was flipped", "[cli]") {
    RandomRecords source(3);
    std::vector<PipedRecord> records = {source.next(), source.next()};
    const auto bytes = written(framing("frame"), records);
    const auto sound = read_all(framing("frame"), bytes);
    REQUIRE(sound.size() == 2);
    for (std::size_t bit = 0; bit < std::min<std::size_t>(bytes.size(), 400) * 8; bit += 3) {
        auto damaged = bytes;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
        CAPTURE(bit);
        CHECK(read_all(framing("frame"), damaged) != sound);
    }
    for (std::size_t size = 1; size < bytes.size(); size += 7) {
        auto got = read_all(framing("frame"), bytes.substr(0, size));
        CAPTURE(size, got);
        CHECK(got != sound);
    }
    // Files put one after the other are one stream.
    CHECK(read_all(framing("frame"), bytes + bytes).size() == 4);
}
