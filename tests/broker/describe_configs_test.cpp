// SPDX-License-Identifier: Apache-2.0
//
// DescribeConfigs of a topic against an answer that Apache Kafka gave: values, where they came
// from, and everything that stands behind them.
#include <algorithm>
#include <map>

#include <catch2/catch.hpp>

#include "base/sim_loop.hpp"
#include "broker/api/32_describe_configs.hpp"
#include "metadata/metadata_state.hpp"
#include "tests/wire/golden.hpp"

using namespace kq;

namespace {

using Response = wire::DescribeConfigsResponse;
using Entry = Response::DescribeConfigsResourceResult;

// The settings that the broker and the topic of the golden answer had.
struct Settings {
    Settings() {
        for (const auto& [name, value] :
             std::map<std::string, std::string>{{"log.segment.delete.delay.ms", "500"},
                                                {"min.insync.replicas", "1"},
                                                {"unclean.leader.election.enable", "false"},
                                                {"log.index.size.max.bytes", "4096"}}) {
            REQUIRE(file.set(name, value).ok());
        }
        const Uuid id = world.random().uuid();
        auto topic = std::make_shared<const TopicImage>("events", id);
        image->topics_by_name.put(edit, "events", topic);
        image->topics_by_id.put(edit, id, topic);
        set({ConfigResourceType::topic, "events"},
            {{"retention.ms", "604800000"}, {"segment.index.bytes", "4096"}});
        set({ConfigResourceType::broker, ""},
            {{"message.max.bytes", "1048588"}, {"min.insync.replicas", "1"}});
    }
    void set(ConfigResource resource, ConfigEntries entries) {
        image->configs.put(edit, std::move(resource),
                           std::make_shared<const ConfigEntries>(std::move(entries)));
    }
    RequestContext context() {
        return {.api_version = 4,
                .client_id = "test",
                .listener = "PLAINTEXT",
                .principal = "User:ANONYMOUS",
                .peer = {},
                .image = image,
                .loop = loop,
                .clock = world.clock(),
                .connection = connection,
                .frame = {},
                .body = {},
                .frame_owner = nullptr};
    }
    std::map<std::string, Entry> describe(bool synonyms = true) {
        wire::DescribeConfigsRequest request;
        request.include_synonyms = synonyms;
        auto& asked = request.resources.emplace_back();
        asked.resource_type = 2;
        asked.resource_name = "events";
        asked.configuration_keys = std::nullopt;
        auto context_of_it = context();
        std::map<std::string, Entry> found;
        handle_describe_configs(context_of_it, request, BrokerId{1}, file,
                                Reply<Response>([&](Response response) {
                                    REQUIRE(response.results.size() == 1);
                                    for (auto& entry : response.results[0].configs)
                                        found[entry.name] = std::move(entry);
                                }));
        return found;
    }

    // Of resources (type, name), what is answered for.
    std::vector<std::string> answered(std::vector<std::pair<int, std::string>> resources) {
        wire::DescribeConfigsRequest request;
        for (auto& [type, name] : resources) {
            auto& asked = request.resources.emplace_back();
            asked.resource_type = static_cast<std::int8_t>(type);
            asked.resource_name = std::move(name);
        }
        std::vector<std::string> names;
        auto asked = context();
        handle_describe_configs(asked, request, BrokerId{1}, file,
                                Reply<Response>([&](Response response) {
                                    for (const auto& result : response.results)
                                        names.push_back(result.resource_name);
                                }));
        return names;
    }

    SimScheduler world{1};
    SimLoop loop{world};
    EditSession edit;
    std::shared_ptr<MetadataState> image = std::make_shared<MetadataState>();
    ConnectionState connection;
    ConfigSet file{ConfigScope::broker};
};

Response golden_answer() {
    for (const auto& block : test::read_blocks("frames/32_DescribeConfigs.txt")) {
        if (block["frame"] != "DescribeConfigs 32 v4 response") continue;
        if (block["source"].find("franz-tip") == std::string::npos) continue;
        const Bytes frame = test::from_hex(block["hex"]);
        const ByteView body = ByteView(frame).subspan(4 + 4 + 1);  // size, correlation id, tags
        return wire::decode<Response>(body, 4).value();
    }
    FAIL("the golden answer is gone");
    return {};
}

std::string text(const Entry& entry) {
    std::string all = entry.value.value_or("null") + " from " +
                      std::to_string(static_cast<int>(entry.config_source)) + ':';
    for (const auto& synonym : entry.synonyms) {
        all += ' ' + synonym.name + '=' + synonym.value.value_or("null") + '@' +
               std::to_string(static_cast<int>(synonym.source));
    }
    return all;
}

}  // namespace

TEST_CASE("a topic's settings are described as Kafka does, with all that stands behind them",
          "[broker]") {
    Settings settings;
    const auto found = settings.describe();
    const auto golden = golden_answer();
    REQUIRE(golden.results.at(0).configs.size() > 30);
    for (const auto& kafka : golden.results[0].configs) {
        CAPTURE(kafka.name);
        REQUIRE(found.contains(kafka.name));
        const Entry& ours = found.at(kafka.name);
        CHECK(text(ours) == text(kafka));
        CHECK(ours.config_type == kafka.config_type);
        CHECK(ours.read_only == kafka.read_only);
        CHECK(ours.is_sensitive == kafka.is_sensitive);
    }
}

TEST_CASE("a broker's value in another unit counts, and is not shown behind a topic's",
          "[broker]") {
    Settings settings;
    REQUIRE(settings.file.set("log.roll.hours", "5").ok());
    CHECK(text(settings.describe().at("segment.ms")) == "18000000 from 5:");
    REQUIRE(settings.file.set("log.roll.ms", "7000").ok());
    const auto both = text(settings.describe().at("segment.ms"));
    CHECK(both.starts_with("7000 from 4: log.roll.ms=7000@4"));
    CHECK(settings.describe(false).at("segment.ms").synonyms.empty());
}

// The answer is a hundred times as long as the question: nobody gets it twice for one request.
TEST_CASE("a resource that is named again is answered once, however it is spelt", "[broker][I33]") {
    Settings settings;
    CHECK(settings.answered({{4, "1"}, {2, "events"}, {4, "1"}, {4, "001"}, {2, "events"}}) ==
          std::vector<std::string>{"1", "events"});
    CHECK(settings.answered({{4, ""}, {4, "x"}, {4, ""}, {2, "1"}}) ==
          std::vector<std::string>{"", "x", "1"});
}
