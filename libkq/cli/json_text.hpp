// SPDX-License-Identifier: Apache-2.0
//
// Writing JSON: strings, numbers, cells. By hand, because records pass through here by the million;
// tests read it back with another library.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "cli/columns.hpp"

namespace kq {

// "text" with quotes and escapes. What is not UTF-8 becomes U+FFFD; whoever must not lose bytes
// asks is_utf8() first (cli/text.hpp).
void append_json_string(Bytes& out, ByteView text);
void append_json(Bytes& out, const Cell& cell);
void append_decimal(Bytes& out, std::int64_t number);
inline void append_text(Bytes& out, std::string_view text) {
    out.insert(out.end(), text.begin(), text.end());
}

std::string json_string(std::string_view text);

}  // namespace kq
