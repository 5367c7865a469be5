// SPDX-License-Identifier: Apache-2.0
//
// Logger: an event and its fields on one line. A value that is handed down, never a global; it
// borrows the LogSink that main() made. A default Logger says nothing.
//
// shape    log.info("segment rolled", {kv("topic", name), kv("base", base)});
//          error: a person must act. warn: kq helped itself. info: a state changed. debug: the
//          rest. Never once per record
// owner    any thread may log; one line is one write
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace kq {

enum class LogLevel { error, warn, info, debug };
std::string_view name_of(LogLevel level);
Result<LogLevel> parse_log_level(std::string_view text);

struct LogField {
    std::string_view key;  // a literal
    std::string value;
    bool is_text = true;  // numbers and booleans stand without quotes in JSON
};

inline LogField kv(std::string_view key, std::string value) {
    return {key, std::move(value), true};
}
inline LogField kv(std::string_view key, std::string_view value) {
    return {key, std::string(value), true};
}
inline LogField kv(std::string_view key, const char* value) {
    return {key, std::string(value), true};
}
inline LogField kv(std::string_view key, bool value) {
    return {key, value ? "true" : "false", false};
}
template <std::integral T>
requires(!std::same_as<T, bool> && !std::same_as<T, char>) LogField
    kv(std::string_view key, T value) {
    return {key, std::to_string(value), false};
}
LogField kv(std::string_view key, double value);
template <class Tag, class Integer>
LogField kv(std::string_view key, StrongInt<Tag, Integer> value) {
    return {key, std::to_string(value.value), false};
}
inline LogField kv(std::string_view key, const Uuid& value) {
    return {key, value.text(), true};
}
inline LogField kv(std::string_view key, Errc value) {
    return {key, std::string(name_of(value)), true};
}
inline LogField kv(std::string_view key, const Error& value) {
    return {key, value.text(), true};
}
// "12ms", "1.5s": for people; fields that programs read carry their unit in the key.
LogField kv(std::string_view key, std::chrono::nanoseconds value);

class LogSink {
public:
    virtual ~LogSink() = default;
    virtual void write(LogLevel level, std::string_view event,
                       std::span<const LogField> fields) = 0;

    LogLevel level() const { return level_.load(std::memory_order_relaxed); }
    void set_level(LogLevel level) { level_.store(level, std::memory_order_relaxed); }

private:
    std::atomic<LogLevel> level_{LogLevel::info};
};

enum class LogFormat { text, json };

// One line without its newline: "2026-03-01T14:30:00.123Z info segment rolled topic=orders base=7",
// or a JSON object with ts, level, event and the fields. Control characters are escaped.
std::string format_log_line(LogFormat format, WallTime now, LogLevel level, std::string_view event,
                            std::span<const LogField> fields);

// Writes lines to a descriptor (2 is standard error).
class DescriptorLogSink final : public LogSink {
public:
    DescriptorLogSink(const Clock& clock, LogFormat format, int descriptor = 2);
    void write(LogLevel level, std::string_view event, std::span<const LogField> fields) override;

private:
    const Clock& clock_;
    LogFormat format_;
    int descriptor_;
};

// Keeps the lines, for tests.
class MemoryLogSink final : public LogSink {
public:
    void write(LogLevel level, std::string_view event, std::span<const LogField> fields) override;
    std::vector<std::string> lines() const;
    // Whether a kept line contains `text`.
    bool contains(std::string_view text) const;

private:
    mutable std::mutex mutex_;
    std::vector<std::string> lines_;
};

class Logger {
public:
    Logger() = default;
    explicit Logger(LogSink& sink) : sink_(&sink) {}

    // The same logger with fields that stand in every line.
    Logger with(std::initializer_list<LogField> fields) const;

    using Fields = std::initializer_list<LogField>;
    void error(std::string_view event, Fields fields = {}) const {
        write(LogLevel::error, event, fields);
    }
    void warn(std::string_view event, Fields fields = {}) const {
        write(LogLevel::warn, event, fields);
    }
    void info(std::string_view event, Fields fields = {}) const {
        write(LogLevel::info, event, fields);
    }
    void debug(std::string_view event, Fields fields = {}) const {
        write(LogLevel::debug, event, fields);
    }
    // For a caller that would compute costly fields in vain.
    bool is_on(LogLevel level) const { return sink_ != nullptr && level <= sink_->level(); }

private:
    void write(LogLevel level, std::string_view event, Fields fields) const;

    LogSink* sink_ = nullptr;
    std::vector<LogField> context_;
};

}  // namespace kq
