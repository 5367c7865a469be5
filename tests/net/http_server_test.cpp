// SPDX-License-Identifier: Apache-2.0
#include "net/http_server.hpp"

#include <catch2/catch.hpp>

#include "net/sim_network.hpp"
#include "tests/net/echo.hpp"

using namespace kq;

namespace {

struct StatusPort {
    SimScheduler world{4};
    SimNetwork network{world};
    SimLoop server_loop{world};
    SimLoop client_loop{world};
    std::unique_ptr<Network> server_network = network.network_for(server_loop, "server");
    std::unique_ptr<Network> client_network = network.network_for(client_loop, "client");
    std::unique_ptr<HttpServer> server =
        HttpServer::listen(server_loop, *server_network, {"server", 80},
                           [](const HttpRequest& request) {
                               if (request.path == "/metrics") {
                                   return HttpResponse{.body = "q=" + request.query + "\n"};
                               }
                               return HttpResponse{.status = 404, .body = "no\n"};
                           })
            .value();

    // What the server says until it closes, or until `until` was heard.
    std::string ask(const std::string& text, const std::string& until = "\n\r\n never") {
        Talker talker(*client_network, {"server", 80});
        talker.say(text);
        world.run_until(
            [&] {
                return talker.closed != Errc::none || talker.heard.find(until) != std::string::npos;
            },
            60s);
        return talker.heard;
    }
};

}  // namespace

TEST_CASE("the status port answers GET and HEAD", "[net]") {
    StatusPort status;
    auto heard = status.ask("GET /metrics?a=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    CHECK(heard.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(heard.ends_with("\r\n\r\nq=a=1\n"));
    CHECK(status.ask("GET /x HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 404 "));
    auto head = status.ask("HEAD /metrics HTTP/1.0\r\n\r\n");
    CHECK(head.find("Content-Length: 3\r\n") != std::string::npos);
    CHECK(head.ends_with("\r\n\r\n"));
}

TEST_CASE("a kept connection is answered again", "[net]") {
    StatusPort status;
    auto heard = status.ask(
        "GET /metrics?one HTTP/1.1\r\nHost: x\r\n\r\nGET /metrics?two HTTP/1.1\r\nHost: x\r\n\r\n",
        "q=two");
    CHECK(heard.find("q=one\n") != std::string::npos);
    CHECK(heard.find("q=two\n") != std::string::npos);
}

TEST_CASE("bad requests are refused, silence ends, nothing grows without bound", "[net]") {
    StatusPort status;
    CHECK(status.ask("POST / HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 405 "));
    CHECK(status.ask("GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello")
              .starts_with("HTTP/1.1 400 "));
    CHECK(status.ask("GET /" + std::string(20'000, 'x')).starts_with("HTTP/1.1 431 "));
    CHECK(status.ask("GET / HTTP/1.1\r\nx: " + std::string(10'000, 'x') + "\r\n\r\n")
              .starts_with("HTTP/1.1 431 "));
    CHECK(status.ask("GET / HT").empty());  // silent for 10 s: closed without a word
    std::vector<std::unique_ptr<Talker>> crowd;
    for (int i = 0; i < 100; ++i) {
        crowd.push_back(std::make_unique<Talker>(*status.client_network, Endpoint{"server", 80}));
    }
    status.world.run_for(1s);
    std::size_t open = 0;
    for (auto& talker : crowd)
        open += talker->closed == Errc::none ? 1 : 0;
    CHECK(open == HttpServer::connections_max);
}

TEST_CASE("a silent crowd does not keep others out", "[net]") {
    StatusPort status;
    Talker kept(*status.client_network, {"server", 80});
    std::vector<std::unique_ptr<Talker>> crowd;
    for (std::size_t i = 0; i < HttpServer::connections_max - 1; ++i) {
        crowd.push_back(std::make_unique<Talker>(*status.client_network, Endpoint{"server", 80}));
        if (i == 9) crowd.back()->say("GET /met");  // half a request is none
        status.world.run_for(1ms);
    }
    kept.say("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");  // it is not the oldest any more
    status.world.run_for(1s);
    REQUIRE(crowd.front()->closed == Errc::none);
    for (int i = 0; i < 20; ++i) {
        Talker late(*status.client_network, {"server", 80});
        late.say("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        status.world.run_until(
            [&] { return late.closed != Errc::none || late.heard.find("q=") != std::string::npos; },
            5s);
        CHECK(late.heard.starts_with("HTTP/1.1 200 "));
    }
    CHECK(kept.heard.starts_with("HTTP/1.1 200 "));
    CHECK(kept.closed == Errc::none);
    CHECK(crowd.front()->closed != Errc::none);
    CHECK(crowd.back()->closed == Errc::none);
}

TEST_CASE("what is no HTTP is refused with its first bytes", "[net]") {
    StatusPort status;
    auto since = status.world.now();
    // A Kafka request (ApiVersions), a TLS greeting, and a method that never ends.
    for (const auto& text : {std::string("\0\0\0\x12\0\x12", 6), std::string("\x16\x03\x01"),
                             std::string(" / HTTP/1.1"), std::string(17, 'G')}) {
        CAPTURE(text);
        CHECK(status.ask(text).starts_with("HTTP/1.1 400 "));
    }
    CHECK(status.world.now() - since < 5s);  // silence is closed after 10
}

TEST_CASE("a client that asks on and on and does not read costs one answer", "[net]") {
    SimScheduler world{5};
    SimNetwork network{world};
    SimLoop server_loop{world};
    SimLoop client_loop{world};
    auto server_network = network.network_for(server_loop, "server");
    auto client_network = network.network_for(client_loop, "client");
    int answers = 0;
    // Longer than what the network holds in flight for a client that does not read.
    const std::string body(4u << 20, 'b');
    auto server =
        HttpServer::listen(server_loop, *server_network, {"server", 80}, [&](const HttpRequest&) {
            ++answers;
            return HttpResponse{.body = body};
        }).value();
    Talker talker(*client_network, {"server", 80});
    talker.connection->pause_reading();
    for (int i = 0; i < 1000; ++i)
        talker.say("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    world.run_for(5s);
    CHECK(answers == 1);
    CHECK(talker.closed == Errc::none);

    SECTION("who then reads gets every answer") {
        talker.connection->resume_reading();
        world.run_until([&] { return answers == 3; }, 60s);
        CHECK(answers == 3);
        CHECK(talker.closed == Errc::none);
    }
    SECTION("who never does is closed") {
        world.run_for(20s);
        CHECK(answers == 1);
        CHECK(network.connection_count() == 0);
    }
}
