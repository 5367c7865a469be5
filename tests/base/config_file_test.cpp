// SPDX-License-Identifier: Apache-2.0
#include "base/config_file.hpp"

#include <catch2/catch.hpp>

#include "base/memory_file_system.hpp"
#include "base/sim_loop.hpp"

using namespace kq;

namespace {

std::string shown(const Result<std::vector<ConfigEntry>>& entries) {
    if (!entries.ok()) return "! " + entries.error().message;
    std::string text;
    for (const auto& entry : entries.value()) {
        text += std::to_string(entry.line) + " " + entry.name + "=" + entry.value + "|";
    }
    return text;
}

std::string toml(std::string_view content) {
    return shown(parse_toml(content, "b.toml"));
}

std::string properties(std::string_view content) {
    return shown(parse_properties(content, "server.properties"));
}

}  // namespace

TEST_CASE("TOML: dotted keys and tables are Kafka's names", "[base][config]") {
    CHECK(toml("node.id = 3\nlisteners = \"PLAINTEXT://:9092\"\n") ==
          "1 node.id=3|2 listeners=PLAINTEXT://:9092|");
    CHECK(toml("[log]\nretention.ms = \"7d\"\npreallocate = true\n") ==
          "2 log.retention.ms=7d|3 log.preallocate=true|");
    CHECK(toml("log.dirs = [\"/a\", \"/b\"]  # two disks\n") == "1 log.dirs=/a,/b|");
    CHECK(toml("log.cleaner.min.cleanable.ratio = 0.25") ==
          "1 log.cleaner.min.cleanable.ratio=0.25|");
    CHECK(toml("max.connections = 9\n\"max.connections.per.ip\" = 5\n") ==
          "1 max.connections=9|2 max.connections.per.ip=5|");
    CHECK(toml("") == "");
}

TEST_CASE("TOML: what is wrong stands with its line", "[base][config]") {
    CHECK(toml("node.id = 1\nlisteners = PLAINTEXT\n").starts_with("! b.toml:2: "));
    CHECK(toml("node.id = 1\nnode.id = 2\n").starts_with("! b.toml:2: "));
    CHECK(toml("\nlog.dirs = [[1]]\n") ==
          "! b.toml:2: log.dirs is no text, number, true, false or list");
    CHECK(toml("log.dirs = [\"/a,b\"]\n").starts_with("! b.toml:1: "));
    // One name that goes on where another ends has to be quoted in TOML.
    auto clash = toml("max.connections = 9\nmax.connections.per.ip = 5\n");
    CHECK(clash.starts_with("! b.toml:2: "));
    CHECK(clash.find("quotes") != std::string::npos);
}

TEST_CASE(".properties: as Java reads them", "[base][config]") {
    CHECK(properties("# a comment\n! another\n\nnode.id=1\n") == "4 node.id=1|");
    CHECK(properties("a = b\nc : d\ne f\n  g=h  \n") == "1 a=b|2 c=d|3 e=f|4 g=h  |");
    CHECK(properties("listeners=A://:1,\\\n   B://:2\nx=1\r\ny=2\r") ==
          "1 listeners=A://:1,B://:2|3 x=1|4 y=2|");
    CHECK(properties("k\\=1\\ 2=v\\\\w\\tz") == "1 k=1 2=v\\w\tz|");
    CHECK(properties("k=\\u00e4\\ud83d\\ude00\\q") == "1 k=\xc3\xa4\xf0\x9f\x98\x80q|");
    CHECK(properties("k=\\u00g4") == "! server.properties:1: \\u wants four hex digits");
    CHECK(properties("alone\nempty=\n=x") == "1 alone=|2 empty=|3 =x|");
    CHECK(properties("a=1\\") == "1 a=1|");
    CHECK(properties("") == "");
}

TEST_CASE("a whole file is checked for its scope", "[base][config]") {
    SimScheduler world(1);
    MemoryFileSystem files(world.clock());
    auto write = [&](const std::string& path, std::string_view content) {
        REQUIRE(replace_file(files, path, as_bytes(content)).ok());
    };
    REQUIRE(files.mkdir("/etc").ok());

    write("/etc/b.toml", "node.id = 7\nlog.retention.ms = \"1h\"\n");
    auto toml_file = load_config_file(files, "/etc/b.toml", ConfigScope::broker);
    REQUIRE(toml_file.ok());
    CHECK(toml_file.value().settings.integer("log.retention.ms") == 3'600'000);

    write("/etc/wrong.toml", "node.id = 7\nlog.retention.mss = 1\n");
    auto wrong = load_config_file(files, "/etc/wrong.toml", ConfigScope::broker);
    REQUIRE_FALSE(wrong.ok());
    CHECK(wrong.code() == Errc::usage);
    CHECK(wrong.error().message ==
          "/etc/wrong.toml:2: unknown broker setting 'log.retention.mss'; the nearest is "
          "log.retention.ms");

    write("/etc/value.toml", "\nnode.id = \"seven\"\n");
    auto value = load_config_file(files, "/etc/value.toml", ConfigScope::broker);
    REQUIRE_FALSE(value.ok());
    CHECK(value.error().message == "/etc/value.toml:2: node.id: 'seven' is not a whole number");

    // Kafka's plug-ins read names of their own; a name that is only misspelt is a mistake here too.
    write("/etc/server.properties", "node.id=7\ncom.example.plugin.colour=red\n");
    auto kafka = load_config_file(files, "/etc/server.properties", ConfigScope::broker);
    REQUIRE(kafka.ok());
    CHECK(kafka.value().settings.integer("node.id") == 7);
    REQUIRE(kafka.value().warnings.size() == 1);
    CHECK(
        kafka.value().warnings[0].starts_with("/etc/server.properties:2: unknown broker setting"));
    write("/etc/server.properties", "nod.id=7\n");
    CHECK_FALSE(load_config_file(files, "/etc/server.properties", ConfigScope::broker).ok());

    auto absent = load_config_file(files, "/etc/absent.toml", ConfigScope::broker);
    REQUIRE_FALSE(absent.ok());
    CHECK(absent.code() == Errc::not_found);
    CHECK(absent.error().message.find("/etc/absent.toml") != std::string::npos);
}
