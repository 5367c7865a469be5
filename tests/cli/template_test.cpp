// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "cli/random_records.hpp"
#include "cli/record_template.hpp"

using namespace kq;

namespace {

const std::vector<HeaderView> two_headers = {{"a", as_bytes("1")}, {"b", as_bytes("2")}};

PipedRecord sample() {
    PipedRecord record;
    record.topic = "orders";
    record.partition = 3;
    record.epoch = 7;
    record.offset = 42;
    record.timestamp = 1'772'375'415'250;
    record.key = as_bytes("k");
    record.value = as_bytes("v\xff");
    record.headers = two_headers;
    return record;
}

RecordTemplate form(std::string_view text, std::optional<std::string> null_text = {}) {
    auto parsed = RecordTemplate::parse(text, {Zone::utc, std::move(null_text)});
    CAPTURE(text);
    REQUIRE(parsed.ok());
    return std::move(parsed).value();
}

std::string write(std::string_view text, const PipedRecord& record,
                  std::optional<std::string> null_text = {}) {
    auto parsed = form(text, std::move(null_text));
    Bytes out;
    auto written = parsed.write(record, out);
    return written.ok() ? std::string(as_text(out)) : "! " + written.error().message;
}

// Every record in `input`, in words; an error ends it.
std::vector<std::string> read(std::string_view text, std::string_view input,
                              std::optional<std::string> null_text = {}) {
    auto parsed = form(text, std::move(null_text));
    CHECK(parsed.check_readable().ok());
    std::vector<std::string> records;
    auto bytes = as_bytes(input);
    while (!bytes.empty()) {
        auto got = parsed.read(bytes, true);
        if (!got.ok()) {
            records.push_back("! " + got.error().message);
            break;
        }
        REQUIRE(got.value().taken > 0);
        records.push_back(shown(got.value().record));
        bytes = bytes.subspan(got.value().taken);
    }
    return records;
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("every field of a template is written", "[cli]") {
    const auto record = sample();
    CHECK(write("%t %p %o %k %v{hex} %e %K %V %i %%\\n", record) ==
          "orders 3 42 k 76ff 7 1 2 0 %\n");
    CHECK(write("%s{base64}|%k{json}|%t{json}", record) == "dv8=|\"k\"|\"orders\"");
    CHECK(write("%T %T{iso} %T{%F %H:%M}", record) ==
          "1772375415250 2026-03-01T14:30:15.250Z 2026-03-01 14:30");
    CHECK(write("%h", record) == "a=1,b=2");
    CHECK(write("[%h{%k=%v;}]", record) == "[a=1;b=2;]");
    CHECK(write("%h{%k{hex}:%v{hex} }", record) == "61:31 62:32 ");
    CHECK(write("\\x41\\0\\t\\r\\\\", record) == std::string("A\0\t\r\\", 5));
    CHECK(write("%K{be32}%p{le16}%e{u8}", record) == std::string("\0\0\0\1\3\0\7", 7));
    CHECK(write("%v{be16}", record) == "30463");
    CHECK(write("%v{be32}", record).starts_with("! "));
}

TEST_CASE("a JSON string holds what it was made from, or is not made", "[cli]") {
    PipedRecord record;
    for (std::string_view value : {"", "v\u00fc", "\xf0\x9f\x98\x80", "a\"b\\c\n\t\x01\x7f"}) {
        record.value = as_bytes(value);
        const auto line = write("%v{json}\n", record);
        CAPTURE(line);
        CHECK(read("%v{json}\\n", line) == Strings{shown(record)});
    }
    for (std::string_view value : {"\xff", "v\xc3", "\xed\xa0\x80", "\xc0\xaf"}) {
        record.value = record.key = as_bytes(value);
        CHECK(write("%v{json}", record) == "! %v{json} has no form for bytes that are not UTF-8");
        CHECK(write("%k{json}", record) == "! %k{json} has no form for bytes that are not UTF-8");
        const HeaderView header{"h", as_bytes(value)};
        record.headers = std::span(&header, 1);
        CHECK(write("%h{%k=%v{json};}", record).starts_with("! %v{json} has no form"));
        record.headers = {};
    }
}

TEST_CASE("null is told from empty", "[cli]") {
    PipedRecord record;
    record.value = as_bytes("");
    CHECK(write("[%k|%v]", record) == "[|]");
    CHECK(write("[%k|%v]", record, "NULL") == "[NULL|]");
    CHECK(write("%K %V", record) == "-1 0");
    CHECK(write("%k{json} %v{json}", record) == "null \"\"");
    CHECK(write("%T{iso}", record) == "-");
}

TEST_CASE("a template counts what it wrote", "[cli]") {
    auto counting = form("%i ");
    Bytes out;
    for (int i = 0; i < 3; ++i)
        REQUIRE(counting.write(sample(), out).ok());
    CHECK(as_text(out) == "0 1 2 ");
}

TEST_CASE("templates that cannot be are refused", "[cli]") {
    for (std::string_view text : {"%", "%q", "%v{", "%v{hexx}", "%t{be32}", "%T{hex}", "%h{hex}",
                                  "%h{%o}", "\\q", "\\x4", "%p{iso}", "%i{json}"}) {
        CAPTURE(text);
        CHECK(RecordTemplate::parse(text, {}).code() == Errc::usage);
    }
    for (std::string_view text : {"%k%v", "%v%p\\n", "%T%v", "", "%h{%k%v}\\n"}) {
        CAPTURE(text);
        CHECK(form(text).check_readable().code() == Errc::usage);
    }
    for (std::string_view text : {"%k %v\\n", "%V{be32}%v", "%K{be32}%V{be32}%k%v", "%v",
                                  "%p{be32}%v{hex}\\n", "%h\\t%v\\n"}) {
        CAPTURE(text);
        CHECK(form(text).check_readable().ok());
    }
}

TEST_CASE("templates read what they describe", "[cli]") {
    CHECK(read("%k=%v\\n", "a=1\nb=2=3\nc=") == Strings{" -1 -1 -1 key '61' value '31'",
                                                        " -1 -1 -1 key '62' value '323d33'",
                                                        " -1 -1 -1 key '63' value ''"});
    CHECK(read("%t/%p/%o %T{iso} %v\\n", "orders/3/42 2026-03-01T14:30:15.250Z x\n") ==
          Strings{"orders 3 42 1772375415250 key null value '78'"});
    CHECK(read("%T{%F %T}|%v{hex};", "2026-03-01 14:30:15|00ff;") ==
          Strings{" -1 -1 1772375415000 key null value '00ff'"});
    CHECK(read("%h %v\\n", "a=1,b=2 x\n y\n") ==
          Strings{" -1 -1 -1 key null value '78' header '61'='31' header '62'='32'",
                  " -1 -1 -1 key null value '79'"});
    CHECK(read("%h{%k:%v;}|%v\\n", "a:1;a:2;|x") ==
          Strings{" -1 -1 -1 key null value '78' header '61'='31' header '61'='32'"});
    CHECK(read("%k %v\\n", "NULL x\ny NULL\n", "NULL") ==
          Strings{" -1 -1 -1 key null value '78'", " -1 -1 -1 key '79' value null"});
    CHECK(read("%v{be32}\\n", "258\n-1\n") ==
          Strings{" -1 -1 -1 key null value '00000102'", " -1 -1 -1 key null value 'ffffffff'"});
    CHECK(read("{\"x\":%v{json}}\\n", "{\"x\":\"a\\tb\"}\n{\"x\":null}\n") ==
          Strings{" -1 -1 -1 key null value '610962'", " -1 -1 -1 key null value null"});
}

TEST_CASE("a length that was read rules where the field ends", "[cli]") {
    CHECK(read("%V{be32}%v", std::string_view("\0\0\0\3a\nb\0\0\0\0\xff\xff\xff\xff", 15)) ==
          Strings{" -1 -1 -1 key null value '610a62'", " -1 -1 -1 key null value ''",
                  " -1 -1 -1 key null value null"});
    CHECK(read("%K %V %k%v\\n", "1 3 ka\nb\n-1 0 \n") ==
          Strings{" -1 -1 -1 key '6b' value '610a62'", " -1 -1 -1 key null value ''"});
}

TEST_CASE("input that is not like the template is bad data", "[cli]") {
    struct Row {
        std::string_view form;
        std::string_view input;
    };
    for (auto [text, input] : std::vector<Row>{{"%k=%v\\n", "abc\n"},
                                               {"%p %v\\n", "x y\n"},
                                               {"%p %v\\n", "99999999999 y\n"},
                                               {"%p %v\\n", "-2 y\n"},
                                               {"<%v>", "x>"},
                                               {"%V{be32}%v", "\1\1"},
                                               {"%V{be32}%v;", std::string_view("\0\0\0\1ab", 6)},
                                               {"%v{hex}\\n", "0g\n"},
                                               {"%v{base64}\\n", "a\n"},
                                               {"%T{iso}\\n", "soon\n"},
                                               {"%v{json}\\n", "x\n"},
                                               {"%v{u8}\\n", "256\n"}}) {
        auto got = read(text, input);
        CAPTURE(text, got);
        REQUIRE(!got.empty());
        CHECK(got.back().starts_with("! "));
    }
}

TEST_CASE("a record that came in part waits for the rest", "[cli]") {
    auto lines = form("%k=%v\\n");
    CHECK(lines.read(as_bytes("a"), false).value().taken == 0);
    CHECK(lines.read(as_bytes("a=b"), false).value().taken == 0);
    CHECK(lines.read(as_bytes("a=b\nc"), false).value().taken == 4);
    auto sized = form("%V{be32}%v");
    CHECK(sized.read(as_bytes(std::string_view("\0\0\0\2a", 5)), false).value().taken == 0);
    CHECK(sized.read(as_bytes(std::string_view("\0\0\0\2ab", 6)), false).value().taken == 6);
}

TEST_CASE("lengths in front make any record come back", "[cli]") {
    RandomRecords source(11);
    auto both = form("%p{be32}%T{be64}%K{be32}%V{be32}%k%v");
    for (int i = 0; i < 300; ++i) {
        auto record = source.next();
        record.topic = {};
        record.headers = {};
        record.offset = -1;
        Bytes out;
        REQUIRE(both.write(record, out).ok());
        auto back = both.read(out, true);
        REQUIRE(back.ok());
        CHECK(back.value().taken == out.size());
        CHECK(shown(back.value().record) == shown(record));
    }
}
