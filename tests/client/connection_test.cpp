// SPDX-License-Identifier: Apache-2.0
#include "client/connection.hpp"

#include <catch2/catch.hpp>

#include "protocol/messages/03_metadata.hpp"
#include "scripted_broker.hpp"

using namespace kq;
using kq::sim::ClientWorld;

namespace {

struct Dialled {
    explicit Dialled(ClientWorld& world, Endpoint to = {"b1", 9092}, std::uint32_t limit = 1 << 20)
        : connection(world.loop, *world.client_network, to,
                     {.client_id = "test", .answer_bytes_max = limit},
                     {.ready = [this] { ready = true; },
                      .closed = [this](const Error& why) { closed = why; }}) {}
    bool ready = false;
    std::optional<Error> closed;
    BrokerConnection connection;
};

bool settled(const Dialled& dialled) {
    return dialled.ready || dialled.closed.has_value();
}

}  // namespace

TEST_CASE("versions are agreed at the highest that both sides know", "[client]") {
    ClientWorld world;
    world.broker(1).versions[3] = {0, 9};
    world.broker(1).versions[0] = {3, 7};
    world.broker(1).versions.erase(75);
    Dialled dialled(world);
    REQUIRE(world.until([&] { return settled(dialled); }));
    REQUIRE(dialled.ready);
    CHECK(dialled.connection.version_for(wire::metadata_api).value() == 9);
    CHECK(dialled.connection.version_for(wire::metadata_api, 4).value() == 4);
    wire::ApiInfo produce{.key = 0, .name = "Produce", .versions = {3, 13}, .flexible_from = 9};
    CHECK(dialled.connection.version_for(produce).value() == 7);
    wire::ApiInfo newer{.key = 0, .name = "Produce", .versions = {8, 13}, .flexible_from = 9};
    auto none = dialled.connection.version_for(newer);
    CHECK(none.code() == Errc::unsupported);
    CHECK(none.error().message ==
          "b1:9092 offers Produce in versions 3 to 7, this client knows 8 to 13");
    wire::ApiInfo absent{
        .key = 75, .name = "DescribeTopicPartitions", .versions = {0, 0}, .flexible_from = 0};
    CHECK(dialled.connection.version_for(absent).code() == Errc::unsupported);
}

TEST_CASE("a broker that does not know our ApiVersions is asked at its own version", "[client]") {
    ClientWorld world;
    world.broker(1).versions[18] = {0, 2};
    SECTION("it tells its range") {
        world.broker(1).tells_its_range = true;
    }
    SECTION("it tells nothing, as before Kafka 2.4") {
        world.broker(1).tells_its_range = false;
    }
    Dialled dialled(world);
    REQUIRE(world.until([&] { return settled(dialled); }));
    CHECK(dialled.ready);
    CHECK(world.broker(1).asked(18) == 2);
    CHECK(world.broker(1).connections_made() == 1);
}

TEST_CASE("a peer that is no broker is named for what it is", "[client]") {
    struct Case {
        std::string says;
        std::string told;
    };
    auto example = GENERATE(
        Case{"HTTP/1.1 400 Bad Request\r\n\r\n", "web server"},
        Case{std::string("\x15\x03\x03\x00\x02\x02\x46", 7), "expects TLS"},
        Case{"SSH-2.0-OpenSSH_9.2p1\r\n", "SSH"},
        Case{std::string("\xff\xff\xff\xff garbage", 12), "not Kafka's"},
        Case{std::string("\x00\x00\x00\x08\x00\x00\x00\x63\x00\x00\x00\x00", 12), "nobody asked"});
    CAPTURE(example.told);
    ClientWorld world;
    world.broker(1).speak(example.says);
    Dialled dialled(world);
    REQUIRE(world.until([&] { return settled(dialled); }));
    REQUIRE(dialled.closed);
    CHECK(dialled.closed->code == Errc::unreachable);
    CHECK_THAT(dialled.closed->message, Catch::Contains(example.told));
    CHECK_THAT(dialled.closed->message, Catch::Contains("b1:9092"));
}

TEST_CASE("nobody listening is unreachable, and the message says where", "[client]") {
    ClientWorld world;
    world.broker(1).stop_listening();
    Dialled dialled(world);
    REQUIRE(world.until([&] { return settled(dialled); }));
    REQUIRE(dialled.closed);
    CHECK(dialled.closed->code == Errc::unreachable);
    // Said once: the network names the address, nobody says it again.
    CHECK(dialled.closed->message == "cannot connect to b1:9092: connection refused");
}

TEST_CASE("an answer longer than the limit closes the connection before it is read", "[client]") {
    ClientWorld world;
    for (int i = 0; i < 200; ++i)
        world.topology->add_topic("topic-" + std::to_string(i), 10);
    Dialled dialled(world, {"b1", 9092}, 4096);
    REQUIRE(world.until([&] { return settled(dialled); }));
    wire::MetadataRequest all;
    all.topics = std::nullopt;
    std::optional<Result<Answer>> answer;
    dialled.connection.send(all, 9, world.in(10s),
                            [&](Result<Answer> got) { answer = std::move(got); });
    REQUIRE(world.until([&] { return answer.has_value(); }));
    CHECK(answer->code() == Errc::malformed);
    REQUIRE(dialled.closed);
    CHECK(dialled.closed->code == Errc::malformed);
}

TEST_CASE("requests in flight are answered in order and exactly once", "[client]") {
    ClientWorld world;
    for (int i = 0; i < 50; ++i)
        world.topology->add_topic("topic-" + std::to_string(i), 3);
    Dialled dialled(world);
    REQUIRE(world.until([&] { return settled(dialled); }));
    std::vector<int> order;
    for (int i = 0; i < 20; ++i) {
        wire::MetadataRequest request;
        if (i % 2 == 0) request.topics = std::nullopt;
        dialled.connection.send(request, 12, world.in(10s), [&order, i](Result<Answer> got) {
            REQUIRE(got.ok());
            auto response =
                wire::decode<wire::MetadataResponse>(got.value().body, got.value().version);
            REQUIRE(response.ok());
            CHECK(response.value().topics.size() == (i % 2 == 0 ? 50u : 0u));
            order.push_back(i);
        });
    }
    CHECK(dialled.connection.in_flight() == 20);
    REQUIRE(world.until([&] { return order.size() == 20; }));
    CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("an answer that does not come ends the connection and all that waits on it", "[client]") {
    ClientWorld world;
    world.broker(1).on<wire::MetadataRequest, wire::MetadataResponse>(
        [](const wire::MetadataRequest&, int) { return std::nullopt; });
    Dialled dialled(world);
    REQUIRE(world.until([&] { return settled(dialled); }));
    std::vector<Errc> told;
    auto begun = world.scheduler.now();
    for (auto patience : {30s, 2s, 60s}) {
        dialled.connection.send(wire::MetadataRequest(), 12, world.in(patience),
                                [&](Result<Answer> got) { told.push_back(got.code()); });
    }
    REQUIRE(world.until([&] { return dialled.closed.has_value(); }));
    CHECK(told == std::vector<Errc>(3, Errc::deadline_passed));
    auto took = world.scheduler.now() - begun;
    CHECK(took >= 2s);
    CHECK(took < 3s);
}

TEST_CASE("a lost connection fails every request under way exactly once", "[client]") {
    ClientWorld world;
    auto& broker = world.broker(1);
    broker.on<wire::MetadataRequest, wire::MetadataResponse>(
        [](const wire::MetadataRequest&, int) { return std::nullopt; });
    Dialled dialled(world);
    REQUIRE(world.until([&] { return settled(dialled); }));
    std::vector<Errc> told;
    for (int i = 0; i < 3; ++i) {
        dialled.connection.send(wire::MetadataRequest(), 12, world.in(30s),
                                [&](Result<Answer> got) { told.push_back(got.code()); });
    }
    world.scheduler.run_for(100ms);
    world.sockets.cut_all("b1");
    REQUIRE(world.until([&] { return dialled.closed.has_value(); }));
    CHECK(told == std::vector<Errc>(3, Errc::connection_closed));
    world.scheduler.run_for(60s);
    CHECK(told.size() == 3);
}

TEST_CASE("a throttled client holds its requests back", "[client]") {
    ClientWorld world;
    Dialled dialled(world);
    REQUIRE(world.until([&] { return settled(dialled); }));
    dialled.connection.hold_back(500ms);
    auto begun = world.scheduler.now();
    bool answered = false;
    dialled.connection.send(wire::MetadataRequest(), 12, world.in(30s),
                            [&](Result<Answer> got) { answered = got.ok(); });
    REQUIRE(world.until([&] { return answered; }));
    CHECK(world.scheduler.now() - begun >= 500ms);
}
