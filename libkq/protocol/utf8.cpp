// SPDX-License-Identifier: Apache-2.0
#include "protocol/utf8.hpp"

namespace kq {
namespace {

// How many bytes a sequence has that begins with this one; 0 where none does.
std::size_t length_after(unsigned char first) {
    if (first < 0x80) return 1;
    if (first < 0xc2) return 0;  // a continuation, or an overlong form of ASCII
    if (first < 0xe0) return 2;
    if (first < 0xf0) return 3;
    return first < 0xf5 ? 4 : 0;
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
    auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    std::size_t length = length_after(byte(0));
    if (length > text.size()) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80) return 0;
    }
    if (byte(0) == 0xe0 && byte(1) < 0xa0) return 0;   // overlong
    if (byte(0) == 0xed && byte(1) >= 0xa0) return 0;  // half of a surrogate pair
    if (byte(0) == 0xf0 && byte(1) < 0x90) return 0;   // overlong
    if (byte(0) == 0xf4 && byte(1) >= 0x90) return 0;  // beyond U+10FFFF
    return length;
}

char32_t next_code_point(std::string_view& text) {
    std::size_t length = utf8_length(text);
    if (length == 0) {
        text.remove_prefix(1);
        return replacement_character;
    }
    auto first = static_cast<unsigned char>(text[0]);
    char32_t c = length == 1 ? first : first & (0x7fu >> length);
    for (std::size_t i = 1; i < length; ++i) {
        c = (c << 6) | (static_cast<unsigned char>(text[i]) & 0x3f);
    }
    text.remove_prefix(length);
    return c;
}

}  // namespace kq
