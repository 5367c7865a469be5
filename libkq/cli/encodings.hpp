// SPDX-License-Identifier: Apache-2.0
//
// Bytes as text and back: hexadecimal, base64, JSON strings, numbers of fixed width.
//
// errors   bad_data  the text is none of its kind
// source   RFC 4648 (base64 with padding; reading also takes it without), RFC 8259 (JSON strings)
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace kq {

void append_hex(Bytes& out, ByteView bytes);
void append_base64(Bytes& out, ByteView bytes);

Status decode_hex(Bytes& out, ByteView text);
Status decode_base64(Bytes& out, ByteView text);
// What stands between the quotes of a JSON string.
Status decode_json_escapes(Bytes& out, ByteView text);

// An integer of 1, 2, 4 or 8 bytes in either order: u8, be16 … le64; signed.
struct NumberLayout {
    std::uint8_t size = 0;
    bool little_endian = false;

    static std::optional<NumberLayout> parse(std::string_view name);
    void append(Bytes& out, std::int64_t number) const;
    bool fits(std::int64_t number) const;
    // Requires: bytes.size() == size.
    std::int64_t load(ByteView bytes) const;
};

// The whole text as a decimal number.
std::optional<std::int64_t> decimal(ByteView text);

}  // namespace kq
