// SPDX-License-Identifier: Apache-2.0
#include "cli/encodings.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace kq {
namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::string_view base64_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int hex_value(std::uint8_t digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

constexpr auto base64_values = [] {
    std::array<std::int8_t, 256> table{};
    table.fill(-1);
    for (std::size_t i = 0; i < base64_digits.size(); ++i) {
        table[static_cast<std::uint8_t>(base64_digits[i])] = static_cast<std::int8_t>(i);
    }
    return table;
}();

void append_utf8(Bytes& out, std::uint32_t point) {
    auto push = [&out](std::uint32_t byte) { out.push_back(static_cast<std::uint8_t>(byte)); };
    if (point < 0x80) {
        push(point);
    } else if (point < 0x800) {
        push(0xc0 | point >> 6);
        push(0x80 | (point & 63));
    } else if (point < 0x10000) {
        push(0xe0 | point >> 12);
        push(0x80 | (point >> 6 & 63));
        push(0x80 | (point & 63));
    } else {
        push(0xf0 | point >> 18);
        push(0x80 | (point >> 12 & 63));
        push(0x80 | (point >> 6 & 63));
        push(0x80 | (point & 63));
    }
}

// Four hexadecimal digits after "\u".
std::optional<std::uint32_t> code_unit(ByteView text) {
    if (text.size() < 4) return std::nullopt;
    std::uint32_t unit = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        int digit = hex_value(text[i]);
        if (digit < 0) return std::nullopt;
        unit = unit << 4 | static_cast<std::uint32_t>(digit);
    }
    return unit;
}

// "\uXXXX", or two of them that make one code point; answers how much of `text` it took.
Result<std::size_t> decode_unicode(Bytes& out, ByteView text) {
    auto unit = code_unit(text.subspan(2));
    if (!unit) return Error{Errc::bad_data, "\\u wants four hexadecimal digits"};
    if (*unit < 0xd800 || *unit > 0xdfff) {
        append_utf8(out, *unit);
        return std::size_t{6};
    }
    auto rest = text.subspan(6);
    bool paired = *unit < 0xdc00 && rest.size() >= 6 && rest[0] == '\\' && rest[1] == 'u';
    auto low = paired ? code_unit(rest.subspan(2)) : std::nullopt;
    if (!low || *low < 0xdc00 || *low > 0xdfff) {
        return Error{Errc::bad_data, "half a surrogate pair in a string"};
    }
    append_utf8(out, 0x10000 + ((*unit - 0xd800) << 10) + (*low - 0xdc00));
    return std::size_t{12};
}

}  // namespace

void append_hex(Bytes& out, ByteView bytes) {
    for (std::uint8_t byte : bytes) {
        out.push_back(static_cast<std::uint8_t>(hex_digits[byte >> 4]));
        out.push_back(static_cast<std::uint8_t>(hex_digits[byte & 15]));
    }
}

void append_base64(Bytes& out, ByteView bytes) {
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        auto left = std::min<std::size_t>(3, bytes.size() - i);
        std::uint32_t group = static_cast<std::uint32_t>(bytes[i]) << 16;
        if (left > 1) group |= static_cast<std::uint32_t>(bytes[i + 1]) << 8;
        if (left > 2) group |= bytes[i + 2];
        for (std::size_t digit = 0; digit < 4; ++digit) {
            char c = digit <= left ? base64_digits[(group >> (18 - 6 * digit)) & 63] : '=';
            out.push_back(static_cast<std::uint8_t>(c));
        }
    }
}

Status decode_hex(Bytes& out, ByteView text) {
    if (text.size() % 2 != 0) return Error{Errc::bad_data, "an odd number of hexadecimal digits"};
    for (std::size_t i = 0; i < text.size(); i += 2) {
        int high = hex_value(text[i]);
        int low = hex_value(text[i + 1]);
        if (high < 0 || low < 0) return Error{Errc::bad_data, "a character that is no hex digit"};
        out.push_back(static_cast<std::uint8_t>(high << 4 | low));
    }
    return done();
}

Status decode_base64(Bytes& out, ByteView text) {
    std::size_t padding = 0;
    while (padding < 2 && !text.empty() && text.back() == '=') {
        text = text.first(text.size() - 1);
        ++padding;
    }
    const std::size_t tail = text.size() % 4;
    if (tail == 1 || (padding > 0 && (tail + padding) != 4)) {
        return Error{Errc::bad_data, "base64 of a length that cannot be"};
    }
    std::uint32_t bits = 0;
    int bit_count = 0;
    for (std::uint8_t digit : text) {
        int value = base64_values[digit];
        if (value < 0) return Error{Errc::bad_data, "a character that is no base64"};
        bits = bits << 6 | static_cast<std::uint32_t>(value);
        bit_count += 6;
        if (bit_count < 8) continue;
        bit_count -= 8;
        out.push_back(static_cast<std::uint8_t>(bits >> bit_count));
        bits &= (1u << bit_count) - 1;
    }
    if (bits != 0) return Error{Errc::bad_data, "base64 that ends in stray bits"};
    return done();
}

Status decode_json_escapes(Bytes& out, ByteView text) {
    while (!text.empty()) {
        auto escape = static_cast<std::size_t>(
            std::find(text.begin(), text.end(), std::uint8_t{'\\'}) - text.begin());
        append(out, text.first(escape));
        text = text.subspan(escape);
        if (text.empty()) break;
        if (text.size() < 2) return Error{Errc::bad_data, "a string that ends in a backslash"};
        std::size_t taken = 2;
        constexpr std::string_view letters = "\"\\/bfnrt";
        constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
        auto which = letters.find(static_cast<char>(text[1]));
        if (which != std::string_view::npos) {
            out.push_back(static_cast<std::uint8_t>(meanings[which]));
        } else if (text[1] == 'u') {
            KQ_LET(taken, decode_unicode(out, text));
        } else {
            return Error{Errc::bad_data, "an unknown escape in a string"};
        }
        text = text.subspan(taken);
    }
    return done();
}

std::optional<NumberLayout> NumberLayout::parse(std::string_view name) {
    if (name == "u8") return NumberLayout{1, false};
    const bool little = name.starts_with("le");
    if (!little && !name.starts_with("be")) return std::nullopt;
    name.remove_prefix(2);
    if (name == "16") return NumberLayout{2, little};
    if (name == "32") return NumberLayout{4, little};
    if (name == "64") return NumberLayout{8, little};
    return std::nullopt;
}

bool NumberLayout::fits(std::int64_t number) const {
    if (size == 8) return true;
    if (size == 1) return number >= 0 && number <= 255;
    const std::int64_t bound = std::int64_t{1} << (size * 8 - 1);
    return number >= -bound && number < bound;
}

void NumberLayout::append(Bytes& out, std::int64_t number) const {
    for (std::uint8_t i = 0; i < size; ++i) {
        int shift = 8 * (little_endian ? i : size - 1 - i);
        out.push_back(static_cast<std::uint8_t>(static_cast<std::uint64_t>(number) >> shift));
    }
}

std::int64_t NumberLayout::load(ByteView bytes) const {
    std::uint64_t bits = 0;
    for (std::uint8_t i = 0; i < size; ++i) {
        bits = bits << 8 | bytes[little_endian ? size - 1u - i : i];
    }
    if (size == 1) return static_cast<std::int64_t>(bits);
    const int unused = 64 - 8 * size;
    return static_cast<std::int64_t>(bits << unused) >> unused;
}

std::optional<std::int64_t> decimal(ByteView text) {
    auto digits = as_text(text);
    std::int64_t number = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    return number;
}

}  // namespace kq
