// SPDX-License-Identifier: Apache-2.0
#include "cli/framing.hpp"

#include <array>

#include "base/config_value.hpp"
#include "cli/record_template.hpp"
#include "cli/text.hpp"

namespace kq {
namespace {

constexpr std::array<std::string_view, 4> format_names = {"text", "jsonl", "frame", "raw"};

Result<Framing::Kind> kind_of(const std::string& format) {
    if (format.find('%') != std::string::npos) return Framing::Kind::templated;
    if (format == "text") return Framing::Kind::lines;
    if (format == "jsonl") return Framing::Kind::jsonl;
    if (format == "frame") return Framing::Kind::frame;
    if (format == "raw") return Framing::Kind::raw;
    std::string message = "option '--format': " + in_quotes(format) +
                          " is none of text, jsonl, frame, raw, or a template with %";
    auto nearest = nearest_word(format, format_names);
    if (!nearest.empty()) message += "; is " + in_quotes(nearest) + " meant?";
    return Error{Errc::usage, message};
}

}  // namespace

std::vector<Option> framing_options(FramingOptions& options, bool for_reading) {
    std::vector<Option> table = {
        {"-D,--delimiter", "DELIM", "what ends a record: any string, with \\t \\n \\xNN",
         into(options.delimiter), "\\n"},
        {"-0,--null-delimited", "", "records end in a NUL byte", into(options.nul)},
        {"-K,--key-separator", "SEP", "the key stands before the value; SEP divides them",
         into(options.key_separator)},
        {"--null", "STR", "STR stands for null", into(options.null_text)},
        {"--utc", "", "times are in UTC, not in the local zone", into(options.utc)}};
    if (for_reading) {
        table.push_back({"--crlf", "", "strip a carriage return from the end of each line",
                         into(options.crlf)});
    }
    return table;
}

Result<Framing> framing_of(const FramingOptions& options, const std::string& format) {
    Framing framing;
    KQ_LET(framing.kind, kind_of(format));
    framing.template_text = format;
    framing.null_text = options.null_text;
    framing.strip_cr = options.crlf;
    framing.zone = options.utc ? Zone::utc : Zone::local;
    const bool lines = framing.kind == Framing::Kind::lines;
    if (!lines && (options.delimiter || options.nul || options.key_separator || options.crlf)) {
        return Error{Errc::usage, "-D, -0, -K and --crlf go with '-f text', not with " +
                                      in_quotes("-f " + format)};
    }
    if (options.delimiter && options.nul) return Error{Errc::usage, "-D and -0 exclude each other"};
    if (options.nul) framing.delimiter = std::string(1, '\0');
    if (options.delimiter) {
        KQ_LET(framing.delimiter, unescape(*options.delimiter));
    }
    if (options.key_separator) {
        KQ_LET(auto separator, unescape(*options.key_separator));
        framing.key_separator = std::move(separator);
    }
    if (framing.delimiter.empty()) return Error{Errc::usage, "option '--delimiter': it is empty"};
    if (framing.key_separator && framing.key_separator->empty()) {
        return Error{Errc::usage, "option '--key-separator': it is empty"};
    }
    return framing;
}

}  // namespace kq
