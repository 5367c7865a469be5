// SPDX-License-Identifier: Apache-2.0
#include "protocol/crc32c.hpp"

#include <catch2/catch.hpp>

#include "tests/wire/golden.hpp"

using namespace kq;

namespace {

constexpr Crc32cPath paths[] = {Crc32cPath::slicing, Crc32cPath::sse42, Crc32cPath::vpclmulqdq};

// Bit by bit, as the definition says: what the fast paths are compared with.
std::uint32_t by_definition(ByteView bytes, std::uint32_t seed) {
    std::uint32_t state = ~seed;
    for (auto byte : bytes) {
        state ^= byte;
        for (int i = 0; i < 8; ++i)
            state = (state >> 1) ^ ((state & 1) != 0 ? 0x82f63b78u : 0);
    }
    return ~state;
}

Bytes noise(std::size_t size) {
    Bytes bytes(size);
    std::uint32_t state = 12345;
    for (auto& byte : bytes) {
        state = state * 1664525 + 1013904223;
        byte = static_cast<std::uint8_t>(state >> 24);
    }
    return bytes;
}

}  // namespace

TEST_CASE("every way to compute CRC-32C gives what Java computes", "[protocol]") {
    auto rows = test::read_rows("crc32c.tsv");
    CHECK(rows.size() > 20);
    for (const auto& row : rows) {
        auto bytes = test::from_hex(row.at(0));
        auto expected = static_cast<std::uint32_t>(std::stoul(row.at(1)));
        CHECK(crc32c(bytes) == expected);
        for (auto path : paths) {
            if (is_supported(path)) CHECK(crc32c_by(path, bytes) == expected);
        }
    }
}

TEST_CASE("every way to compute CRC-32C agrees at every length, start and seed", "[protocol]") {
    // Long enough for all of the loops: 3 x 1024 and 3 x 128 bytes, 256 at a time, and the tails.
    auto bytes = noise(4200);
    for (std::size_t start : {0u, 1u, 7u}) {
        for (std::size_t size = 0; size + start <= bytes.size(); size += size < 700 ? 1 : 97) {
            auto piece = ByteView(bytes).subspan(start, size);
            std::uint32_t seed = static_cast<std::uint32_t>(size) * 2654435761u;
            auto expected = by_definition(piece, seed);
            for (auto path : paths) {
                if (!is_supported(path)) continue;
                if (crc32c_by(path, piece, seed) != expected) {
                    FAIL("path " << static_cast<int>(path) << ", " << size << " bytes");
                }
            }
        }
    }
}

TEST_CASE("CRC-32C goes on where it stopped", "[protocol]") {
    auto bytes = noise(3000);
    auto whole = crc32c(bytes);
    for (std::size_t cut : {0u, 1u, 100u, 1500u, 2999u, 3000u}) {
        auto first = crc32c(ByteView(bytes).first(cut));
        CHECK(crc32c(ByteView(bytes).subspan(cut), first) == whole);
    }
}
