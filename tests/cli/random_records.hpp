// SPDX-License-Identifier: Apache-2.0
//
// Records with everything that a pipe may get wrong: nulls, emptiness, NUL, line breaks, bytes that
// are no UTF-8, headers that repeat.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "cli/piped_record.hpp"

namespace kq {

class RandomRecords {
public:
    explicit RandomRecords(std::uint64_t seed) : random_(seed) {}

    // Good as long as this object.
    PipedRecord next() {
        PipedRecord record;
        record.topic = keep(random_.chance(0.5) ? "orders" : "a.b_c-1");
        record.partition = random_.chance(0.1) ? -1 : static_cast<std::int32_t>(random_.below(100));
        record.epoch = static_cast<std::int32_t>(random_.below(5)) - 1;
        record.offset = random_.chance(0.1) ? -1 : static_cast<std::int64_t>(random_.u64() >> 1);
        record.timestamp =
            random_.chance(0.1) ? -1 : static_cast<std::int64_t>(random_.below(4'000'000'000'000));
        record.key = maybe_bytes();
        record.value = maybe_bytes();
        auto& headers = headers_.emplace_back();
        for (auto left = random_.chance(0.5) ? 0 : random_.below(4); left > 0; --left) {
            headers.push_back({keep(text()), maybe_bytes()});
        }
        record.headers = headers;
        return record;
    }

    Random& random() { return random_; }

private:
    std::string_view keep(std::string bytes) { return kept_.emplace_back(std::move(bytes)); }
    std::optional<ByteView> maybe_bytes() {
        if (random_.chance(0.15)) return std::nullopt;
        return as_bytes(keep(text()));
    }
    std::string text() {
        static const std::vector<std::string> pieces = {
            "",     "a",        "plain words", "\n",           "\t",   std::string(1, '\0'),
            "\"",   "\\",       "\\u0041",     "\xc3\xbc",     "\xff", "\xf0\x9f\x98\x80",
            "\xc3", "\xed\xa0", "\r\n",        "{\"k\":null}", "\x7f", std::string(3000, 'x')};
        std::string out;
        for (auto left = random_.below(5); left > 0; --left) {
            out += pieces[random_.below(pieces.size())];
        }
        return out;
    }

    SeededRandom random_;
    std::deque<std::string> kept_;
    std::deque<std::vector<HeaderView>> headers_;
};

// All that a record holds, in words, so that two can be compared and a difference read.
inline std::string shown(const std::optional<ByteView>& bytes) {
    return bytes ? "'" + to_hex(*bytes) + "'" : "null";
}
inline std::string shown(const PipedRecord& record) {
    std::string out = std::string(record.topic) + ' ' + std::to_string(record.partition) + ' ' +
                      std::to_string(record.offset) + ' ' + std::to_string(record.timestamp) +
                      " key " + shown(record.key) + " value " + shown(record.value);
    for (const HeaderView& header : record.headers) {
        out += " header " + shown(std::optional(as_bytes(header.key))) + '=' + shown(header.value);
    }
    return out;
}

}  // namespace kq
