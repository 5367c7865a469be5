// SPDX-License-Identifier: Apache-2.0
//
// CRC-32C (Castagnoli): the checksum of record batches and producer snapshots. Hardware is used
// where the processor has it; every path gives the same number and can be called by name in tests.
//
// source   RFC 3720, appendix B.4
#pragma once

#include <cstdint>

#include "base/bytes.hpp"

namespace kq {

// Of `bytes`; `seed` is the result over what stands before them.
std::uint32_t crc32c(ByteView bytes, std::uint32_t seed = 0);

enum class Crc32cPath {
    slicing,     // tables, eight bytes at a time; works everywhere
    sse42,       // the crc32 instruction, three streams at once
    vpclmulqdq,  // carry-less multiplication, 256 bytes at a time; short inputs go to sse42
};
bool is_supported(Crc32cPath path);
// Requires: is_supported(path).
std::uint32_t crc32c_by(Crc32cPath path, ByteView bytes, std::uint32_t seed = 0);

}  // namespace kq
