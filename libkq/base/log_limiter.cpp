// SPDX-License-Identifier: Apache-2.0
#include "base/log_limiter.hpp"

namespace kq {

bool LogLimiter::allows(std::string_view source, MonoTime now) {
    std::lock_guard lock(mutex_);
    if (auto known = quiet_until_.find(source); known != quiet_until_.end()) {
        if (now < known->second) return false;
        known->second = now + limits_.period;
        return true;
    }
    if (quiet_until_.size() >= limits_.sources_max) {
        std::erase_if(quiet_until_, [&](const auto& other) { return other.second <= now; });
        if (quiet_until_.size() >= limits_.sources_max) return false;
    }
    quiet_until_.emplace(source, now + limits_.period);
    return true;
}

}  // namespace kq
