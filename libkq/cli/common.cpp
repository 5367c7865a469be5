// SPDX-License-Identifier: Apache-2.0
#include "cli/common.hpp"

#include <algorithm>
#include <array>

#include "base/config.hpp"
#include "base/config_file.hpp"
#include "cli/text.hpp"
#include "client/options.hpp"

namespace kq {
namespace {

// Keys of the client file that are ours, not Kafka's.
constexpr std::array<std::string_view, 7> own_keys = {
    "default.context", "format", "timeout", "color", "progress", "readonly", "protect"};
// Variables that are no properties.
constexpr std::array<std::string_view, 7> own_variables = {
    "KQ_BOOTSTRAP", "KQ_CONTEXT", "KQ_CONFIG",  "KQ_FORMAT",
    "KQ_TIMEOUT",   "KQ_COLOR",   "KQ_PROGRESS"};

constexpr std::array<ConfigScope, 3> client_scopes = {ConfigScope::admin, ConfigScope::producer,
                                                      ConfigScope::consumer};

bool is_client_property(std::string_view name) {
    return std::any_of(client_scopes.begin(), client_scopes.end(),
                       [name](ConfigScope scope) { return find_config(scope, name) != nullptr; });
}

std::string_view nearest_client_key(std::string_view name) {
    std::vector<std::string_view> known(own_keys.begin(), own_keys.end());
    for (ConfigScope scope : client_scopes) {
        for (const ConfigDef& def : config_defs(scope))
            known.push_back(def.name);
    }
    return nearest_word(name, known);
}

Result<bool> yes_or_no(const Setting& setting) {
    if (setting.value == "true" || setting.value == "yes") return true;
    if (setting.value == "false" || setting.value == "no") return false;
    return Error{Errc::usage,
                 setting.origin + ": " + in_quotes(setting.value) + " is neither true nor false"};
}

// Everything that is said about one run, weakest first: each layer overwrites what it names.
class Layers {
public:
    Layers(const CommonOptions& options, ConfigScope scope, Console& console, FileSystem& files)
        : options_(options), scope_(scope), console_(console), files_(files) {}

    Result<Settings> settle() {
        KQ_TRY(read_client_file());
        KQ_TRY(read_variables());
        KQ_TRY(read_options());
        console_.set_quiet(options_.quiet);
        KQ_TRY(apply_own_keys());
        KQ_TRY(judge_properties());
        settings_.yes = options_.yes;
        settings_.dry_run = options_.dry_run;
        settings_.no_input = options_.no_input;
        settings_.verbose = options_.verbose;
        return std::move(settings_);
    }

private:
    Process& process() { return console_.process(); }

    std::optional<std::string> client_file() {
        if (auto named = process().variable("KQ_CONFIG")) return named;
        std::string home = process().variable("XDG_CONFIG_HOME").value_or("");
        if (home.empty()) home = process().variable("HOME").value_or("") + "/.config";
        for (const std::string& path :
             {home + "/kq/config.toml", std::string("/etc/kq/config.toml")}) {
            if (files_.exists(path)) return path;
        }
        return std::nullopt;
    }

    // A file that KQ_CONFIG names wrongly is no riddle.
    std::string origin_of_client_file() {
        return process().variable("KQ_CONFIG") ? "KQ_CONFIG: " : "";
    }

    Status read_client_file() {
        std::optional<Setting> context;
        if (auto name = process().variable("KQ_CONTEXT")) context = Setting{*name, "KQ_CONTEXT"};
        if (options_.context) context = Setting{*options_.context, "--context"};
        if (context && context->value == "none") return done();

        auto path = client_file();
        if (!path) {
            if (!context) return done();
            return Error{Errc::usage, context->origin +
                                          ": there is no client file, so no context " +
                                          in_quotes(context->value)};
        }
        auto read = read_config_file(files_, *path);
        // Whatever is wrong with it, nothing was sent.
        if (!read.ok()) return Error{Errc::usage, origin_of_client_file() + read.error().message};
        const auto& entries = read.value();
        if (!context) context = context_of_file(entries, *path);
        take_file(entries, *path, context);
        if (!context) return done();
        if (!context_found_) return unknown_context(*context, entries, *path);
        settings_.context = context->value;
        return done();
    }

    static std::optional<Setting> context_of_file(const std::vector<ConfigEntry>& entries,
                                                  const std::string& path) {
        for (const ConfigEntry& entry : entries) {
            if (entry.name == "default.context") return Setting{entry.value, at(path, entry.line)};
        }
        return std::nullopt;
    }

    static std::string at(const std::string& path, int line) {
        return path + ":" + std::to_string(line);
    }

    // The top level first, then the context's table over it.
    void take_file(const std::vector<ConfigEntry>& entries, const std::string& path,
                   const std::optional<Setting>& context) {
        constexpr std::string_view table = "context.";
        for (const ConfigEntry& entry : entries) {
            if (!entry.name.starts_with(table)) take(entry.name, entry.value, at(path, entry.line));
        }
        for (const ConfigEntry& entry : entries) {
            if (!entry.name.starts_with(table)) continue;
            std::string_view rest = std::string_view(entry.name).substr(table.size());
            auto name = rest.substr(0, rest.find('.'));
            if (!context || name != context->value || name.size() == rest.size()) continue;
            context_found_ = true;
            take(std::string(rest.substr(name.size() + 1)), entry.value, at(path, entry.line));
        }
    }

    static Error unknown_context(const Setting& context, const std::vector<ConfigEntry>& entries,
                                 const std::string& path) {
        std::vector<std::string_view> names;
        for (const ConfigEntry& entry : entries) {
            std::string_view name = entry.name;
            if (!name.starts_with("context.")) continue;
            name.remove_prefix(std::string_view("context.").size());
            names.push_back(name.substr(0, name.find('.')));
        }
        std::string message =
            context.origin + ": no context " + in_quotes(context.value) + " in " + path;
        auto nearest = nearest_word(context.value, names);
        if (!nearest.empty()) message += "; is " + in_quotes(nearest) + " meant?";
        return Error{Errc::usage, message};
    }

    // A setting of a file. What other programs of the family read is passed over.
    void take(const std::string& name, const std::string& value, const std::string& origin) {
        if (std::find(own_keys.begin(), own_keys.end(), name) != own_keys.end()) {
            own_[name] = Setting{value, origin};
        } else if (find_config(scope_, name) != nullptr) {
            settings_.properties[name] = Setting{value, origin};
        } else if (!is_client_property(name)) {
            std::string text = origin + ": unknown key " + in_quotes(name);
            auto nearest = nearest_client_key(name);
            if (!nearest.empty()) text += "; is " + in_quotes(nearest) + " meant?";
            warnings_.push_back(text);
        }
    }

    // KQ_BOOTSTRAP and its kin; KQ_REQUEST_TIMEOUT_MS is request.timeout.ms.
    Status read_variables() {
        for (const auto& [variable, value] : process().variables("KQ_")) {
            if (std::find(own_variables.begin(), own_variables.end(), variable) !=
                own_variables.end()) {
                continue;
            }
            std::string name = variable.substr(3);
            std::transform(name.begin(), name.end(), name.begin(), [](char c) {
                return c == '_' ? '.' : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
            });
            if (find_config(scope_, name) != nullptr) {
                settings_.properties[name] = Setting{value, variable};
            }
        }
        auto own = [this](const char* variable, const char* key) {
            if (auto value = process().variable(variable)) own_[key] = Setting{*value, variable};
        };
        own("KQ_FORMAT", "format");
        own("KQ_TIMEOUT", "timeout");
        own("KQ_COLOR", "color");
        own("KQ_PROGRESS", "progress");
        if (auto value = process().variable("KQ_BOOTSTRAP")) {
            settings_.properties["bootstrap.servers"] = Setting{*value, "KQ_BOOTSTRAP"};
        }
        return done();
    }

    Status read_options() {
        for (const std::string& property : options_.properties)
            KQ_TRY(read_property(property));
        if (!options_.bootstrap.empty()) {
            std::string list;
            for (const auto& one : options_.bootstrap)
                list += (list.empty() ? "" : ",") + one;
            settings_.properties["bootstrap.servers"] = Setting{list, "--bootstrap"};
        }
        settings_.properties.try_emplace("bootstrap.servers", Setting{"localhost:9092", "default"});
        settings_.resolve = options_.resolve;
        if (options_.format) own_["format"] = Setting{*options_.format, "--format"};
        if (options_.color) own_["color"] = Setting{*options_.color, "--color"};
        if (options_.progress) own_["progress"] = Setting{*options_.progress, "--progress"};
        return done();
    }

    // What -X @FILE names is one of Kafka's, however it is called.
    Result<std::vector<ConfigEntry>> read_properties(const std::string& path) {
        auto content = read_settings(files_, path);
        if (!content.ok()) return content.error();
        return parse_properties(as_text(content.value()), path);
    }

    Status read_property(const std::string& text) {
        if (text.starts_with('@')) {
            std::string path = text.substr(1);
            auto entries = read_properties(path);
            if (!entries.ok()) {
                return Error{Errc::usage, "option '--property': " + entries.error().message};
            }
            for (const ConfigEntry& entry : entries.value()) {
                take(entry.name, entry.value, at(path, entry.line));
            }
            return done();
        }
        auto equals = text.find('=');
        if (equals == std::string::npos || equals == 0) {
            return Error{Errc::usage, "option '--property': " + in_quotes(text) +
                                          " is neither KEY=VALUE nor @FILE"};
        }
        const std::string name = text.substr(0, equals);
        if (!is_client_property(name)) {
            auto nearest = nearest_client_key(name);
            return Error{Errc::usage,
                         "option '--property': " + in_quotes(name) + " is no setting of a client" +
                             (nearest.empty() ? "" : "; is " + in_quotes(nearest) + " meant?")};
        }
        settings_.properties[name] = Setting{text.substr(equals + 1), "--property"};
        return done();
    }

    Status apply_own_keys() {
        for (const std::string& text : warnings_)
            console_.warn(text);
        KQ_TRY(apply_format());
        if (own_.contains("timeout")) {
            const Setting& setting = own_["timeout"];
            if (auto taken = into(settings_.timeout)(setting.value); !taken.ok()) {
                return Error{Errc::usage, setting.origin + ": " + taken.error().message};
            }
        }
        if (options_.timeout) settings_.timeout = options_.timeout;
        if (own_.contains("readonly")) {
            KQ_LET(settings_.readonly, yes_or_no(own_["readonly"]));
        }
        if (own_.contains("protect")) {
            KQ_LET(settings_.protect, yes_or_no(own_["protect"]));
        }
        return apply_talk();
    }

    Status apply_format() {
        std::optional<Setting> configured;
        if (own_.contains("format")) configured = own_["format"];
        // Whoever wants results as JSON wants errors so, also of a program without rows.
        if (configured) console_.set_json_errors(is_json(*configured));
        const bool has_rows = scope_ == ConfigScope::admin;
        KQ_LET(settings_.format,
               choose_format(has_rows ? FormatFamily::rows : FormatFamily::records, options_.format,
                             configured));
        return done();
    }

    // Nobody shall believe in a property that does nothing.
    Status judge_properties() {
        std::string idle;
        std::size_t idle_count = 0;
        for (const auto& [name, setting] : settings_.properties) {
            const auto fate = fate_of_property(scope_, name, setting.value);
            if (fate.kind == PropertyFate::Kind::refused) {
                return Error{Errc::usage,
                             sayer_of(setting) + ": " + name + ": " + std::string(fate.why)};
            }
            if (fate.kind == PropertyFate::Kind::counts) continue;
            idle += (idle_count++ == 0 ? "" : ", ") + name;
        }
        if (idle_count == 0) return done();
        console_.warn(idle + (idle_count == 1 ? " has" : " have") + " no effect on " +
                      console_.tool());
        return done();
    }

    Status apply_talk() {
        KQ_LET(auto color, mode("color", false));
        console_.set_color(color);
        bool plain = own_.contains("progress") && own_["progress"].value == "plain";
        KQ_LET(auto progress, mode("progress", true));
        if (options_.quiet) progress = When::never;
        console_.set_progress(progress, plain);
        return done();
    }

    Result<When> mode(const std::string& key, bool plain_too) {
        if (!own_.contains(key)) return When::automatic;
        const Setting& setting = own_[key];
        if (setting.value == "auto") return When::automatic;
        if (setting.value == "always" || (plain_too && setting.value == "plain")) {
            return When::always;
        }
        if (setting.value == "never") return When::never;
        return Error{Errc::usage,
                     setting.origin + ": " + in_quotes(setting.value) + " is none of " +
                         (plain_too ? "auto, always, never, plain" : "auto, always, never")};
    }

    const CommonOptions& options_;
    const ConfigScope scope_;
    Console& console_;
    FileSystem& files_;
    Settings settings_;
    std::map<std::string, Setting> own_;
    std::vector<std::string> warnings_;
    bool context_found_ = false;
};

}  // namespace

std::vector<Option> common_options(CommonOptions& options, const CommonChoice& choice) {
    std::vector<Option> table = {
        {"-b,--bootstrap", "HOST[:PORT],...", "where to start", into_list(options.bootstrap),
         "localhost:9092"},
        {"-C,--context", "NAME", "named settings of the client file; none ignores the file",
         into(options.context)},
        {"-X,--property", "KEY=VALUE", "a client property, or @FILE with many; the last one wins",
         into(options.properties)},
        {"--resolve", "HOST:PORT=ADDR:PORT", "dial ADDR where a broker advertises HOST",
         into(options.resolve)},
        {"-f,--format", "FORMAT", choice.formats, into(options.format), "text"},
        {"-t,--timeout", "TIME", choice.timeout_sentence, into(options.timeout),
         choice.default_timeout}};
    if (choice.asks) {
        table.push_back({"-y,--yes", "", "do not ask", into(options.yes)});
        table.push_back({"--no-input", "", "never ask: fail instead", into(options.no_input)});
    }
    if (choice.changes_things) {
        table.push_back(
            {"--dry-run", "", "show what would happen, change nothing", into(options.dry_run)});
    }
    for (Option& option : talk_options(options))
        table.push_back(std::move(option));
    return table;
}

std::vector<Option> talk_options(CommonOptions& options) {
    return {
        {"-q,--quiet", "", "print results and errors only", into(options.quiet)},
        {"-v,--verbose", "", "tell settings with their origin and what requests took; -vv: bytes",
         into_times(options.verbose)},
        {"--color", "MODE", "auto, always or never", into(options.color), "auto"},
        {"--progress", "MODE", "auto, always, never, or plain: a line every 10 s",
         into(options.progress), "auto"}};
}

std::string Settings::bootstrap() const {
    return properties.at("bootstrap.servers").value;
}

std::map<std::string, std::string> Settings::client_properties() const {
    std::map<std::string, std::string> plain;
    for (const auto& [name, setting] : properties)
        plain[name] = setting.value;
    return plain;
}

Result<Settings> settle(const CommonOptions& options, ConfigScope scope, Console& console,
                        FileSystem& files) {
    return Layers(options, scope, console, files).settle();
}

}  // namespace kq
