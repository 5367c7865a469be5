// SPDX-License-Identifier: Apache-2.0
//
// What a broker says of its cluster: Metadata, DescribeCluster, DescribeTopicPartitions,
// FindCoordinator, each from an image made by hand.
#include <catch2/catch.hpp>

#include "base/sim_loop.hpp"
#include "broker/api/03_metadata.hpp"
#include "broker/api/10_find_coordinator.hpp"
#include "broker/api/60_describe_cluster.hpp"
#include "broker/api/75_describe_topic_partitions.hpp"
#include "metadata/topic_names.hpp"
#include "protocol/murmur2.hpp"

using namespace kq;

namespace {

// Three brokers: 1 and 2 are up, 2 has no OUTSIDE listener, 3 is fenced.
struct Cluster {
    SimScheduler world{1};
    SimLoop loop{world};
    EditSession edit;
    std::shared_ptr<MetadataState> image = std::make_shared<MetadataState>();
    ConnectionState connection;
    std::string listener = "INSIDE";
    std::set<std::string> created;

    Cluster() {
        broker(1, {{"INSIDE", "one", 9092, 0}, {"OUTSIDE", "gate", 1, 0}}, false, "rack-a");
        broker(2, {{"INSIDE", "two", 9092, 0}}, false, std::nullopt);
        broker(3, {{"INSIDE", "three", 9092, 0}, {"OUTSIDE", "gate", 3, 0}}, true, std::nullopt);
    }
    void broker(int id, std::vector<ListenerEndpoint> endpoints, bool fenced,
                std::optional<std::string> rack) {
        BrokerRegistration registration;
        registration.id = BrokerId{id};
        registration.endpoints = std::move(endpoints);
        registration.fenced = fenced;
        registration.rack = std::move(rack);
        image->brokers.put(edit, BrokerId{id},
                           std::make_shared<const BrokerRegistration>(std::move(registration)));
    }
    Uuid topic(const std::string& name, std::vector<int> leaders) {
        Uuid id = world.random().uuid();
        TopicImage topic(name, id);
        for (std::size_t i = 0; i < leaders.size(); ++i) {
            PartitionRegistration partition;
            partition.replicas = {BrokerId{1}, BrokerId{2}, BrokerId{3}};
            partition.isr = {BrokerId{1}, BrokerId{2}};
            partition.leader = BrokerId{leaders[i]};
            partition.leader_epoch = Epoch{5};
            topic.put(edit, PartitionIndex{static_cast<int>(i)}, partition);
        }
        auto shared = std::make_shared<const TopicImage>(std::move(topic));
        image->topics_by_name.put(edit, name, shared);
        image->topics_by_id.put(edit, id, shared);
        return id;
    }
    RequestContext context(int version) {
        return {.api_version = version,
                .client_id = "test",
                .listener = listener,
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
    template <class Response, class Ask>
    Response answer(Ask ask) {
        std::optional<Response> heard;
        ask(Reply<Response>([&](Response response) { heard = std::move(response); }));
        return std::move(heard).value();
    }
    wire::MetadataResponse metadata(wire::MetadataRequest request, int version = 12,
                                    bool auto_create = true) {
        MetadataNeeds needs{BrokerId{1}, "cluster", auto_create,
                            [this](std::set<std::string> names) { created = std::move(names); }};
        auto asked = context(version);
        return answer<wire::MetadataResponse>([&](Reply<wire::MetadataResponse> reply) {
            handle_metadata(asked, request, needs, std::move(reply));
        });
    }
    wire::FindCoordinatorResponse coordinator(wire::FindCoordinatorRequest request, int version) {
        CoordinatorNeeds needs{[this](std::set<std::string> names) { created = std::move(names); }};
        auto asked = context(version);
        return answer<wire::FindCoordinatorResponse>(
            [&](Reply<wire::FindCoordinatorResponse> reply) {
                handle_find_coordinator(asked, request, needs, std::move(reply));
            });
    }
};

wire::MetadataRequest all_topics() {
    wire::MetadataRequest request;
    request.topics = std::nullopt;
    return request;
}

wire::MetadataRequest named(std::vector<std::string> names) {
    wire::MetadataRequest request;
    request.topics.emplace();
    for (auto& name : names)
        request.topics->push_back({Uuid{}, std::move(name)});
    return request;
}

}  // namespace

TEST_CASE("brokers are told by the listener that was asked; fenced ones are not", "[broker]") {
    Cluster cluster;
    auto inside = cluster.metadata(all_topics());
    REQUIRE(inside.brokers.size() == 2);
    CHECK(inside.brokers[0].host == "one");
    CHECK(inside.brokers[0].rack == "rack-a");
    CHECK(inside.brokers[1].host == "two");
    CHECK(inside.cluster_id == "cluster");
    CHECK(inside.controller_id == 1);
    cluster.listener = "OUTSIDE";
    auto outside = cluster.metadata(all_topics());
    REQUIRE(outside.brokers.size() == 1);
    CHECK(outside.brokers[0].host == "gate");
    CHECK(outside.brokers[0].port == 1);
}

TEST_CASE("partitions tell leader, replicas and who is down", "[broker]") {
    Cluster cluster;
    auto id = cluster.topic("t", {1, 2, 3, -1});
    auto check = [&](const wire::MetadataResponse& response, std::int16_t no_listener) {
        REQUIRE(response.topics.size() == 1);
        const auto& topic = response.topics[0];
        CHECK(topic.topic_id == id);
        REQUIRE(topic.partitions.size() == 4);
        CHECK(topic.partitions[0].error_code == 0);
        CHECK(topic.partitions[0].leader_id == 1);
        CHECK(topic.partitions[0].leader_epoch == 5);
        CHECK(topic.partitions[0].replica_nodes == std::vector<std::int32_t>{1, 2, 3});
        CHECK(topic.partitions[0].isr_nodes == std::vector<std::int32_t>{1, 2});
        CHECK(topic.partitions[0].offline_replicas == std::vector<std::int32_t>{3});
        CHECK(topic.partitions[1].error_code == no_listener);
        CHECK(topic.partitions[2].error_code == 5);  // its leader is fenced
        CHECK(topic.partitions[3].error_code == 5);
        CHECK(topic.partitions[3].leader_id == -1);
    };
    check(cluster.metadata(all_topics()), 0);
    cluster.listener = "OUTSIDE";
    check(cluster.metadata(named({"t"})), 72);
    check(cluster.metadata(named({"t"}), 5), 5);  // older clients do not know 72
}

TEST_CASE("all topics, none, by name, by id", "[broker]") {
    Cluster cluster;
    cluster.topic("b", {1});
    auto id = cluster.topic("a", {1});
    cluster.topic("__consumer_offsets", {1});
    auto all = cluster.metadata(all_topics());
    REQUIRE(all.topics.size() == 3);
    CHECK(all.topics[0].name == "__consumer_offsets");
    CHECK(all.topics[0].is_internal);
    CHECK_FALSE(all.topics[1].is_internal);
    CHECK(cluster.metadata(named({}), 1).topics.empty());
    CHECK(cluster.metadata(named({}), 0).topics.size() == 3);  // version 0 has no null
    wire::MetadataRequest by_id;
    by_id.topics.emplace();
    by_id.topics->push_back({id, std::nullopt});
    by_id.topics->push_back({cluster.world.random().uuid(), std::nullopt});
    auto found = cluster.metadata(by_id, 12);
    REQUIRE(found.topics.size() == 2);
    CHECK(found.topics[0].name == "a");
    CHECK(found.topics[1].error_code == 100);
    CHECK_FALSE(found.topics[1].name);
    // Not before version 12: the code on every topic, and nothing else (Kafka's getErrorResponse).
    by_id.topics->push_back({Uuid{}, "a"});
    for (const int version : {10, 11}) {
        CAPTURE(version);
        auto refused = cluster.metadata(by_id, version);
        REQUIRE(refused.topics.size() == 3);
        for (const auto& topic : refused.topics) {
            CHECK(topic.error_code == 42);
            CHECK(topic.partitions.empty());
        }
        CHECK(refused.topics[0].name == "");
        CHECK(refused.topics[0].topic_id == id);
        CHECK(refused.topics[2].name == "a");
        CHECK(refused.brokers.empty());
        CHECK_FALSE(refused.cluster_id.has_value());
        CHECK(refused.controller_id == -1);
        CHECK(cluster.metadata(named({"a"}), version).brokers.size() == 2);
    }
    CHECK(cluster.created.empty());
}

TEST_CASE("a topic that is asked for comes into being, where it may", "[broker]") {
    Cluster cluster;
    auto response = cluster.metadata(named({"new", "bad name", "..", std::string(250, 'x')}));
    CHECK(response.topics[0].error_code == 3);
    for (std::size_t i = 1; i < 4; ++i)
        CHECK(response.topics[i].error_code == 17);
    CHECK(cluster.created == std::set<std::string>{"new"});
    cluster.created.clear();
    auto request = named({"new"});
    request.allow_auto_topic_creation = false;
    CHECK(cluster.metadata(request).topics[0].error_code == 3);
    cluster.metadata(named({"new"}), 12, false);
    cluster.metadata(all_topics());
    CHECK(cluster.created.empty());
}

TEST_CASE("permitted operations are told to who asks", "[broker]") {
    Cluster cluster;
    cluster.topic("t", {1});
    auto request = all_topics();
    CHECK(cluster.metadata(request).topics[0].topic_authorized_operations ==
          std::numeric_limits<std::int32_t>::min());
    request.include_topic_authorized_operations = true;
    CHECK(cluster.metadata(request).topics[0].topic_authorized_operations == 3576);
    request.include_cluster_authorized_operations = true;
    CHECK(cluster.metadata(request, 8).cluster_authorized_operations == 8096);
}

TEST_CASE("DescribeCluster tells brokers, the fenced ones on request, controllers never",
          "[broker]") {
    Cluster cluster;
    auto ask = [&](wire::DescribeClusterRequest request) {
        auto asked = cluster.context(2);
        return cluster.answer<wire::DescribeClusterResponse>(
            [&](Reply<wire::DescribeClusterResponse> reply) {
                handle_describe_cluster(asked, request, BrokerId{2}, "cluster", std::move(reply));
            });
    };
    auto plain = ask({});
    CHECK(plain.brokers.size() == 2);
    CHECK(plain.cluster_id == "cluster");
    CHECK(plain.controller_id == 2);
    auto all = ask({.include_fenced_brokers = true});
    REQUIRE(all.brokers.size() == 3);
    CHECK(all.brokers[2].is_fenced);
    CHECK(ask({.endpoint_type = 2}).error_code == 114);
    CHECK(ask({.endpoint_type = 9}).error_code == 115);
}

TEST_CASE("DescribeTopicPartitions goes page by page through sorted topics", "[broker]") {
    Cluster cluster;
    cluster.topic("b", {1, 1, 1});
    cluster.topic("a", {1, 1});
    cluster.topic("c", {1});
    auto ask = [&](wire::DescribeTopicPartitionsRequest request, std::int32_t max = 2000) {
        auto asked = cluster.context(0);
        return cluster.answer<wire::DescribeTopicPartitionsResponse>(
            [&](Reply<wire::DescribeTopicPartitionsResponse> reply) {
                handle_describe_topic_partitions(asked, request, max, std::move(reply));
            });
    };
    auto all = ask({});
    CHECK(all.topics.size() == 3);
    CHECK_FALSE(all.next_cursor);

    std::vector<std::string> seen;
    wire::DescribeTopicPartitionsRequest request;
    for (int page = 0; page < 10; ++page) {
        auto response = ask(request, 2);
        std::size_t rows = 0;
        for (const auto& topic : response.topics) {
            for (const auto& partition : topic.partitions) {
                seen.push_back(*topic.name + std::to_string(partition.partition_index));
                ++rows;
            }
        }
        CHECK(rows <= 2);
        if (!response.next_cursor) break;
        request.cursor = {response.next_cursor->topic_name, response.next_cursor->partition_index};
    }
    CHECK(seen == std::vector<std::string>{"a0", "a1", "b0", "b1", "b2", "c0"});

    wire::DescribeTopicPartitionsRequest strange;
    strange.topics = {{"c"}, {"nope"}, {"bad name"}, {"c"}};
    auto answer = ask(strange);
    REQUIRE(answer.topics.size() == 3);
    CHECK(answer.topics[0].error_code == 17);
    CHECK(answer.topics[1].name == "c");
    CHECK(answer.topics[2].error_code == 3);
}

TEST_CASE("a page goes on behind the last partition, however large the cursor's number",
          "[broker]") {
    Cluster cluster;
    cluster.topic("b", {1, 1, 1});
    cluster.topic("c", {1});
    for (const std::int32_t from : {3, 4, 0x7FFF'FFFF}) {
        CAPTURE(from);
        wire::DescribeTopicPartitionsRequest request;
        request.topics = {{"b"}, {"c"}};
        request.cursor = {"b", from};
        auto asked = cluster.context(0);
        const auto answer = cluster.answer<wire::DescribeTopicPartitionsResponse>(
            [&](Reply<wire::DescribeTopicPartitionsResponse> reply) {
                handle_describe_topic_partitions(asked, request, 2000, std::move(reply));
            });
        CHECK_FALSE(answer.next_cursor);
        REQUIRE(answer.topics.size() == 2);
        CHECK(answer.topics[0].partitions.empty());
        CHECK(answer.topics[1].partitions.size() == 1);
    }
}

TEST_CASE("a cursor that no page ended with is refused", "[broker]") {
    Cluster cluster;
    cluster.topic("b", {1, 1, 1});
    wire::DescribeTopicPartitionsRequest request;
    request.topics = {{"b"}};
    SECTION("in a topic that is not asked for") {
        request.cursor = {"c", 0};
    }
    SECTION("at a negative partition") {
        request.cursor = {"b", -1};
    }
    auto asked = cluster.context(0);
    auto answer = cluster.answer<wire::DescribeTopicPartitionsResponse>(
        [&](Reply<wire::DescribeTopicPartitionsResponse> reply) {
            handle_describe_topic_partitions(asked, request, 2000, std::move(reply));
        });
    REQUIRE(answer.topics.size() == 1);
    CHECK(answer.topics[0].error_code == wire_code(Errc::invalid_request));
    CHECK(answer.topics[0].partitions.empty());
    CHECK_FALSE(answer.next_cursor);
}

TEST_CASE("a topic that is named twice is answered once", "[broker]") {
    Cluster cluster;
    const auto id = cluster.topic("t", {1, 2});
    auto request = named({"t", "t", "nope", "nope"});
    request.topics->push_back({id, std::nullopt});
    request.topics->push_back({id, std::nullopt});
    request.topics->push_back({cluster.world.random().uuid(), std::nullopt});
    const auto response = cluster.metadata(request);
    REQUIRE(response.topics.size() == 3);
    CHECK(response.topics[0].name == "t");
    CHECK(response.topics[1].error_code == wire_code(Errc::unknown_topic_or_partition));
    CHECK(response.topics[2].error_code == wire_code(Errc::unknown_topic_id));
}

TEST_CASE("a coordinator is the leader of the key's partition; its topic is made at first",
          "[broker]") {
    Cluster cluster;
    auto missing = cluster.coordinator({.key = "g"}, 0);
    CHECK(missing.error_code == 15);
    CHECK(missing.node_id == -1);
    CHECK(cluster.created == std::set<std::string>{"__consumer_offsets"});
    cluster.created.clear();
    std::vector<int> leaders(50, 1);
    auto index = static_cast<std::size_t>(coordinator_partition("g", 50));
    leaders[index] = 2;
    cluster.topic("__consumer_offsets", leaders);
    auto found = cluster.coordinator({.key = "g"}, 3);
    CHECK(found.error_code == 0);
    CHECK(found.node_id == 2);
    CHECK(found.host == "two");
    CHECK(found.error_message == "NONE");  // Kafka's word for it
    wire::FindCoordinatorRequest batch;
    batch.key_type = 1;
    batch.coordinator_keys = {"x", "y"};
    auto transactional = cluster.coordinator(batch, 4);
    REQUIRE(transactional.coordinators.size() == 2);
    CHECK(transactional.coordinators[1].key == "y");
    CHECK(transactional.coordinators[1].error_code == 15);
    CHECK(cluster.created == std::set<std::string>{"__transaction_state"});
    batch.key_type = 7;
    CHECK(cluster.coordinator(batch, 4).coordinators[0].error_code == 42);
}

TEST_CASE("topic names: legal, colliding, internal", "[metadata]") {
    for (const char* good : {"a", "A.b_c-9", "...", "__consumer_offsets"}) {
        CHECK(check_topic_name(good).ok());
    }
    for (const std::string& bad :
         {std::string(), std::string("."), std::string(".."), std::string("a b"),
          std::string("a/b"), std::string("\xc3\xa4"), std::string(250, 'a')}) {
        CHECK(check_topic_name(bad).code() == Errc::invalid_topic_exception);
    }
    CHECK(check_topic_name(std::string(249, 'a')).ok());
    CHECK(topic_collision_key("a.b") == topic_collision_key("a_b"));
    CHECK(topic_collision_key("a.b") != topic_collision_key("a-b"));
    CHECK(is_internal_topic("__transaction_state"));
    CHECK_FALSE(is_internal_topic("__mine"));
}
