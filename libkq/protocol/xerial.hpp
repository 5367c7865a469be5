// SPDX-License-Identifier: Apache-2.0
//
// The framing that Java's snappy library puts around its blocks, and so what Kafka calls snappy.
//
// shape    82 "SNAPPY" 00, int32 version 1, int32 compatible with 1; then per block int32 length
//          and a bare snappy block of up to 32 KiB of input
// source   Kafka protocol guide, "Compression"; snappy-java, SnappyOutputStream
#pragma once

#include <array>
#include <cstdint>

namespace kq {
struct Xerial {
    static constexpr std::array<std::uint8_t, 16> header{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0,
                                                         0,    0,   0,   1,   0,   0,   0,   1};
    static constexpr std::size_t magic_bytes = 8;
    static constexpr std::size_t length_bytes = 4;
    static constexpr std::size_t block_bytes = 32 * 1024;
};
}  // namespace kq
