// SPDX-License-Identifier: Apache-2.0
#include "base/config.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/check.hpp"

namespace kq {
namespace {

constexpr std::string_view listener_prefix = "listener.name.";

// "listener.name.internal.ssl.keystore.location" is the setting ssl.keystore.location of one
// listener; other names are their own key.
std::string_view key_of(ConfigScope scope, std::string_view name) {
    if (scope != ConfigScope::broker || !name.starts_with(listener_prefix)) return name;
    auto dot = name.find('.', listener_prefix.size());
    return dot == std::string_view::npos ? name : name.substr(dot + 1);
}

std::int64_t to_integer(std::string_view canonical) {
    std::int64_t value = 0;
    auto [end, error] =
        std::from_chars(canonical.data(), canonical.data() + canonical.size(), value);
    KQ_CHECK(error == std::errc{} && end == canonical.data() + canonical.size());
    return value;
}

std::optional<std::string> default_of(const ConfigDef& def) {
    if (def.fallback.kind != ConfigDefault::Kind::value) return {};
    return std::string(def.fallback.text);
}

std::int64_t milliseconds_in(ConfigUnit unit) {
    switch (unit) {
        case ConfigUnit::seconds:
            return 1'000;
        case ConfigUnit::minutes:
            return 60'000;
        case ConfigUnit::hours:
            return 3'600'000;
        default:
            return 1;
    }
}

std::int64_t times(std::int64_t value, std::int64_t factor) {
    std::int64_t product = 0;
    if (!__builtin_mul_overflow(value, factor, &product)) return product;
    return value < 0 ? std::numeric_limits<std::int64_t>::min()
                     : std::numeric_limits<std::int64_t>::max();
}

// A broker's value in the unit of the topic's setting that it stands in for: hours of
// log.retention.hours become the milliseconds of retention.ms. A negative retention in any unit
// means "no limit", which is -1.
std::string in_unit_of(const ConfigDef& topic, const ConfigDef& broker, const std::string& value) {
    if (topic.unit != ConfigUnit::milliseconds || broker.unit == ConfigUnit::milliseconds) {
        return value;
    }
    auto number = to_integer(value);
    return std::to_string(number < 0 ? -1 : times(number, milliseconds_in(broker.unit)));
}

std::vector<std::string_view> synonyms_of(const ConfigDef& def) {
    std::vector<std::string_view> names;
    std::string_view text = def.synonyms;
    while (!text.empty()) {
        auto end = std::min(text.find(' '), text.size());
        names.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return names;
}

const ConfigDef& row_of(ConfigScope scope, std::string_view name) {
    const ConfigDef* def = find_config(scope, key_of(scope, name));
    KQ_CHECK_MSG(def != nullptr, "a setting that is in no table was asked for");
    return *def;
}

}  // namespace

Status ConfigSet::set(std::string_view name, std::string_view value, ConfigSyntax syntax) {
    const ConfigDef* def = find_config(scope_, key_of(scope_, name));
    if (def == nullptr) {
        std::string text = "unknown ";
        text += name_of(scope_);
        text += " setting '" + std::string(name) + "'";
        auto nearest = nearest_config(scope_, name);
        if (!nearest.empty()) text += "; the nearest is " + std::string(nearest);
        return Error(Errc::invalid_config, std::move(text));
    }
    KQ_LET(std::string canonical, canonical_config(*def, value, syntax));
    values_[std::string(name)] = std::move(canonical);
    return done();
}

void ConfigSet::unset(std::string_view name) {
    auto at = values_.find(name);
    if (at != values_.end()) values_.erase(at);
}

void ConfigSet::keep_unknown(std::string_view name, std::string_view value) {
    values_[std::string(name)] = std::string(value);
}

std::optional<std::string> ConfigSet::optional_text(std::string_view name) const {
    const auto& def = row_of(scope_, name);
    auto at = values_.find(name);
    return at != values_.end() ? std::optional(at->second) : default_of(def);
}

std::string ConfigSet::text(std::string_view name) const {
    auto value = optional_text(name);
    KQ_CHECK_MSG(value.has_value(), "a setting without a value was asked for");
    return *value;
}

bool ConfigSet::boolean(std::string_view name) const {
    KQ_CHECK(row_of(scope_, name).type == ConfigType::boolean);
    return text(name) == "true";
}

std::optional<std::int64_t> ConfigSet::optional_integer(std::string_view name) const {
    auto type = row_of(scope_, name).type;
    KQ_CHECK(type == ConfigType::int16 || type == ConfigType::int32 || type == ConfigType::int64);
    auto value = optional_text(name);
    if (!value) return {};
    return to_integer(*value);
}

std::int64_t ConfigSet::integer(std::string_view name) const {
    auto value = optional_integer(name);
    KQ_CHECK_MSG(value.has_value(), "a setting without a value was asked for");
    return *value;
}

double ConfigSet::real(std::string_view name) const {
    KQ_CHECK(row_of(scope_, name).type == ConfigType::real);
    auto value = text(name);
    double number = 0;
    auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    KQ_CHECK(error == std::errc{} && end == value.data() + value.size());
    return number;
}

std::vector<std::string> ConfigSet::list(std::string_view name) const {
    KQ_CHECK(row_of(scope_, name).type == ConfigType::list);
    return split_list(text(name));
}

std::chrono::milliseconds ConfigSet::duration(std::string_view name) const {
    const auto& def = row_of(scope_, name);
    KQ_CHECK(def.unit != ConfigUnit::none && def.unit != ConfigUnit::bytes);
    auto number = integer(name);
    if (def.unit == ConfigUnit::microseconds) return std::chrono::milliseconds(number / 1000);
    // Clocks count nanoseconds in 64 bits: 200 years are as good as for ever, and adding them to a
    // time does not overflow.
    constexpr std::int64_t longest = std::int64_t{200} * 365 * 86'400'000;
    return std::chrono::milliseconds(
        std::clamp(times(number, milliseconds_in(def.unit)), -longest, longest));
}

std::vector<ConfigOrigin> BrokerConfigs::origins(std::string_view name) const {
    const auto& def = row_of(ConfigScope::broker, name);
    std::vector<ConfigOrigin> found;
    auto look = [&](const ConfigSet& set, ConfigSource source) {
        auto at = set.values().find(name);
        if (at != set.values().end()) found.push_back({at->first, at->second, source});
    };
    look(dynamic_broker, ConfigSource::dynamic_broker);
    look(dynamic_default, ConfigSource::dynamic_default_broker);
    look(file, ConfigSource::static_broker);
    found.push_back({std::string(name), default_of(def), ConfigSource::default_config});
    return found;
}

ConfigSet BrokerConfigs::effective() const {
    ConfigSet all = file;
    for (const ConfigSet* layer : {&dynamic_default, &dynamic_broker}) {
        for (const auto& [name, value] : layer->values()) {
            all.keep_unknown(name, value);  // checked when its own layer was filled
        }
    }
    return all;
}

std::vector<ConfigOrigin> topic_config_origins(std::string_view name, const ConfigSet& topic,
                                               const BrokerConfigs& broker) {
    const auto& def = row_of(ConfigScope::topic, name);
    std::vector<ConfigOrigin> found;
    auto own = topic.values().find(name);
    if (own != topic.values().end()) {
        found.push_back({own->first, own->second, ConfigSource::dynamic_topic});
    }
    auto synonyms = synonyms_of(def);
    auto look = [&](const ConfigSet& set, ConfigSource source) {
        for (auto synonym : synonyms) {
            auto at = set.values().find(synonym);
            if (at == set.values().end()) continue;
            found.push_back({at->first, at->second, source});
        }
    };
    look(broker.dynamic_broker, ConfigSource::dynamic_broker);
    look(broker.dynamic_default, ConfigSource::dynamic_default_broker);
    look(broker.file, ConfigSource::static_broker);
    for (auto synonym : synonyms) {
        auto value = default_of(row_of(ConfigScope::broker, synonym));
        if (value) found.push_back({std::string(synonym), value, ConfigSource::default_config});
    }
    if (synonyms.empty() || found.empty()) {  // nobody else stands in for it
        found.push_back({std::string(name), default_of(def), ConfigSource::default_config});
    }
    return found;
}

ConfigSet effective_topic_config(const ConfigSet& topic, const BrokerConfigs& broker) {
    ConfigSet all(ConfigScope::topic);
    for (const auto& def : topic_config_defs()) {
        auto best = topic_config_origins(def.name, topic, broker).front();
        if (!best.value) continue;
        // A synonym may bear the same name (min.insync.replicas); then its unit is the same too.
        bool same = best.name == def.name;
        const auto& row = same ? def : row_of(ConfigScope::broker, best.name);
        all.keep_unknown(def.name, in_unit_of(def, row, *best.value));
    }
    return all;
}

}  // namespace kq
