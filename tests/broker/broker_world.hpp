// SPDX-License-Identifier: Apache-2.0
//
// A whole broker on a simulated machine, and a client that sends one request at a time and sees
// every answer as it came: nothing is tried again behind a test's back.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "client/connection.hpp"
#include "protocol/messages/00_produce.hpp"
#include "protocol/messages/01_fetch.hpp"
#include "protocol/messages/03_metadata.hpp"
#include "protocol/messages/19_create_topics.hpp"
#include "protocol/messages/20_delete_topics.hpp"
#include "tests/broker/data_world.hpp"
#include "tests/sim/node.hpp"

namespace kq::sim {

class BrokerWorld {
public:
    using Configs = std::vector<std::pair<std::string, std::string>>;
    explicit BrokerWorld(Configs configs = {}, std::uint64_t seed = 1)
        : world(seed), node(world, network, options_with(std::move(configs), sink)) {
        start();
    }

    void start() {
        connection = nullptr;
        auto started = node.start();
        if (!started.ok()) FAIL(started.error().text());
        REQUIRE(until([&] { return node.is_serving(); }, 30s));
        connect();
    }
    // False where the broker hangs up, or does not stop in time.
    bool stop() {
        node.stop();
        return until([&] { return !node.is_running(); }, 60s);
    }
    bool until(const std::function<bool()>& reached, std::chrono::nanoseconds limit = 30s) {
        return world.run_until(
            [&] {
                node.reap();
                return reached();
            },
            limit);
    }

    // The answer, whose views are good until the next one; an Error where the connection ends
    // before it.
    template <class Response, class Request>
    Result<Response> ask(const Request& request, std::int16_t version_max) {
        if (connection == nullptr || connection->is_closed()) connect();
        std::optional<Result<Response>> answer;
        client.post([&] {
            auto version = connection->version_for(Request::info, version_max).value();
            connection->send(request, version, world.now() + 20s, [&](Result<kq::Answer> got) {
                if (got.ok()) answered = got.value().frame;
                answer = got.ok() ? wire::decode<Response>(got.value().body, got.value().version)
                                  : Result<Response>(got.error());
            });
        });
        REQUIRE(until([&] { return answer.has_value(); }));
        return std::move(*answer);
    }

    Errc create(const std::string& topic, int partitions = 1) {
        wire::CreateTopicsRequest request;
        request.timeout_ms = 5000;
        auto& wanted = request.topics.emplace_back();
        wanted.name = topic;
        wanted.num_partitions = partitions;
        wanted.replication_factor = 1;
        auto answer = ask<wire::CreateTopicsResponse>(request, 7);
        if (!answer.ok()) return answer.code();
        return static_cast<Errc>(answer.value().topics.at(0).error_code);
    }
    Errc remove(const std::string& topic) {
        wire::DeleteTopicsRequest request;
        request.timeout_ms = 5000;
        request.topic_names = {topic};
        auto answer = ask<wire::DeleteTopicsResponse>(request, 5);
        if (!answer.ok()) return answer.code();
        return static_cast<Errc>(answer.value().responses.at(0).error_code);
    }
    wire::ProduceResponse::PartitionProduceResponse send(const std::string& topic, int partition,
                                                         std::vector<std::string> values,
                                                         std::int16_t acks = -1) {
        BatchOf of;
        of.values = std::move(values);
        of.timestamp = to_ms(world.clock().wall());
        const Bytes batch = make_batch(of);
        wire::ProduceRequest request;
        request.acks = acks;
        request.timeout_ms = 10'000;
        auto& data = request.topic_data.emplace_back();
        data.name = topic;
        auto& one = data.partition_data.emplace_back();
        one.index = partition;
        one.records = wire::Records(ByteView(batch));
        auto answer = ask<wire::ProduceResponse>(request, 9);
        if (!answer.ok()) FAIL(answer.error().text());
        return answer.value().responses.at(0).partition_responses.at(0);
    }
    struct Fetched {
        Errc code = Errc::none;
        std::vector<std::string> values;
    };
    Fetched fetch(const std::string& topic, int partition, std::int64_t offset = 0) {
        wire::FetchRequest request;
        request.max_wait_ms = 0;
        request.max_bytes = 64 << 20;
        auto& asked = request.topics.emplace_back();
        asked.topic = topic;
        auto& place = asked.partitions.emplace_back();
        place.partition = partition;
        place.fetch_offset = offset;
        place.partition_max_bytes = 64 << 20;
        auto answer = ask<wire::FetchResponse>(request, 12);
        if (!answer.ok()) FAIL(answer.error().text());
        const auto& data = answer.value().responses.at(0).partitions.at(0);
        return {static_cast<Errc>(data.error_code), values_of(bytes_of(data.records), offset)};
    }
    std::vector<std::string> values(const std::string& topic, int partition) {
        auto fetched = fetch(topic, partition);
        CHECK(fetched.code == Errc::none);
        return fetched.values;
    }

    SimScheduler world;
    SimNetwork network{world};
    MemoryLogSink sink;
    Node node;
    SimLoop client{world};
    std::unique_ptr<Network> client_network = network.network_for(client, "client");
    std::unique_ptr<BrokerConnection> connection;
    SharedBytes answered;  // the frame of the last answer

private:
    static NodeOptions options_with(Configs configs, LogSink& sink) {
        NodeOptions options;
        options.configs = std::move(configs);
        options.log = &sink;
        return options;
    }
    void connect() {
        bool made = false;
        client.post([&] {
            connection = std::make_unique<BrokerConnection>(
                client, *client_network, Endpoint{node.host(), node.port()},
                BrokerConnection::Settings{}, BrokerConnection::Events{});
            made = true;
        });
        REQUIRE(until([&] { return made && connection->is_ready(); }));
    }
};

}  // namespace kq::sim
