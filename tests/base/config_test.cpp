// SPDX-License-Identifier: Apache-2.0
//
// The registry of settings against Kafka's facts, values, and the layers of a topic's settings.
#include "base/config.hpp"

#include <fstream>
#include <map>
#include <set>

#include <catch2/catch.hpp>

using namespace kq;

namespace {

constexpr ConfigScope scopes[] = {ConfigScope::broker,   ConfigScope::topic,    ConfigScope::group,
                                  ConfigScope::producer, ConfigScope::consumer, ConfigScope::admin};

std::string canonical(ConfigScope scope, std::string_view name, std::string_view value,
                      ConfigSyntax syntax = ConfigSyntax::with_units) {
    const auto* def = find_config(scope, name);
    REQUIRE(def != nullptr);
    auto result = canonical_config(*def, value, syntax);
    return result.ok() ? result.value() : "! " + result.error().message;
}

// A line of tests/base/golden/configs.tsv: what Kafka 4.3's own classes say about a setting.
struct Fact {
    std::string scope, name, type, fallback, valid, importance, dynamic, synonyms, internal;
};

std::vector<Fact> facts() {
    std::ifstream file(std::string(KQ_SOURCE_DIR) + "/tests/base/golden/configs.tsv");
    REQUIRE(file.is_open());
    std::string line;
    std::getline(file, line);
    std::vector<Fact> all;
    while (std::getline(file, line)) {
        std::vector<std::string> cells(1);
        for (char c : line) {
            if (c == '\t') {
                cells.emplace_back();
            } else {
                cells.back() += c;
            }
        }
        REQUIRE(cells.size() == 9);
        all.push_back({cells[0], cells[1], cells[2], cells[3], cells[4], cells[5], cells[6],
                       cells[7], cells[8]});
    }
    return all;
}

std::string default_text(const ConfigDef& def) {
    switch (def.fallback.kind) {
        case ConfigDefault::Kind::null:
            return "null";
        case ConfigDefault::Kind::required:
            return "(required)";
        case ConfigDefault::Kind::value:
            break;
    }
    return std::string(def.fallback.text);
}

std::string without(std::string text, const std::string& what) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what)) {
        text.erase(at, what.size());
    }
    return text;
}

// Kafka's rendering of a default, in the form that DescribeConfigs sends.
std::string plain_default(const Fact& fact) {
    std::string text = fact.fallback;
    if (fact.type == "list" || fact.type == "class") text = without(text, "class ");
    if (fact.type == "list" && text.starts_with('[')) {
        text = without(without(text.substr(1, text.size() - 2), " "), "]");
    }
    return text;
}

std::string words_of(std::string text) {
    std::set<std::string> words;
    std::string word;
    for (char c : text + " ") {
        if (c == ' ' || c == ',' || c == '[' || c == ']' || c == '(' || c == ')') {
            if (!word.empty()) words.insert(word);
            word.clear();
        } else {
            word += c;
        }
    }
    std::string joined;
    for (const auto& w : words) {
        joined += w + ' ';
    }
    return joined;
}

}  // namespace

TEST_CASE("every setting of Kafka 4.3 is in the registry, with Kafka's facts", "[base][config]") {
    // A bare kq-broker starts; Kafka wants these four from its file.
    const std::set<std::string> ours = {"controller.listener.names", "listeners", "node.id",
                                        "process.roles"};
    std::map<std::string, ConfigScope> by_name;
    for (auto scope : scopes) {
        by_name.emplace(name_of(scope), scope);
    }
    std::map<std::string, std::size_t> counts;
    for (const auto& fact : facts()) {
        CAPTURE(fact.scope, fact.name);
        ++counts[fact.scope];
        const auto* def = find_config(by_name.at(fact.scope), fact.name);
        REQUIRE(def != nullptr);
        CHECK(name_of(def->type) == fact.type);
        if (fact.scope != "broker" || !ours.contains(fact.name)) {
            CHECK(default_text(*def) == plain_default(fact));
        }
        std::string importances[] = {"high", "medium", "low"};
        CHECK(importances[static_cast<int>(def->importance)] == fact.importance);
        std::string modes[] = {"", "per-broker", "cluster-wide"};
        CHECK(modes[static_cast<int>(def->mode)] == fact.dynamic);
        CHECK(words_of(std::string(def->synonyms)) == words_of(fact.synonyms));
        CHECK(def->internal == (fact.internal == "internal"));
        if (fact.valid.find("by_duration") == std::string::npos &&
            fact.valid != "non-null string") {
            auto shown = words_of(without(fact.valid, "(case insensitive)"));
            auto mine = words_of(describe_valid(*def));
            if (def->type == ConfigType::real) {
                mine = without(mine, ".0");
                shown = without(shown, ".0");
            }
            CHECK(mine == shown);
        }
    }
    // And nothing else, but for our own.
    for (auto scope : scopes) {
        std::size_t count = 0;
        for (const auto& def : config_defs(scope)) {
            // Kafka's producers cannot be told not to make topics; ours can.
            if (scope == ConfigScope::producer && def.name == "allow.auto.create.topics") continue;
            if (!def.name.starts_with("kq.")) ++count;
        }
        CHECK(count == counts[std::string(name_of(scope))]);
    }
}

TEST_CASE("rows are fit to print and their defaults are valid", "[base][config]") {
    for (auto scope : scopes) {
        for (const auto& def : config_defs(scope)) {
            CAPTURE(name_of(scope), def.name);
            CHECK(def.sentence.size() > 10);
            CHECK(def.sentence.ends_with('.'));
            CHECK(def.sentence.find('"') == std::string_view::npos);
            bool number = def.type == ConfigType::int16 || def.type == ConfigType::int32 ||
                          def.type == ConfigType::int64 || def.type == ConfigType::real;
            CHECK((def.unit == ConfigUnit::none || number));
            bool timed = def.name.ends_with(".ms") || def.name.ends_with(".seconds");
            CHECK((!timed || def.unit != ConfigUnit::none));
            if (def.fallback.kind != ConfigDefault::Kind::value || def.fallback.text.empty()) {
                continue;
            }
            CHECK(canonical(scope, def.name, def.fallback.text, ConfigSyntax::kafka) ==
                  def.fallback.text);
        }
    }
    for (const auto& def : topic_config_defs()) {
        CAPTURE(def.name);
        std::string rest(def.synonyms);
        while (!rest.empty()) {
            auto end = std::min(rest.find(' '), rest.size());
            CHECK(find_config(ConfigScope::broker, rest.substr(0, end)) != nullptr);
            rest.erase(0, end + 1);
        }
    }
}

TEST_CASE("values are read with units where people write them", "[base][config]") {
    auto topic = [](std::string_view name, std::string_view value) {
        return canonical(ConfigScope::topic, name, value);
    };
    CHECK(topic("retention.ms", "7d") == "604800000");
    CHECK(topic("retention.ms", " 604800000 ") == "604800000");
    CHECK(topic("retention.ms", "-1") == "-1");
    CHECK(topic("retention.ms", "1.5h") == "5400000");
    CHECK(topic("segment.bytes", "64MiB") == "67108864");
    CHECK(topic("segment.bytes", "1GB") == "1000000000");
    CHECK(topic("segment.bytes", "2M") == "2097152");
    CHECK(topic("cleanup.policy", " delete , compact") == "delete,compact");
    CHECK(topic("cleanup.policy", "") == "");
    CHECK(topic("preallocate", "TRUE") == "true");
    CHECK(topic("min.cleanable.dirty.ratio", "1") == "1.0");
    CHECK(topic("min.cleanable.dirty.ratio", "0.50") == "0.5");
    CHECK(canonical(ConfigScope::broker, "log.retention.hours", "7d") == "168");
    CHECK(canonical(ConfigScope::broker, "log.cleaner.io.max.bytes.per.second", "1e10") ==
          "1.0E10");
    CHECK(canonical(ConfigScope::consumer, "isolation.level", "read_committed") ==
          "read_committed");
    CHECK(canonical(ConfigScope::consumer, "auto.offset.reset", "by_duration:PT1H") ==
          "by_duration:PT1H");
    CHECK(canonical(ConfigScope::producer, "security.protocol", "sasl_ssl") == "sasl_ssl");
    CHECK(topic("leader.replication.throttled.replicas", "0:1, 1:2") == "0:1,1:2");
    CHECK(topic("leader.replication.throttled.replicas", "*") == "*");
}

TEST_CASE("values that are wrong are refused in words", "[base][config]") {
    auto refusal = [](std::string_view name, std::string_view value,
                      ConfigSyntax syntax = ConfigSyntax::with_units) {
        auto text = canonical(ConfigScope::topic, name, value, syntax);
        return text.starts_with("! ") ? text.substr(2) : "accepted as " + text;
    };
    CHECK(refusal("retention.ms", "7 fortnights") ==
          "retention.ms: '7 fortnights' is not a time, such as 250ms, 10m or 7d");
    CHECK(refusal("retention.ms", "7d", ConfigSyntax::kafka) ==
          "retention.ms: '7d' is not a whole number");
    CHECK(refusal("retention.ms", "-2") == "retention.ms: '-2' is outside [-1,...]");
    CHECK(refusal("retention.ms", "") ==
          "retention.ms: '' is not a time, such as 250ms, 10m or 7d");
    CHECK(refusal("segment.bytes", "1") == "segment.bytes: '1' is outside [1048576,...]");
    CHECK(refusal("segment.bytes", "4GiB") == "segment.bytes: '4GiB' does not fit a int");
    CHECK(refusal("retention.ms", "99999999999999999999") ==
          "retention.ms: '99999999999999999999' is not a time, such as 250ms, 10m or 7d");
    CHECK(refusal("compression.type", "brotli") ==
          "compression.type: 'brotli' is not one of [uncompressed, zstd, lz4, snappy, gzip, "
          "producer]");
    CHECK(refusal("compression.type", "ZSTD").find("is not one of") != std::string::npos);
    CHECK(refusal("cleanup.policy", "delete,delete") == "cleanup.policy: 'delete' stands twice");
    CHECK(refusal("cleanup.policy", "compost").find("is not one of") != std::string::npos);
    CHECK(refusal("compression.gzip.level", "0") ==
          "compression.gzip.level: '0' is outside [1,...,9] or -1");
    CHECK(refusal("compression.gzip.level", "-1") == "accepted as -1");
    CHECK(refusal("min.cleanable.dirty.ratio", "1.5") ==
          "min.cleanable.dirty.ratio: '1.5' is outside [0.0,...,1.0]");
    CHECK(refusal("min.cleanable.dirty.ratio", "nan") ==
          "min.cleanable.dirty.ratio: 'nan' is not a number");
    CHECK(refusal("preallocate", "yes") == "preallocate: 'yes' is neither true nor false");
    CHECK(refusal("leader.replication.throttled.replicas", "0:x").find("partitionId") !=
          std::string::npos);

    auto secret = canonical_config(*find_config(ConfigScope::producer, "ssl.key.password"),
                                   "geheim", ConfigSyntax::kafka);
    CHECK(secret.ok());
    CHECK(find_config(ConfigScope::producer, "ssl.key.password")->is_sensitive());
}

TEST_CASE("times and sizes of the command line", "[base][config]") {
    CHECK(parse_time("250ms", ConfigUnit::seconds).value() == 250'000);
    CHECK(parse_time("10", ConfigUnit::seconds).value() == 10'000'000);
    CHECK(parse_time("-90m", ConfigUnit::seconds).value() == -5'400'000'000);
    CHECK(parse_time("2w", ConfigUnit::seconds).value() == 1'209'600'000'000);
    CHECK(parse_time("0.5s", ConfigUnit::seconds).value() == 500'000);
    CHECK_FALSE(parse_time("ten", ConfigUnit::seconds).ok());
    CHECK_FALSE(parse_time("1x", ConfigUnit::seconds).ok());
    CHECK_FALSE(parse_time("", ConfigUnit::seconds).ok());
    CHECK(parse_size("512").value() == 512);
    CHECK(parse_size("64KiB").value() == 65536);
    CHECK(parse_size("1.5K").value() == 1536);
    CHECK_FALSE(parse_size("0.3B").ok());
    CHECK_FALSE(parse_size("64 Ki").ok());
    CHECK_FALSE(parse_size("9e9GB").ok());
}

TEST_CASE("a misspelt name brings the nearest one", "[base][config]") {
    CHECK(nearest_config(ConfigScope::topic, "retention.mss") == "retention.ms");
    CHECK(nearest_config(ConfigScope::topic, "retnetion.ms") == "retention.ms");
    CHECK(nearest_config(ConfigScope::topic, "retention.huors") == "retention.ms");
    CHECK(nearest_config(ConfigScope::topic, "log.retention.hours") == "retention.ms");
    CHECK(nearest_config(ConfigScope::topic, "roll.horus") == "segment.ms");
    CHECK(nearest_config(ConfigScope::broker, "log.dir.s") == "log.dirs");
    CHECK(nearest_config(ConfigScope::broker, "advertised_listeners") == "advertised.listeners");
    CHECK(nearest_config(ConfigScope::broker, "company.plugin.secret.of.ours").empty());
    CHECK(edit_distance("", "abc") == 3);
    CHECK(edit_distance("abc", "acb") == 1);
    CHECK(edit_distance("kitten", "sitting") == 3);

    ConfigSet topic(ConfigScope::topic);
    auto refused = topic.set("retention.mss", "1");
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.code() == Errc::invalid_config);
    CHECK(refused.error().message ==
          "unknown topic setting 'retention.mss'; the nearest is retention.ms");
    CHECK_FALSE(topic.is_set("retention.mss"));
}

TEST_CASE("getters give what was set, and else the default", "[base][config]") {
    ConfigSet broker(ConfigScope::broker);
    CHECK(broker.integer("num.partitions") == 1);
    CHECK(broker.boolean("auto.create.topics.enable"));
    CHECK_FALSE(broker.optional_text("log.dirs").has_value());
    CHECK_FALSE(broker.optional_integer("log.retention.ms").has_value());
    CHECK(broker.list("process.roles") == std::vector<std::string>{"broker", "controller"});
    CHECK(broker.duration("log.roll.hours") == std::chrono::hours(168));
    CHECK(broker.duration("quota.window.size.seconds") == std::chrono::seconds(1));
    CHECK(broker.real("log.cleaner.io.max.bytes.per.second") > 1e308);
    CHECK(broker.set("num.partitions", "7").ok());
    CHECK(broker.set("log.dirs", "/a, /b").ok());
    CHECK(broker.integer("num.partitions") == 7);
    CHECK(broker.list("log.dirs") == std::vector<std::string>{"/a", "/b"});
    broker.unset("num.partitions");
    CHECK(broker.integer("num.partitions") == 1);

    // "for ever" can be added to any time of a clock that counts nanoseconds.
    ConfigSet topic(ConfigScope::topic);
    auto for_ever = topic.duration("max.compaction.lag.ms");
    CHECK(for_ever > std::chrono::hours(24 * 365 * 100));
    CHECK(std::chrono::nanoseconds(for_ever).count() > 0);

    // A setting of one listener is checked as the setting that it is.
    CHECK(broker.set("listener.name.outside.ssl.keystore.location", "/k.pem").ok());
    CHECK(broker.text("listener.name.outside.ssl.keystore.location") == "/k.pem");
    CHECK_FALSE(broker.set("listener.name.outside.num.partitionz", "1").ok());
}

TEST_CASE("a topic's settings come from the topic, its broker, the defaults", "[base][config]") {
    BrokerConfigs broker;
    ConfigSet topic(ConfigScope::topic);
    auto value = [&](std::string_view name) {
        return effective_topic_config(topic, broker).text(name);
    };

    CHECK(value("retention.ms") == "604800000");
    REQUIRE(broker.file.set("log.retention.hours", "24").ok());
    CHECK(value("retention.ms") == "86400000");
    REQUIRE(broker.file.set("log.retention.minutes", "30").ok());
    CHECK(value("retention.ms") == "1800000");
    REQUIRE(broker.file.set("log.retention.ms", "1000").ok());
    CHECK(value("retention.ms") == "1000");
    REQUIRE(broker.dynamic_default.set("log.retention.ms", "2000").ok());
    CHECK(value("retention.ms") == "2000");
    REQUIRE(broker.dynamic_broker.set("log.retention.ms", "3000").ok());
    CHECK(value("retention.ms") == "3000");
    REQUIRE(topic.set("retention.ms", "4000").ok());
    CHECK(value("retention.ms") == "4000");

    auto origins = topic_config_origins("retention.ms", topic, broker);
    REQUIRE(origins.size() == 7);
    CHECK(origins[0].source == ConfigSource::dynamic_topic);
    CHECK(origins[1].source == ConfigSource::dynamic_broker);
    CHECK(origins[2].source == ConfigSource::dynamic_default_broker);
    CHECK(origins[3].name == "log.retention.ms");
    CHECK(origins[3].source == ConfigSource::static_broker);
    CHECK(origins[5].name == "log.retention.hours");
    CHECK(origins[5].value == "24");
    CHECK(origins[6].source == ConfigSource::default_config);
    CHECK(origins[6].value == "168");

    SECTION("retention in hours may be endless") {
        BrokerConfigs endless;
        REQUIRE(endless.file.set("log.retention.hours", "-1").ok());
        CHECK(effective_topic_config(ConfigSet(ConfigScope::topic), endless)
                  .integer("retention.ms") == -1);
    }
    SECTION("settings that no broker stands in for have their own default") {
        CHECK(value("remote.storage.enable") == "false");
        CHECK_FALSE(effective_topic_config(topic, broker).optional_text("internal.segment.bytes"));
        auto alone = topic_config_origins("remote.storage.enable", topic, broker);
        REQUIRE(alone.size() == 1);
        CHECK(alone[0].value == "false");
    }
    SECTION("an internal segment size is kept") {
        REQUIRE(topic.set("internal.segment.bytes", "65536").ok());
        CHECK(value("internal.segment.bytes") == "65536");
    }
    SECTION("what a broker runs with") {
        CHECK(broker.effective().integer("log.retention.ms") == 3000);
        auto layers = broker.origins("log.retention.ms");
        REQUIRE(layers.size() == 4);
        CHECK(layers[3].source == ConfigSource::default_config);
        CHECK_FALSE(layers[3].value.has_value());
    }
}
