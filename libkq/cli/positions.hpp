// SPDX-License-Identifier: Apache-2.0
//
// POS and ranges of the command line: where to start reading a partition, and where to stop.
//
// shape    POS: start, end, N, +N (after the start), -N (before the end), @WHEN.
//          Range: POS, or FROM..TO with TO exclusive and either side empty; or P=RANGE,P=RANGE for
//          single partitions
// errors   usage  the text is none of these
// source   kq-formats(7), "Values"
#pragma once

#include <map>
#include <optional>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"
#include "cli/instants.hpp"
#include "client/consumer_types.hpp"

namespace kq {

struct PositionRange {
    std::optional<Position> from;
    std::optional<Position> to;
};

struct PositionRanges {
    PositionRange all;                                   // of the partitions not named
    std::map<std::int32_t, PositionRange> by_partition;  // not empty: only these are read
};

Result<Position> parse_position(std::string_view text, WallTime now, Zone zone);
Result<PositionRanges> parse_ranges(std::string_view text, WallTime now, Zone zone);

// RATE: 1000/s, 50MiB/s.
struct Rate {
    double per_second = 0;
    bool of_bytes = false;
};
Result<Rate> parse_rate(std::string_view text);

}  // namespace kq
