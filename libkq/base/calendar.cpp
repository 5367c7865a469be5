// SPDX-License-Identifier: Apache-2.0
#include "base/calendar.hpp"

namespace kq {

CalendarTime calendar_time(WallTime time, Zone zone) {
    auto ms = to_ms(time);
    auto seconds = static_cast<std::time_t>(ms / 1000);
    CalendarTime result;
    result.ms = static_cast<int>(ms % 1000);
    if (result.ms < 0) {
        result.ms += 1000;
        --seconds;
    }
    if (zone == Zone::utc) {
        ::gmtime_r(&seconds, &result.fields);
    } else {
        ::localtime_r(&seconds, &result.fields);
    }
    return result;
}

WallTime wall_time(const CalendarTime& time, Zone zone) {
    std::tm fields = time.fields;
    fields.tm_isdst = -1;  // the zone knows
    auto seconds = zone == Zone::utc ? ::timegm(&fields) : std::mktime(&fields);
    return wall_time(static_cast<std::int64_t>(seconds) * 1000 + time.ms);
}

}  // namespace kq
