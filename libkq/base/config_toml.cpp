// SPDX-License-Identifier: Apache-2.0
//
// The only source file that includes toml++.
#include "base/config_file.hpp"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>
#pragma GCC diagnostic pop

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace kq {
namespace {

std::optional<std::string> scalar_text(const toml::node& node) {
    if (auto text = node.value_exact<std::string>()) return text;
    if (auto flag = node.value_exact<bool>()) return *flag ? "true" : "false";
    if (auto number = node.value_exact<std::int64_t>()) return std::to_string(*number);
    if (auto number = node.value_exact<double>()) {
        std::array<char, 40> buffer;
        auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), *number);
        if (error == std::errc{}) return std::string(buffer.data(), end);
    }
    return {};
}

std::optional<std::string> list_text(const toml::array& items) {
    std::string joined;
    for (const auto& item : items) {
        auto text = scalar_text(item);
        // A comma inside an element would make two of it.
        if (!text || text->find(',') != std::string::npos) return {};
        if (!joined.empty()) joined += ',';
        joined += *text;
    }
    return joined;
}

int line_of(const toml::source_region& where) {
    return static_cast<int>(where.begin.line);
}

Status collect(const toml::table& table, const std::string& prefix, std::string_view file,
               std::vector<ConfigEntry>& entries) {
    for (const auto& [key, node] : table) {
        std::string name = prefix + std::string(key.str());
        if (const auto* inner = node.as_table()) {
            KQ_TRY(collect(*inner, name + '.', file, entries));
            continue;
        }
        const auto* items = node.as_array();
        auto text = items != nullptr ? list_text(*items) : scalar_text(node);
        int line = line_of(key.source());
        if (!text) {
            return Error(Errc::usage, std::string(file) + ":" + std::to_string(line) + ": " + name +
                                          " is no text, number, true, false or list");
        }
        entries.push_back({std::move(name), std::move(*text), line});
    }
    return done();
}

}  // namespace

Result<std::vector<ConfigEntry>> parse_toml(std::string_view content, std::string_view file) {
    auto parsed = toml::parse(content);
    if (!parsed) {
        const auto& error = parsed.error();
        std::string why(error.description());
        if (why.find("redefine existing table") != std::string::npos) {
            why += "; its names stand in one place: all dotted, or all under one [table]";
        } else if (why.find("redefine") != std::string::npos) {
            // max.connections and max.connections.per.ip are one name and a table to TOML.
            why +=
                "; a name that begins with another name needs quotes: \"max.connections.per.ip\"";
        }
        return Error(Errc::usage, std::string(file) + ":" +
                                      std::to_string(line_of(error.source())) + ": " + why);
    }
    std::vector<ConfigEntry> entries;
    KQ_TRY(collect(parsed.table(), "", file, entries));
    std::stable_sort(entries.begin(), entries.end(),
                     [](const ConfigEntry& a, const ConfigEntry& b) { return a.line < b.line; });
    return entries;
}

}  // namespace kq
