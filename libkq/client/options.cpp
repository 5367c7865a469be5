// SPDX-License-Identifier: Apache-2.0
#include "client/options.hpp"

#include <algorithm>
#include <array>

#include "base/config.hpp"

namespace kq {
namespace {

constexpr std::uint16_t default_port = 9092;

// One set of properties (a file, a context) serves every program: what means something to another
// kind of client only is passed over.
bool is_of_another_client(ConfigScope scope, std::string_view key) {
    for (auto other : {ConfigScope::producer, ConfigScope::consumer, ConfigScope::admin}) {
        if (other != scope && find_config(other, key) != nullptr) return true;
    }
    return false;
}

// What would change what the user gets, and kq does not do. A name that ends in a dot stands for
// all that begin so. kq-config.toml(5) lists them; tests/house/pages.py reads them here.
struct Refusal {
    std::string_view name;
    std::string_view why;
};
constexpr std::string_view no_transactions = "transactions are not built yet";
constexpr std::string_view no_groups = "groups are not built yet; each reader reads for itself";
constexpr std::string_view no_classes = "kq loads no Java classes";
constexpr std::string_view no_objects = "kq passes bytes on as they are";
constexpr std::string_view no_security =
    "encryption and authentication of clients are not built yet";
constexpr Refusal refusals[] = {
    {"bootstrap.controllers", "controllers cannot be asked yet; name brokers"},
    {"config.providers", no_classes},
    {"exclude.internal.topics", "globs leave internal topics out"},
    {"group.id", no_groups},
    {"group.instance.id", no_groups},
    {"group.protocol", no_groups},
    {"group.remote.assignor", no_groups},
    {"interceptor.classes", no_classes},
    {"key.deserializer", no_objects},
    {"key.serializer", no_objects},
    {"partitioner.class", no_classes},
    {"sasl.", no_security},
    {"security.protocol", "only PLAINTEXT is built so far"},
    {"security.providers", no_classes},
    {"ssl.", no_security},
    {"transaction.two.phase.commit.enable", no_transactions},
    {"transactional.id", no_transactions},
    {"value.deserializer", no_objects},
    {"value.serializer", no_objects},
};

const Refusal* find_refusal(std::string_view key) {
    for (const Refusal& one : refusals) {
        if (one.name == key || (one.name.ends_with('.') && key.starts_with(one.name))) return &one;
    }
    return nullptr;
}

// Whether kq without the setting does what this value asks for.
bool says_what_is_done_anyway(const ConfigDef& def, std::string_view value) {
    if (def.name.starts_with("sasl.") || def.name.starts_with("ssl.")) return false;
    // Classes of Kafka's that pass bytes on, or UTF-8 as the bytes that it is.
    constexpr std::string_view passing_on = "org.apache.kafka.common.serialization.";
    if (def.name.ends_with("serializer") && value.starts_with(passing_on)) {
        value.remove_prefix(passing_on.size());
        return value.starts_with("ByteArray") || value.starts_with("String");
    }
    if (def.fallback.kind != ConfigDefault::Kind::value) return false;
    auto canonical = canonical_config(def, value, ConfigSyntax::with_units);
    auto fallback = canonical_config(def, def.fallback.text, ConfigSyntax::kafka);
    if (!canonical.ok() || !fallback.ok()) return false;
    const bool any_case = def.valid.kind == ConfigValid::Kind::words_any_case;
    const auto same = [any_case](char a, char b) {
        const auto upper = [](char c) {
            return 'a' <= c && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        };
        return a == b || (any_case && upper(a) == upper(b));
    };
    return std::equal(canonical.value().begin(), canonical.value().end(), fallback.value().begin(),
                      fallback.value().end(), same);
}

// Reads `properties` as settings of `scope`. Nobody shall believe in a setting that has no effect:
// what matters is refused here, of the rest the programs tell.
Result<ConfigSet> settings_of(ConfigScope scope, const Properties& properties) {
    ConfigSet settings(scope);
    for (const auto& [key, value] : properties) {
        const auto* def = find_config(scope, key);
        if (def == nullptr && is_of_another_client(scope, key)) continue;
        const auto fate = fate_of_property(scope, key, value);
        if (fate.kind == PropertyFate::Kind::refused) {
            return Error{Errc::usage, key + ": " + std::string(fate.why)};
        }
        auto status = settings.set(key, value, ConfigSyntax::with_units);
        if (!status.ok()) return Error{Errc::usage, status.error().message};
    }
    return settings;
}

Result<std::vector<Endpoint>> bootstrap_of(const ConfigSet& settings) {
    std::vector<Endpoint> list;
    if (!settings.is_set("bootstrap.servers")) return list;
    for (const auto& text : settings.list("bootstrap.servers")) {
        auto endpoint = Endpoint::parse(text, default_port);
        if (!endpoint.ok()) {
            return Error{Errc::usage, "bootstrap.servers: " + endpoint.error().message};
        }
        list.push_back(std::move(endpoint).value());
    }
    if (list.empty()) return Error{Errc::usage, "bootstrap.servers: there is no address"};
    return list;
}

Result<ClientOptions> client_options(const ConfigSet& settings) {
    ClientOptions options;
    KQ_LET(options.bootstrap, bootstrap_of(settings));
    if (settings.is_set("client.id")) options.client_id = settings.text("client.id");
    options.request_timeout = settings.duration("request.timeout.ms");
    options.retry_backoff = settings.duration("retry.backoff.ms");
    options.retry_backoff_max = settings.duration("retry.backoff.max.ms");
    options.reconnect_backoff = settings.duration("reconnect.backoff.ms");
    options.reconnect_backoff_max = settings.duration("reconnect.backoff.max.ms");
    options.connection_setup_timeout = settings.duration("socket.connection.setup.timeout.ms");
    options.metadata_max_age = settings.duration("metadata.max.age.ms");
    options.connections_max_idle = settings.duration("connections.max.idle.ms");
    if (settings.scope() != ConfigScope::producer) {
        options.api_timeout = settings.duration("default.api.timeout.ms");
    }
    return options;
}

std::uint32_t bytes_of(const ConfigSet& settings, std::string_view name) {
    return static_cast<std::uint32_t>(settings.integer(name));
}

Status set_compression(const ConfigSet& settings, ProducerOptions& options) {
    KQ_LET(options.compression, compression_from_name(settings.text("compression.type")));
    auto level_name = "compression." + std::string(name_of(options.compression)) + ".level";
    if (settings.is_set(level_name)) {
        options.compression_level = static_cast<int>(settings.integer(level_name));
    }
    return done();
}

// Idempotence needs acks=all, retries, and at most five requests under way. Asked for beside
// something else it is an error; not asked for, it gives way, as in Kafka.
Status settle_idempotence(const ConfigSet& settings, ProducerOptions& options) {
    const char* conflict = nullptr;
    if (options.acks != Acks::all) conflict = "acks=all";
    if (options.retries == 0) conflict = "retries above 0";
    if (options.in_flight_max > 5) {
        conflict = "at most 5 for max.in.flight.requests.per.connection";
    }
    options.idempotent = settings.boolean("enable.idempotence");
    if (conflict == nullptr || !options.idempotent) return done();
    if (settings.is_set("enable.idempotence")) {
        return Error{Errc::usage, std::string("enable.idempotence=true needs ") + conflict};
    }
    options.idempotent = false;
    options.idempotence_lacks = conflict;
    return done();
}

}  // namespace

PropertyFate fate_of_property(ConfigScope scope, std::string_view key, std::string_view value) {
    const auto* def = find_config(scope, key);
    if (def == nullptr) {
        return {is_of_another_client(scope, key) ? PropertyFate::Kind::has_no_effect
                                                 : PropertyFate::Kind::counts};
    }
    if (def->effect == ConfigEffect::acted_on) return {};
    const auto* refusal = find_refusal(key);
    if (refusal == nullptr) return {PropertyFate::Kind::has_no_effect};
    if (says_what_is_done_anyway(*def, value)) return {};
    return {PropertyFate::Kind::refused, refusal->why};
}

Result<AddressOverride> AddressOverride::parse(std::string_view text) {
    auto equals = text.find('=');
    if (equals == std::string_view::npos) {
        return Error{Errc::usage,
                     "'" + std::string(text) + "' does not have the form HOST:PORT=ADDR:PORT"};
    }
    AddressOverride rule;
    KQ_LET(rule.from, Endpoint::parse(text.substr(0, equals), default_port));
    KQ_LET(rule.to, Endpoint::parse(text.substr(equals + 1), default_port));
    return rule;
}

Result<ClientOptions> ClientOptions::from_properties(const Properties& properties) {
    KQ_LET(auto settings, settings_of(ConfigScope::admin, properties));
    return client_options(settings);
}

Result<ProducerOptions> ProducerOptions::from_properties(const Properties& properties) {
    KQ_LET(auto settings, settings_of(ConfigScope::producer, properties));
    ProducerOptions options;
    KQ_LET(options.client, client_options(settings));
    auto acks = settings.text("acks");
    options.acks = acks == "0" ? Acks::none : acks == "1" ? Acks::leader : Acks::all;
    options.batch_bytes = bytes_of(settings, "batch.size");
    options.linger = settings.duration("linger.ms");
    options.buffer_bytes = static_cast<std::uint64_t>(settings.integer("buffer.memory"));
    options.block_max = settings.duration("max.block.ms");
    options.request_bytes_max = bytes_of(settings, "max.request.size");
    options.in_flight_max =
        static_cast<std::int32_t>(settings.integer("max.in.flight.requests.per.connection"));
    options.retries = static_cast<std::int32_t>(settings.integer("retries"));
    options.delivery_timeout = settings.duration("delivery.timeout.ms");
    options.ignore_keys = settings.boolean("partitioner.ignore.keys");
    options.auto_create_topics = settings.boolean("allow.auto.create.topics");
    KQ_TRY(set_compression(settings, options));
    KQ_TRY(settle_idempotence(settings, options));

    auto least = options.linger + options.client.request_timeout;
    if (options.delivery_timeout < least) {
        if (settings.is_set("delivery.timeout.ms")) {
            return Error{Errc::usage,
                         "delivery.timeout.ms must be at least linger.ms + "
                         "request.timeout.ms, which is " +
                             std::to_string(least.count())};
        }
        options.delivery_timeout = least;
    }
    return options;
}

Result<ConsumerOptions> ConsumerOptions::from_properties(const Properties& properties) {
    KQ_LET(auto settings, settings_of(ConfigScope::consumer, properties));
    ConsumerOptions options;
    KQ_LET(options.client, client_options(settings));
    options.isolation = settings.text("isolation.level") == "read_committed"
                            ? Isolation::read_committed
                            : Isolation::read_uncommitted;
    auto reset = settings.text("auto.offset.reset");
    if (reset == "earliest") {
        options.on_out_of_range = OnOutOfRange::earliest;
    } else if (reset == "none") {
        options.on_out_of_range = OnOutOfRange::fail;
    } else if (reset == "latest") {
        // Kafka's default is meant for groups without a committed offset. Here every position was
        // asked for by name, so only somebody who asks for a jump to the end gets one.
        options.on_out_of_range =
            settings.is_set("auto.offset.reset") ? OnOutOfRange::latest : OnOutOfRange::fail;
    } else {
        return Error{Errc::usage, "auto.offset.reset=" + reset +
                                      ": not built; say @-1h as a "
                                      "position instead"};
    }
    options.fetch_bytes_min = bytes_of(settings, "fetch.min.bytes");
    options.fetch_bytes_max = bytes_of(settings, "fetch.max.bytes");
    options.fetch_wait_max = settings.duration("fetch.max.wait.ms");
    options.partition_bytes_max = bytes_of(settings, "max.partition.fetch.bytes");
    options.check_crcs = settings.boolean("check.crcs");
    options.auto_create_topics = settings.boolean("allow.auto.create.topics");
    options.rack = settings.text("client.rack");
    return options;
}

}  // namespace kq
