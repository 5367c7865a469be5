// SPDX-License-Identifier: Apache-2.0
//
// Real frames of Kafka 4.3: read, compared with what Kafka says they mean, written again.
#include "tests/wire/frames_golden.hpp"

#include <set>

#include <catch2/catch.hpp>

#include "protocol/frames.hpp"
#include "tests/wire/json.hpp"

using namespace kq;
using namespace kq::test;

namespace {

// What follows "v1 " in the header line.
std::string header_json(const GoldenFrame& frame) {
    auto line = frame.block["header"];
    return canonical_json(line.substr(line.find('{')));
}

std::string json_of(const wire::RequestHeader& header) {
    std::string client_id = "null";
    if (header.client_id.has_value()) client_id = '"' + *header.client_id + '"';
    return canonical_json("{\"requestApiKey\":" + std::to_string(header.api_key) +
                          ",\"requestApiVersion\":" + std::to_string(header.api_version) +
                          ",\"correlationId\":" + std::to_string(header.correlation_id) +
                          ",\"clientId\":" + client_id + "}");
}

Bytes framed(Bytes header, const Bytes& body) {
    Bytes out;
    append_be(out, static_cast<std::int32_t>(header.size() + body.size()));
    append(out, header);
    append(out, body);
    return out;
}

struct Opened {
    ByteView body;
    Bytes header_again;
};

Opened open_frame(const GoldenFrame& frame, ByteView content) {
    const auto& api = *wire::find_api(frame.schema->key);
    if (frame.is_request) {
        auto opened = wire::decode_request_header(content);
        REQUIRE(opened.ok());
        CHECK(json_of(opened.value().header) == header_json(frame));
        return {opened.value().body, wire::encode_request_header(opened.value().header)};
    }
    auto opened = wire::decode_response_header(content, api, frame.version);
    REQUIRE(opened.ok());
    CHECK("{\"correlationId\":" + std::to_string(opened.value().correlation_id) + "}" ==
          header_json(frame));
    return {opened.value().body,
            wire::encode_response_header(opened.value().correlation_id, api, frame.version)};
}

void hold(const GoldenFrame& frame) {
    ByteView whole(frame.bytes);
    auto size = wire::frame_size(whole, 0, whole.size());
    REQUIRE(size.ok());
    REQUIRE(size.value() == whole.size() - wire::frame_size_bytes);
    auto opened = open_frame(frame, whole.subspan(wire::frame_size_bytes));

    auto read = frame.schema->round_trip(opened.body, frame.version);
    if (!read.ok()) FAIL(read.error().text());
    CHECK(canonical_json(read.value().json) == canonical_json(frame.block["body"]));
    CHECK(read.value().is_expressible);
    CHECK(read.value().size == read.value().bytes.size());
    if (frame.has_unknown_tags) return;  // skipped, so not written again
    CHECK(to_hex(framed(opened.header_again, read.value().bytes)) == frame.block["hex"]);
}

}  // namespace

TEST_CASE("golden frames are read and written as Kafka 4.3 does", "[wire]") {
    std::set<std::pair<std::string_view, int>> seen;
    for (const auto& frame : golden_frames()) {
        CAPTURE(frame.block.place, frame.schema->name, frame.version);
        hold(frame);
        seen.emplace(frame.schema->name, frame.version);
    }
    for (const auto& schema : all_messages()) {
        for (int version = schema.versions.min; version <= schema.versions.max; ++version) {
            CAPTURE(schema.name, version);
            CHECK(seen.contains({schema.name, version}));
        }
    }
}
