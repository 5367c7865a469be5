// SPDX-License-Identifier: Apache-2.0
#include "protocol/frames.hpp"

#include <catch2/catch.hpp>

#include "protocol/messages/18_api_versions.hpp"
#include "tests/wire/golden.hpp"

using namespace kq;
using namespace kq::wire;

namespace {

// Hands `bytes` to the reader, at most `at_once` at a time; the frames that came of it.
std::vector<Bytes> feed(FrameReader& reader, ByteView bytes, std::size_t at_once) {
    std::vector<Bytes> frames;
    while (!bytes.empty()) {
        if (reader.waiting_for_buffer()) reader.allocate();
        auto count = std::min({at_once, reader.space().size(), bytes.size()});
        std::copy_n(bytes.begin(), count, reader.space().begin());
        REQUIRE(reader.advance(count).ok());
        bytes = bytes.subspan(count);
        if (reader.waiting_for_buffer()) reader.allocate();
        if (reader.complete()) frames.push_back(reader.take());
    }
    return frames;
}

}  // namespace

TEST_CASE("a request is framed as the protocol guide's vector says", "[protocol]") {
    ApiVersionsRequest request{.client_software_name = "kq", .client_software_version = "0.1"};
    RequestHeader header{.api_key = 18, .api_version = 3, .correlation_id = 1, .client_id = "kq"};
    auto chain = encode_request(header, request);
    REQUIRE(chain.pieces().size() == 1);
    CHECK(to_hex(std::get<SharedBytes>(chain.pieces()[0]).view()) ==
          "0000001500120003000000010002"
          "6b7100036b71"
          "04302e3100");
}

TEST_CASE("frames are put together from pieces of any size", "[protocol]") {
    Bytes stream;
    for (int size : {8, 9, 100, 5000}) {
        append_be(stream, size);
        stream.resize(stream.size() + static_cast<std::size_t>(size),
                      static_cast<std::uint8_t>(size));
    }
    for (std::size_t at_once : {1u, 3u, 4u, 5u, 64u, 100000u}) {
        FrameReader reader(frame_bytes_min, 5000);
        auto frames = feed(reader, stream, at_once);
        REQUIRE(frames.size() == 4);
        CHECK(frames[0].size() == 8);
        CHECK(frames[3].size() == 5000);
        CHECK(frames[3].back() == static_cast<std::uint8_t>(5000 & 0xff));
        CHECK(!reader.started());
    }
}

TEST_CASE("a frame of an impossible size is refused before its buffer is made", "[protocol]") {
    for (const char* size : {"00000007", "ffffffff", "80000000", "00001389", "00000000"}) {
        CAPTURE(size);
        FrameReader reader(frame_bytes_min, 5000);
        auto bytes = test::from_hex(size);
        std::copy(bytes.begin(), bytes.end(), reader.space().begin());
        CHECK(reader.advance(4).code() == Errc::malformed);
        CHECK(!reader.waiting_for_buffer());
    }
}

TEST_CASE("a reader waits for its buffer and takes a recycled one", "[protocol]") {
    FrameReader reader(frame_bytes_min, 5000);
    auto bytes = test::from_hex("00000010");
    std::copy(bytes.begin(), bytes.end(), reader.space().begin());
    REQUIRE(reader.advance(4).ok());
    CHECK(reader.waiting_for_buffer());
    CHECK(reader.frame_bytes() == 16);
    CHECK(reader.space().empty());
    CHECK(reader.started());
    Bytes old;
    old.reserve(4096);
    const auto* place = old.data();
    reader.allocate(std::move(old));
    CHECK(reader.space().data() == place);
    CHECK(reader.space().size() == 16);
}

TEST_CASE("the header of ApiVersions' answer has no tags, whatever the version", "[protocol]") {
    CHECK(to_hex(encode_response_header(7, api_versions_api, 3)) == "00000007");
    CHECK(to_hex(encode_response_header(7, *find_api(3), 9)) == "0000000700");
    CHECK(to_hex(encode_response_header(7, *find_api(3), 8)) == "00000007");
}

TEST_CASE("a header is read even when nobody knows the API or the version", "[protocol]") {
    auto unknown = test::from_hex("270f00000000000700096b712d676f6c64656e");
    auto frame = decode_request_header(unknown);
    REQUIRE(frame.ok());
    CHECK(frame.value().header.api_key == 9999);
    CHECK(frame.value().header.client_id == "kq-golden");
    CHECK(frame.value().body.empty());
    // ApiVersions 99: the correlation id is needed for the answer.
    auto newer = test::from_hex("001200630000000700096b712d676f6c64656e00036b71023100");
    frame = decode_request_header(newer);
    REQUIRE(frame.ok());
    CHECK(frame.value().header.correlation_id == 7);
    CHECK(decode<ApiVersionsRequest>(frame.value().body, 99).code() == Errc::unsupported_version);
}

TEST_CASE("the table of APIs is found by key", "[protocol]") {
    CHECK(find_api(0)->name == "Produce");
    CHECK(find_api(0)->versions == Versions{3, 13});
    CHECK(find_api(0)->advertised() == Versions{0, 13});
    CHECK(find_api(1)->advertised() == Versions{4, 18});
    CHECK(find_api(9999) == nullptr);
    CHECK(find_api(-1) == nullptr);
}
