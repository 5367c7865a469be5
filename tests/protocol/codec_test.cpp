// SPDX-License-Identifier: Apache-2.0
#include "protocol/codec.hpp"

#include <catch2/catch.hpp>

#include "protocol/frames.hpp"
#include "protocol/messages/all.hpp"
#include "protocol/printer.hpp"
#include "tests/wire/golden.hpp"

using namespace kq;

namespace {

class OneFile final : public File {
public:
    std::uint64_t size() const override { return 1000; }
    Result<std::size_t> pread(std::uint64_t, MutableBytes) const override {
        return Error{Errc::io_error};
    }
    Result<std::size_t> pread_nowait(std::uint64_t, MutableBytes) const override {
        return Error{Errc::io_error};
    }
    Status pwritev(std::uint64_t, std::span<const ByteView>) override { return done(); }
    Status allocate(std::uint64_t, std::uint64_t) override { return done(); }
    Status truncate(std::uint64_t) override { return done(); }
    Status sync() override { return done(); }
    void start_write_back(std::uint64_t, std::uint64_t) override {}
    void drop_cached(std::uint64_t, std::uint64_t) override {}
    int native_handle() const override { return -1; }
};

// The pieces of a chain, memory as hex and slices as [position,length].
std::string drawn(const Chain& chain) {
    std::string out;
    for (const auto& piece : chain.pieces()) {
        if (const auto* memory = std::get_if<SharedBytes>(&piece)) {
            out += to_hex(memory->view());
        } else {
            const auto& slice = std::get<FileSlice>(piece);
            out += "[" + std::to_string(slice.position) + "," + std::to_string(slice.length) + "]";
        }
    }
    return out;
}

Chain slice_of_file(std::uint64_t position, std::uint64_t length) {
    Chain chain;
    chain.add(FileSlice{std::make_shared<OneFile>(), position, length});
    return chain;
}

wire::FetchResponse fetch_response(wire::Records first, wire::Records second) {
    wire::FetchResponse response;
    auto& topic = response.responses.emplace_back();
    topic.topic = "t";
    topic.partitions.resize(2);
    topic.partitions[0].records = std::move(first);
    topic.partitions[1].partition_index = 1;
    topic.partitions[1].records = std::move(second);
    return response;
}

}  // namespace

TEST_CASE("records go into a frame as slices of files, and nothing is copied", "[protocol]") {
    auto with_files = fetch_response(slice_of_file(100, 3), slice_of_file(7, 2));
    // The same frame with the bytes in place of the slices.
    auto with_bytes = fetch_response(ByteView(as_bytes("abc")), ByteView(as_bytes("de")));
    for (int version = 4; version <= 12; ++version) {
        CAPTURE(version);
        auto chain = wire::encode_response(5, with_files, version);
        Bytes whole;
        wire::append_response(5, with_bytes, version, whole);
        CHECK(chain.size_bytes() == whole.size());
        auto text = drawn(chain);
        auto first = text.find("[100,3]");
        auto second = text.find("[7,2]");
        REQUIRE(first != std::string::npos);
        REQUIRE(second != std::string::npos);
        text.replace(second, 5, to_hex(as_bytes("de")));
        text.replace(first, 7, to_hex(as_bytes("abc")));
        CHECK(text == to_hex(whole));
        CHECK(load_be<std::int32_t>(whole.data()) == static_cast<std::int32_t>(whole.size()) - 4);
    }
}

TEST_CASE("a chain of memory is copied where a plain buffer is asked for", "[protocol]") {
    Chain chain;
    chain.add(SharedBytes::copy_of(as_bytes("ab")));
    chain.add(SharedBytes::copy_of(as_bytes("c")));
    Bytes from_chain;
    Bytes from_bytes;
    wire::append_response(5, fetch_response(std::move(chain), {}), 11, from_chain);
    wire::append_response(5, fetch_response(ByteView(as_bytes("abc")), {}), 11, from_bytes);
    CHECK(to_hex(from_chain) == to_hex(from_bytes));
}

TEST_CASE("the records of a Produce request can be changed where they lie", "[protocol]") {
    wire::ProduceRequest request;
    request.acks = 1;
    auto& topic = request.topic_data.emplace_back();
    topic.name = "t";
    topic.partition_data.push_back({.index = 3, .records = ByteView(as_bytes("batch"))});
    Bytes frame;
    wire::encode(request, 9, frame);
    auto read = wire::decode<wire::ProduceRequest>(frame, 9).value();
    auto view = read.topic_data[0].partition_data[0].records.view();
    CHECK(as_text(view) == "batch");
    wire::mutable_part(frame, view)[0] = 'B';
    CHECK(as_text(view) == "Batch");
}

TEST_CASE("what a version cannot carry is told before it is written", "[protocol]") {
    wire::FetchRequest fetch;
    fetch.rack_id = "r";  // may be dropped
    CHECK(wire::expressible(fetch, 4).ok());
    fetch.forgotten_topics_data.emplace_back();
    CHECK(wire::expressible(fetch, 7).ok());
    auto refused = wire::expressible(fetch, 6);
    CHECK(refused.code() == Errc::unsupported_version);
    CHECK(refused.error().message.find("forgottenTopicsData") != std::string::npos);
    CHECK(wire::expressible(fetch, 99).code() == Errc::unsupported_version);
    // Null where a version knows no null.
    wire::MetadataRequest metadata;
    metadata.topics = std::nullopt;
    CHECK(wire::expressible(metadata, 0).code() == Errc::unsupported_version);
    CHECK(wire::expressible(metadata, 1).ok());
}

TEST_CASE("an array that cannot fit is refused before memory is taken", "[protocol]") {
    // Metadata v1: an array of 2^31-1 names in a frame of four bytes.
    auto body = test::from_hex("7fffffff");
    auto refused = wire::decode<wire::MetadataRequest>(body, 1);
    CHECK(refused.code() == Errc::malformed);
    CHECK(refused.error().message == "an array is longer than the frame");
    // Below -1 is no length.
    CHECK(wire::decode<wire::MetadataRequest>(test::from_hex("fffffffe"), 1).code() ==
          Errc::malformed);
    // Half a million empty names fit the frame, but not the memory that it may take.
    Bytes many;
    append_be(many, std::int32_t{500000});
    many.resize(many.size() + 1000000, 0);
    auto greedy = wire::decode<wire::MetadataRequest>(many, 1);
    CHECK(greedy.code() == Errc::malformed);
    CHECK(greedy.error().message == "the message takes too much memory");
}

TEST_CASE("tagged fields are ascending, of their size, and unknown ones are skipped",
          "[protocol]") {
    // ApiVersions v3 request: two empty names, then tags.
    auto decode = [](const std::string& tags) {
        return wire::decode<wire::ApiVersionsRequest>(test::from_hex("0101" + tags), 3);
    };
    CHECK(decode("00").ok());
    CHECK(decode("02"
                 "0501aa"
                 "0602bbcc")
              .ok());
    CHECK(decode("02"
                 "0601aa"
                 "0501bb")
              .code() == Errc::malformed);  // not ascending
    CHECK(decode("02"
                 "0501aa"
                 "0501bb")
              .code() == Errc::malformed);  // twice
    CHECK(decode("01"
                 "0502aa")
              .code() == Errc::malformed);            // longer than the frame
    CHECK(decode("0000").code() == Errc::malformed);  // bytes left over
    // A known tag whose field ends before its size does.
    wire::ProduceResponse response;
    response.node_endpoints.push_back({.node_id = 1, .host = "h", .port = 2});
    Bytes body;
    wire::encode(response, 10, body);
    CHECK(wire::decode<wire::ProduceResponse>(body, 10).ok());
    auto size_at = body.size() - 14;
    REQUIRE(body[size_at - 1] == 0);  // the tag
    REQUIRE(body[size_at] == 13);
    body[size_at] = 14;
    body.push_back(0);
    auto refused = wire::decode<wire::ProduceResponse>(body, 10);
    CHECK(refused.code() == Errc::malformed);
    CHECK(refused.error().message == "a tagged field has the wrong size");
}

TEST_CASE("a null where none may be is refused", "[protocol]") {
    auto null_name = test::from_hex("ffff");
    auto refused = wire::decode<wire::FindCoordinatorRequest>(null_name, 0);
    CHECK(refused.code() == Errc::malformed);
    CHECK(refused.error().message == "a field that must have a value is null");
}

TEST_CASE("text is printed so that any JSON reader takes it", "[protocol]") {
    auto printed = [](std::string_view text) {
        std::string out;
        wire::append_json_text(out, text);
        return out;
    };
    CHECK(printed("a\"b\\c") == R"("a\"b\\c")");
    CHECK(printed("\x1b[0m\n") == R"("\u001b[0m\u000a")");
    CHECK(printed("ü€🚀") == "\"ü€🚀\"");
    CHECK(printed("a\xff\xed\xa0\x80z") ==
          "\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\"");
}

TEST_CASE("a Metadata request may have bytes behind it", "[protocol]") {
    // As librdkafka 2.16 sends it: null topics in four bytes instead of one.
    auto request = wire::decode<wire::MetadataRequest>(test::from_hex("00000000010000"), 13);
    REQUIRE(request.ok());
    CHECK_FALSE(request.value().topics.has_value());
    CHECK(wire::decode<wire::MetadataRequest>(test::from_hex("0000"), 13).code() ==
          Errc::malformed);
}
