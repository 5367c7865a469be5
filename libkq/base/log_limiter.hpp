// SPDX-License-Identifier: Apache-2.0
//
// LogLimiter: lets one line in a while through for each source of trouble, so that nobody can fill
// the log from outside.
//
// shape    remembers at most sources_max sources; while it knows so many, new ones are not told
// owner    any thread
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace kq {

struct LogLimits {
    Millis period{60'000};
    std::size_t sources_max = 1024;
};

class LogLimiter {
public:
    explicit LogLimiter(LogLimits limits = {}) : limits_(limits) {}
    LogLimiter(const LogLimiter&) = delete;
    LogLimiter& operator=(const LogLimiter&) = delete;

    // Whether a line about `source` may be written now; the next one may a period later.
    bool allows(std::string_view source, MonoTime now);

private:
    const LogLimits limits_;
    std::mutex mutex_;
    std::map<std::string, MonoTime, std::less<>> quiet_until_;
};

}  // namespace kq
