// SPDX-License-Identifier: Apache-2.0
#include "base/config_file.hpp"

#include <optional>

namespace kq {
namespace {

constexpr std::size_t file_limit = std::size_t{1} << 20;

std::string at(std::string_view file, int line) {
    return std::string(file) + ":" + std::to_string(line) + ": ";
}

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\f';
}

std::string_view without_leading_blanks(std::string_view line) {
    while (!line.empty() && is_blank(line.front())) {
        line.remove_prefix(1);
    }
    return line;
}

// A line goes on in the next one if it ends in an odd number of backslashes.
bool is_continued(std::string_view line) {
    std::size_t backslashes = 0;
    while (backslashes < line.size() && line[line.size() - 1 - backslashes] == '\\') {
        ++backslashes;
    }
    return backslashes % 2 == 1;
}

struct LogicalLine {
    std::string text;
    int number = 0;
};

// Natural lines joined to logical ones; comments and blank lines left out.
std::vector<LogicalLine> logical_lines(std::string_view content) {
    std::vector<LogicalLine> lines;
    int number = 0;
    bool open = false;
    while (!content.empty()) {
        auto end = std::min(content.find_first_of("\r\n"), content.size());
        auto line = without_leading_blanks(content.substr(0, end));
        bool crlf = end + 1 < content.size() && content[end] == '\r' && content[end + 1] == '\n';
        content.remove_prefix(std::min(content.size(), end + (crlf ? 2 : 1)));
        ++number;
        if (!open) {
            if (line.empty() || line.front() == '#' || line.front() == '!') continue;
            lines.push_back({{}, number});
        }
        open = is_continued(line);
        lines.back().text += open ? line.substr(0, line.size() - 1) : line;
    }
    return lines;
}

void append_utf8(std::string& out, unsigned code) {
    auto put = [&](unsigned byte) { out += static_cast<char>(byte); };
    if (code < 0x80) {
        put(code);
    } else if (code < 0x800) {
        put(0xC0 | (code >> 6));
        put(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        put(0xE0 | (code >> 12));
        put(0x80 | ((code >> 6) & 0x3F));
        put(0x80 | (code & 0x3F));
    } else {
        put(0xF0 | (code >> 18));
        put(0x80 | ((code >> 12) & 0x3F));
        put(0x80 | ((code >> 6) & 0x3F));
        put(0x80 | (code & 0x3F));
    }
}

std::optional<unsigned> four_digits(std::string_view text) {
    if (text.size() < 4) return {};
    unsigned value = 0;
    for (char c : text.substr(0, 4)) {
        unsigned digit = 0;
        if (c >= '0' && c <= '9') {
            digit = static_cast<unsigned>(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            digit = static_cast<unsigned>(c - 'a') + 10;
        } else if (c >= 'A' && c <= 'F') {
            digit = static_cast<unsigned>(c - 'A') + 10;
        } else {
            return {};
        }
        value = value * 16 + digit;
    }
    return value;
}

// Undoes \t \n \r \f, \uXXXX (pairs of surrogates too); any other escaped character is itself.
std::optional<std::string> unescaped(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 1 == text.size()) {
            if (text[i] != '\\') out += text[i];
            continue;
        }
        char c = text[++i];
        if (c != 'u') {
            constexpr std::string_view letters = "tnrf";
            constexpr std::string_view meant = "\t\n\r\f";
            auto which = letters.find(c);
            out += which == std::string_view::npos ? c : meant[which];
            continue;
        }
        auto code = four_digits(text.substr(i + 1));
        if (!code) return {};
        i += 4;
        if (*code >= 0xD800 && *code < 0xDC00 && text.substr(i + 1).starts_with("\\u")) {
            auto low = four_digits(text.substr(i + 3));
            if (low && *low >= 0xDC00 && *low < 0xE000) {
                code = 0x10000 + ((*code - 0xD800) << 10) + (*low - 0xDC00);
                i += 6;
            }
        }
        append_utf8(out, *code);
    }
    return out;
}

// Where the key ends: the first blank, '=' or ':' that is not escaped.
std::size_t key_end(std::string_view line) {
    std::size_t i = 0;
    while (i < line.size() && line[i] != '=' && line[i] != ':' && !is_blank(line[i])) {
        i += line[i] == '\\' ? 2 : 1;
    }
    return std::min(i, line.size());
}

}  // namespace

Result<std::vector<ConfigEntry>> parse_properties(std::string_view content, std::string_view file) {
    std::vector<ConfigEntry> entries;
    for (const auto& line : logical_lines(content)) {
        std::string_view text = line.text;
        auto end = key_end(text);
        auto rest = without_leading_blanks(text.substr(end));
        if (!rest.empty() && (rest.front() == '=' || rest.front() == ':')) {
            rest = without_leading_blanks(rest.substr(1));
        }
        auto name = unescaped(text.substr(0, end));
        auto value = unescaped(rest);
        if (!name || !value) {
            return Error(Errc::usage, at(file, line.number) + "\\u wants four hex digits");
        }
        entries.push_back({std::move(*name), std::move(*value), line.number});
    }
    return entries;
}

Result<Bytes> read_settings(FileSystem& files, const std::string& path) {
    return read_file(files, path == "-" ? "/dev/stdin" : path, file_limit);
}

Result<std::vector<ConfigEntry>> read_config_file(FileSystem& files, const std::string& path) {
    KQ_LET(auto content, read_settings(files, path));
    auto text = as_text(content);
    return path.ends_with(".properties") ? parse_properties(text, path) : parse_toml(text, path);
}

Result<ConfigFileResult> load_config_file(FileSystem& files, const std::string& path,
                                          ConfigScope scope) {
    KQ_LET(auto entries, read_config_file(files, path));
    ConfigFileResult result{ConfigSet(scope), {}};
    bool lenient = path.ends_with(".properties");
    for (const auto& entry : entries) {
        auto stored = result.settings.set(entry.name, entry.value,
                                          lenient ? ConfigSyntax::kafka : ConfigSyntax::with_units);
        if (stored.ok()) continue;
        const auto& why = stored.error().message;
        bool unknown = why.starts_with("unknown ");
        if (!lenient || !unknown || !nearest_config(scope, entry.name).empty()) {
            return Error(Errc::usage, at(path, entry.line) + why);
        }
        result.settings.keep_unknown(entry.name, entry.value);
        result.warnings.push_back(at(path, entry.line) + why);
    }
    return result;
}

}  // namespace kq
