// SPDX-License-Identifier: Apache-2.0
#include "base/config_def.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "base/config_value.hpp"

namespace kq {
namespace {

// The words that the tables are written in.
constexpr auto boolean = ConfigType::boolean;
constexpr auto string = ConfigType::string;
constexpr auto int32 = ConfigType::int32;
constexpr auto int16 = ConfigType::int16;
constexpr auto int64 = ConfigType::int64;
constexpr auto real = ConfigType::real;
constexpr auto list = ConfigType::list;
constexpr auto class_name = ConfigType::class_name;
constexpr auto password = ConfigType::password;

constexpr ConfigDefault null{ConfigDefault::Kind::null};
constexpr ConfigDefault required{ConfigDefault::Kind::required};

constexpr auto read_only = ConfigMode::read_only;
constexpr auto per_broker = ConfigMode::per_broker;
constexpr auto cluster_wide = ConfigMode::cluster_wide;

constexpr auto high = ConfigImportance::high;
constexpr auto medium = ConfigImportance::medium;
constexpr auto low = ConfigImportance::low;

constexpr auto none = ConfigUnit::none;
constexpr auto microseconds = ConfigUnit::microseconds;
constexpr auto milliseconds = ConfigUnit::milliseconds;
constexpr auto seconds = ConfigUnit::seconds;
constexpr auto minutes = ConfigUnit::minutes;
constexpr auto hours = ConfigUnit::hours;
constexpr auto bytes = ConfigUnit::bytes;

constexpr auto acted_on = ConfigEffect::acted_on;
constexpr auto accepted = ConfigEffect::accepted;

using Kind = ConfigValid::Kind;
constexpr ConfigValid any{};
constexpr ConfigValid not_empty{.kind = Kind::not_empty};
constexpr ConfigValid throttled_replicas{.kind = Kind::throttled_replicas};

constexpr ConfigValid between(std::int64_t min, std::int64_t max) {
    return {.kind = Kind::integers,
            .min = min,
            .max = max,
            .real_min = static_cast<double>(min),
            .real_max = static_cast<double>(max)};
}
constexpr ConfigValid at_least(std::int64_t min) {
    return between(min, std::numeric_limits<std::int64_t>::max());
}
constexpr ConfigValid between_or(std::int64_t min, std::int64_t max, std::int64_t also) {
    ConfigValid valid = between(min, max);
    valid.also = also;
    return valid;
}
constexpr ConfigValid real_between(double min, double max) {
    return {.kind = Kind::reals, .real_min = min, .real_max = max};
}
constexpr ConfigValid one_of(std::string_view words) {
    return {.kind = Kind::words, .words = words};
}
constexpr ConfigValid any_case(std::string_view words) {
    return {.kind = Kind::words_any_case, .words = words};
}
constexpr ConfigValid list_of(std::string_view words) {
    return {.kind = Kind::list_of_words, .words = words};
}

#define KQ_CONFIG(...) {__VA_ARGS__},
#define KQ_INTERNAL_CONFIG(...) {__VA_ARGS__, true},

constexpr ConfigDef broker_rows[] = {
#include "base/config/broker.def"
};
constexpr ConfigDef topic_rows[] = {
#include "base/config/topic.def"
};
constexpr ConfigDef group_rows[] = {
#include "base/config/group.def"
};

#undef KQ_CONFIG
#undef KQ_INTERNAL_CONFIG

// The clients share most of their rows: each names the scopes it stands for.
struct ClientRow {
    unsigned scopes;
    ConfigDef def;
};
constexpr unsigned producer = 1;
constexpr unsigned consumer = 2;
constexpr unsigned admin = 4;
constexpr unsigned clients = producer | consumer | admin;

#define KQ_CONFIG(scopes, ...) {scopes, {__VA_ARGS__}},
#define KQ_INTERNAL_CONFIG(scopes, ...) {scopes, {__VA_ARGS__, true}},

constexpr ClientRow client_rows[] = {
#include "base/config/client.def"
};

#undef KQ_CONFIG
#undef KQ_INTERNAL_CONFIG

template <unsigned scope>
constexpr std::size_t rows_of() {
    std::size_t count = 0;
    for (const auto& row : client_rows) {
        if ((row.scopes & scope) != 0) ++count;
    }
    return count;
}

constexpr ConfigDef blank_row{"", string, null, any, read_only, low, "", none, accepted, "", false};

template <unsigned scope>
constexpr auto pick_rows() {
    std::array<ConfigDef, rows_of<scope>()> picked = [] {
        // ConfigDef has no default constructor: every place begins as a blank row.
        return []<std::size_t... i>(std::index_sequence<i...>) {
            return std::array<ConfigDef, sizeof...(i)>{((void)i, blank_row)...};
        }
        (std::make_index_sequence<rows_of<scope>()>{});
    }();
    std::size_t at = 0;
    for (const auto& row : client_rows) {
        if ((row.scopes & scope) != 0) picked[at++] = row.def;
    }
    return picked;
}

constexpr auto producer_rows = pick_rows<producer>();
constexpr auto consumer_rows = pick_rows<consumer>();
constexpr auto admin_rows = pick_rows<admin>();

constexpr bool sorted(std::span<const ConfigDef> rows) {
    for (std::size_t i = 1; i < rows.size(); ++i) {
        if (!(rows[i - 1].name < rows[i].name)) return false;
    }
    return true;
}
static_assert(sorted(broker_rows) && sorted(topic_rows) && sorted(group_rows));
static_assert(sorted(producer_rows) && sorted(consumer_rows) && sorted(admin_rows));

}  // namespace

std::span<const ConfigDef> config_defs(ConfigScope scope) {
    switch (scope) {
        case ConfigScope::broker:
            return broker_rows;
        case ConfigScope::topic:
            return topic_rows;
        case ConfigScope::group:
            return group_rows;
        case ConfigScope::producer:
            return producer_rows;
        case ConfigScope::consumer:
            return consumer_rows;
        case ConfigScope::admin:
            return admin_rows;
    }
    return {};
}

const ConfigDef* find_config(ConfigScope scope, std::string_view name) {
    auto rows = config_defs(scope);
    auto at =
        std::lower_bound(rows.begin(), rows.end(), name,
                         [](const ConfigDef& row, std::string_view n) { return row.name < n; });
    return at != rows.end() && at->name == name ? &*at : nullptr;
}

std::string_view nearest_config(ConfigScope scope, std::string_view name) {
    return nearest_name(name, spoken_names(scope));
}

std::vector<SpokenName> spoken_names(ConfigScope scope) {
    std::vector<SpokenName> names;
    for (const auto& row : config_defs(scope)) {
        if (!row.internal) names.push_back({row.name, row.name});
    }
    if (scope != ConfigScope::topic) return names;
    constexpr std::string_view prefix = "log.";
    for (const auto& row : config_defs(scope)) {
        for (std::string_view rest = row.synonyms; !rest.empty();) {
            auto synonym = rest.substr(0, rest.find(' '));
            rest.remove_prefix(std::min(rest.size(), synonym.size() + 1));
            if (!synonym.starts_with(prefix)) continue;
            synonym.remove_prefix(prefix.size());
            if (find_config(scope, synonym) == nullptr) names.push_back({synonym, row.name});
        }
    }
    return names;
}

std::string_view nearest_name(std::string_view word, const std::vector<SpokenName>& names) {
    std::vector<std::string_view> spoken;
    for (const auto& one : names)
        spoken.push_back(one.spoken);
    const auto nearest = nearest_word(word, spoken);
    if (nearest.empty()) return {};
    return names[static_cast<std::size_t>(std::find(spoken.begin(), spoken.end(), nearest) -
                                          spoken.begin())]
        .name;
}

std::string_view name_of(ConfigScope scope) {
    constexpr std::string_view names[] = {"broker",   "topic",    "group",
                                          "producer", "consumer", "admin"};
    return names[static_cast<std::size_t>(scope)];
}

std::string_view name_of(ConfigType type) {
    constexpr std::string_view names[] = {"",     "boolean", "string", "int",   "short",
                                          "long", "double",  "list",   "class", "password"};
    return names[static_cast<std::size_t>(type)];
}

}  // namespace kq
