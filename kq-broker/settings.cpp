// SPDX-License-Identifier: Apache-2.0
#include "settings.hpp"

#include "base/config_file.hpp"
#include "broker/supported_settings.hpp"
#include "net/poco_network.hpp"

namespace kq {
namespace {

constexpr std::uint16_t kafka_port = 9092;
constexpr const char* memory_directory = "/ephemeral";

Binder into_word(std::string& target, std::vector<std::string> words) {
    return [&target, words = std::move(words)](std::string_view value) -> Status {
        std::string list;
        for (const auto& word : words) {
            if (value == word) {
                target = word;
                return done();
            }
            list += (list.empty() ? "" : ", ") + word;
        }
        return Error{Errc::usage, "'" + std::string(value) + "' is none of " + list};
    };
}

// Collects settings, the last one wins, and remembers who said so.
class Collector {
public:
    explicit Collector(BrokerSettings& out) : out_(out) {}

    Status set(const std::string& name, const std::string& value, const std::string& origin,
               ConfigSyntax syntax = ConfigSyntax::kafka) {
        auto stored = set_.set(name, value, syntax);
        if (!stored.ok()) return Error{Errc::usage, origin + ": " + stored.error().message};
        note(name, origin);
        return done();
    }
    void keep_unknown(const std::string& name, const std::string& value,
                      const std::string& origin) {
        set_.keep_unknown(name, value);
        note(name, origin);
    }
    void take_file(ConfigFileResult file, const std::string& path) {
        set_ = std::move(file.settings);
        for (const auto& [name, value] : set_.values())
            note(name, path);
        out_.warnings = std::move(file.warnings);
    }
    void unset(const std::string& name) {
        set_.unset(name);
        std::erase_if(out_.origins, [&](const auto& other) { return other.name == name; });
    }
    bool is_set(std::string_view name) const { return set_.is_set(name); }
    const ConfigSet& settings() const { return set_; }
    // The file or option that gave a setting.
    std::string origin_of(std::string_view name) const {
        for (const auto& other : out_.origins)
            if (other.name == name) return other.origin;
        return "default";
    }
    void finish() { out_.config = std::make_shared<const ConfigSet>(std::move(set_)); }

private:
    void note(const std::string& name, const std::string& origin) {
        std::erase_if(out_.origins, [&](const auto& other) { return other.name == name; });
        out_.origins.push_back({name, origin});
    }
    BrokerSettings& out_;
    ConfigSet set_{ConfigScope::broker};
};

// ${XDG_STATE_HOME:-~/.local/state}/kq
Result<std::string> state_directory(const Process& process) {
    auto state = process.variable("XDG_STATE_HOME");
    if (state && !state->empty()) return *state + "/kq";
    auto home = process.variable("HOME");
    if (home && !home->empty()) return *home + "/.local/state/kq";
    return Error{
        Errc::usage,
        "there is no place for the data: neither --data nor XDG_STATE_HOME nor HOME is set"};
}

// HOST:PORT becomes PLAINTEXT://HOST:PORT; with a name in front it stays as it is.
Result<std::string> as_listener(const std::string& text) {
    if (text.find("://") != std::string::npos) return text;
    auto endpoint = Endpoint::parse(text, kafka_port);
    if (!endpoint.ok()) return endpoint.error();
    return "PLAINTEXT://" + endpoint.value().text();
}

bool is_about_directories(std::string_view name) {
    return name == "log.dirs" || name == "log.dir" || name == "metadata.log.dir";
}

// A private broker takes neither the addresses nor the directories of a file: it would be somebody
// else's broker then, with somebody else's topics.
void leave_place_of_file(const std::string& file, Collector& settings,
                         std::vector<std::string>& warnings) {
    std::string list;
    for (const std::string name :
         {"listeners", "advertised.listeners", "log.dirs", "log.dir", "metadata.log.dir"}) {
        if (!settings.is_set(name)) continue;
        settings.unset(name);
        list += (list.empty() ? "" : ", ") + name;
    }
    if (list.empty()) return;
    warnings.push_back("a private broker does not take " + list + " from " + file +
                       ": --listen and --data say where it is");
}

Status set_listeners(const BrokerCommandOptions& options, bool for_child, Collector& settings) {
    std::string list;
    for (const auto& text : options.listen) {
        auto listener = as_listener(text);
        if (!listener.ok()) return Error{Errc::usage, "--listen: " + listener.error().message};
        list += (list.empty() ? "" : ",") + listener.value();
    }
    if (!list.empty()) {
        KQ_TRY(settings.set("listeners", list, "--listen"));
    } else if (for_child) {
        KQ_TRY(settings.set("listeners", "PLAINTEXT://127.0.0.1:0", "run"));
    }
    if (!options.advertise) return done();
    std::string advertised = *options.advertise;
    if (advertised == "auto") {
        auto port =
            Endpoint::parse(options.listen.empty() ? ":9092" : options.listen.front(), kafka_port);
        advertised = Endpoint{host_name(), port.ok() ? port.value().port : kafka_port}.text();
    }
    auto listener = as_listener(advertised);
    if (!listener.ok()) return Error{Errc::usage, "--advertise: " + listener.error().message};
    return settings.set("advertised.listeners", listener.value(), "--advertise");
}

Status set_data(const BrokerCommandOptions& options, const Process& process, bool ephemeral,
                Collector& settings) {
    if (options.data && options.ephemeral) {
        return Error{Errc::usage, "--data and --ephemeral exclude one another"};
    }
    if (options.data) return settings.set("log.dirs", *options.data, "--data");
    if (ephemeral) return settings.set("log.dirs", memory_directory, "--ephemeral");
    if (settings.is_set("log.dirs") || settings.is_set("log.dir")) return done();
    KQ_LET(auto directory, state_directory(process));
    return settings.set("log.dirs", directory, "default of kq-broker");
}

// "none", an address, or nothing: a free port of this machine.
Status set_http(const BrokerCommandOptions& options, BrokerSettings& out) {
    if (!options.http) {
        out.http = Endpoint{"127.0.0.1", 0};
        return done();
    }
    if (*options.http == "none") return done();
    auto endpoint = Endpoint::parse(*options.http, 0);
    if (!endpoint.ok()) return Error{Errc::usage, "--http: " + endpoint.error().message};
    out.http = endpoint.value();
    return done();
}

// The older name of node.id, which a Kafka file may still use; where both stand, they agree.
Status take_older_id(Collector& settings) {
    const auto older = settings.settings().integer("broker.id");
    if (older < 0) return done();
    const auto id = settings.settings().integer("node.id");
    if (!settings.is_set("node.id")) {
        return settings.set("node.id", std::to_string(older), settings.origin_of("broker.id"));
    }
    if (older == id) return done();
    return Error{Errc::usage, settings.origin_of("broker.id") +
                                  ": broker.id: " + std::to_string(older) +
                                  " is the older name of node.id, which is " + std::to_string(id)};
}

// What was asked for and cannot be had: an error, or a warning where it does no harm.
Status check_support(const Collector& settings, std::vector<std::string>& warnings) {
    if (auto refused = refused_setting(settings.settings())) {
        const std::string name(refused->name);
        return Error{Errc::usage, settings.origin_of(name) + ": " + name + ": " + refused->why};
    }
    const auto names = settings_without_effect(settings.settings());
    if (names.empty()) return done();
    std::string list;
    for (const auto& name : names)
        list += (list.empty() ? "" : ", ") + name;
    warnings.push_back("no effect in kq yet: " + list);
    return done();
}

}  // namespace

std::vector<Option> broker_options(BrokerCommandOptions& options) {
    return {
        {"--config", "FILE", "settings: TOML, or a Kafka .properties file as it is",
         into(options.config_file)},
        {"--listen", "HOST:PORT", "where clients connect; port 0 takes a free one",
         into_list(options.listen), "127.0.0.1:9092 and [::1]:9092"},
        {"--advertise", "HOST:PORT", "what clients are told to dial; auto: this machine's name",
         into(options.advertise), "what --listen says"},
        {"--data", "DIR", "where the records are kept", into(options.data),
         "${XDG_STATE_HOME:-~/.local/state}/kq"},
        {"--ephemeral", "", "keep everything in memory, nothing on disk", into(options.ephemeral)},
        {"--id", "N", "the number of this node", into(options.id, 0, 2'147'483'647), "1"},
        {"--http", "HOST:PORT", "where /livez, /readyz and /metrics are answered; none: nowhere",
         into(options.http), "a free port of 127.0.0.1"},
        {"--ready-file", "FILE", "write the addresses there once clients are served",
         into(options.ready_file)},
        {"--log-format", "FORMAT", "text or json, on standard error",
         into_word(options.log_format, {"text", "json"}), "text"},
        {"--log-level", "LEVEL", "error, warn, info or debug",
         into_word(options.log_level, {"error", "warn", "info", "debug"}), "info"},
        {"-X,--property", "KEY=VALUE", "any of the broker's settings; the last one wins",
         into(options.settings)},
    };
}

Result<BrokerSettings> settle_broker(const BrokerCommandOptions& options, const Process& process,
                                     FileSystem& files, bool for_child) {
    BrokerSettings out;
    Collector settings(out);
    if (options.config_file) {
        auto file = load_config_file(files, *options.config_file, ConfigScope::broker);
        // Whatever is wrong with it, the command line named it.
        if (!file.ok()) return Error{Errc::usage, file.error().message};
        settings.take_file(std::move(file).value(), *options.config_file);
        if (for_child) leave_place_of_file(*options.config_file, settings, out.warnings);
    }
    out.ephemeral = options.ephemeral || (for_child && !options.data);
    KQ_TRY(set_listeners(options, for_child, settings));
    KQ_TRY(set_data(options, process, out.ephemeral, settings));
    if (options.id) KQ_TRY(settings.set("node.id", std::to_string(*options.id), "--id"));
    for (const auto& text : options.settings) {
        auto equals = text.find('=');
        if (equals == std::string::npos) {
            return Error{Errc::usage, "-X: '" + text + "' is no KEY=VALUE"};
        }
        auto name = text.substr(0, equals);
        if (row_of_setting(name) == nullptr && is_about_security(name)) {
            settings.keep_unknown(name, text.substr(equals + 1), "-X");
            continue;  // check_support() has its say
        }
        if (row_of_setting(name) == nullptr) {
            auto nearest = nearest_config(ConfigScope::broker, name);
            std::string hint =
                nearest.empty() ? "" : "; did you mean '" + std::string(nearest) + "'?";
            return Error{Errc::usage, "-X: '" + name + "' is no setting of a broker" + hint};
        }
        if (out.ephemeral && is_about_directories(name)) {
            return Error{Errc::usage,
                         "-X " + name + " and " +
                             (options.ephemeral ? "--ephemeral exclude one another"
                                                : "'run' exclude one another; say --data")};
        }
        KQ_TRY(settings.set(name, text.substr(equals + 1), "-X", ConfigSyntax::with_units));
    }
    KQ_TRY(take_older_id(settings));
    KQ_TRY(check_support(settings, out.warnings));
    KQ_TRY(set_http(options, out));
    settings.finish();
    out.ready_file = options.ready_file;
    out.log_format = options.log_format == "json" ? LogFormat::json : LogFormat::text;
    KQ_LET(out.log_level, parse_log_level(options.log_level));
    return out;
}

}  // namespace kq
