// SPDX-License-Identifier: Apache-2.0
#include "protocol/compression.hpp"

#include <catch2/catch.hpp>

#include "tests/wire/golden.hpp"

using namespace kq;

namespace {

constexpr Compression codecs[] = {Compression::none, Compression::gzip, Compression::snappy,
                                  Compression::lz4, Compression::zstd};
constexpr std::size_t mib = std::size_t{1} << 20;

// Text-like: repeats itself, but not too soon.
Bytes prose(std::size_t size) {
    Bytes bytes(size);
    std::uint32_t state = 7;
    for (auto& byte : bytes) {
        state = state * 1664525 + 1013904223;
        byte = static_cast<std::uint8_t>('a' + (state >> 28));
    }
    return bytes;
}

Bytes compressed(Compression codec, ByteView plain) {
    Compressor compressor;
    Bytes out;
    REQUIRE(compressor.compress(codec, default_level(codec), plain, out).ok());
    return out;
}

}  // namespace

TEST_CASE("what was compressed comes back, whatever the window", "[protocol]") {
    Compressor compressor;
    Decompressor decompressor;
    for (auto codec : codecs) {
        for (std::size_t size : {0u, 1u, 100u, 32768u, 65537u, 500000u}) {
            CAPTURE(name_of(codec), size);
            auto plain = prose(size);
            Bytes stream;
            REQUIRE(compressor.compress(codec, default_level(codec), plain, stream).ok());
            auto whole = decompressor.decompress(codec, stream, mib);
            REQUIRE(whole.ok());
            CHECK(whole.value() == plain);

            for (std::size_t window : {1u, 61u, 4096u}) {
                if (size / window > 20000) continue;
                REQUIRE(decompressor.begin(codec, stream, mib).ok());
                Bytes back;
                Bytes piece(window);
                while (true) {
                    auto count = decompressor.read(piece);
                    REQUIRE(count.ok());
                    append(back, ByteView(piece).first(count.value()));
                    if (count.value() < window) break;
                }
                CHECK(back == plain);
            }
        }
    }
}

TEST_CASE("every level that may be asked for gives a stream that can be read", "[protocol]") {
    Compressor compressor;
    Decompressor decompressor;
    auto plain = prose(20000);
    const std::pair<Compression, std::vector<int>> levels[] = {
        {Compression::gzip, {-1, 1, 5, 9}},
        {Compression::lz4, {1, 2, 9, 12, 17}},
        {Compression::zstd, {-131072, -5, 1, 3, 19, 22}},
    };
    for (const auto& [codec, asked] : levels) {
        for (int level : asked) {
            CAPTURE(name_of(codec), level);
            REQUIRE(is_valid_level(codec, level));
            Bytes stream;
            REQUIRE(compressor.compress(codec, level, plain, stream).ok());
            CHECK(decompressor.decompress(codec, stream, mib).value() == plain);
        }
    }
    CHECK(!is_valid_level(Compression::gzip, 0));
    CHECK(!is_valid_level(Compression::gzip, 10));
    CHECK(!is_valid_level(Compression::lz4, 18));
    CHECK(!is_valid_level(Compression::zstd, 23));
}

TEST_CASE("a stream that unpacks to more than the limit is stopped there", "[protocol]") {
    Decompressor decompressor;
    Bytes zeros(8 * mib, 0);
    for (auto codec : codecs) {
        CAPTURE(name_of(codec));
        auto bomb = compressed(codec, zeros);
        CHECK(decompressor.decompress(codec, bomb, mib).code() == Errc::message_too_large);
        CHECK(decompressor.decompress(codec, bomb, 8 * mib - 1).code() == Errc::message_too_large);
        CHECK(decompressor.decompress(codec, bomb, 8 * mib).ok());
    }
}

TEST_CASE("a cut stream is corrupt, and so is every other beginning", "[protocol]") {
    Decompressor decompressor;
    auto plain = prose(3000);
    for (auto codec : codecs) {
        if (codec == Compression::none) continue;
        auto stream = compressed(codec, plain);
        for (std::size_t size = 0; size < stream.size(); ++size) {
            Bytes cut(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(size));
            auto read = decompressor.decompress(codec, cut, mib);
            // xerial's framing cannot tell the end of its blocks; the records inside can.
            if (codec == Compression::snappy && read.ok()) {
                CHECK(read.value().size() < plain.size());
                continue;
            }
            CAPTURE(name_of(codec), size);
            CHECK(read.code() == Errc::corrupt_message);
        }
        // The decompressor is as good as new afterwards.
        CHECK(decompressor.decompress(codec, stream, mib).value() == plain);
    }
}

TEST_CASE("snappy is written in Java's framing, and read as one bare block too", "[protocol]") {
    auto plain = prose(70000);
    auto stream = compressed(Compression::snappy, plain);
    CHECK(to_hex(ByteView(stream).first(16)) == "82534e41505059000000000100000001");
    // "abc" as a bare block: its length, a literal of three bytes.
    Decompressor decompressor;
    auto bare = test::from_hex("0308616263");
    CHECK(as_text(decompressor.decompress(Compression::snappy, bare, mib).value()) == "abc");
    // 2^30 bytes claimed by a block of five.
    auto boast = test::from_hex("808080800408616263");
    CHECK(decompressor.decompress(Compression::snappy, boast, mib).code() == Errc::corrupt_message);
}

TEST_CASE("lz4 frames have independent blocks, and linked ones are refused", "[protocol]") {
    auto stream = compressed(Compression::lz4, prose(200000));
    constexpr std::uint8_t independent = 0x20;
    CHECK((stream[4] & independent) != 0);
    CHECK((stream[5] >> 4) == 4);  // of 64 KiB
    Decompressor decompressor;
    auto linked = stream;
    linked[4] = static_cast<std::uint8_t>(linked[4] & ~independent);
    CHECK(decompressor.decompress(Compression::lz4, linked, mib).code() == Errc::corrupt_message);
}

TEST_CASE("bytes behind a stream are taken as Java takes them", "[protocol]") {
    Decompressor decompressor;
    auto plain = prose(1000);
    for (auto codec : {Compression::gzip, Compression::snappy, Compression::lz4}) {
        CAPTURE(name_of(codec));
        auto stream = compressed(codec, plain);
        append(stream, test::from_hex("000000"));
        CHECK(decompressor.decompress(codec, stream, mib).value() == plain);
    }
    auto stream = compressed(Compression::zstd, plain);
    append(stream, test::from_hex("000000"));
    CHECK(decompressor.decompress(Compression::zstd, stream, mib).code() == Errc::corrupt_message);
    // Two members or frames, one after the other, are one stream.
    for (auto codec : {Compression::gzip, Compression::zstd}) {
        auto twice = compressed(codec, plain);
        append(twice, compressed(codec, plain));
        CHECK(decompressor.decompress(codec, twice, mib).value().size() == 2000);
    }
}

TEST_CASE("a zstd window above Kafka's limit is refused before memory is taken", "[protocol]") {
    // A frame header that asks for a window of 2 GiB, and a raw block of one byte.
    Decompressor decompressor;
    auto huge = test::from_hex("28b52ffd00a809000061");
    CHECK(decompressor.decompress(Compression::zstd, huge, mib).code() == Errc::corrupt_message);
    auto usual = test::from_hex("28b52ffd005809000061");
    CHECK(as_text(decompressor.decompress(Compression::zstd, usual, mib).value()) == "a");
}

TEST_CASE("codecs are found by name and by number", "[protocol]") {
    CHECK(compression_from_name("zstd").value() == Compression::zstd);
    CHECK(compression_from_name("uncompressed").code() == Errc::unsupported_compression_type);
    CHECK(compression_from_wire(3).value() == Compression::lz4);
    CHECK(compression_from_wire(5).code() == Errc::unsupported_compression_type);
    CHECK(compression_from_wire(-1).code() == Errc::unsupported_compression_type);
}
