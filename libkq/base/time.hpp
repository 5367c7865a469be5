// SPDX-License-Identifier: Apache-2.0
//
// Two clocks that cannot be confused: MonoTime never jumps and drives every deadline; WallTime is
// what people read and what records carry, and may jump at any moment (RELIABILITY I36).
//
// units    MonoTime nanoseconds since some start; WallTime milliseconds since 1970, UTC;
//          a record without a timestamp has WallTime{-1ms}
#pragma once

#include <chrono>
#include <cstdint>

namespace kq {

struct MonoClockTag {
    using rep = std::int64_t;
    using period = std::nano;
    using duration = std::chrono::nanoseconds;
};
struct WallClockTag {
    using rep = std::int64_t;
    using period = std::milli;
    using duration = std::chrono::milliseconds;
};
using MonoTime = std::chrono::time_point<MonoClockTag, std::chrono::nanoseconds>;
using WallTime = std::chrono::time_point<WallClockTag, std::chrono::milliseconds>;
using Millis = std::chrono::milliseconds;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""us;

inline constexpr WallTime no_timestamp{Millis{-1}};

inline constexpr std::int64_t to_ms(WallTime t) {
    return t.time_since_epoch().count();
}
inline constexpr WallTime wall_time(std::int64_t ms) {
    return WallTime{Millis{ms}};
}

// The seam: nothing else in kq asks for the time.
class Clock {
public:
    virtual ~Clock() = default;
    virtual MonoTime mono() const = 0;
    virtual WallTime wall() const = 0;
};

}  // namespace kq
