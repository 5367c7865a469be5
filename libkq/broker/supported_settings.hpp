// SPDX-License-Identifier: Apache-2.0
//
// Settings that are sound in themselves and ask for what kq cannot do: those that it must not pass
// over are refused, those that it may are named.
//
// errors   usage  the setting and why it cannot be honoured
// source   Kafka's settings; base/config_def.hpp says which ones kq acts on
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.hpp"

namespace kq {

struct RefusedSetting {
    std::string_view name;  // of a setting of the ConfigSet that was asked about
    std::string why;        // a whole sentence, without the name
};

// The row that a broker's setting goes by: its own, or for `listener.name.NAME.KEY` that of KEY.
// Null for names that no table knows (a plug-in's).
const ConfigDef* row_of_setting(std::string_view name);
// Whether it is about who may do what: Kafka's own, also those that its authorizer and its SASL
// mechanisms read and no table knows.
bool is_about_security(std::string_view name);
// Whether kq does something with it today.
bool has_effect(std::string_view name);

// A broker alone, a quorum of several, an authorizer, TLS, SASL: going on as if nobody had asked
// for them would split a cluster or leave it open to everybody.
std::optional<RefusedSetting> refused_setting(const ConfigSet& config);

// Settings that were given another value than their default although kq does nothing with them.
std::vector<std::string> settings_without_effect(const ConfigSet& config);

}  // namespace kq
