// SPDX-License-Identifier: Apache-2.0
#include "base/config_value.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

namespace kq {
namespace {

constexpr std::string_view blanks = " \t\r\n\f";

std::string_view trimmed(std::string_view text) {
    auto first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return out;
}

std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words;
    while (!text.empty()) {
        auto end = std::min(text.find(' '), text.size());
        if (end > 0) words.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return words;
}

std::optional<std::int64_t> whole_number(std::string_view text) {
    if (text.starts_with('+')) text.remove_prefix(1);  // as Java reads it
    std::int64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return {};
    return value;
}

std::optional<double> real_number(std::string_view text) {
    double value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return {};
    if (!std::isfinite(value)) return {};
    return value;
}

// A double as Java prints it: 0.5, 1.0, 1.0E10.
std::string java_text(double value) {
    std::array<char, 40> buffer;
    double size = std::fabs(value);
    bool plain = size == 0 || (size >= 1e-3 && size < 1e7);
    auto format = plain ? std::chars_format::fixed : std::chars_format::scientific;
    auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format);
    std::string text(buffer.data(), error == std::errc{} ? end : buffer.data());
    auto exponent_at = text.find('e');
    std::string digits = text.substr(0, exponent_at);
    if (digits.find('.') == std::string::npos) digits += ".0";
    if (exponent_at == std::string::npos) return digits;
    // "e+308" and "e-05" read 308 and -5 in Java.
    auto exponent = whole_number(text.substr(exponent_at + 1));
    return digits + 'E' + std::to_string(exponent.value_or(0));
}

// "7d" is the number 7 and the suffix "d".
struct Quantity {
    double number = 0;
    std::string_view suffix;
};

std::optional<Quantity> split_quantity(std::string_view text) {
    auto digits = text.find_first_not_of("+-0123456789.");
    if (digits == std::string_view::npos) digits = text.size();
    auto number = text.substr(0, digits);
    if (number.starts_with('+')) number.remove_prefix(1);
    auto value = real_number(number);
    if (!value) return {};
    return Quantity{*value, trimmed(text.substr(digits))};
}

struct Suffix {
    std::string_view word;
    std::int64_t factor;
};

constexpr Suffix time_suffixes[] = {
    // in microseconds
    {"us", 1},           {"ms", 1'000},        {"s", 1'000'000},      {"m", 60'000'000},
    {"min", 60'000'000}, {"h", 3'600'000'000}, {"d", 86'400'000'000}, {"w", 604'800'000'000},
};

constexpr Suffix size_suffixes[] = {
    {"B", 1},           {"KB", 1'000},         {"kB", 1'000},
    {"MB", 1'000'000},  {"GB", 1'000'000'000}, {"TB", 1'000'000'000'000},
    {"K", 1LL << 10},   {"M", 1LL << 20},      {"G", 1LL << 30},
    {"T", 1LL << 40},   {"KiB", 1LL << 10},    {"MiB", 1LL << 20},
    {"GiB", 1LL << 30}, {"TiB", 1LL << 40},
};

std::int64_t microseconds_in(ConfigUnit unit) {
    switch (unit) {
        case ConfigUnit::microseconds:
            return 1;
        case ConfigUnit::milliseconds:
            return 1'000;
        case ConfigUnit::seconds:
            return 1'000'000;
        case ConfigUnit::minutes:
            return 60'000'000;
        case ConfigUnit::hours:
            return 3'600'000'000;
        case ConfigUnit::none:
        case ConfigUnit::bytes:
            break;
    }
    return 0;
}

std::optional<std::int64_t> scaled(double number, std::int64_t factor) {
    double value = number * static_cast<double>(factor);
    if (!(std::fabs(value) < 9.2e18)) return {};
    double rounded = std::nearbyint(value);
    if (std::fabs(value - rounded) > 1e-6 * std::max(1.0, std::fabs(value))) return {};
    return static_cast<std::int64_t>(rounded);
}

Error bad_value(const ConfigDef& def, std::string_view text, std::string why) {
    std::string shown = def.is_sensitive() ? "(hidden)" : std::string(text);
    return Error(Errc::invalid_config, std::string(def.name) + ": '" + shown + "' " + why);
}

std::string_view type_in_words(ConfigType type) {
    switch (type) {
        case ConfigType::boolean:
            return "is neither true nor false";
        case ConfigType::real:
            return "is not a number";
        default:
            return "is not a whole number";
    }
}

struct Limits {
    std::int64_t min;
    std::int64_t max;
};

Limits limits_of(ConfigType type) {
    switch (type) {
        case ConfigType::int16:
            return {std::numeric_limits<std::int16_t>::min(),
                    std::numeric_limits<std::int16_t>::max()};
        case ConfigType::int32:
            return {std::numeric_limits<std::int32_t>::min(),
                    std::numeric_limits<std::int32_t>::max()};
        default:
            return {std::numeric_limits<std::int64_t>::min(),
                    std::numeric_limits<std::int64_t>::max()};
    }
}

// A number with a unit behind it, in the unit of the setting.
std::optional<std::int64_t> with_unit(const ConfigDef& def, std::string_view text) {
    if (def.unit == ConfigUnit::bytes) {
        auto size = parse_size(text);
        if (!size.ok()) return {};
        return size.value();
    }
    auto one = microseconds_in(def.unit);
    if (one == 0) return {};
    auto time = parse_time(text, def.unit);
    if (!time.ok() || time.value() % one != 0) return {};
    return time.value() / one;
}

Result<std::string> canonical_integer(const ConfigDef& def, std::string_view text,
                                      ConfigSyntax syntax) {
    auto number = whole_number(text);
    if (!number && syntax == ConfigSyntax::with_units) number = with_unit(def, text);
    if (!number) {
        std::string why(type_in_words(def.type));
        if (syntax == ConfigSyntax::with_units && def.unit == ConfigUnit::bytes) {
            why = "is not a size, such as 512, 64KiB or 1GB";
        } else if (syntax == ConfigSyntax::with_units && def.unit != ConfigUnit::none) {
            why = "is not a time, such as 250ms, 10m or 7d";
        }
        return bad_value(def, text, why);
    }
    auto limits = limits_of(def.type);
    if (*number < limits.min || *number > limits.max) {
        return bad_value(def, text, "does not fit a " + std::string(name_of(def.type)));
    }
    const auto& valid = def.valid;
    if (valid.kind == ConfigValid::Kind::integers && valid.also != number &&
        (*number < valid.min || *number > valid.max)) {
        return bad_value(def, text, "is outside " + describe_valid(def));
    }
    return std::to_string(*number);
}

Result<std::string> canonical_real(const ConfigDef& def, std::string_view text) {
    auto number = real_number(text.starts_with('+') ? text.substr(1) : text);
    if (!number) return bad_value(def, text, std::string(type_in_words(def.type)));
    if (def.valid.kind != ConfigValid::Kind::any &&
        (*number < def.valid.real_min || *number > def.valid.real_max)) {
        return bad_value(def, text, "is outside " + describe_valid(def));
    }
    return java_text(*number);
}

bool is_word(const ConfigValid& valid, std::string_view text) {
    bool any_case = valid.kind == ConfigValid::Kind::words_any_case;
    for (auto word : words_of(valid.words)) {
        if (word.ends_with(':') && text.starts_with(word)) return text.size() > word.size();
        if (word == text || (any_case && lower(word) == lower(text))) return true;
    }
    return false;
}

// "partition:broker" pairs, or "*" for all.
bool names_replicas(const std::vector<std::string>& items) {
    if (items.size() == 1 && items[0] == "*") return true;
    return std::all_of(items.begin(), items.end(), [](const std::string& item) {
        auto colon = item.find(':');
        if (colon == std::string::npos) return false;
        return whole_number(item.substr(0, colon)) && whole_number(item.substr(colon + 1));
    });
}

Result<std::string> canonical_list(const ConfigDef& def, std::string_view text) {
    auto items = split_list(text);
    const auto& valid = def.valid;
    if (valid.kind == ConfigValid::Kind::not_empty && items.empty()) {
        return bad_value(def, text, "is empty");
    }
    if (valid.kind == ConfigValid::Kind::throttled_replicas && !names_replicas(items)) {
        return bad_value(def, text, "is not " + describe_valid(def));
    }
    std::string joined;
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (valid.kind == ConfigValid::Kind::list_of_words) {
            if (!is_word(valid, items[i])) {
                return bad_value(def, items[i], "is not one of " + describe_valid(def));
            }
            if (std::find(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(i),
                          items[i]) != items.begin() + static_cast<std::ptrdiff_t>(i)) {
                return bad_value(def, items[i], "stands twice");
            }
        }
        if (i > 0) joined += ',';
        joined += items[i];
    }
    return joined;
}

Result<std::string> canonical_string(const ConfigDef& def, std::string_view text) {
    switch (def.valid.kind) {
        case ConfigValid::Kind::not_empty:
            if (text.empty()) return bad_value(def, text, "is empty");
            break;
        case ConfigValid::Kind::words:
        case ConfigValid::Kind::words_any_case:
            if (!is_word(def.valid, text)) {
                return bad_value(def, text, "is not one of " + describe_valid(def));
            }
            break;
        default:
            break;
    }
    return std::string(text);
}

}  // namespace

Result<std::string> canonical_config(const ConfigDef& def, std::string_view text,
                                     ConfigSyntax syntax) {
    text = trimmed(text);
    switch (def.type) {
        case ConfigType::boolean: {
            auto word = lower(text);
            if (word == "true" || word == "false") return word;
            return bad_value(def, text, std::string(type_in_words(def.type)));
        }
        case ConfigType::int16:
        case ConfigType::int32:
        case ConfigType::int64:
            return canonical_integer(def, text, syntax);
        case ConfigType::real:
            return canonical_real(def, text);
        case ConfigType::list:
            return canonical_list(def, text);
        case ConfigType::string:
        case ConfigType::class_name:
        case ConfigType::password:
            return canonical_string(def, text);
    }
    return bad_value(def, text, "has no type");
}

std::string describe_valid(const ConfigDef& def) {
    const auto& valid = def.valid;
    switch (valid.kind) {
        case ConfigValid::Kind::any:
            return "";
        case ConfigValid::Kind::integers: {
            std::string text = "[" + std::to_string(valid.min) + ",...";
            if (valid.max != std::numeric_limits<std::int64_t>::max()) {
                text += "," + std::to_string(valid.max);
            }
            text += "]";
            if (valid.also) text += " or " + std::to_string(*valid.also);
            return text;
        }
        case ConfigValid::Kind::reals:
            return "[" + java_text(valid.real_min) + ",...," + java_text(valid.real_max) + "]";
        case ConfigValid::Kind::words:
        case ConfigValid::Kind::words_any_case:
        case ConfigValid::Kind::list_of_words: {
            std::string text;
            for (auto word : words_of(valid.words)) {
                text += text.empty() ? "[" : ", ";
                text += word;
            }
            return text + "]";
        }
        case ConfigValid::Kind::not_empty:
            return def.type == ConfigType::list ? "non-empty list" : "non-empty string";
        case ConfigValid::Kind::throttled_replicas:
            return "[partitionId]:[brokerId],[partitionId]:[brokerId],...";
    }
    return "";
}

std::vector<std::string> split_list(std::string_view text) {
    std::vector<std::string> items;
    text = trimmed(text);
    if (text.empty()) return items;
    while (true) {
        auto comma = text.find(',');
        items.emplace_back(trimmed(text.substr(0, comma)));
        if (comma == std::string_view::npos) return items;
        text.remove_prefix(comma + 1);
    }
}

Result<std::int64_t> parse_time(std::string_view text, ConfigUnit bare) {
    auto quantity = split_quantity(trimmed(text));
    std::optional<std::int64_t> microseconds;
    if (quantity && quantity->suffix.empty()) {
        microseconds = scaled(quantity->number, microseconds_in(bare));
    } else if (quantity) {
        for (const auto& suffix : time_suffixes) {
            if (suffix.word == quantity->suffix) {
                microseconds = scaled(quantity->number, suffix.factor);
            }
        }
    }
    if (microseconds) return *microseconds;
    return Error(Errc::usage,
                 "'" + std::string(text) + "' is not a time, such as 250ms, 10m or 7d");
}

Result<std::int64_t> parse_size(std::string_view text) {
    auto plain = whole_number(trimmed(text));
    if (plain) return *plain;
    auto quantity = split_quantity(trimmed(text));
    if (quantity) {
        for (const auto& suffix : size_suffixes) {
            if (suffix.word != quantity->suffix) continue;
            auto size = scaled(quantity->number, suffix.factor);
            if (size) return *size;
        }
    }
    return Error(Errc::usage,
                 "'" + std::string(text) + "' is not a size, such as 512, 64KiB or 1GB");
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    // Three rows of the table of Damerau and Levenshtein; a swap looks two rows back.
    std::vector<std::size_t> before(b.size() + 1);
    std::vector<std::size_t> last(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) {
        last[j] = j;
    }
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            std::size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + cost});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = std::min(row[j], before[j - 2] + 1);
            }
        }
        before.swap(last);
        last.swap(row);
    }
    return last[b.size()];
}

std::string_view nearest_word(std::string_view word, std::span<const std::string_view> candidates) {
    std::string_view best;
    // A third of the letters may be wrong; more than that is another word.
    std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
    for (auto candidate : candidates) {
        // The lengths alone may tell; somebody's megabyte of a word is not worth a table.
        const auto [shorter, longer] = std::minmax({word.size(), candidate.size()});
        if (longer - shorter >= best_distance) continue;
        auto distance = edit_distance(lower(word), lower(candidate));
        if (distance < best_distance) {
            best_distance = distance;
            best = candidate;
        }
    }
    return best;
}

}  // namespace kq
