// SPDX-License-Identifier: Apache-2.0
#include "cli/formats.hpp"

#include <algorithm>
#include <vector>

#include "base/config_value.hpp"
#include "cli/text.hpp"

namespace kq {
namespace {

bool is_template(std::string_view text) {
    return text.find('%') != std::string_view::npos;
}

// Rows name a column, %{name}; records a letter, %v, with or without a modifier behind it.
FormatFamily family_of_template(std::string_view text) {
    for (auto at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 2)) {
        if (text.substr(at + 1).starts_with('{')) return FormatFamily::rows;
    }
    return FormatFamily::records;
}

template <std::size_t n>
bool has(const std::array<std::string_view, n>& names, std::string_view word) {
    return std::find(names.begin(), names.end(), word) != names.end();
}

bool is_of(FormatFamily family, std::string_view text) {
    if (is_template(text)) return family_of_template(text) == family;
    return family == FormatFamily::rows ? has(row_formats, text) : has(record_formats, text);
}

}  // namespace

std::string sayer_of(const Setting& setting) {
    return setting.origin.starts_with("--") ? "option " + in_quotes(setting.origin)
                                            : setting.origin;
}

Result<Setting> choose_format(FormatFamily family, const std::optional<std::string>& option,
                              const std::optional<Setting>& configured) {
    if (option) return Setting{*option, "--format"};
    if (configured) {
        if (is_of(family, configured->value)) return *configured;
        const auto other =
            family == FormatFamily::rows ? FormatFamily::records : FormatFamily::rows;
        if (!is_of(other, configured->value)) {
            std::vector<std::string_view> names(row_formats.begin(), row_formats.end());
            for (auto name : record_formats)
                if (!has(row_formats, name)) names.push_back(name);
            return no_such_format(*configured, names);
        }
    }
    return Setting{"text", "default"};
}

Result<Setting> choose_format(FormatFamily family, const std::optional<std::string>& option,
                              const Process& process) {
    std::optional<Setting> configured;
    if (auto value = process.variable("KQ_FORMAT")) configured = Setting{*value, "KQ_FORMAT"};
    return choose_format(family, option, configured);
}

bool is_json(const Setting& format) {
    return format.value == "json" || format.value == "jsonl";
}

Error wrong_format(const Setting& format, Error error) {
    if (!format.origin.starts_with("--")) error.message = format.origin + ": " + error.message;
    return error;
}

Error no_such_format(const Setting& format, std::span<const std::string_view> names) {
    std::string message = sayer_of(format) + ": " + in_quotes(format.value) + " is none of ";
    for (auto name : names)
        message += std::string(name) + ", ";
    message += "or a template with %";
    auto nearest = nearest_word(format.value, names);
    if (!nearest.empty()) message += "; is " + in_quotes(nearest) + " meant?";
    return Error{Errc::usage, message};
}

}  // namespace kq
