// SPDX-License-Identifier: Apache-2.0
//
// Points in time as dates and hours, and back; in UTC or in the zone of this process (TZ).
#pragma once

#include <cstdint>
#include <ctime>

#include "base/time.hpp"

namespace kq {

enum class Zone : std::uint8_t { local, utc };

struct CalendarTime {
    std::tm fields{};
    int ms = 0;  // 0 to 999, before 1970 too
};

CalendarTime calendar_time(WallTime time, Zone zone);
// Fields past their range are carried over, as mktime() does.
WallTime wall_time(const CalendarTime& time, Zone zone);

}  // namespace kq
