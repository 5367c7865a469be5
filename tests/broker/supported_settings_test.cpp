// SPDX-License-Identifier: Apache-2.0
#include "broker/supported_settings.hpp"

#include <catch2/catch.hpp>

using namespace kq;

namespace {

ConfigSet with(const std::string& name, const std::string& value) {
    ConfigSet config(ConfigScope::broker);
    REQUIRE(config.set(name, value).ok());
    return config;
}

}  // namespace

TEST_CASE("what would leave a broker open or split a cluster is refused by name", "[broker]") {
    const std::pair<const char*, const char*> rows[] = {
        {"process.roles", "broker"},
        {"controller.quorum.voters", "1@a:1,2@b:2"},
        {"authorizer.class.name", "org.example.Authorizer"},
        {"security.inter.broker.protocol", "SSL"},
        {"sasl.enabled.mechanisms", "SCRAM-SHA-256"},
        {"sasl.jaas.config", "x"},
        {"ssl.keystore.location", "/k"},
        {"ssl.client.auth", "required"},
        {"listener.name.out.ssl.truststore.location", "/t"},
        {"listener.name.out.sasl.enabled.mechanisms", "PLAIN"},
    };
    for (const auto& [name, value] : rows) {
        CAPTURE(name);
        const auto config = with(name, value);
        const auto refused = refused_setting(config);
        REQUIRE(refused.has_value());
        CHECK(refused->name == name);
    }
    // Those of Kafka's authorizer and of one SASL mechanism are in no table.
    for (const char* name : {"super.users", "allow.everyone.if.no.acl.found",
                             "listener.name.out.plain.sasl.jaas.config"}) {
        CAPTURE(name);
        CHECK(row_of_setting(name) == nullptr);
        ConfigSet config(ConfigScope::broker);
        config.keep_unknown(name, "x");
        const auto refused = refused_setting(config);
        REQUIRE(refused.has_value());
        CHECK(refused->name == name);
    }
    for (const char* name : {"my.plugin.key", "my.classl.key", "my.super.users"}) {
        CAPTURE(name);
        CHECK_FALSE(is_about_security(name));
    }
    // The defaults, written out, ask for nothing.
    for (const auto& [name, value] : {std::pair{"security.inter.broker.protocol", "PLAINTEXT"},
                                      {"ssl.client.auth", "none"},
                                      {"ssl.protocol", "TLSv1.3"},
                                      {"sasl.enabled.mechanisms", "GSSAPI"},
                                      {"process.roles", "broker,controller"}}) {
        CAPTURE(name);
        CHECK_FALSE(refused_setting(with(name, value)).has_value());
    }
}

TEST_CASE("settings that change nothing are told, also those of one listener", "[broker]") {
    CHECK(settings_without_effect(with("num.io.threads", "3")) ==
          std::vector<std::string>{"num.io.threads"});
    CHECK(settings_without_effect(with("num.io.threads", "8")).empty());  // the default
    CHECK(settings_without_effect(with("max.connections", "7")).empty());
    CHECK(settings_without_effect(with("listener.name.a.max.connections", "7")).size() == 1);
    CHECK(has_effect("max.connections"));
    CHECK_FALSE(has_effect("listener.name.a.max.connections"));
    CHECK(row_of_setting("listener.name.a.max.connections") == row_of_setting("max.connections"));
    CHECK(row_of_setting("my.plugin.key") == nullptr);
}
