// SPDX-License-Identifier: Apache-2.0
#include "protocol/codec.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "protocol/utf8.hpp"
#include "protocol/walkers.hpp"

namespace kq::wire {
bool operator==(const Records& a, const Records& b) {
    if (a.chain_ != nullptr || b.chain_ != nullptr) return a.chain_ == b.chain_;
    return a.null_ == b.null_ && std::ranges::equal(a.view_, b.view_);
}

MutableBytes mutable_part(MutableBytes frame, ByteView part) {
    if (part.empty()) return {};
    KQ_CHECK(part.data() >= frame.data());
    auto position = static_cast<std::size_t>(part.data() - frame.data());
    KQ_CHECK(position <= frame.size() && part.size() <= frame.size() - position);
    return frame.subspan(position, part.size());
}

Error unsupported_version_error(std::string_view name, int version) {
    return {Errc::unsupported_version,
            std::string(name) + " has no version " + std::to_string(version)};
}

Error inexpressible_error(std::string_view name, int version, const char* field) {
    return {Errc::unsupported_version, std::string(name) + " version " + std::to_string(version) +
                                           " cannot carry field " + field};
}

Chain weave(Bytes memory, const std::vector<MemorySink::Hole>& holes) {
    Chain out;
    auto whole = SharedBytes::of(std::move(memory));
    std::size_t at = 0;
    for (const auto& hole : holes) {
        out.add(whole.slice(at, hole.position - at));
        out.add(Chain(*hole.chain));
        at = hole.position;
    }
    out.add(whole.slice(at, whole.size() - at));
    return out;
}

void append_json_text(std::string& out, std::string_view text) {
    static constexpr char digits[] = "0123456789abcdef";
    out += '"';
    while (!text.empty()) {
        auto length = utf8_length(text);
        auto c = static_cast<unsigned char>(text[0]);
        if (length == 0) {
            out += "\xef\xbf\xbd";
            length = 1;
        } else if (c == '"' || c == '\\') {
            out += '\\';
            out += static_cast<char>(c);
        } else if (c < 0x20 || c == 0x7f) {
            out += "\\u00";
            out += digits[c >> 4];
            out += digits[c & 15];
        } else {
            out += text.substr(0, length);
        }
        text.remove_prefix(length);
    }
    out += '"';
}

void append_json_number(std::string& out, std::int64_t number) {
    out += std::to_string(number);
}

void append_json_number(std::string& out, double number) {
    if (!std::isfinite(number)) {
        out += std::isnan(number) ? "\"NaN\"" : number > 0 ? "\"Infinity\"" : "\"-Infinity\"";
        return;
    }
    char digits[32];
    auto end = std::to_chars(digits, digits + sizeof digits, number);
    out.append(digits, end.ptr);
}

void append_base64(std::string& out, ByteView bytes) {
    static constexpr char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    out.reserve(out.size() + (bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        auto count = std::min<std::size_t>(3, bytes.size() - i);
        std::uint32_t group = static_cast<std::uint32_t>(bytes[i]) << 16;
        if (count > 1) group |= static_cast<std::uint32_t>(bytes[i + 1]) << 8;
        if (count > 2) group |= bytes[i + 2];
        out += alphabet[group >> 18];
        out += alphabet[(group >> 12) & 63];
        out += count > 1 ? alphabet[(group >> 6) & 63] : '=';
        out += count > 2 ? alphabet[group & 63] : '=';
    }
}

}  // namespace kq::wire
