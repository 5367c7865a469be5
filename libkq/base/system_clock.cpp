// SPDX-License-Identifier: Apache-2.0
#include "base/system_clock.hpp"

#include <time.h>

namespace kq {

MonoTime SystemClock::mono() const {
    timespec t{};
    ::clock_gettime(CLOCK_MONOTONIC, &t);
    return MonoTime{std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec)};
}

WallTime SystemClock::wall() const {
    timespec t{};
    ::clock_gettime(CLOCK_REALTIME, &t);
    return WallTime{std::chrono::seconds(t.tv_sec) + Millis(t.tv_nsec / 1'000'000)};
}

}  // namespace kq
