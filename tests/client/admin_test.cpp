// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "client/admin_core.hpp"
#include "protocol/messages/02_list_offsets.hpp"
#include "protocol/messages/10_find_coordinator.hpp"
#include "protocol/messages/19_create_topics.hpp"
#include "protocol/messages/20_delete_topics.hpp"
#include "protocol/messages/32_describe_configs.hpp"
#include "protocol/messages/35_describe_log_dirs.hpp"
#include "protocol/messages/60_describe_cluster.hpp"
#include "protocol/messages/75_describe_topic_partitions.hpp"
#include "scripted_broker.hpp"

using namespace kq;
using kq::sim::ClientWorld;
using namespace kq::wire;

namespace {

struct Fixture {
    explicit Fixture(int brokers = 1) : world(brokers) {
        options.bootstrap = {{"b1", 9092}};
        options.request_timeout = 2s;
    }
    ~Fixture() { admin.reset(); }
    AdminCore& start() {
        admin =
            std::make_unique<AdminCore>(world.loop, *world.client_network, world.random, options);
        return *admin;
    }
    template <class T, class Start>
    Result<T> ask(Start begin, std::chrono::nanoseconds patience = 10s) {
        std::optional<Result<T>> place;
        int calls = 0;
        begin(world.in(patience), [&](Result<T> result) {
            calls += 1;
            place = std::move(result);
        });
        REQUIRE(world.until([&] { return place.has_value(); }, patience + 5s));
        world.scheduler.run_for(1s);
        CHECK(calls == 1);
        return *place;
    }

    ClientWorld world;
    ClientOptions options;
    std::unique_ptr<AdminCore> admin;
};

std::int16_t wire_of(Errc code) {
    return static_cast<std::int16_t>(code);
}

}  // namespace

TEST_CASE("topics are listed by name, over one connection", "[client]") {
    Fixture at;
    for (const auto* name : {"b", "c", "a"})
        at.world.topology->add_topic(name, 2);
    auto& admin = at.start();
    auto topics = at.ask<std::vector<TopicDescription>>(
        [&](MonoTime until, auto done) { admin.list_topics(false, until, std::move(done)); });
    REQUIRE(topics.ok());
    REQUIRE(topics.value().size() == 3);
    CHECK(topics.value()[0].name == "a");
    CHECK(topics.value()[2].name == "c");
    CHECK(topics.value()[0].partitions.size() == 2);

    // The bootstrap address is also what the broker advertises: no second connection is made.
    at.world.broker(1).on<DescribeLogDirsRequest, DescribeLogDirsResponse>(
        [](const DescribeLogDirsRequest& request, int) -> std::optional<DescribeLogDirsResponse> {
            CHECK(!request.topics);
            DescribeLogDirsResponse response;
            auto& dir = response.results.emplace_back();
            dir.log_dir = "/data";
            dir.topics.push_back({.name = "a",
                                  .partitions = {{.partition_index = 1,
                                                  .partition_size = 77,
                                                  .offset_lag = 0,
                                                  .is_future_key = false}}});
            return response;
        });
    auto dirs = at.ask<std::vector<BrokerLogDirs>>(
        [&](MonoTime until, auto done) { admin.describe_log_dirs({}, until, std::move(done)); });
    REQUIRE(dirs.ok());
    REQUIRE(dirs.value().size() == 1);
    REQUIRE(dirs.value()[0].directories.ok());
    CHECK(dirs.value()[0].directories.value()[0].replicas[0].size_bytes == 77);
    CHECK(at.world.broker(1).connections_made() == 1);
}

TEST_CASE("a topic of many partitions is described page by page", "[client]") {
    Fixture at;
    at.world.broker(1).on<DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse>(
        [](const DescribeTopicPartitionsRequest& request,
           int) -> std::optional<DescribeTopicPartitionsResponse> {
            DescribeTopicPartitionsResponse response;
            int from = request.cursor ? request.cursor->partition_index : 0;
            REQUIRE(!request.topics.empty());
            if (!request.cursor) {
                CHECK(request.topics.size() == 2);
                auto& absent = response.topics.emplace_back();
                absent.name = "absent";
                absent.error_code = wire_of(Errc::unknown_topic_or_partition);
            }
            auto& topic = response.topics.emplace_back();
            topic.name = "big";
            for (int i = from; i < std::min(from + 4, 10); ++i) {
                auto& partition = topic.partitions.emplace_back();
                partition.partition_index = i;
                partition.leader_id = 1;
            }
            if (from + 4 < 10) {
                using Cursor = wire::DescribeTopicPartitionsResponse::Cursor;
                response.next_cursor = Cursor{"big", from + 4};
            }
            return response;
        });
    auto& admin = at.start();
    auto topics = at.ask<Each<TopicDescription>>([&](MonoTime until, auto done) {
        admin.describe_topics({"big", "absent"}, until, std::move(done));
    });
    REQUIRE(topics.ok());
    REQUIRE(topics.value()[0].ok());
    CHECK(topics.value()[0].value().partitions.size() == 10);
    CHECK(topics.value()[1].code() == Errc::unknown_topic_or_partition);
}

TEST_CASE("old brokers are asked in the old way", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 3);
    at.world.broker(1).versions.erase(75);
    at.world.broker(1).versions.erase(60);
    auto& admin = at.start();
    auto topics = at.ask<Each<TopicDescription>>([&](MonoTime until, auto done) {
        admin.describe_topics({"t", "absent"}, until, std::move(done));
    });
    REQUIRE(topics.ok());
    REQUIRE(topics.value()[0].ok());
    CHECK(topics.value()[0].value().partitions.size() == 3);
    CHECK(topics.value()[1].code() == Errc::unknown_topic_or_partition);
    auto cluster = at.ask<ClusterDescription>(
        [&](MonoTime until, auto done) { admin.describe_cluster(until, std::move(done)); });
    REQUIRE(cluster.ok());
    CHECK(cluster.value().cluster_id == "test-cluster");
    CHECK(cluster.value().brokers.size() == 1);
}

TEST_CASE("topics are created one by one in one request; each has its own answer", "[client]") {
    Fixture at(2);
    int asked = 0;
    auto script = [&](std::int32_t id, bool is_controller) {
        at.world.broker(id).on<CreateTopicsRequest, CreateTopicsResponse>(
            [&asked, is_controller](const CreateTopicsRequest& request,
                                    int) -> std::optional<CreateTopicsResponse> {
                asked += 1;
                CreateTopicsResponse response;
                for (const auto& topic : request.topics) {
                    auto& told = response.topics.emplace_back();
                    told.name = topic.name;
                    if (!is_controller) {
                        told.error_code = wire_of(Errc::not_controller);
                    } else if (topic.name == "taken") {
                        told.error_code = wire_of(Errc::topic_already_exists);
                        told.error_message = "Topic 'taken' already exists.";
                    } else {
                        CHECK(topic.num_partitions == 3);
                        CHECK(topic.configs[0].name == "retention.ms");
                        told.num_partitions = 3;
                        told.replication_factor = 1;
                        told.configs->push_back({.name = "retention.ms",
                                                 .value = "1000",
                                                 .read_only = false,
                                                 .config_source = 1,
                                                 .is_sensitive = false});
                    }
                }
                return response;
            });
    };
    script(1, true);
    script(2, true);
    NewTopic fresh;
    fresh.name = "fresh";
    fresh.partitions = 3;
    fresh.configs = {{"retention.ms", "1000"}};
    NewTopic taken;
    taken.name = "taken";
    SECTION("any broker hands it on") {}
    SECTION("one that does not says so, and the controller is asked") {
        at.options.bootstrap = {{"b2", 9092}};
        script(2, false);
    }
    auto& admin = at.start();
    auto created = at.ask<Each<CreatedTopic>>([&](MonoTime until, auto done) {
        admin.create_topics({fresh, taken}, false, until, std::move(done));
    });
    REQUIRE(created.ok());
    REQUIRE(created.value()[0].ok());
    CHECK(created.value()[0].value().partitions == 3);
    CHECK(created.value()[0].value().configs[0].source == ConfigSource::dynamic_topic);
    CHECK(created.value()[1].code() == Errc::topic_already_exists);
    CHECK(created.value()[1].error().message == "Topic 'taken' already exists.");
}

TEST_CASE("a change whose answer is lost is not asked for twice; the outcome is unknown",
          "[client]") {
    Fixture at;
    int asked = 0;
    bool cut = GENERATE(true, false);
    at.world.broker(1).on<DeleteTopicsRequest, DeleteTopicsResponse>(
        [&](const DeleteTopicsRequest&, int) -> std::optional<DeleteTopicsResponse> {
            asked += 1;
            if (cut) at.world.broker(1).hang_up();
            return std::nullopt;
        });
    auto& admin = at.start();
    auto deleted = at.ask<Each<Unit>>(
        [&](MonoTime until, auto done) { admin.delete_topics({"t"}, until, std::move(done)); });
    CHECK(asked == 1);
    CHECK(deleted.code() == (cut ? Errc::connection_closed : Errc::deadline_passed));
    CHECK_THAT(deleted.error().message, Catch::EndsWith("the outcome is unknown"));
}

TEST_CASE("a question whose answer is lost is asked again", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 1);
    int asked = 0;
    at.world.broker(1).on<DescribeClusterRequest, DescribeClusterResponse>(
        [&](const DescribeClusterRequest&, int) -> std::optional<DescribeClusterResponse> {
            if (++asked < 3) {
                at.world.broker(1).hang_up();
                return std::nullopt;
            }
            DescribeClusterResponse response;
            response.cluster_id = "c";
            return response;
        });
    auto& admin = at.start();
    auto cluster = at.ask<ClusterDescription>(
        [&](MonoTime until, auto done) { admin.describe_cluster(until, std::move(done)); });
    REQUIRE(cluster.ok());
    CHECK(asked == 3);
}

TEST_CASE("a broker's settings are asked of that broker", "[client]") {
    Fixture at(2);
    for (int id : {1, 2}) {
        at.world.broker(id).on<DescribeConfigsRequest, DescribeConfigsResponse>(
            [id](const DescribeConfigsRequest& request,
                 int) -> std::optional<DescribeConfigsResponse> {
                DescribeConfigsResponse response;
                for (const auto& resource : request.resources) {
                    auto& told = response.results.emplace_back();
                    told.resource_type = resource.resource_type;
                    told.resource_name = resource.resource_name;
                    auto& config = told.configs.emplace_back();
                    config.name = "told.by";
                    config.value = std::to_string(id);
                    config.config_source = 5;
                }
                return response;
            });
    }
    auto& admin = at.start();
    auto configs = at.ask<Each<std::vector<DescribedConfig>>>([&](MonoTime until, auto done) {
        admin.describe_configs({{ResourceType::broker, "2"},
                                {ResourceType::topic, "t"},
                                {ResourceType::broker, "x"},
                                {ResourceType::broker, "1"}},
                               {}, true, true, until, std::move(done));
    });
    REQUIRE(configs.ok());
    CHECK(configs.value()[0].value()[0].value == "2");
    CHECK(configs.value()[1].ok());
    CHECK(configs.value()[2].code() == Errc::invalid_request);
    CHECK(configs.value()[3].value()[0].value == "1");
}

TEST_CASE("offsets are asked of the leaders, and of the new one when it moves", "[client]") {
    Fixture at(2);
    at.world.topology->add_topic("t", 2);
    at.world.topology->topics["t"].partitions[1].leader = 2;
    bool moved = false;
    for (int id : {1, 2}) {
        at.world.broker(id).on<ListOffsetsRequest, ListOffsetsResponse>(
            [&, id](const ListOffsetsRequest& request, int) -> std::optional<ListOffsetsResponse> {
                ListOffsetsResponse response;
                for (const auto& topic : request.topics) {
                    auto& told = response.topics.emplace_back();
                    told.name = topic.name;
                    for (const auto& partition : topic.partitions) {
                        auto& result = told.partitions.emplace_back();
                        result.partition_index = partition.partition_index;
                        if (id == 2 && !moved) {
                            moved = true;
                            at.world.topology->topics["t"].partitions[1] = {1, 5};
                            result.error_code = wire_of(Errc::not_leader_or_follower);
                            continue;
                        }
                        result.offset = partition.timestamp == -2 ? 10 : 20;
                    }
                }
                return response;
            });
    }
    auto& admin = at.start();
    TopicPartition zero{"t", PartitionIndex{0}};
    TopicPartition one{"t", PartitionIndex{1}};
    auto offsets = at.ask<Each<ListedOffset>>([&](MonoTime until, auto done) {
        admin.list_offsets({{zero, OffsetSpec::earliest()},
                            {zero, OffsetSpec::latest()},
                            {one, OffsetSpec::latest()},
                            {{"absent", PartitionIndex{0}}, OffsetSpec::latest()}},
                           Isolation::read_uncommitted, until, std::move(done));
    });
    REQUIRE(offsets.ok());
    CHECK(offsets.value()[0].value().offset == Offset{10});
    CHECK(offsets.value()[1].value().offset == Offset{20});
    CHECK(offsets.value()[2].value().offset == Offset{20});
    CHECK(offsets.value()[3].code() == Errc::unknown_topic_or_partition);
    CHECK(moved);
}

TEST_CASE("a coordinator that is not there yet is asked for again", "[client]") {
    Fixture at;
    auto newest = GENERATE(std::int16_t{3}, std::int16_t{6});
    at.world.broker(1).versions[10] = {0, newest};
    int asked = 0;
    at.world.broker(1).on<FindCoordinatorRequest, FindCoordinatorResponse>(
        [&](const FindCoordinatorRequest& request,
            int version) -> std::optional<FindCoordinatorResponse> {
            FindCoordinatorResponse response;
            auto code = ++asked == 1 ? wire_of(Errc::coordinator_not_available) : std::int16_t{0};
            if (version >= 4) {
                auto& found = response.coordinators.emplace_back();
                found.key = request.coordinator_keys.at(0);
                found.error_code = code;
                found.node_id = 4;
            } else {
                response.error_code = code;
                response.node_id = 4;
            }
            return response;
        });
    auto& admin = at.start();
    auto found = at.ask<Each<CoordinatorInfo>>([&](MonoTime until, auto done) {
        admin.find_coordinators(CoordinatorType::group, {"g"}, until, std::move(done));
    });
    REQUIRE(found.ok());
    CHECK(found.value()[0].value().broker == BrokerId{4});
    CHECK(asked == 2);
}

TEST_CASE("nobody there: at once for a person, at the deadline for a program", "[client]") {
    Fixture at(2);
    at.options.bootstrap = {{"b1", 9092}, {"b2", 9092}};
    at.options.fail_fast = GENERATE(true, false);
    at.world.broker(1).stop_listening();
    at.world.broker(2).stop_listening();
    auto& admin = at.start();
    auto begun = at.world.scheduler.now();
    auto cluster = at.ask<ClusterDescription>(
        [&](MonoTime until, auto done) { admin.describe_cluster(until, std::move(done)); });
    auto took = at.world.scheduler.now() - begun - 1s;
    CHECK(cluster.code() == Errc::unreachable);
    CHECK_THAT(cluster.error().message, Catch::Contains("b1:9092") && Catch::Contains("b2:9092"));
    CHECK((took < 2s) == at.options.fail_fast);
}

TEST_CASE("a broker of this machine that was just started is waited for", "[client]") {
    // `kq-broker &`, and the next line of the script.
    const std::string host = GENERATE("localhost", "127.0.0.1", "elsewhere");
    Fixture at;
    at.options.bootstrap = {{host, 9092}};
    at.options.resolve = {{{host, 9092}, {"b1", 9092}}};
    at.options.fail_fast = true;
    at.options.startup_grace = 1s;
    at.world.broker(1).stop_listening();
    const auto begins_after = GENERATE(400ms, 2000ms);
    Timer start(at.world.loop);
    start.set_after(begins_after, [&] { at.world.broker(1).listen(); });
    auto& admin = at.start();
    auto topics = at.ask<std::vector<TopicDescription>>(
        [&](MonoTime until, auto done) { admin.list_topics(false, until, std::move(done)); });
    CHECK(topics.ok() == (host != "elsewhere" && begins_after < 1s));
    if (!topics.ok()) CHECK(topics.code() == Errc::unreachable);
}

TEST_CASE("one dead address of the bootstrap list is stepped over", "[client]") {
    Fixture at(2);
    at.options.bootstrap = {{"nowhere", 9092}, {"b2", 9092}};
    at.options.fail_fast = true;
    at.world.topology->add_topic("t", 1);
    auto& admin = at.start();
    auto topics = at.ask<std::vector<TopicDescription>>(
        [&](MonoTime until, auto done) { admin.list_topics(false, until, std::move(done)); });
    REQUIRE(topics.ok());
    CHECK(topics.value().size() == 1);
}

TEST_CASE("an idle connection is closed, and made again when it is needed", "[client]") {
    Fixture at;
    at.options.connections_max_idle = 5s;
    auto& admin = at.start();
    auto list = [&] {
        return at.ask<std::vector<TopicDescription>>(
            [&](MonoTime until, auto done) { admin.list_topics(false, until, std::move(done)); });
    };
    REQUIRE(list().ok());
    at.world.scheduler.run_for(20s);
    CHECK(at.world.sockets.connection_count() == 0);
    REQUIRE(list().ok());
    CHECK(at.world.broker(1).connections_made() == 2);
}
