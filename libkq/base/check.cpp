// SPDX-License-Identifier: Apache-2.0
#include "base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace kq {

void check_failed(const char* expression, const char* file, int line,
                  const char* message) noexcept {
    std::fprintf(stderr, "kq: check failed: %s at %s:%d%s%s\n", expression, file, line,
                 message != nullptr ? ": " : "", message != nullptr ? message : "");
    std::fflush(stderr);
    std::abort();
}

}  // namespace kq
