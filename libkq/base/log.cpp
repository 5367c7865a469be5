// SPDX-License-Identifier: Apache-2.0
#include "base/log.hpp"

#include <cmath>
#include <cstdio>

#include <unistd.h>

namespace kq {
namespace {

void append_escape(std::string& out, unsigned char c, LogFormat format) {
    char text[8];
    std::snprintf(text, sizeof text, format == LogFormat::json ? "\\u%04x" : "\\x%02x", c);
    out += text;
}

// Inside quotes. Bytes above 0x7f are passed on: they are somebody's UTF-8.
void append_escaped(std::string& out, std::string_view text, LogFormat format) {
    for (char c : text) {
        auto u = static_cast<unsigned char>(c);
        switch (c) {
            case '"':
                out += "\\\"";
                break;
            case '\\':
                out += "\\\\";
                break;
            case '\n':
                out += "\\n";
                break;
            case '\r':
                out += "\\r";
                break;
            case '\t':
                out += "\\t";
                break;
            default:
                if (u < 0x20 || u == 0x7f) {
                    append_escape(out, u, format);
                } else {
                    out.push_back(c);
                }
        }
    }
}

void append_quoted(std::string& out, std::string_view text, LogFormat format) {
    out.push_back('"');
    append_escaped(out, text, format);
    out.push_back('"');
}

bool needs_quotes(std::string_view text) {
    if (text.empty()) return true;
    for (char c : text) {
        auto u = static_cast<unsigned char>(c);
        if (u <= 0x20 || u == 0x7f || c == '"' || c == '=' || c == '\\') return true;
    }
    return false;
}

std::string iso_time(WallTime time) {
    auto since = time.time_since_epoch();
    auto days = std::chrono::floor<std::chrono::days>(since);
    std::chrono::year_month_day date{std::chrono::sys_days{days}};
    auto ms = (since - days).count();
    char text[40];
    std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ",
                  static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                  static_cast<unsigned>(date.day()), static_cast<int>(ms / 3'600'000),
                  static_cast<int>(ms / 60'000 % 60), static_cast<int>(ms / 1000 % 60),
                  static_cast<int>(ms % 1000));
    return text;
}

}  // namespace

std::string_view name_of(LogLevel level) {
    switch (level) {
        case LogLevel::error:
            return "error";
        case LogLevel::warn:
            return "warn";
        case LogLevel::info:
            return "info";
        case LogLevel::debug:
            return "debug";
    }
    KQ_UNREACHABLE("log level");
}

Result<LogLevel> parse_log_level(std::string_view text) {
    for (auto level : {LogLevel::error, LogLevel::warn, LogLevel::info, LogLevel::debug}) {
        if (text == name_of(level)) return level;
    }
    return Error{Errc::usage, "'" + std::string(text) +
                                  "' is no log level; there are error, warn, info and debug"};
}

LogField kv(std::string_view key, double value) {
    char text[40];
    std::snprintf(text, sizeof text, "%.6g", value);
    return {key, text, !std::isfinite(value)};
}

LogField kv(std::string_view key, std::chrono::nanoseconds value) {
    char text[40];
    auto ns = static_cast<double>(value.count());
    if (value < std::chrono::milliseconds(1)) {
        std::snprintf(text, sizeof text, "%.0fus", ns / 1e3);
    } else if (value < std::chrono::seconds(1)) {
        std::snprintf(text, sizeof text, "%.3gms", ns / 1e6);
    } else {
        std::snprintf(text, sizeof text, "%.4gs", ns / 1e9);
    }
    return {key, text, true};
}

std::string format_log_line(LogFormat format, WallTime now, LogLevel level, std::string_view event,
                            std::span<const LogField> fields) {
    std::string out;
    if (format == LogFormat::text) {
        out += iso_time(now);
        out.push_back(' ');
        out += name_of(level);
        out.push_back(' ');
        append_escaped(out, event, format);
        for (const auto& field : fields) {
            out.push_back(' ');
            out += field.key;
            out.push_back('=');
            if (field.is_text && needs_quotes(field.value)) {
                append_quoted(out, field.value, format);
            } else {
                out += field.value;
            }
        }
        return out;
    }
    out += "{\"ts\":\"" + iso_time(now) + "\",\"level\":\"";
    out += name_of(level);
    out += "\",\"event\":";
    append_quoted(out, event, format);
    for (const auto& field : fields) {
        out.push_back(',');
        append_quoted(out, field.key, format);
        out.push_back(':');
        if (field.is_text) {
            append_quoted(out, field.value, format);
        } else {
            out += field.value;
        }
    }
    out.push_back('}');
    return out;
}

DescriptorLogSink::DescriptorLogSink(const Clock& clock, LogFormat format, int descriptor)
    : clock_(clock), format_(format), descriptor_(descriptor) {}

void DescriptorLogSink::write(LogLevel level, std::string_view event,
                              std::span<const LogField> fields) {
    std::string line = format_log_line(format_, clock_.wall(), level, event, fields);
    line.push_back('\n');
    // A log that cannot be written must not stop the broker, and there is nowhere to say so.
    [[maybe_unused]] auto written = ::write(descriptor_, line.data(), line.size());
}

void MemoryLogSink::write(LogLevel level, std::string_view event,
                          std::span<const LogField> fields) {
    auto line = format_log_line(LogFormat::text, WallTime{}, level, event, fields);
    std::lock_guard lock(mutex_);
    lines_.push_back(line.substr(line.find(' ') + 1));
}

std::vector<std::string> MemoryLogSink::lines() const {
    std::lock_guard lock(mutex_);
    return lines_;
}

bool MemoryLogSink::contains(std::string_view text) const {
    std::lock_guard lock(mutex_);
    for (const auto& line : lines_) {
        if (line.find(text) != std::string::npos) return true;
    }
    return false;
}

Logger Logger::with(std::initializer_list<LogField> fields) const {
    Logger copy = *this;
    copy.context_.insert(copy.context_.end(), fields);
    return copy;
}

void Logger::write(LogLevel level, std::string_view event, Fields fields) const {
    if (!is_on(level)) return;
    if (context_.empty()) {
        sink_->write(level, event, std::span(fields.begin(), fields.size()));
        return;
    }
    std::vector<LogField> all(fields);
    all.insert(all.end(), context_.begin(), context_.end());
    sink_->write(level, event, all);
}

}  // namespace kq
