// SPDX-License-Identifier: Apache-2.0
#include "base/ids.hpp"

namespace kq {
namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

}  // namespace

std::string Uuid::text() const {
    std::string out;
    out.reserve(22);
    for (std::size_t i = 0; i < 16; i += 3) {
        std::uint32_t group = static_cast<std::uint32_t>(bytes[i]) << 16;
        if (i + 1 < 16) group |= static_cast<std::uint32_t>(bytes[i + 1]) << 8;
        if (i + 2 < 16) group |= bytes[i + 2];
        out.push_back(alphabet[group >> 18]);
        out.push_back(alphabet[(group >> 12) & 63]);
        if (i + 1 < 16) out.push_back(alphabet[(group >> 6) & 63]);
        if (i + 2 < 16) out.push_back(alphabet[group & 63]);
    }
    return out;
}

Result<Uuid> Uuid::parse(std::string_view text) {
    if (text.size() != 22) {
        return Error{Errc::malformed, "'" + std::string(text) + "' is not an id of 22 characters"};
    }
    Uuid id;
    std::uint32_t bits = 0;
    int bit_count = 0;
    std::size_t at = 0;
    for (char c : text) {
        auto digit = alphabet.find(c);
        if (digit == std::string_view::npos) {
            return Error{Errc::malformed, "'" + std::string(text) + "' is not URL-safe base64"};
        }
        bits = bits << 6 | static_cast<std::uint32_t>(digit);
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            id.bytes[at++] = static_cast<std::uint8_t>(bits >> bit_count);
            bits &= (1u << bit_count) - 1;
        }
    }
    if (bits != 0) {
        return Error{Errc::malformed, "'" + std::string(text) + "' ends in stray bits"};
    }
    return id;
}

}  // namespace kq
