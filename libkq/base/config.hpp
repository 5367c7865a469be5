// SPDX-License-Identifier: Apache-2.0
//
// ConfigSet: the settings that somebody gave for one scope (a file, a topic, a client).
// ConfigLayers: several such sets over one another, down to the defaults: the value that counts,
// and where it came from.
//
// shape    every value in a ConfigSet is canonical (base/config_value.hpp): reading cannot fail
// owner    value types; share a finished one as shared_ptr<const>
// errors   invalid_config  the name is unknown (the message names the nearest one) or the value is
//                          outside what the row allows
// source   Kafka protocol guide, "DescribeConfigs" (sources and synonyms)
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/config_def.hpp"
#include "base/config_value.hpp"
#include "base/result.hpp"

namespace kq {

class ConfigSet {
public:
    explicit ConfigSet(ConfigScope scope) : scope_(scope) {}

    ConfigScope scope() const { return scope_; }

    // Checks and stores. A second value for a name replaces the first. `listener.name.NAME.KEY` of
    // brokers is checked as KEY. Unknown names are refused; see find_config to ask before.
    Status set(std::string_view name, std::string_view value,
               ConfigSyntax syntax = ConfigSyntax::kafka);
    void unset(std::string_view name);
    // Names that no table knows but a plug-in of Kafka's might: kept as they are, never read.
    void keep_unknown(std::string_view name, std::string_view value);

    bool is_set(std::string_view name) const { return values_.contains(name); }
    const std::map<std::string, std::string, std::less<>>& values() const { return values_; }

    // The value that counts: the one given, else the default. Requires: the name is in the table of
    // the scope, has the type asked for, and is not null (optional_text says whether it is).
    bool boolean(std::string_view name) const;
    std::int64_t integer(std::string_view name) const;  // int16, int32, int64
    double real(std::string_view name) const;
    std::string text(std::string_view name) const;
    std::vector<std::string> list(std::string_view name) const;
    // A value with a unit of time, in that unit converted. Negative values mean what the setting
    // says they mean; they come out negative. Values past what the clock can count are clamped.
    std::chrono::milliseconds duration(std::string_view name) const;
    std::optional<std::string> optional_text(std::string_view name) const;  // nullopt: null
    std::optional<std::int64_t> optional_integer(std::string_view name) const;

    friend bool operator==(const ConfigSet&, const ConfigSet&) = default;

private:
    ConfigScope scope_;
    std::map<std::string, std::string, std::less<>> values_;
};

// Where a value came from; the numbers are DescribeConfigs'.
enum class ConfigSource : std::int8_t {
    unknown = 0,
    dynamic_topic = 1,
    dynamic_broker = 2,
    dynamic_default_broker = 3,
    static_broker = 4,
    default_config = 5,
    dynamic_broker_logger = 6,
    client_metrics = 7,
    dynamic_group = 8,
};

struct ConfigOrigin {
    std::string name;                  // of the setting that holds the value: a synonym, perhaps
    std::optional<std::string> value;  // as that setting holds it, in its unit; nullopt is null
    ConfigSource source = ConfigSource::default_config;
};

// What a broker runs with: changed for it alone, changed for all, its file, the defaults.
struct BrokerConfigs {
    ConfigSet dynamic_broker{ConfigScope::broker};
    ConfigSet dynamic_default{ConfigScope::broker};
    ConfigSet file{ConfigScope::broker};

    // Every layer that says something about `name`, best first; the default is the last. Never
    // empty. Requires: find_config(broker, name).
    std::vector<ConfigOrigin> origins(std::string_view name) const;
    // All layers as one set.
    ConfigSet effective() const;
};

// Every layer that says something about a topic's setting, best first: the topic, the broker's
// synonyms layer by layer, the defaults. effective_topic_config() turns hours into milliseconds.
std::vector<ConfigOrigin> topic_config_origins(std::string_view name, const ConfigSet& topic,
                                               const BrokerConfigs& broker);

// The settings that count for a topic: what it says itself, else what its broker says.
ConfigSet effective_topic_config(const ConfigSet& topic, const BrokerConfigs& broker);

}  // namespace kq
