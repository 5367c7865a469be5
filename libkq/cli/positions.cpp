// SPDX-License-Identifier: Apache-2.0
#include "cli/positions.hpp"

#include <algorithm>
#include <string>

#include "base/config_value.hpp"
#include "cli/encodings.hpp"
#include "cli/text.hpp"

namespace kq {
namespace {

Error no_position(std::string_view text) {
    return Error{Errc::usage,
                 in_quotes(text) + " is no position; write start, end, 42, +10, -10 or @WHEN"};
}

Result<PositionRange> parse_range(std::string_view text, WallTime now, Zone zone) {
    PositionRange range;
    auto dots = text.find("..");
    auto from = text.substr(0, dots);
    if (!from.empty()) {
        KQ_LET(range.from, parse_position(from, now, zone));
    } else if (dots == std::string_view::npos) {
        return no_position(text);
    }
    if (dots == std::string_view::npos) return range;
    auto to = text.substr(dots + 2);
    if (!to.empty()) {
        KQ_LET(range.to, parse_position(to, now, zone));
    }
    if (range.from && range.to && range.from->kind == range.to->kind &&
        range.to->value < range.from->value) {
        return Error{Errc::usage, in_quotes(text) + " ends before it begins"};
    }
    return range;
}

}  // namespace

Result<Position> parse_position(std::string_view text, WallTime now, Zone zone) {
    if (text == "start") return Position::from_start();
    if (text == "end") return Position::from_end();
    if (text == "stored") {
        return Error{Errc::unsupported,
                     "'stored' is the position of a group; groups are not built"};
    }
    if (text.starts_with('@')) {
        KQ_LET(auto when, parse_when(text.substr(1), now, zone));
        return Position::at_time(when);
    }
    const bool plus = text.starts_with('+');
    auto number = decimal(as_bytes(plus ? text.substr(1) : text));
    if (!number || (plus && *number < 0)) return no_position(text);
    if (plus) return Position::from_start(*number);
    if (text.starts_with('-')) return Position::from_end(*number);
    return Position::at(Offset{*number});
}

Result<PositionRanges> parse_ranges(std::string_view text, WallTime now, Zone zone) {
    PositionRanges ranges;
    if (text.find('=') == std::string_view::npos) {
        KQ_LET(ranges.all, parse_range(text, now, zone));
        return ranges;
    }
    while (!text.empty()) {
        auto one = text.substr(0, text.find(','));
        text.remove_prefix(std::min(text.size(), one.size() + 1));
        auto equals = one.find('=');
        auto partition = decimal(as_bytes(one.substr(0, equals)));
        if (equals == std::string_view::npos || !partition || *partition < 0 ||
            *partition > std::numeric_limits<std::int32_t>::max()) {
            return Error{Errc::usage, in_quotes(one) + " is no PARTITION=POSITION"};
        }
        KQ_LET(auto range, parse_range(one.substr(equals + 1), now, zone));
        if (!ranges.by_partition.emplace(static_cast<std::int32_t>(*partition), range).second) {
            return Error{Errc::usage,
                         "partition " + std::to_string(*partition) + " has two positions"};
        }
    }
    return ranges;
}

Result<Rate> parse_rate(std::string_view text) {
    const Error refusal{Errc::usage, in_quotes(text) + " is no rate; write 1000/s or 50MiB/s"};
    if (!text.ends_with("/s")) return refusal;
    auto amount = text.substr(0, text.size() - 2);
    auto parsed = parse_size(amount);
    if (!parsed.ok() || parsed.value() <= 0) return refusal;
    const bool plain = amount.find_first_not_of("0123456789.") == std::string_view::npos;
    return Rate{static_cast<double>(parsed.value()), !plain};
}

}  // namespace kq
