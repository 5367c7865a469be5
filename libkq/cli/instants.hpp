// SPDX-License-Identifier: Apache-2.0
//
// Points in time as people write and read them: WHEN, RFC 3339, strftime patterns. In the local
// zone unless the text names one or UTC is wanted.
//
// errors   usage  the text is no WHEN
// source   RFC 3339; kq-formats(7), "Values"
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/calendar.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace kq {

// WHEN: RFC 3339, 2026-03-01, 2026-03-01T14:30, 14:30 (today), 10 digits (seconds) or 13 digits
// (milliseconds) since 1970, now, today, or a signed TIME from now: -90m.
Result<WallTime> parse_when(std::string_view text, WallTime now, Zone zone);

// A date, or a date and time, with or without a zone.
std::optional<WallTime> parse_rfc3339(std::string_view text, Zone zone);
// By a strftime pattern; what the pattern does not name is that of 1970-01-01 00:00.
std::optional<WallTime> parse_by_pattern(const std::string& text, const std::string& pattern,
                                         Zone zone);

// 2026-03-01T14:30:00.000+01:00, or …Z. Years of more than four digits are written as they are.
void append_rfc3339(Bytes& out, WallTime time, Zone zone);
void append_by_pattern(Bytes& out, WallTime time, const std::string& pattern, Zone zone);

}  // namespace kq
