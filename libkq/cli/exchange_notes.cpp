// SPDX-License-Identifier: Apache-2.0
#include "cli/exchange_notes.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "cli/text.hpp"

namespace kq {
namespace {

constexpr std::size_t shown_bytes_max = 256;
constexpr std::size_t bytes_per_line = 16;

// How a chain begins; what lies in a file is passed over, which no request of a client does.
Bytes beginning_of(const Chain& chain) {
    Bytes out;
    for (const auto& piece : chain.pieces()) {
        const auto* bytes = std::get_if<SharedBytes>(&piece);
        if (bytes == nullptr || out.size() == shown_bytes_max) break;
        append(out, bytes->view().first(std::min(bytes->size(), shown_bytes_max - out.size())));
    }
    return out;
}

}  // namespace

std::string exact_duration(std::chrono::nanoseconds time) {
    const double ms = std::chrono::duration<double, std::milli>(time).count();
    std::array<char, 32> text{};
    if (ms < 1000) {
        std::snprintf(text.data(), text.size(), ms < 10 ? "%.2f ms" : "%.1f ms", ms);
    } else {
        std::snprintf(text.data(), text.size(), "%.2f s", ms / 1000);
    }
    return text.data();
}

std::string hex_lines(ByteView bytes, std::uint64_t total, std::string_view indent) {
    constexpr std::string_view digits = "0123456789abcdef";
    const ByteView shown = bytes.first(std::min(bytes.size(), shown_bytes_max));
    std::string out;
    for (std::size_t i = 0; i < shown.size(); ++i) {
        if (i % bytes_per_line == 0) {
            out += (i == 0 ? "" : "\n") + std::string(indent);
        } else {
            out += ' ';
        }
        const auto byte = static_cast<unsigned>(shown[i]);
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
    if (shown.size() < total) {
        out += '\n' + std::string(indent) + "and " +
               counted(static_cast<std::int64_t>(total - shown.size()), "byte") + " more";
    }
    return out;
}

std::string line_of(const Exchange& exchange) {
    std::string line = std::string(exchange.api) + " v" + std::to_string(exchange.version) +
                       " to " + exchange.broker.text() + ", number " +
                       std::to_string(exchange.correlation_id) + ": " +
                       counted(static_cast<std::int64_t>(exchange.request.size_bytes()), "byte");
    if (exchange.answer) {
        return line + ", answered with " + std::to_string(exchange.answer->size()) + " in " +
               exact_duration(exchange.took);
    }
    if (exchange.status.ok()) return line + ", no answer is owed";
    return line + ", no answer in " + exact_duration(exchange.took) + ": " +
           exchange.status.error().text();
}

void ExchangeNotes::on_exchange(const Exchange& exchange) {
    ++requests_;
    console_.note("# " + line_of(exchange));
    if (!with_bytes_) return;
    console_.note(
        hex_lines(beginning_of(exchange.request), exchange.request.size_bytes(), "#   > "));
    if (exchange.answer) {
        console_.note(hex_lines(*exchange.answer, exchange.answer->size(), "#   < "));
    }
}

}  // namespace kq
