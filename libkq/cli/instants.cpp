// SPDX-License-Identifier: Apache-2.0
#include "cli/instants.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "base/config_value.hpp"
#include "cli/encodings.hpp"
#include "cli/text.hpp"

namespace kq {
namespace {

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

// HH:MM, HH:MM:SS, HH:MM:SS.fff….
bool take_clock(std::string_view& text, CalendarTime& into) {
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
            int scale = 100;
            into.ms = 0;
            if (text.empty() || text.front() < '0' || text.front() > '9') return false;
            while (auto digit = take_number(text, 1)) {
                into.ms += *digit * scale;
                scale /= 10;
            }
        }
    }
    if (*hour > 23 || *minute > 59 || second > 60) return false;
    into.fields.tm_hour = *hour;
    into.fields.tm_min = *minute;
    into.fields.tm_sec = second;
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
    CalendarTime time;
    if (!take_date(text, time.fields)) return std::nullopt;
    if (text.empty()) return wall_time(time, zone);
    if (!take_char(text, "Tt ") || !take_clock(text, time)) return std::nullopt;
    std::optional<int> minutes_east;
    if (!take_zone(text, minutes_east)) return std::nullopt;
    if (!minutes_east) return wall_time(time, zone);
    return wall_time(time, Zone::utc) - std::chrono::minutes(*minutes_east);
}

std::optional<WallTime> parse_by_pattern(const std::string& text, const std::string& pattern,
                                         Zone zone) {
    CalendarTime time;
    time.fields.tm_year = 70;
    time.fields.tm_mday = 1;
    const char* end = ::strptime(text.c_str(), pattern.c_str(), &time.fields);
    if (end == nullptr || *end != '\0') return std::nullopt;
    return wall_time(time, zone);
}

Result<WallTime> parse_when(std::string_view text, WallTime now, Zone zone) {
    const Error refusal{Errc::usage,
                        in_quotes(text) +
                            " is no time; write 2026-03-01T14:30:00Z, 2026-03-01, 14:30, "
                            "a 10- or 13-digit epoch, now, today, or -90m"};
    if (text == "now") return now;
    CalendarTime today = calendar_time(now, zone);
    today.fields.tm_hour = today.fields.tm_min = today.fields.tm_sec = today.ms = 0;
    if (text == "today") return wall_time(today, zone);
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
    if (take_clock(text, today) && text.empty()) return wall_time(today, zone);
    return refusal;
}

void append_rfc3339(Bytes& out, WallTime time, Zone zone) {
    const auto [fields, ms] = calendar_time(time, zone);
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
    const std::tm fields = calendar_time(time, zone).fields;
    std::array<char, 1024> text{};
    auto size = std::strftime(text.data(), text.size(), pattern.c_str(), &fields);
    append(out, as_bytes({text.data(), size}));
}

}  // namespace kq
