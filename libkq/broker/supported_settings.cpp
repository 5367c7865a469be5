// SPDX-License-Identifier: Apache-2.0
#include "broker/supported_settings.hpp"

#include <algorithm>

namespace kq {
namespace {

using Refused = std::optional<RefusedSetting>;

Refused refused_roles(const ConfigSet& config) {
    const auto roles = config.list("process.roles");
    const auto has = [&](std::string_view role) {
        return std::find(roles.begin(), roles.end(), role) != roles.end();
    };
    if (has("broker") && has("controller")) return std::nullopt;
    std::string given = config.text("process.roles");
    return RefusedSetting{"process.roles",
                          "'" + given +
                              "' is not built yet: a node is broker and controller; say "
                              "broker,controller"};
}

Refused refused_quorum(const ConfigSet& config) {
    const auto voters = config.list("controller.quorum.voters");
    if (voters.size() > 1) {
        return RefusedSetting{"controller.quorum.voters",
                              "it names " + std::to_string(voters.size()) +
                                  " voters; quorums of more than this node are not built yet"};
    }
    const auto self = std::to_string(config.integer("node.id")) + "@";
    if (!voters.empty() && !voters[0].starts_with(self)) {
        return RefusedSetting{"controller.quorum.voters",
                              "'" + voters[0] + "' is not this node, whose node.id is " +
                                  self.substr(0, self.size() - 1) + "; no other can be joined yet"};
    }
    const auto servers = config.list("controller.quorum.bootstrap.servers");
    if (servers.size() > 1) {
        return RefusedSetting{"controller.quorum.bootstrap.servers",
                              "it names " + std::to_string(servers.size()) +
                                  " controllers; quorums of more than this node are not built yet"};
    }
    return std::nullopt;
}

Refused refused_authorizer(const ConfigSet& config) {
    const auto authorizer = config.text("authorizer.class.name");
    if (authorizer.empty()) return std::nullopt;
    return RefusedSetting{"authorizer.class.name",
                          "'" + authorizer +
                              "' is not built yet, and without it everybody could do everything; "
                              "take the setting out if that is meant"};
}

// The name without the listener that it is for.
std::string_view key_of(std::string_view name) {
    constexpr std::string_view prefix = "listener.name.";
    const auto dot = name.starts_with(prefix) ? name.find('.', prefix.size()) : std::string::npos;
    return dot == std::string::npos ? name : name.substr(dot + 1);
}

// `plain.sasl.jaas.config` is that of one SASL mechanism.
bool has_part(std::string_view key, std::string_view part) {
    return key.starts_with(part) || key.find('.' + std::string(part)) != std::string::npos;
}

bool is_default(const ConfigDef& def, const std::string& value) {
    return def.fallback.kind == ConfigDefault::Kind::value && def.fallback.text == value;
}

// Kafka would go by them on its SSL and SASL listeners; here they would promise a door that is not
// there.
Refused refused_security(const ConfigSet& config) {
    const auto protocol = config.text("security.inter.broker.protocol");
    if (protocol != "PLAINTEXT") {
        return RefusedSetting{"security.inter.broker.protocol",
                              "'" + protocol + "' is not built yet; nodes speak PLAINTEXT"};
    }
    for (const auto& [name, value] : config.values()) {
        const auto* def = row_of_setting(name);
        if (def != nullptr && is_default(*def, value)) continue;
        if (!is_about_security(name)) continue;
        const auto key = key_of(name);
        const char* what = has_part(key, "ssl.")    ? "TLS is"
                           : has_part(key, "sasl.") ? "SASL is"
                                                    : "access rules are";
        return RefusedSetting{name, std::string(what) +
                                        " not built yet, and every listener is open to "
                                        "everybody; take the setting out if that is meant"};
    }
    return std::nullopt;
}

}  // namespace

const ConfigDef* row_of_setting(std::string_view name) {
    return find_config(ConfigScope::broker, key_of(name));
}

bool is_about_security(std::string_view name) {
    const auto key = key_of(name);
    return has_part(key, "ssl.") || has_part(key, "sasl.") || key == "super.users" ||
           key == "allow.everyone.if.no.acl.found";
}

// Settings of one listener are checked, and none is read yet.
bool has_effect(std::string_view name) {
    const auto* def = find_config(ConfigScope::broker, name);
    return def != nullptr && def->effect == ConfigEffect::acted_on;
}

std::optional<RefusedSetting> refused_setting(const ConfigSet& config) {
    if (auto refused = refused_roles(config)) return refused;
    if (auto refused = refused_quorum(config)) return refused;
    if (auto refused = refused_authorizer(config)) return refused;
    return refused_security(config);
}

std::vector<std::string> settings_without_effect(const ConfigSet& config) {
    std::vector<std::string> names;
    for (const auto& [name, value] : config.values()) {
        const auto* def = row_of_setting(name);
        if (name == "log.cleanup.policy" && value.find("compact") != std::string::npos) {
            names.push_back(name + "=compact");
        }
        if (def == nullptr || has_effect(name)) continue;
        if (!is_default(*def, value)) names.push_back(name);
    }
    return names;
}

}  // namespace kq
