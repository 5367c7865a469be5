// SPDX-License-Identifier: Apache-2.0
//
// UTF-8, as far as the protocol needs it: strings travel as they are and may hold anything.
//
// source   RFC 3629
#pragma once

#include <cstddef>
#include <string_view>

namespace kq {

inline constexpr char32_t replacement_character = 0xfffd;

// The bytes of the sequence at the front of `text`, or 0 where it is not valid UTF-8.
// Requires: !text.empty().
std::size_t utf8_length(std::string_view text);

// Takes a code point off the front. One byte of what is not valid becomes U+FFFD.
// Requires: !text.empty().
char32_t next_code_point(std::string_view& text);

}  // namespace kq
