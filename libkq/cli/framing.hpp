// SPDX-License-Identifier: Apache-2.0
//
// Framing: how records follow one another on a pipe. The same options mean the same for reading and
// writing.
//
// shape    lines (text): [KEY SEPARATOR] VALUE DELIMITER; template; jsonl; frame; raw: values with
//          nothing between them (reading: the whole input is one value)
// errors   usage  options that contradict each other, or a format that is none
// source   kq-formats(7), "Records"
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "cli/formats.hpp"
#include "cli/instants.hpp"
#include "cli/options.hpp"

namespace kq {

struct Framing {
    enum class Kind : std::uint8_t { lines, templated, jsonl, frame, raw };
    Kind kind = Kind::lines;
    std::string delimiter = "\n";
    std::optional<std::string> key_separator;
    std::optional<std::string> null_text;
    std::string template_text;
    bool strip_cr = false;
    Zone zone = Zone::local;
};

// What the command line says of it.
struct FramingOptions {
    std::optional<std::string> delimiter;  // -D
    bool nul = false;                      // -0
    std::optional<std::string> key_separator;
    std::optional<std::string> null_text;
    bool crlf = false;
    bool utc = false;
};

// -D -0 -K --null --utc, and, for reading, --crlf.
std::vector<Option> framing_options(FramingOptions& options, bool for_reading);

// `format` is that of the common options.
Result<Framing> framing_of(const FramingOptions& options, const Setting& format);

}  // namespace kq
