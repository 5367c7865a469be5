// SPDX-License-Identifier: Apache-2.0
//
// Result<T>: a value, or the Error that kept us from having one. Status is a Result of nothing.
//
// errors   Errc >= -1 are Kafka's codes; <= -1000 are faults of this process and never reach the
//          wire (wire_code maps them). The list with its sentences is base/errors.def.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/check.hpp"

namespace kq {

enum class Errc : std::int16_t {
#define KQ_ERROR(name, number, wire_name, retriable, sentence) name = number,
#include "base/errors.def"
#undef KQ_ERROR
};

// "UNKNOWN_TOPIC_OR_PARTITION", "KQ_IO_ERROR": what programs print in brackets. Codes that are not
// in the list (from a newer broker) read as UNKNOWN_SERVER_ERROR.
std::string_view name_of(Errc code);
std::string_view sentence_of(Errc code);
bool is_retriable(Errc code);
// The disk is full, or there are too many open files: what was asked for was not done, nothing is
// broken, and it may be done once there is room.
bool is_shortage(Errc code);
// The code that a peer gets to see for `code`.
std::int16_t wire_code(Errc code);
// The code that a peer's number means to us.
Errc errc_from_wire(std::int16_t number);

struct Error {
    Errc code;
    std::string message;  // what failed and why, lower case, without the code's name

    Error(Errc code_in, std::string message_in = {})
        : code(code_in), message(std::move(message_in)) {}
    // "<message> [NAME]", or the code's sentence where there is no message.
    std::string text() const;
};

struct Unit {};

template <class T>
class [[nodiscard]] Result {
public:
    Result(T value) : held_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : held_(std::in_place_index<1>, std::move(error)) {}

    bool ok() const { return held_.index() == 0; }
    T& value() & {
        check_ok();
        return *std::get_if<0>(&held_);
    }
    const T& value() const& {
        check_ok();
        return *std::get_if<0>(&held_);
    }
    T&& value() && {
        check_ok();
        return std::move(*std::get_if<0>(&held_));
    }
    const Error& error() const& {
        KQ_CHECK(!ok());
        return *std::get_if<1>(&held_);
    }
    Error&& error() && {
        KQ_CHECK(!ok());
        return std::move(*std::get_if<1>(&held_));
    }
    Errc code() const { return ok() ? Errc::none : std::get_if<1>(&held_)->code; }

private:
    void check_ok() const {
        if (!ok()) KQ_CHECK_MSG(false, std::get_if<1>(&held_)->message.c_str());
    }
    std::variant<T, Error> held_;
};

using Status = Result<Unit>;
inline Status done() {
    return Unit{};
}

}  // namespace kq

#define KQ_CONCAT_2(a, b) a##b
#define KQ_CONCAT(a, b) KQ_CONCAT_2(a, b)

// KQ_TRY(f()); passes an error up.
#define KQ_TRY(expression)                                                             \
    do {                                                                               \
        auto kq_try_result = (expression);                                             \
        if (!kq_try_result.ok()) return ::kq::Error(std::move(kq_try_result).error()); \
    } while (false)

// KQ_LET(auto x, f()); binds the value, or passes the error up.
#define KQ_LET(declaration, expression) \
    KQ_LET_2(declaration, expression, KQ_CONCAT(kq_let_result_, __COUNTER__))
#define KQ_LET_2(declaration, expression, result)                    \
    auto result = (expression);                                      \
    if (!result.ok()) return ::kq::Error(std::move(result).error()); \
    declaration = std::move(result).value()
