// SPDX-License-Identifier: Apache-2.0
//
// ExchangeNotes: a line on standard error for each request of a client and what it took (-v), and
// how their frames begin (-vv).
#pragma once

#include "cli/console.hpp"
#include "client/exchange.hpp"

namespace kq {

class ExchangeNotes final : public ExchangeObserver {
public:
    ExchangeNotes(Console& console, bool with_bytes) : console_(console), with_bytes_(with_bytes) {}

    void on_exchange(const Exchange& exchange) override;
    std::uint64_t requests() const { return requests_; }

private:
    Console& console_;
    const bool with_bytes_;
    std::uint64_t requests_ = 0;
};

// "Metadata v13 to 127.0.0.1:9092, number 2: 41 bytes, answered with 230 in 0.42 ms"
std::string line_of(const Exchange& exchange);
// Sixteen bytes a line, each line after `indent`: the first 256, and how many follow.
std::string hex_lines(ByteView bytes, std::uint64_t total, std::string_view indent);
// "0.42 ms", "12.3 ms", "1.50 s"
std::string exact_duration(std::chrono::nanoseconds time);

}  // namespace kq
