// SPDX-License-Identifier: Apache-2.0
//
// Backoff: how long to wait before the next attempt: doubling from a first pause up to a longest
// one, each drawn from 20 % around it, so that clients that failed together do not return together.
#pragma once

#include <algorithm>

#include "base/random.hpp"
#include "base/time.hpp"

namespace kq {

class Backoff {
public:
    Backoff(Millis first, Millis longest) : first_(first), longest_(longest) {}

    // The pause after one more failure.
    std::chrono::nanoseconds next(Random& random) {
        auto pause = first_ * (std::int64_t{1} << std::min(failures_, 20));
        failures_ += 1;
        auto capped = std::chrono::nanoseconds(std::min(pause, std::max(longest_, first_)));
        auto spread = capped.count() * 2 / 5;
        if (spread <= 0) return capped;
        auto drawn = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(spread)));
        return std::chrono::nanoseconds(capped.count() - spread / 2 + drawn);
    }
    void reset() { failures_ = 0; }
    int failures() const { return failures_; }

private:
    Millis first_;
    Millis longest_;
    int failures_ = 0;
};

}  // namespace kq
