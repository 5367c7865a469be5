// SPDX-License-Identifier: Apache-2.0
#include <Poco/JSON/Parser.h>
#include <catch2/catch.hpp>

#include "cli/fake_process.hpp"
#include "cli/row_printer.hpp"
#include "cli/topic_names.hpp"

using namespace kq;

namespace {

const Schema schema{"kq.sample/1",
                    {{"name", ColumnKind::text, ""},
                     {"bytes", ColumnKind::bytes, ""},
                     {"isr", ColumnKind::list, ""},
                     {"internal", ColumnKind::text, "", true}}};

std::string printed(const std::string& format, const RowOptions& options = {},
                    bool terminal = false) {
    FakeProcess process({});
    process.environment["NO_COLOR"] = "1";
    process.terminal = terminal;
    Console console(process, "t");
    auto rows = RowPrinter::create(console, schema, {format, "--format"}, options);
    if (!rows.ok()) return "! " + rows.error().message;
    rows.value().add({"a\tb", 12'582'912, CellList{1, 2}, false});
    rows.value().add({"Grüße", Cell(), CellList{}, true});
    rows.value().finish();
    console.finish(exit_ok);
    return process.out;
}

}  // namespace

TEST_CASE("rows in every format", "[cli]") {
    CHECK(printed("text") ==
          "NAME      BYTES  ISR\n"
          "a\\tb   12582912  1,2\n"
          "Grüße         -  -\n");
    CHECK(printed("text", {}, true) ==
          "NAME   BYTES  ISR\n"
          "a\\tb   12MiB  1,2\n"
          "Grüße      -  -\n");
    CHECK(printed("wide", {.raw_units = true}, true) ==
          "NAME      BYTES  ISR  INTERNAL\n"
          "a\\tb   12582912  1,2  no\n"
          "Grüße         -  -    yes\n");
    CHECK(printed("tsv") == "a\\tb\t12582912\t1,2\tfalse\nGrüße\t-\t-\ttrue\n");
    CHECK(printed("tsv", {.columns = {"bytes", "name"}, .header = true}) ==
          "bytes\tname\n12582912\ta\\tb\n-\tGrüße\n");
    CHECK(printed("jsonl") ==
          "{\"name\":\"a\\tb\",\"bytes\":12582912,\"isr\":[1,2],\"internal\":false}\n"
          "{\"name\":\"Grüße\",\"bytes\":null,\"isr\":[],\"internal\":true}\n");
    CHECK(printed("%{name}=%{bytes}%%\\n") == "a\tb=12582912%\nGrüße=-%\n");
    CHECK(printed("json").starts_with("{\"schema\":\"kq.sample/1\",\"items\":[{"));
    CHECK(printed("json").ends_with("],\"errors\":[]}\n"));
}

TEST_CASE("tables that follow one another do not repeat their rows", "[cli]") {
    for (const std::string format : {"text", "wide"}) {
        FakeProcess process({});
        Console console(process, "t");
        auto rows =
            RowPrinter::create(console, schema, {format, "--format"}, {.columns = {"name"}});
        REQUIRE(rows.ok());
        for (const std::string name : {"a", "b", "c"}) {
            append(console.buffer(), as_bytes("# " + name + '\n'));
            rows.value().add({name, 1, CellList{}, false});
            rows.value().finish();
        }
        console.finish(exit_ok);
        CHECK(process.out == "# a\nNAME\na\n# b\nNAME\nb\n# c\nNAME\nc\n");
    }
}

TEST_CASE("formats, columns and templates that do not exist name the nearest", "[cli]") {
    CHECK(printed("jsno") ==
          "! option '--format': 'jsno' is none of text, wide, tsv, json, jsonl, "
          "or a template with %; is 'json' meant?");
    CHECK(printed("%{nmae}") ==
          "! no column 'nmae'; there are name, bytes, isr, internal; is 'name' meant?");
    CHECK(printed("tsv", {.columns = {"x"}}) ==
          "! no column 'x'; there are name, bytes, isr, internal");
    CHECK(printed("%{name").starts_with("! template"));
    CHECK(printed("%name").starts_with("! template"));
}

TEST_CASE("an item that failed is in the document and on standard error", "[cli]") {
    FakeProcess process({});
    Console console(process, "t");
    console.set_json_errors(true);
    auto rows = RowPrinter::create(console, schema, {"json", "--format"}, {});
    REQUIRE(rows.ok());
    rows.value().add({"a", 1, CellList{}, false});
    CHECK(rows.value().fail(
              Problem{"cannot", Error{Errc::unknown_topic_or_partition, "no"}, "b"}) == 4);
    rows.value().finish();
    console.finish(exit_ok);
    Poco::JSON::Parser parser;
    auto root = parser.parse(process.out).extract<Poco::JSON::Object::Ptr>();
    CHECK(root->getArray("items")->size() == 1);
    auto error = root->getArray("errors")->getObject(0);
    CHECK(error->getValue<std::string>("code") == "UNKNOWN_TOPIC_OR_PARTITION");
    CHECK(error->getValue<std::string>("target") == "b");
    CHECK(process.err.starts_with("{\"error\":{"));
}

TEST_CASE("the exit status of several items", "[cli]") {
    CHECK(exit_of_items({}) == 0);
    CHECK(exit_of_items({0, 0}) == 0);
    CHECK(exit_of_items({4, 4}) == 4);
    CHECK(exit_of_items({0, 4}) == 3);
    CHECK(exit_of_items({4, 6}) == 3);
}

TEST_CASE("globs", "[cli]") {
    struct Row {
        std::string_view name;
        std::string_view glob;
        bool fits;
    };
    for (auto [name, glob, fits] : std::vector<Row>{{"orders", "orders", true},
                                                    {"orders", "o*", true},
                                                    {"orders", "*", true},
                                                    {"", "*", true},
                                                    {"orders", "*s", true},
                                                    {"orders", "*d*s", true},
                                                    {"orders", "o?ders", true},
                                                    {"orders", "o?d", false},
                                                    {"orders.eu", "orders.*", true},
                                                    {"orders", "orders.*", false},
                                                    {"orders-7", "orders-[0-9]", true},
                                                    {"orders-x", "orders-[0-9]", false},
                                                    {"orders-x", "orders-[!0-9]", true},
                                                    {"a[b", "a[b", true},
                                                    {"ab", "a", false},
                                                    {"aXbXc", "a*Xc", true}}) {
        CAPTURE(name, glob);
        CHECK(matches_glob(name, glob) == fits);
    }
    CHECK(no_such_topic("ordres", {"orders", "payments"}).message ==
          "there is no topic 'ordres'; is 'orders' meant?");
    CHECK(no_such_topic("x*", {"orders"}).message == "no topic matches 'x*'");
}
