// SPDX-License-Identifier: Apache-2.0
//
// ConfigDef: one row of the registry of settings: Kafka's name, type, default, bounds, scope, and a
// sentence of our own. The rows stand in base/config/*.def; parser, DescribeConfigs, `kq-broker
// check`, `--help` and kq-broker.toml(5) are made from them.
//
// shape    one table a scope, sorted by name; a name may appear in several scopes with other values
// units    `unit` says what a bare number counts; see base/config_value.hpp for 7d and 1GiB
// source   Kafka 4.3's own definitions of its settings; names under "kq." are ours
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace kq {

// Kafka's types; DescribeConfigs numbers them so.
enum class ConfigType : std::int8_t {
    boolean = 1,
    string = 2,
    int32 = 3,
    int16 = 4,
    int64 = 5,
    real = 6,
    list = 7,
    class_name = 8,
    password = 9,
};

enum class ConfigScope : std::uint8_t { broker, topic, group, producer, consumer, admin };

// Whether a setting of a broker may change while it runs, and for whom.
enum class ConfigMode : std::uint8_t { read_only, per_broker, cluster_wide };

enum class ConfigImportance : std::uint8_t { high, medium, low };

enum class ConfigUnit : std::uint8_t {
    none,
    microseconds,
    milliseconds,
    seconds,
    minutes,
    hours,
    bytes,
};

// Whether kq does something with the setting today. An `accepted` one may stand in a file (a Kafka
// file is read as it is) and changes nothing yet.
enum class ConfigEffect : std::uint8_t { acted_on, accepted };

// What a setting is when nobody says: a text, null, or nothing (then somebody must).
struct ConfigDefault {
    enum class Kind : std::uint8_t { value, null, required };
    Kind kind = Kind::null;
    std::string_view text;

    constexpr ConfigDefault(const char* value) : kind(Kind::value), text(value) {}
    constexpr explicit ConfigDefault(Kind kind_in) : kind(kind_in) {}
};

// The values that a setting takes beyond what its type allows.
struct ConfigValid {
    enum class Kind : std::uint8_t {
        any,
        integers,           // [min, max], or `also`
        reals,              // [real_min, real_max]
        words,              // one of `words`
        words_any_case,     // the same, upper and lower case alike
        list_of_words,      // each element one of `words`, none twice
        not_empty,          // a string or a list with something in it
        throttled_replicas  // "*" or partition:broker pairs
    };
    Kind kind = Kind::any;
    std::int64_t min = 0;
    std::int64_t max = 0;
    std::optional<std::int64_t> also = {};
    double real_min = 0;
    double real_max = 0;
    std::string_view words = {};  // separated by blanks; one that ends in ':' is a prefix
};

struct ConfigDef {
    std::string_view name;
    ConfigType type;
    ConfigDefault fallback;
    ConfigValid valid;
    ConfigMode mode;
    ConfigImportance importance;
    // Topic settings: the broker settings that stand in for it, best first, separated by blanks.
    std::string_view synonyms;
    ConfigUnit unit;
    ConfigEffect effect;
    std::string_view sentence;

    bool internal = false;  // Kafka hides it from its documentation and its tools

    bool is_sensitive() const { return type == ConfigType::password; }
};

// All rows of a scope, sorted by name.
std::span<const ConfigDef> config_defs(ConfigScope scope);
inline std::span<const ConfigDef> broker_config_defs() {
    return config_defs(ConfigScope::broker);
}
inline std::span<const ConfigDef> topic_config_defs() {
    return config_defs(ConfigScope::topic);
}

// The row of a name, or null.
const ConfigDef* find_config(ConfigScope scope, std::string_view name);

// What a person may have in mind for a setting: its name, or for one of topics the broker's that
// stands in for it, without "log.": who writes retention.hours means retention.ms.
struct SpokenName {
    std::string_view spoken;
    std::string_view name;
};
std::vector<SpokenName> spoken_names(ConfigScope scope);
// The one of `names` that is nearest to a misspelt word, or "" when none is near.
std::string_view nearest_name(std::string_view word, const std::vector<SpokenName>& names);

// The known name that is nearest to a misspelt one, or "" when none is near.
std::string_view nearest_config(ConfigScope scope, std::string_view name);

std::string_view name_of(ConfigScope scope);  // "broker", "topic" …
std::string_view name_of(ConfigType type);    // "boolean", "int" …: Kafka's words

}  // namespace kq
