// SPDX-License-Identifier: Apache-2.0
//
// From bytes to handlers and back: what is served, what is refused, how.
#include "broker/dispatch.hpp"

#include <catch2/catch.hpp>

#include "metadata/metadata_state.hpp"
#include "net/sim_network.hpp"
#include "protocol/messages/01_fetch.hpp"
#include "protocol/messages/02_list_offsets.hpp"
#include "protocol/messages/03_metadata.hpp"
#include "protocol/messages/10_find_coordinator.hpp"
#include "protocol/messages/19_create_topics.hpp"
#include "protocol/messages/20_delete_topics.hpp"
#include "protocol/messages/32_describe_configs.hpp"
#include "protocol/messages/35_describe_log_dirs.hpp"
#include "protocol/messages/75_describe_topic_partitions.hpp"
#include "tests/net/echo.hpp"

using namespace kq;

namespace {

constexpr std::size_t partitions_max = 4;

struct DispatchScene {
    SimScheduler world{3};
    SimNetwork network{world};
    SimLoop server{world};
    SimLoop client{world};
    std::unique_ptr<Network> server_network = network.network_for(server, "broker");
    std::unique_ptr<Network> client_network = network.network_for(client, "client");
    MemoryBudget budget{1 << 20};
    MetricRegistry metrics;
    Dispatcher dispatcher{metrics, partitions_max};
    Sessions sessions{server, *server_network, budget, metrics, Logger{}, {}, dispatcher};
    std::unique_ptr<Listener> listener =
        server_network
            ->listen({"broker", 1},
                     [this](std::unique_ptr<Socket> socket) {
                         sessions.serve(std::move(socket), "PLAINTEXT", [] {});
                     })
            .value();
    std::int16_t produce_error = 0;
    int produced = 0;
    int fetched = 0;
    int listed = 0;

    DispatchScene() {
        sessions.set_image(std::make_shared<const MetadataState>());
        dispatcher.serve<wire::ApiVersionsRequest, wire::ApiVersionsResponse>(
            [this](RequestContext& context, const wire::ApiVersionsRequest& request,
                   Reply<wire::ApiVersionsResponse> reply) {
                handle_api_versions(context, request, dispatcher.advertised(), {},
                                    std::move(reply));
            });
        dispatcher.serve_produce([this](RequestContext& context, wire::ProduceRequest request,
                                        Reply<wire::ProduceResponse> reply) {
            ++produced;
            CHECK(context.listener == "PLAINTEXT");
            CHECK(context.client_id == "me");
            CHECK(context.peer.host == "client");
            wire::ProduceResponse response;
            auto& topic = response.responses.emplace_back();
            topic.name = request.topic_data.at(0).name;
            topic.partition_responses.emplace_back().error_code = produce_error;
            std::move(reply).send(std::move(response));
        });
    }
    // Beside those of the constructor, which the tests of what is announced count.
    void serve_readers() {
        dispatcher.serve<wire::FetchRequest, wire::FetchResponse>(
            [this](RequestContext&, const wire::FetchRequest&, Reply<wire::FetchResponse> reply) {
                ++fetched;
                std::move(reply).send({});
            });
        dispatcher.serve<wire::ListOffsetsRequest, wire::ListOffsetsResponse>(
            [this](RequestContext&, const wire::ListOffsetsRequest&,
                   Reply<wire::ListOffsetsResponse> reply) {
                ++listed;
                std::move(reply).send({});
            });
    }
    ~DispatchScene() { sessions.close_all(); }

    // What comes back for a request, without its size; nothing where the connection was closed.
    std::optional<Bytes> ask(std::int16_t api_key, std::int16_t version, ByteView body,
                             bool flexible = false) {
        Bytes frame;
        append_be<std::int32_t>(frame, 0);
        append_be(frame, api_key);
        append_be(frame, version);
        append_be<std::int32_t>(frame, 77);
        append_be<std::int16_t>(frame, 2);
        append(frame, as_bytes("me"));
        if (flexible) frame.push_back(0);
        append(frame, body);
        store_be(frame.data(), static_cast<std::int32_t>(frame.size() - 4));
        Talker talker(*client_network, {"broker", 1});
        talker.say(as_text(frame));
        auto whole = [&] {
            if (talker.heard.size() < 4) return false;
            auto size =
                load_be<std::int32_t>(reinterpret_cast<const std::uint8_t*>(talker.heard.data()));
            return talker.heard.size() >= 4 + static_cast<std::size_t>(size);
        };
        world.run_until([&] { return whole() || talker.closed != Errc::none; }, 2s);
        if (!whole()) {
            still_open = talker.closed == Errc::none;
            return std::nullopt;
        }
        return to_bytes(as_bytes(talker.heard).subspan(4));
    }
    std::int64_t closed(const std::string& reason) const {
        return metrics.value("kq_connections_closed_total", {{"reason", reason}});
    }
    bool still_open = false;
};

template <class M>
Bytes body_of(const M& message, int version) {
    Bytes out;
    wire::encode(message, version, out);
    return out;
}

wire::ProduceRequest produce_request(std::int16_t acks) {
    wire::ProduceRequest request;
    request.acks = acks;
    request.topic_data.emplace_back().name = "t";
    return request;
}

}  // namespace

TEST_CASE("a served API is decoded, handled and answered in its version", "[broker]") {
    DispatchScene scene;
    auto answer = scene.ask(0, 3, body_of(produce_request(1), 3));
    REQUIRE(answer);
    auto frame = wire::decode_response_header(*answer, wire::produce_api, 3).value();
    CHECK(frame.correlation_id == 77);
    auto response = wire::decode<wire::ProduceResponse>(frame.body, 3).value();
    CHECK(response.responses.at(0).name == "t");
    CHECK(scene.metrics.value("kq_requests_total", {{"api", "Produce"}}) == 1);
}

TEST_CASE("what is announced is what is served, Produce from version 0", "[broker]") {
    DispatchScene scene;
    wire::ApiVersionsRequest request;
    request.client_software_name = "x";
    request.client_software_version = "1";
    auto answer = scene.ask(18, 3, body_of(request, 3), true);
    REQUIRE(answer);
    auto frame = wire::decode_response_header(*answer, wire::api_versions_api, 3).value();
    auto response = wire::decode<wire::ApiVersionsResponse>(frame.body, 3).value();
    REQUIRE(response.api_keys.size() == 2);
    CHECK(response.api_keys[0].api_key == 0);
    CHECK(response.api_keys[0].min_version == 0);
    CHECK(response.api_keys[1].api_key == 18);
    CHECK_FALSE(scene.ask(0, 2, body_of(produce_request(1), 3)));  // announced, not served
    CHECK(scene.closed("unsupported_version") == 1);
}

TEST_CASE("ApiVersions of the future is answered in version 0 with what we speak", "[broker]") {
    DispatchScene scene;
    auto answer = scene.ask(18, 99, as_bytes("whatever follows"), true);
    REQUIRE(answer);
    auto frame = wire::decode_response_header(*answer, wire::api_versions_api, 0).value();
    CHECK(frame.correlation_id == 77);
    auto response = wire::decode<wire::ApiVersionsResponse>(frame.body, 0).value();
    CHECK(response.error_code == 35);
    REQUIRE(response.api_keys.size() == 1);
    CHECK(response.api_keys[0].api_key == 18);
}

TEST_CASE("what is not served closes the connection, and says so in the counters", "[broker]") {
    DispatchScene scene;
    CHECK_FALSE(scene.ask(2, 7, {}, true));  // known to the protocol, not in this table
    CHECK_FALSE(scene.ask(999, 0, {}));
    CHECK(scene.closed("unknown_api") == 2);
    CHECK_FALSE(scene.ask(0, 99, {}, true));
    CHECK(scene.closed("unsupported_version") == 1);
    auto cut = body_of(produce_request(1), 3);
    cut.pop_back();
    CHECK_FALSE(scene.ask(0, 3, cut));
    auto longer = body_of(produce_request(1), 3);
    longer.push_back(0);
    CHECK_FALSE(scene.ask(0, 3, longer));
    CHECK(scene.closed("malformed") == 2);
    CHECK(scene.produced == 0);
    CHECK(scene.ask(0, 3, body_of(produce_request(1), 3)));  // and others are served on
}

TEST_CASE("a request with more partitions than there may be is refused unworked", "[broker][I33]") {
    DispatchScene scene;
    scene.serve_readers();
    // What they name need not exist, nor be named once only.
    const auto fetch = [](std::size_t asked, std::size_t forgotten) {
        wire::FetchRequest request;
        request.topics.emplace_back().topic = "t";
        request.topics[0].partitions.resize(asked);
        if (forgotten > 0) {
            request.forgotten_topics_data.push_back({"t", Uuid{}, {}});
            request.forgotten_topics_data[0].partitions.resize(forgotten);
        }
        return body_of(request, 7);
    };
    CHECK(scene.ask(1, 7, fetch(partitions_max, 0)));
    CHECK(scene.ask(1, 7, fetch(1, partitions_max - 1)));
    CHECK(scene.fetched == 2);
    CHECK_FALSE(scene.ask(1, 7, fetch(partitions_max + 1, 0)));
    CHECK_FALSE(scene.still_open);
    CHECK_FALSE(scene.ask(1, 7, fetch(1, partitions_max)));
    CHECK(scene.fetched == 2);

    const auto list = [](std::size_t partitions) {
        wire::ListOffsetsRequest request;
        for (std::size_t i = 0; i < partitions; ++i) {
            auto& topic = request.topics.emplace_back();
            topic.name = "t" + std::to_string(i);
            topic.partitions.emplace_back();
        }
        return body_of(request, 1);
    };
    CHECK(scene.ask(2, 1, list(partitions_max)));
    CHECK_FALSE(scene.ask(2, 1, list(partitions_max + 1)));
    CHECK(scene.listed == 1);

    const auto produce = [](std::size_t partitions, std::int16_t acks) {
        auto request = produce_request(acks);
        request.topic_data[0].partition_data.resize(partitions);
        return body_of(request, 3);
    };
    CHECK(scene.ask(0, 3, produce(partitions_max, 1)));
    CHECK_FALSE(scene.ask(0, 3, produce(partitions_max + 1, 1)));
    CHECK_FALSE(scene.ask(0, 3, produce(partitions_max + 1, 0)));
    CHECK(scene.produced == 1);
    CHECK(scene.closed("too_many_named") == 5);
}

TEST_CASE("what every API's request names is counted", "[broker][I33]") {
    wire::MetadataRequest metadata;
    metadata.topics = std::nullopt;
    CHECK(named_by(metadata) == 0);
    metadata.topics.emplace().resize(3);
    CHECK(named_by(metadata) == 3);
    CHECK(named_by(wire::FindCoordinatorRequest{.coordinator_keys = {"a", "b"}}) == 2);
    wire::CreateTopicsRequest create;
    create.topics.resize(2);
    create.topics[0].configs.resize(4);
    create.topics[0].assignments.resize(3);
    CHECK(named_by(create) == 8);
    wire::DeleteTopicsRequest remove;
    remove.topics.resize(2);
    remove.topic_names.resize(3);
    CHECK(named_by(remove) == 5);
    wire::DescribeConfigsRequest configs;
    configs.resources.resize(2);
    configs.resources[0].configuration_keys.emplace().resize(7);
    configs.resources[1].configuration_keys = std::nullopt;
    CHECK(named_by(configs) == 8);
    wire::DescribeLogDirsRequest directories;
    directories.topics.emplace().resize(2);
    directories.topics->front().partitions.resize(6);
    CHECK(named_by(directories) == 7);
    wire::DescribeTopicPartitionsRequest pages;
    pages.topics.resize(9);
    CHECK(named_by(pages) == 9);
}

TEST_CASE("acks=0 is silent while it works, and closes when it does not", "[broker]") {
    DispatchScene scene;
    CHECK_FALSE(scene.ask(0, 3, body_of(produce_request(0), 3)));
    CHECK(scene.produced == 1);
    CHECK(scene.still_open);
    scene.produce_error = 3;
    CHECK_FALSE(scene.ask(0, 3, body_of(produce_request(0), 3)));
    CHECK(scene.produced == 2);
    CHECK_FALSE(scene.still_open);
    CHECK(scene.closed("silent_produce_failed") == 1);
}
