// SPDX-License-Identifier: Apache-2.0
//
// ListOffsets, InitProducerId, DescribeLogDirs and ApiVersions.
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "broker/api/02_list_offsets.hpp"
#include "broker/api/18_api_versions.hpp"
#include "broker/api/22_init_producer_id.hpp"
#include "broker/api/35_describe_log_dirs.hpp"
#include "tests/broker/data_world.hpp"

using namespace kq;
using namespace kq::sim;

namespace {

std::int16_t code(Errc errc) {
    return static_cast<std::int16_t>(errc);
}

// Runs a handler in a turn of loop 0 and waits for its answer.
template <class Response, class Handler>
Response ask(DataWorld& world, int version, Handler handler) {
    Client client;
    auto answer = std::make_shared<Answer<Response>>();
    world.on_loop(0, [&] {
        RequestContext context = world.context(client, version, 0);
        handler(context, Reply<Response>([answer](Response response) {
                    answer->response = std::move(response);
                }));
    });
    world.wait(answer);
    REQUIRE(answer->here());
    CHECK(wire::expressible(*answer->response, version).ok());
    return std::move(*answer->response);
}

using Listed = wire::ListOffsetsResponse::ListOffsetsPartitionResponse;

Listed list(DataWorld& world, std::int64_t timestamp, int version = 11,
            std::function<void(wire::ListOffsetsRequest&)> change = nullptr) {
    wire::ListOffsetsRequest request;
    request.replica_id = -1;
    auto& topic = request.topics.emplace_back();
    topic.name = "t";
    topic.partitions.push_back({0, -1, timestamp});
    if (change != nullptr) change(request);
    auto response = ask<wire::ListOffsetsResponse>(
        world, version, [&](RequestContext& context, Reply<wire::ListOffsetsResponse> reply) {
            handle_list_offsets(context, request, world.plane->router(), std::move(reply));
        });
    REQUIRE(response.topics.size() == 1);
    REQUIRE(response.topics[0].partitions.size() == 1);
    return response.topics[0].partitions[0];
}

Bytes timed_batch(std::int64_t timestamp, std::vector<std::string> values) {
    BatchOf of;
    of.timestamp = timestamp;
    of.values = std::move(values);
    return make_batch(of);
}

}  // namespace

TEST_CASE("offsets by name and by time", "[broker][list_offsets]") {
    DataWorld world;
    world.create_topic("t");
    SECTION("of an empty log") {
        for (const std::int64_t name : {-1, -2, -4})
            CHECK(list(world, name).offset == 0);
        for (const std::int64_t none : {-3, -5, -6, 0, 1'000}) {
            CAPTURE(none);
            const Listed listed = list(world, none);
            CHECK(listed.error_code == 0);
            CHECK(listed.offset == -1);
            CHECK(listed.timestamp == -1);
        }
    }
    SECTION("of one with records") {
        world.send("t", 0, timed_batch(1'000, {"a", "b"}));
        world.send("t", 0, timed_batch(3'000, {"c"}));
        world.send("t", 0, timed_batch(2'000, {"d"}));
        struct Row {
            std::int64_t asked;
            std::int64_t offset;
            std::int64_t timestamp;
        };
        const Row rows[] = {{-1, 4, -1},       {-2, 0, -1},       {-4, 0, -1},
                            {-3, 2, 3'000},    {0, 0, 1'000},     {1'000, 0, 1'000},
                            {1'001, 2, 3'000}, {3'000, 2, 3'000}, {3'001, -1, -1}};
        for (const Row& row : rows) {
            CAPTURE(row.asked);
            const Listed listed = list(world, row.asked);
            CHECK(listed.error_code == 0);
            CHECK(listed.offset == row.offset);
            CHECK(listed.timestamp == row.timestamp);
            CHECK(listed.leader_epoch == (row.offset < 0 ? -1 : 0));
        }
        for (int version = 1; version <= 11; ++version) {
            CHECK(list(world, -1, version).offset == 4);
            CHECK(list(world, 1'001, version).offset == 2);
        }
    }
    SECTION("names that a version does not know") {
        for (const auto& [name, version] :
             std::vector<std::pair<std::int64_t, int>>{{-3, 6}, {-4, 7}, {-5, 8}, {-6, 10}}) {
            CHECK(list(world, name, version).error_code == code(Errc::unsupported_version));
            CHECK(list(world, name, version + 1).error_code == 0);
        }
        CHECK(list(world, -7).error_code == code(Errc::unsupported_version));
    }
}

TEST_CASE("what ListOffsets refuses", "[broker][list_offsets]") {
    DataWorld world;
    world.create_topic("t");
    CHECK(list(world, -1, 11, [](auto& r) { r.topics[0].name = "nope"; }).error_code ==
          code(Errc::unknown_topic_or_partition));
    CHECK(list(world, -1, 11, [](auto& r) {
              r.topics[0].partitions[0].partition_index = 1;
          }).error_code == code(Errc::unknown_topic_or_partition));
    CHECK(list(world, -1, 11, [](auto& r) {
              r.topics[0].partitions[0].partition_index = -1;
          }).error_code == code(Errc::unknown_topic_or_partition));
    CHECK(list(world, -1, 11,
               [](auto& r) {  // named four times, answered once
                   r.topics[0].partitions.push_back(r.topics[0].partitions[0]);
                   r.topics.push_back(r.topics[0]);
               })
              .error_code == code(Errc::invalid_request));
    CHECK(list(world, -1, 11, [](auto& r) { r.isolation_level = 2; }).error_code ==
          code(Errc::unknown_server_error));
    CHECK(list(world, -1, 11, [](auto& r) { r.isolation_level = -1; }).error_code ==
          code(Errc::unknown_server_error));
    CHECK(list(world, -1, 11,
               [](auto& r) {  // -1 alone is none here, other than in Fetch
                   r.topics[0].partitions[0].current_leader_epoch = -2;
               })
              .error_code == code(Errc::fenced_leader_epoch));
    CHECK(list(world, -1, 11, [](auto& r) {
              r.topics[0].partitions[0].current_leader_epoch = 3;
          }).error_code == code(Errc::unknown_leader_epoch));
    world.lead("t", 0, BrokerId{2}, 1, {BrokerId{2}});
    CHECK(list(world, -1).error_code == code(Errc::not_leader_or_follower));
    CHECK(list(world, 5).error_code == code(Errc::not_leader_or_follower));
}

TEST_CASE("ListOffsets shows no more than a fetch", "[broker][list_offsets][I5]") {
    DataWorld world;
    world.create_topic("t");
    world.send("t", 0, timed_batch(1'000, {"a"}));
    world.pool->set_delay(200ms, 200ms);
    Client client;
    const Bytes batch = timed_batch(2'000, {"b"});
    auto sent = world.produce(client, world.produce_request("t", 0, batch));
    world.run_turns();
    REQUIRE_FALSE(sent->here());
    CHECK(list(world, -1).offset == 1);
    CHECK(list(world, -1, 11, [](auto& r) { r.replica_id = -2; }).offset == 2);  // a debugger
    world.wait(sent);
    CHECK(list(world, -1).offset == 2);
    CHECK(list(world, -1, 11, [](auto& r) { r.isolation_level = 1; }).offset == 2);
}

TEST_CASE("producer ids are handed out one by one, in blocks", "[broker][init_producer_id]") {
    DataWorld world;
    const auto init = [&](wire::InitProducerIdRequest request, int version = 5) {
        return ask<wire::InitProducerIdResponse>(
            world, version,
            [&](RequestContext& context, Reply<wire::InitProducerIdResponse> reply) {
                handle_init_producer_id(context, request, world.plane->data_loop(0).producer_ids,
                                        std::move(reply));
            });
    };
    wire::InitProducerIdRequest idempotent;
    idempotent.transactional_id.reset();
    for (int i = 0; i < 7; ++i) {
        const auto response = init(idempotent, i % 6);
        CHECK(response.error_code == 0);
        CHECK(response.producer_id == i);
        CHECK(response.producer_epoch == 0);
    }
    CHECK(world.producer_id_requests == 3);  // blocks of three

    SECTION("an id without an epoch, an epoch without an id") {
        auto half = idempotent;
        half.producer_id = 5;
        CHECK(init(half).error_code == code(Errc::invalid_request));
        half.producer_id = -1;
        half.producer_epoch = 0;
        CHECK(init(half).error_code == code(Errc::invalid_request));
        half.producer_id = 5;
        CHECK(init(half).producer_id == 7);  // a new one, as Kafka gives
    }
    SECTION("transactions are not offered") {
        auto transactional = idempotent;
        transactional.transactional_id = "tx";
        CHECK(init(transactional).error_code == code(Errc::coordinator_not_available));
        transactional.transactional_id = "";
        CHECK(init(transactional).error_code == code(Errc::invalid_request));
    }
    SECTION("a controller that cannot answer") {
        world.refuse_producer_ids = true;
        init(idempotent);
        init(idempotent);
        const auto refused = init(idempotent);
        CHECK(refused.error_code == code(Errc::coordinator_load_in_progress));
        CHECK(refused.producer_id == -1);
        CHECK(refused.producer_epoch == -1);
        world.refuse_producer_ids = false;
        CHECK(init(idempotent).error_code == 0);
    }
}

TEST_CASE("log directories and what lies in them", "[broker][describe_log_dirs]") {
    DataWorld world({.loops = 2, .directories = 2});
    world.create_topic("a", 2);
    world.create_topic("b", 2);
    world.send("a", 0, make_batch({"x"}));
    const auto describe = [&](wire::DescribeLogDirsRequest request, int version = 4) {
        return ask<wire::DescribeLogDirsResponse>(
            world, version,
            [&](RequestContext& context, Reply<wire::DescribeLogDirsResponse> reply) {
                handle_describe_log_dirs(context, request, world.plane->router(),
                                         world.plane->directories(), *world.pool, std::move(reply));
            });
    };
    const auto found = [](const wire::DescribeLogDirsResponse& response) {
        std::map<std::string, std::int64_t> sizes;
        for (const auto& result : response.results) {
            for (const auto& topic : result.topics) {
                for (const auto& partition : topic.partitions) {
                    sizes[topic.name + '-' + std::to_string(partition.partition_index)] =
                        partition.partition_size;
                    CHECK(partition.offset_lag == 0);
                    CHECK_FALSE(partition.is_future_key);
                }
            }
        }
        return sizes;
    };
    wire::DescribeLogDirsRequest all;
    all.topics.reset();
    for (int version = 1; version <= 5; ++version) {
        const auto response = describe(all, version);
        REQUIRE(response.results.size() == 2);
        CHECK(response.results[0].log_dir == "/data0");
        CHECK(response.results[1].log_dir == "/data1");
        CHECK(response.results[0].total_bytes > 0);
        const auto sizes = found(response);
        CHECK(sizes.size() == 4);
        CHECK(sizes.at("a-0") == static_cast<std::int64_t>(make_batch({"x"}).size()));
        CHECK(sizes.at("b-1") == 0);
    }
    wire::DescribeLogDirsRequest some;
    some.topics.emplace();
    CHECK(found(describe(some)).empty());
    some.topics->push_back({"a", {1, 9}});
    some.topics->push_back({"nope", {0}});
    some.topics->push_back({"a", {1}});  // once more
    CHECK(found(describe(some)).size() == 1);
}

TEST_CASE("ApiVersions announces what is served", "[broker][api_versions]") {
    DataWorld world;
    world.state.features = {{"metadata.version", std::int16_t{30}},
                            {"share.version", std::int16_t{1}},
                            {"group.version", std::int16_t{2}}};
    world.publish();
    const std::vector<AdvertisedApi> apis = {{0, {0, 13}}, {18, {0, 4}}};
    const std::vector<SupportedFeature> features = {{"metadata.version", 7, 30, 0},
                                                    {"group.version", 0, 1, 0}};
    const auto get = [&](int version, std::string name = "kq", std::string software = "0.1") {
        return ask<wire::ApiVersionsResponse>(
            world, version, [&](RequestContext& context, Reply<wire::ApiVersionsResponse> reply) {
                handle_api_versions(context, {std::move(name), std::move(software)}, apis, features,
                                    std::move(reply));
            });
    };
    for (int version = 0; version <= 4; ++version) {
        CAPTURE(version);
        const auto response = get(version);
        CHECK(response.error_code == 0);
        REQUIRE(response.api_keys.size() == 2);
        CHECK(response.api_keys[0].min_version == 0);
        CHECK(response.api_keys[0].max_version == 13);
        // Java before 4.0 cannot read a minimum of 0.
        CHECK(response.supported_features.size() == (version < 3 ? 0u : version == 3 ? 1u : 2u));
        if (version < 3) continue;
        REQUIRE(response.finalized_features.size() == 2);
        CHECK(response.finalized_features[0].name == "group.version");
        CHECK(response.finalized_features[0].max_version_level == 1);  // what we build, not 2
        CHECK(response.finalized_features[1].max_version_level == 30);
    }
    for (const char* bad : {"", "-a", "a-", "a b", ".x", "k\xC3\xBC"}) {
        CAPTURE(bad);
        CHECK(get(3, bad).error_code == code(Errc::invalid_request));
        CHECK(get(3, "kq", bad).error_code == code(Errc::invalid_request));
        CHECK(get(3, bad).api_keys.empty());
        CHECK(get(2, bad).error_code == 0);
    }
    for (const char* good : {"a", "apache-kafka-java", "1.2.3-rc.1"}) {
        CHECK(get(4, good, good).error_code == 0);
    }
    const auto unsupported = api_versions_unsupported();
    CHECK(unsupported.error_code == code(Errc::unsupported_version));
    REQUIRE(unsupported.api_keys.size() == 1);
    CHECK(unsupported.api_keys[0].api_key == 18);
    CHECK(unsupported.api_keys[0].max_version == 4);
    CHECK(wire::expressible(unsupported, 0).ok());
}
