// SPDX-License-Identifier: Apache-2.0
#include "client/options.hpp"

#include <catch2/catch.hpp>

using namespace kq;

TEST_CASE("properties have Kafka's names, defaults and units", "[client]") {
    auto defaults = ProducerOptions::from_properties({{"bootstrap.servers", "a:1, [::1]:2,c"}});
    REQUIRE(defaults.ok());
    CHECK(defaults.value().client.bootstrap ==
          std::vector<Endpoint>{{"a", 1}, {"::1", 2}, {"c", 9092}});
    CHECK(defaults.value().acks == Acks::all);
    CHECK(defaults.value().idempotent);
    CHECK(defaults.value().idempotence_lacks.empty());
    CHECK(defaults.value().batch_bytes == 16384);
    CHECK(defaults.value().linger == 5ms);
    CHECK(defaults.value().delivery_timeout == 120s);
    CHECK(defaults.value().in_flight_max == 5);

    auto given = ProducerOptions::from_properties({{"linger.ms", "1s"},
                                                   {"batch.size", "64KiB"},
                                                   {"acks", "1"},
                                                   {"compression.type", "zstd"},
                                                   {"compression.zstd.level", "7"}});
    REQUIRE(given.ok());
    CHECK(given.value().linger == 1s);
    CHECK(given.value().batch_bytes == 65536);
    CHECK(given.value().acks == Acks::leader);
    CHECK_FALSE(given.value().idempotent);  // it needs acks=all, and nobody insisted
    CHECK(given.value().idempotence_lacks == "acks=all");
    CHECK(given.value().compression == Compression::zstd);
    CHECK(given.value().compression_level == 7);

    auto consumer = ConsumerOptions::from_properties(
        {{"isolation.level", "read_committed"}, {"fetch.max.bytes", "1MiB"}});
    REQUIRE(consumer.ok());
    CHECK(consumer.value().isolation == Isolation::read_committed);
    CHECK(consumer.value().fetch_bytes_max == 1u << 20);
    CHECK(consumer.value().on_out_of_range == OnOutOfRange::fail);
}

TEST_CASE("one set of properties serves every kind of client", "[client]") {
    Properties all{{"bootstrap.servers", "a:1"},
                   {"linger.ms", "7"},
                   {"isolation.level", "read_committed"},
                   {"default.api.timeout.ms", "1234"}};
    auto admin = ClientOptions::from_properties(all);
    REQUIRE(admin.ok());
    CHECK(admin.value().api_timeout == 1234ms);
    auto producer = ProducerOptions::from_properties(all);
    REQUIRE(producer.ok());
    CHECK(producer.value().linger == 7ms);
    auto consumer = ConsumerOptions::from_properties(all);
    REQUIRE(consumer.ok());
    CHECK(consumer.value().isolation == Isolation::read_committed);
    all["isolation.levle"] = "x";
    CHECK(ClientOptions::from_properties(all).code() == Errc::usage);
}

TEST_CASE("a bootstrap list without an address is refused, not dialled", "[client]") {
    for (const char* list : {"", " ", ","}) {
        CAPTURE(list);
        CHECK(ClientOptions::from_properties({{"bootstrap.servers", list}}).code() == Errc::usage);
    }
}

TEST_CASE("what cannot be meant is refused with a reason", "[client]") {
    struct Case {
        Properties properties;
        std::string told;
    };
    auto example = GENERATE(
        Case{{{"linger.m", "5"}}, "linger.ms"}, Case{{{"acks", "2"}}, "acks"},
        Case{{{"batch.size", "many"}}, "batch.size"},
        Case{{{"bootstrap.servers", "host:port"}}, "bootstrap.servers"},
        Case{{{"enable.idempotence", "true"}, {"acks", "1"}}, "acks=all"},
        Case{{{"enable.idempotence", "true"}, {"max.in.flight.requests.per.connection", "6"}},
             "at most 5"},
        Case{{{"delivery.timeout.ms", "1000"}}, "delivery.timeout.ms"},
        Case{{{"security.protocol", "SSL"}}, "PLAINTEXT"},
        Case{{{"sasl.jaas.config", "secret"}}, "not built"});
    CAPTURE(example.told);
    auto options = ProducerOptions::from_properties(example.properties);
    CHECK(options.code() == Errc::usage);
    REQUIRE_FALSE(options.ok());
    CHECK_THAT(options.error().message, Catch::Contains(example.told));
    CHECK_THAT(options.error().message, !Catch::Contains("secret"));
}

TEST_CASE("every property of Kafka's clients counts, is told, or is refused", "[client]") {
    using Kind = PropertyFate::Kind;
    auto producer = [](std::string_view key, std::string_view value) {
        return fate_of_property(ConfigScope::producer, key, value).kind;
    };
    auto consumer = [](std::string_view key, std::string_view value) {
        return fate_of_property(ConfigScope::consumer, key, value).kind;
    };
    CHECK(producer("linger.ms", "5") == Kind::counts);
    CHECK(producer("transactional.id", "tx") == Kind::refused);
    CHECK(producer("transaction.timeout.ms", "5") == Kind::has_no_effect);
    CHECK(producer("partitioner.class", "x") == Kind::refused);
    CHECK(producer("interceptor.classes", "x") == Kind::refused);
    CHECK(consumer("group.id", "g") == Kind::refused);
    CHECK(consumer("max.poll.records", "abc") == Kind::has_no_effect);
    CHECK(consumer("isolation.level", "read_committed") == Kind::counts);
    // Another kind of client has it, and it does nothing here.
    CHECK(producer("group.id", "g") == Kind::has_no_effect);
    CHECK(consumer("linger.ms", "5") == Kind::has_no_effect);
    // What kq does anyway.
    CHECK(producer("interceptor.classes", "") == Kind::counts);
    CHECK(producer("security.protocol", "plaintext") == Kind::counts);
    const std::string classes = "org.apache.kafka.common.serialization.";
    CHECK(producer("key.serializer", classes + "StringSerializer") == Kind::counts);
    CHECK(producer("key.serializer", classes + "IntegerSerializer") == Kind::refused);
    CHECK(consumer("value.deserializer", classes + "ByteArrayDeserializer") == Kind::counts);
    CHECK(consumer("value.deserializer", "com.example.Avro") == Kind::refused);

    for (auto scope : {ConfigScope::producer, ConfigScope::consumer, ConfigScope::admin}) {
        for (const ConfigDef& def : config_defs(scope)) {
            CAPTURE(def.name);
            const auto fate = fate_of_property(scope, def.name, "?");
            CHECK((fate.kind == Kind::counts) == (def.effect == ConfigEffect::acted_on));
            CHECK((fate.kind == Kind::refused) == !fate.why.empty());
            const bool security = def.name.starts_with("sasl.") || def.name.starts_with("ssl.") ||
                                  def.name.starts_with("security.");
            if (security) CHECK(fate.kind == Kind::refused);
        }
    }
    CHECK(ProducerOptions::from_properties({{"transactional.id", "tx"}}).code() == Errc::usage);
    CHECK(ConsumerOptions::from_properties({{"group.id", "g"}}).code() == Errc::usage);
    CHECK(ConsumerOptions::from_properties({{"transactional.id", "tx"}}).ok());
}

TEST_CASE("an address override names both sides", "[client]") {
    auto rule = AddressOverride::parse("broker:9092=127.0.0.1:19092");
    REQUIRE(rule.ok());
    CHECK(rule.value().from == Endpoint{"broker", 9092});
    CHECK(rule.value().to == Endpoint{"127.0.0.1", 19092});
    CHECK(AddressOverride::parse("broker:9092").code() == Errc::usage);
}
