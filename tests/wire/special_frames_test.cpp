// SPDX-License-Identifier: Apache-2.0
//
// Requests outside the rules, and what a session would do with them: what the codec decides of it.
#include <catch2/catch.hpp>

#include "protocol/frames.hpp"
#include "tests/wire/golden.hpp"
#include "tests/wire/schemas.hpp"

using namespace kq;
using namespace kq::test;

namespace {

// "answer": the request was read; "version": ApiVersions says which versions there are; "close";
// "wait": the frame is not complete.
std::string decision(ByteView bytes) {
    constexpr std::size_t frame_bytes_max = 104857600;  // socket.request.max.bytes
    if (bytes.size() < wire::frame_size_bytes) return "wait";
    auto size = wire::frame_size(bytes, wire::frame_bytes_min, frame_bytes_max);
    if (!size.ok()) return "close";
    auto frame = bytes.subspan(wire::frame_size_bytes);
    if (frame.size() < size.value()) return "wait";
    auto request = wire::decode_request_header(frame.first(size.value()));
    if (!request.ok()) return "close";
    const auto& header = request.value().header;
    const auto* api = wire::find_api(header.api_key);
    if (api == nullptr) return "close";
    auto name = std::string(api->name) + "Request";
    auto read = schema_of(name).check(request.value().body, header.api_version);
    if (read.ok()) return "answer";
    bool asks_versions = api->name == "ApiVersions" && read.code() == Errc::unsupported_version;
    return asks_versions ? "version" : "close";
}

// Where kq is stricter than Kafka (RELIABILITY 2), or where not the codec decides.
std::string expected(const Block& block) {
    const auto& text = block["case"];
    auto says = [&](const char* part) { return text.find(part) != std::string::npos; };
    if (says("bytes too many")) return "close";  // of ApiVersions; Metadata may have them
    if (says("ApiVersions v99") || says("ApiVersions v5")) return "version";
    if (says("(controller only)")) return "answer";  // the listener does not serve it
    if (says("half a frame")) return "wait";
    return block["outcome"].starts_with("answered") ? "answer" : "close";
}

}  // namespace

TEST_CASE("requests outside the rules are refused as Kafka refuses them", "[wire]") {
    auto blocks = read_blocks("frames/special.txt");
    CHECK(blocks.size() == 24);
    for (const auto& block : blocks) {
        CAPTURE(block.place, block["case"]);
        CHECK(decision(from_hex(block["request"])) == expected(block));
    }
}
