// SPDX-License-Identifier: Apache-2.0
#include "cli/text.hpp"

#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>

namespace kq {
namespace {

std::string with_one_digit(double number, std::string_view unit) {
    std::array<char, 48> text{};
    int size = std::snprintf(text.data(), text.size(), number < 9.95 ? "%.1f" : "%.0f", number);
    return std::string(text.data(), static_cast<std::size_t>(size)) + std::string(unit);
}

}  // namespace

std::size_t utf8_sequence_size(ByteView bytes) {
    const std::uint8_t first = bytes[0];
    if (first < 0x80) return 1;
    std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || bytes.size() < size) return 0;
    for (std::size_t i = 1; i < size; ++i) {
        if ((bytes[i] & 0xc0) != 0x80) return 0;
    }
    const std::uint8_t second = bytes[1];
    // Longer than needed, surrogates, and past the last code point.
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
        (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) {
        return 0;
    }
    return size;
}

std::string in_quotes(std::string_view word) {
    return "'" + visible(word) + "'";
}

std::string shell_word(std::string_view word) {
    constexpr std::string_view plain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,@%+";
    if (!word.empty() && word.find_first_not_of(plain) == std::string_view::npos) {
        return std::string(word);
    }
    std::string out = "'";
    for (char c : word) {
        if (c == '\'') {
            out += "'\\''";
        } else {
            out += c;
        }
    }
    return out + "'";
}

std::string human_bytes(std::int64_t bytes) {
    constexpr std::array<std::string_view, 6> units = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    auto number = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (number >= 1024 && unit + 1 < units.size()) {
        number /= 1024;
        ++unit;
    }
    if (unit == 0) return std::to_string(bytes) + "B";
    return with_one_digit(number, units[unit]);
}

std::string human_count(double count) {
    constexpr std::array<std::string_view, 4> units = {"", "k", "M", "G"};
    std::size_t unit = 0;
    while (count >= 1000 && unit + 1 < units.size()) {
        count /= 1000;
        ++unit;
    }
    if (unit == 0) return std::to_string(std::llround(count));
    return with_one_digit(count, units[unit]);
}

std::string human_duration(Millis time) {
    auto ms = time.count();
    if (ms < 1000) return std::to_string(ms) + "ms";
    if (ms < 60'000) return with_one_digit(static_cast<double>(ms) / 1000, "s");
    auto part = [](std::int64_t big, std::string_view big_unit, std::int64_t small,
                   std::string_view small_unit) {
        std::string text = std::to_string(big) + std::string(big_unit);
        if (small > 0) text += std::to_string(small) + std::string(small_unit);
        return text;
    };
    auto seconds = ms / 1000;
    if (seconds < 3600) return part(seconds / 60, "m", seconds % 60, "s");
    if (seconds < 86'400) return part(seconds / 3600, "h", seconds % 3600 / 60, "m");
    return part(seconds / 86'400, "d", seconds % 86'400 / 3600, "h");
}

std::string counted(std::int64_t count, std::string_view noun) {
    const std::string_view ending = count == 1 ? "" : noun.ends_with("ch") ? "es" : "s";
    return std::to_string(count) + " " + std::string(noun) + std::string(ending);
}

std::size_t columns_of(std::string_view text) {
    std::size_t columns = 0;
    ByteView bytes = as_bytes(text);
    while (!bytes.empty()) {
        auto size = utf8_sequence_size(bytes);
        bytes = bytes.subspan(size == 0 ? 1 : size);
        ++columns;
    }
    return columns;
}

std::string visible(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (char c : text) {
        auto byte = static_cast<std::uint8_t>(c);
        if (c == '\n') {
            out += "\\n";
        } else if (c == '\t') {
            out += "\\t";
        } else if (byte < 0x20 || byte == 0x7f) {
            out += "\\x";
            out += digits[byte >> 4];
            out += digits[byte & 15];
        } else {
            out += c;
        }
    }
    return out;
}

bool is_utf8(ByteView bytes) {
    while (!bytes.empty()) {
        // Plain ASCII, eight bytes at a time, is by far the most frequent.
        std::uint64_t eight = 0;
        while (bytes.size() >= sizeof(eight)) {
            std::memcpy(&eight, bytes.data(), sizeof(eight));
            if ((eight & 0x8080808080808080ull) != 0) break;
            bytes = bytes.subspan(sizeof(eight));
        }
        if (bytes.empty()) break;
        auto size = utf8_sequence_size(bytes);
        if (size == 0) return false;
        bytes = bytes.subspan(size);
    }
    return true;
}

}  // namespace kq
