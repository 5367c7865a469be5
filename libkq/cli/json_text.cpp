// SPDX-License-Identifier: Apache-2.0
#include "cli/json_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "cli/text.hpp"

namespace kq {
namespace {

constexpr std::string_view json_hex_digits = "0123456789abcdef";

// Bytes that stand for themselves inside a JSON string.
constexpr auto plain_bytes = [] {
    std::array<bool, 256> table{};
    for (int byte = 0x20; byte < 0x80; ++byte)
        table[static_cast<std::size_t>(byte)] = true;
    table['"'] = table['\\'] = table[0x7f] = false;
    return table;
}();

void append_escape(Bytes& out, std::uint8_t byte) {
    out.push_back('\\');
    switch (byte) {
        case '"':
        case '\\':
            out.push_back(byte);
            return;
        case '\n':
            out.push_back('n');
            return;
        case '\t':
            out.push_back('t');
            return;
        case '\r':
            out.push_back('r');
            return;
        default:
            append_text(out, "u00");
            out.push_back(static_cast<std::uint8_t>(json_hex_digits[byte >> 4]));
            out.push_back(static_cast<std::uint8_t>(json_hex_digits[byte & 15]));
    }
}

}  // namespace

void append_json_string(Bytes& out, ByteView text) {
    out.push_back('"');
    const std::uint8_t* at = text.data();
    const std::uint8_t* const end = at + text.size();
    while (at != end) {
        const std::uint8_t* run = at;
        while (at != end && plain_bytes[*at])
            ++at;
        out.insert(out.end(), run, at);
        if (at == end) break;
        if (*at < 0x80) {
            append_escape(out, *at++);
            continue;
        }
        auto size = utf8_sequence_size({at, end});
        if (size == 0) {
            append_text(out, "\xef\xbf\xbd");
            ++at;
        } else {
            out.insert(out.end(), at, at + size);
            at += size;
        }
    }
    out.push_back('"');
}

void append_decimal(Bytes& out, std::int64_t number) {
    std::array<char, 24> digits{};
    auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    out.insert(out.end(), digits.data(), end);
}

void append_json(Bytes& out, const Cell& cell) {
    struct Writer {
        Bytes& out;
        void operator()(std::monostate) const { append_text(out, "null"); }
        void operator()(bool yes) const { append_text(out, yes ? "true" : "false"); }
        void operator()(std::int64_t number) const { append_decimal(out, number); }
        void operator()(const std::string& text) const { append_json_string(out, as_bytes(text)); }
        void operator()(const CellList& list) const {
            out.push_back('[');
            for (const Cell& one : list) {
                if (&one != &list.front()) out.push_back(',');
                append_json(out, one);
            }
            out.push_back(']');
        }
        void operator()(const CellMap& map) const {
            out.push_back('{');
            for (const auto& entry : map) {
                if (&entry != &map.front()) out.push_back(',');
                append_json_string(out, as_bytes(entry.first));
                out.push_back(':');
                append_json(out, entry.second);
            }
            out.push_back('}');
        }
    };
    std::visit(Writer{out}, cell.value);
}

std::string json_string(std::string_view text) {
    Bytes out;
    append_json_string(out, as_bytes(text));
    return std::string(as_text(out));
}

}  // namespace kq
