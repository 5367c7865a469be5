// SPDX-License-Identifier: Apache-2.0
//
// Real records of the metadata log and control records of Kafka 4.3.
#include <set>

#include <catch2/catch.hpp>

#include "protocol/records/control_record.hpp"
#include "protocol/records/metadata_record.hpp"
#include "tests/wire/golden.hpp"
#include "tests/wire/json.hpp"
#include "tests/wire/schemas.hpp"

using namespace kq;
using namespace kq::test;

namespace {

bool has_unknown_tags(const Block& block) {
    return block["source"].find("unknown-tags") != std::string::npos;
}

int version_of(const Block& block) {
    return std::stoi(words(block["record"]).at(1).substr(1));
}

}  // namespace

TEST_CASE("records of the metadata log are read and written as Kafka 4.3 does", "[wire]") {
    std::set<std::pair<std::string, int>> seen;
    for (const auto& block : read_blocks("records/metadata.txt")) {
        CAPTURE(block.place);
        auto name = words(block["record"]).at(0);
        auto record = wire::decode_metadata_record(from_hex(block["hex"]));
        if (!record.ok()) FAIL(record.error().text());
        CHECK(wire::info_of(record.value().record).name == name);
        CHECK(std::to_string(wire::info_of(record.value().record).type) == block["type"]);
        CHECK(record.value().version == version_of(block));
        CHECK(canonical_json(wire::to_json(record.value())) == canonical_json(block["body"]));
        seen.emplace(name, version_of(block));
        if (has_unknown_tags(block)) continue;
        CHECK(to_hex(wire::encode_metadata_record(record.value().record, record.value().version)) ==
              block["hex"]);
    }
    for (const auto& schema : all_records()) {
        if (schema.name == "EndTxnMarker") break;  // control records follow
        for (int version = schema.versions.min; version <= schema.versions.max; ++version) {
            CAPTURE(schema.name, version);
            CHECK(seen.contains({std::string(schema.name), version}));
        }
    }
}

TEST_CASE("control records are read and written as Kafka 4.3 does", "[wire]") {
    for (const auto& block : read_blocks("records/control.txt")) {
        CAPTURE(block.place);
        const auto& schema = schema_of(words(block["record"]).at(0));
        auto bytes = from_hex(block["hex"]);
        auto body = ByteView(bytes).subspan(schema.name == "EndTxnMarker" ? 2 : 0);
        auto read = schema.round_trip(body, version_of(block));
        REQUIRE(read.ok());
        CHECK(canonical_json(read.value().json) == canonical_json(block["body"]));
        if (!has_unknown_tags(block)) {
            CHECK(to_hex(read.value().bytes) == to_hex(body));
        }
        CHECK(to_hex(wire::encode_control_key(static_cast<ControlType>(
                  std::stoi(words(block["type"]).at(0))))) == block["key"]);
    }
}

TEST_CASE("a control record is read by its key and the version in front", "[wire]") {
    wire::LeaderChangeMessage change;
    change.version = 1;
    change.leader_id = 7;
    change.voters = {{.voter_id = 7, .voter_directory_id = metadata_topic_id}};
    auto value = wire::encode_control_value(change);
    auto key = wire::encode_control_key(ControlType::leader_change);
    auto record = wire::decode_control_record(key, value);
    REQUIRE(record.ok());
    CHECK(std::get<wire::LeaderChangeMessage>(record.value()) == change);
    CHECK(wire::type_of(record.value()) == ControlType::leader_change);

    wire::EndTransaction commit{.commit = true, .marker = {.coordinator_epoch = 9}};
    record = wire::decode_control_record(wire::encode_control_key(ControlType::commit),
                                         wire::encode_control_value(commit));
    REQUIRE(record.ok());
    CHECK(std::get<wire::EndTransaction>(record.value()) == commit);
    CHECK(wire::type_of(record.value()) == ControlType::commit);

    // What we do not know is told apart from what is damaged: readers skip the first.
    auto unknown_type = wire::encode_control_key(static_cast<ControlType>(99));
    CHECK(wire::decode_control_record(unknown_type, value).code() == Errc::unsupported);
    Bytes newer = value;
    newer[1] = 9;
    CHECK(wire::decode_control_record(key, newer).code() == Errc::unsupported);
    CHECK(wire::decode_control_record(key, ByteView(value).first(5)).code() == Errc::malformed);
    CHECK(wire::decode_control_record(ByteView(key).first(3), value).code() == Errc::malformed);
}

TEST_CASE("a metadata record of an unknown type, version or frame is unsupported", "[wire]") {
    auto value = wire::encode_metadata_record(wire::NoOpRecord{}, 0);
    CHECK(to_hex(value) == "01140000");
    auto with = [&](std::size_t place, std::uint8_t byte) {
        Bytes changed = value;
        changed[place] = byte;
        return wire::decode_metadata_record(changed).code();
    };
    CHECK(with(0, 2) == Errc::unsupported);
    CHECK(with(1, 29) == Errc::unsupported);  // UnregisterController came with 4.4
    CHECK(with(2, 1) == Errc::unsupported);
    CHECK(with(3, 1) == Errc::malformed);
    CHECK(wire::decode_metadata_record(ByteView(value).first(2)).code() == Errc::malformed);
}
