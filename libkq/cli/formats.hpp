// SPDX-License-Identifier: Apache-2.0
//
// Formats: what --format, KQ_FORMAT and the client file say of how a program prints its rows, or
// how records follow one another.
//
// shape    an option is meant for the program that it was given to, and wrong where that has no
// such
//          format; a variable or a file speaks to all programs, so what only the others know is
//          passed over there, as with properties
// errors   usage: a word that is no format of any program, with the nearest one
// source   kq(1), "Settings"; kq-formats(7)
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/process.hpp"
#include "base/result.hpp"

namespace kq {

// A setting, and who said so: "--bootstrap", "KQ_BOOTSTRAP", "FILE:12".
struct Setting {
    std::string value;
    std::string origin;
};
// Who said it, as an error begins: "option '--format'", "KQ_FORMAT", "FILE:12".
std::string sayer_of(const Setting& setting);

enum class FormatFamily { rows, records };
inline constexpr std::array<std::string_view, 5> row_formats = {"text", "wide", "tsv", "json",
                                                                "jsonl"};
inline constexpr std::array<std::string_view, 4> record_formats = {"text", "jsonl", "frame", "raw"};

// The format of a program: its option, else what was configured if that means something to it, else
// text.
Result<Setting> choose_format(FormatFamily family, const std::optional<std::string>& option,
                              const std::optional<Setting>& configured);
// The same for a program that reads no client file.
Result<Setting> choose_format(FormatFamily family, const std::optional<std::string>& option,
                              const Process& process);

// Whether errors are objects too.
bool is_json(const Setting& format);

// What is wrong with a format, with who said it in front where that was no option: whoever typed
// one knows.
Error wrong_format(const Setting& format, Error error);
// "KQ_FORMAT: 'jsn' is none of ...; is 'json' meant?"
Error no_such_format(const Setting& format, std::span<const std::string_view> names);

}  // namespace kq
