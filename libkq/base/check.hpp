// SPDX-License-Identifier: Apache-2.0
//
// KQ_CHECK: states what only a bug of ours can break. On in release builds too; a broken check
// prints what, where and why to standard error and aborts the process.
//
// Bytes from outside are never checked this way: they are validated and become an Error.
#pragma once

namespace kq {

[[noreturn]] void check_failed(const char* expression, const char* file, int line,
                               const char* message = nullptr) noexcept;

}  // namespace kq

#define KQ_CHECK(expression) \
    (static_cast<bool>(expression) ? void(0) : ::kq::check_failed(#expression, __FILE__, __LINE__))

#define KQ_CHECK_MSG(expression, message) \
    (static_cast<bool>(expression)        \
         ? void(0)                        \
         : ::kq::check_failed(#expression, __FILE__, __LINE__, (message)))

#define KQ_UNREACHABLE(message) ::kq::check_failed("unreachable", __FILE__, __LINE__, (message))
