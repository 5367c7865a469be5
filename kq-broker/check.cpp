// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/posix_file_system.hpp"
#include "broker/listeners.hpp"
#include "broker/supported_settings.hpp"
#include "verbs.hpp"

namespace kq {
namespace {

// What the broker does with a setting.
const char* effect_of(const std::string& name) {
    if (has_effect(name)) return "yes";
    return row_of_setting(name) == nullptr ? "unknown" : "not yet";
}

}  // namespace

Schema check_schema() {
    return {"kq.broker.check/1",
            {{"name", ColumnKind::text, "Kafka's name of the setting"},
             {"value", ColumnKind::text, "what the broker would run with"},
             {"origin", ColumnKind::text, "who said so: an option, a file, or default"},
             {"effect", ColumnKind::text,
              "yes; not yet: kq does nothing with it so far; unknown: no setting of Kafka's own"}}};
}

int check_settings(Console& console, const BrokerCommandOptions& options,
                   const CheckOptions& check) {
    PosixFileSystem files;
    auto format = choose_format(FormatFamily::rows, check.format, console.process());
    if (!format.ok()) return console.fail("", format.error());
    console.set_json_errors(is_json(format.value()));
    auto settings = settle_broker(options, console.process(), files);
    if (!settings.ok()) return console.fail("", settings.error());
    for (const auto& warning : settings.value().warnings)
        console.warn(warning);
    const auto& config = *settings.value().config;
    auto listeners = parse_listeners(config);
    if (!listeners.ok()) return console.fail("", listeners.error());

    auto printer = RowPrinter::create(console, check_schema(), format.value(), check.rows);
    if (!printer.ok()) return console.fail("", printer.error());
    const auto& origins = settings.value().origins;
    for (const auto& row : broker_config_defs()) {
        std::string name(row.name);
        auto origin = std::find_if(origins.begin(), origins.end(),
                                   [&](const auto& other) { return other.name == name; });
        bool given = origin != origins.end();
        if (!given && (!check.all || row.internal)) continue;
        Cell value;
        if (given) {
            value = row.is_sensitive() ? "(hidden)" : config.values().at(name);
        } else if (row.fallback.kind == ConfigDefault::Kind::value) {
            value = row.fallback.text;
        }
        printer.value().add({name, value, given ? origin->origin : "default", effect_of(name)});
    }
    // Of one listener, or of a plug-in.
    for (const auto& [name, value] : config.values()) {
        if (find_config(ConfigScope::broker, name) != nullptr) continue;
        const auto* row = row_of_setting(name);
        const bool hidden = row == nullptr || row->is_sensitive();
        auto origin = std::find_if(origins.begin(), origins.end(),
                                   [&key = name](const auto& other) { return other.name == key; });
        printer.value().add({name, hidden ? "(hidden)" : value,
                             origin == origins.end() ? "default" : origin->origin,
                             effect_of(name)});
    }
    printer.value().finish();
    return exit_ok;
}

}  // namespace kq
