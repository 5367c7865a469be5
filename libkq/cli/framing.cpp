// SPDX-License-Identifier: Apache-2.0
#include "cli/framing.hpp"

#include "cli/record_template.hpp"
#include "cli/text.hpp"

namespace kq {
namespace {

Result<Framing::Kind> kind_of(const Setting& format) {
    const std::string& word = format.value;
    if (word.find('%') != std::string::npos) return Framing::Kind::templated;
    if (word == "text") return Framing::Kind::lines;
    if (word == "jsonl") return Framing::Kind::jsonl;
    if (word == "frame") return Framing::Kind::frame;
    if (word == "raw") return Framing::Kind::raw;
    return no_such_format(format, record_formats);
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

Result<Framing> framing_of(const FramingOptions& options, const Setting& format) {
    Framing framing;
    KQ_LET(framing.kind, kind_of(format));
    framing.template_text = format.value;
    framing.null_text = options.null_text;
    framing.strip_cr = options.crlf;
    framing.zone = options.utc ? Zone::utc : Zone::local;
    const bool of_lines = options.delimiter || options.nul || options.key_separator || options.crlf;
    if (framing.kind != Framing::Kind::lines && of_lines) {
        if (format.origin == "--format") {
            return Error{Errc::usage, "-D, -0, -K and --crlf go with '-f text', not with " +
                                          in_quotes("-f " + format.value)};
        }
        framing.kind = Framing::Kind::lines;  // an option counts before a variable or a file
    }
    // A template shows null as nothing, and lines do; the others have a null of their own.
    const bool has_null_text =
        framing.kind == Framing::Kind::lines || framing.kind == Framing::Kind::templated;
    if (options.null_text && !has_null_text) {
        if (format.origin == "--format") {
            return Error{Errc::usage, "--null goes with '-f text' and templates, not with " +
                                          in_quotes("-f " + format.value)};
        }
        framing.kind = Framing::Kind::lines;
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
