// SPDX-License-Identifier: Apache-2.0
//
// Small pieces of text that all programs write alike.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/time.hpp"

namespace kq {

std::string in_quotes(std::string_view word);   // 'word'
std::string shell_word(std::string_view word);  // as a POSIX shell reads it back

// What a person reads: "12.0MiB", "3.4k", "1h5m", "12ms".
std::string human_bytes(std::int64_t bytes);
std::string human_count(double count);
std::string human_duration(Millis time);
// "3 topics", "1 topic".
std::string counted(std::int64_t count, std::string_view noun);

// How many columns of a terminal UTF-8 text takes, one a code point; bytes that are no UTF-8 take
// one each.
std::size_t columns_of(std::string_view text);
// Control characters become \n, \t, \\ or \xNN, so that one line stays one line.
std::string visible(std::string_view text);
bool is_utf8(ByteView bytes);
// The size of the UTF-8 sequence that `bytes` begin with, or 0. Requires: bytes is not empty.
std::size_t utf8_sequence_size(ByteView bytes);

}  // namespace kq
