// SPDX-License-Identifier: Apache-2.0
//
// SystemClock: the clocks of the operating system (CLOCK_MONOTONIC and CLOCK_REALTIME).
#pragma once

#include "base/time.hpp"

namespace kq {

class SystemClock final : public Clock {
public:
    MonoTime mono() const override;
    WallTime wall() const override;
};

}  // namespace kq
