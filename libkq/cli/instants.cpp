// SPDX-License-Identifier: Apache-2.0
#include "cli/instants.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "base/config_value.hpp"
#include "cli/encodings.hpp"
#include "cli/text.hpp"

namespace kq {
namespace {

// Seconds and the milliseconds within them, for times before 1970 too.
std::pair<std::time_t, int> split(WallTime time) {
    auto ms = to_ms(time);
    auto seconds = ms / 1000;
    auto rest = static_cast<int>(ms % 1000);
    if (rest < 0) {
        rest += 1000;
        --seconds;
    }
    return {static_cast<std::time_t>(seconds), rest};
}

std::tm fields_of(std::time_t seconds, Zone zone) {
    std::tm fields{};
    if (zone == Zone::utc) {
        ::gmtime_r(&seconds, &fields);
    } else {
        ::localtime_r(&seconds, &fields);
    }
    return fields;
}

WallTime time_of(std::tm fields, Zone zone, std::int64_t ms = 0) {
    fields.tm_isdst = -1;
    auto seconds = zone == Zone::utc ? ::timegm(&fields) : std::mktime(&fields);
    return wall_time(static_cast<std::int64_t>(seconds) * 1000 + ms);
}

// Takes exactly `digits` digits off the front.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
    if (text.size() < digits) return std::nullopt;
    int number = 0;
    for (char c : text.substr(0, digits)) {
        if (c < '0' || c > '9') return std::nullopt;
        number = number * 10 + (c - '0');
    }
    text.remove_prefix(digits);
    return number;
}

bool take_char(std::string_view& text, std::string_view any_of) {
    if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
    text.remove_prefix(1);
    return true;
}

bool take_date(std::string_view& text, std::tm& fields) {
    auto year = take_number(text, 4);
    if (!year || !take_char(text, "-")) return false;
    auto month = take_number(text, 2);
    if (!month || !take_char(text, "-")) return false;
    auto day = take_number(text, 2);
    if (!day || *month < 1 || *month > 12 || *day < 1) return false;
    constexpr std::array<int, 12> lengths = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = (*year % 4 == 0 && *year % 100 != 0) || *year % 400 == 0;
    int length = lengths[static_cast<std::size_t>(*month - 1)] + (leap && *month == 2 ? 1 : 0);
    if (*day > length) return false;
    fields.tm_year = *year - 1900;
    fields.tm_mon = *month - 1;
    fields.tm_mday = *day;
    return true;
}

// HH:MM, HH:MM:SS, HH:MM:SS.fff… into fields and milliseconds.
bool take_clock(std::string_view& text, std::tm& fields, std::int64_t& ms) {
    auto hour = take_number(text, 2);
    if (!hour || !take_char(text, ":")) return false;
    auto minute = take_number(text, 2);
    if (!minute) return false;
    int second = 0;
    if (take_char(text, ":")) {
        auto taken = take_number(text, 2);
        if (!taken) return false;
        second = *taken;
        if (take_char(text, ".,")) {
            std::int64_t scale = 100;
            if (text.empty() || text.front() < '0' || text.front() > '9') return false;
            while (auto digit = take_number(text, 1)) {
                ms += *digit * scale;
                scale /= 10;
            }
        }
    }
    if (*hour > 23 || *minute > 59 || second > 60) return false;
    fields.tm_hour = *hour;
    fields.tm_min = *minute;
    fields.tm_sec = second;
    return true;
}

// "Z" or "+HH:MM", in minutes east of Greenwich. False: something else stands there.
bool take_zone(std::string_view& text, std::optional<int>& minutes_east) {
    if (text.empty()) return true;
    if (take_char(text, "Zz")) {
        minutes_east = 0;
        return text.empty();
    }
    const bool west = text.front() == '-';
    if (!take_char(text, "+-")) return false;
    auto hours = take_number(text, 2);
    if (!hours) return false;
    take_char(text, ":");
    auto minutes = take_number(text, 2);
    if (!minutes || *hours > 23 || *minutes > 59) return false;
    minutes_east = (*hours * 60 + *minutes) * (west ? -1 : 1);
    return text.empty();
}

bool all_digits(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::optional<WallTime> parse_rfc3339(std::string_view text, Zone zone) {
    std::tm fields{};
    std::int64_t ms = 0;
    if (!take_date(text, fields)) return std::nullopt;
    if (text.empty()) return time_of(fields, zone);
    if (!take_char(text, "Tt ") || !take_clock(text, fields, ms)) return std::nullopt;
    std::optional<int> minutes_east;
    if (!take_zone(text, minutes_east)) return std::nullopt;
    if (!minutes_east) return time_of(fields, zone, ms);
    return time_of(fields, Zone::utc, ms) - std::chrono::minutes(*minutes_east);
}

std::optional<WallTime> parse_by_pattern(const std::string& text, const std::string& pattern,
                                         Zone zone) {
    std::tm fields{};
    fields.tm_year = 70;
    fields.tm_mday = 1;
    const char* end = ::strptime(text.c_str(), pattern.c_str(), &fields);
    if (end == nullptr || *end != '\0') return std::nullopt;
    return time_of(fields, zone);
}

Result<WallTime> parse_when(std::string_view text, WallTime now, Zone zone) {
    const Error refusal{Errc::usage,
                        in_quotes(text) +
                            " is no time; write 2026-03-01T14:30:00Z, 2026-03-01, 14:30, "
                            "a 10- or 13-digit epoch, now, today, or -90m"};
    if (text == "now") return now;
    std::tm today = fields_of(split(now).first, zone);
    today.tm_hour = today.tm_min = today.tm_sec = 0;
    if (text == "today") return time_of(today, zone);
    if (all_digits(text) && (text.size() == 10 || text.size() == 13)) {
        auto number = *decimal(as_bytes(text));
        return wall_time(text.size() == 10 ? number * 1000 : number);
    }
    if (text.starts_with('-') || text.starts_with('+')) {
        auto span = parse_time(text.substr(1), ConfigUnit::none);
        if (!span.ok() || span.value() < 0 || all_digits(text.substr(1))) return refusal;
        auto distance = std::chrono::duration_cast<Millis>(std::chrono::microseconds(span.value()));
        return text.front() == '-' ? now - distance : now + distance;
    }
    if (auto whole = parse_rfc3339(text, zone)) return *whole;
    std::int64_t ms = 0;
    if (take_clock(text, today, ms) && text.empty()) return time_of(today, zone, ms);
    return refusal;
}

void append_rfc3339(Bytes& out, WallTime time, Zone zone) {
    auto [seconds, ms] = split(time);
    std::tm fields = fields_of(seconds, zone);
    std::array<char, 64> text{};
    int size = std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03d",
                             fields.tm_year + 1900, fields.tm_mon + 1, fields.tm_mday,
                             fields.tm_hour, fields.tm_min, fields.tm_sec, ms);
    append(out, as_bytes({text.data(), static_cast<std::size_t>(size)}));
    if (zone == Zone::utc) {
        out.push_back('Z');
        return;
    }
    auto east = static_cast<int>(fields.tm_gmtoff / 60);
    size = std::snprintf(text.data(), text.size(), "%c%02d:%02d", east < 0 ? '-' : '+',
                         std::abs(east) / 60, std::abs(east) % 60);
    append(out, as_bytes({text.data(), static_cast<std::size_t>(size)}));
}

void append_by_pattern(Bytes& out, WallTime time, const std::string& pattern, Zone zone) {
    std::tm fields = fields_of(split(time).first, zone);
    std::array<char, 1024> text{};
    auto size = std::strftime(text.data(), text.size(), pattern.c_str(), &fields);
    append(out, as_bytes({text.data(), size}));
}

}  // namespace kq
