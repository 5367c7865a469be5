// SPDX-License-Identifier: Apache-2.0
#include "broker/listeners.hpp"

#include <catch2/catch.hpp>

using namespace kq;

namespace {

ConfigSet config(std::vector<std::pair<std::string, std::string>> entries) {
    ConfigSet set(ConfigScope::broker);
    for (auto& [name, value] : entries)
        REQUIRE(set.set(name, value).ok());
    return set;
}

std::string failure(std::vector<std::pair<std::string, std::string>> entries) {
    auto parsed = parse_listeners(config(std::move(entries)));
    REQUIRE_FALSE(parsed.ok());
    return parsed.error().message;
}

}  // namespace

TEST_CASE("a bare start listens on both loopback addresses and is called localhost", "[broker]") {
    auto parsed = parse_listeners(config({})).value();
    REQUIRE(parsed.clients.size() == 1);
    CHECK(parsed.clients[0].name == "PLAINTEXT");
    CHECK(parsed.clients[0].addresses == std::vector<Endpoint>{{"127.0.0.1", 9092}, {"::1", 9092}});
    auto told = advertised_endpoint(parsed.clients[0], {"127.0.0.1", 9092}, "box");
    CHECK(told == ListenerEndpoint{"PLAINTEXT", "localhost", 9092, 0});
}

TEST_CASE("each listener is advertised by its own address, or as it was bound", "[broker]") {
    auto parsed =
        parse_listeners(
            config({{"listeners", "INSIDE://:9092,OUTSIDE://192.0.2.1:9093,LOCAL://127.0.0.1:0"},
                    {"advertised.listeners", "OUTSIDE://kafka.example:443"},
                    {"listener.security.protocol.map",
                     "INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT,LOCAL:PLAINTEXT"}}))
            .value();
    REQUIRE(parsed.clients.size() == 3);
    CHECK(advertised_endpoint(parsed.clients[0], {"0.0.0.0", 9092}, "box") ==
          ListenerEndpoint{"INSIDE", "box", 9092, 0});
    CHECK(advertised_endpoint(parsed.clients[1], {"192.0.2.1", 9093}, "box") ==
          ListenerEndpoint{"OUTSIDE", "kafka.example", 443, 0});
    CHECK(advertised_endpoint(parsed.clients[2], {"127.0.0.1", 40117}, "box") ==
          ListenerEndpoint{"LOCAL", "127.0.0.1", 40117, 0});
}

TEST_CASE("a Kafka file's controller listener is read and not served", "[broker]") {
    auto parsed =
        parse_listeners(
            config(
                {{"listeners", "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093"},
                 {"controller.listener.names", "CONTROLLER"},
                 {"listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"}}))
            .value();
    CHECK(parsed.clients.size() == 1);
    REQUIRE(parsed.controller);
    CHECK(*parsed.controller == ListenerEndpoint{"CONTROLLER", "localhost", 9093, 0});
}

TEST_CASE("listeners that contradict themselves are refused with the reason", "[broker]") {
    CHECK(failure({{"listeners", "localhost:9092"}}).find("NAME://HOST:PORT") != std::string::npos);
    CHECK(failure({{"listeners", "PLAINTEXT://h"}}).find("has no port") != std::string::npos);
    CHECK(failure({{"listeners", "PLAINTEXT://h:x"}}).find("port is a number") !=
          std::string::npos);
    CHECK(failure({{"listeners", "A://h:1"}}).find("which protocol listener A speaks") !=
          std::string::npos);
    CHECK(
        failure({{"listeners", "SSL://h:1"}}).find("listener SSL speaks SSL, which is not built") ==
        0);
    CHECK(failure({{"listeners", "PLAINTEXT://h:1,PLAINTEXT://g:2"}}).find("has the name of") !=
          std::string::npos);
    CHECK(failure(
              {{"listeners", "PLAINTEXT://h:1"}, {"advertised.listeners", "PLAINTEXT://0.0.0.0:1"}})
              .find("no address that a client could dial") != std::string::npos);
    CHECK(failure({{"listeners", "PLAINTEXT://h:1"}, {"advertised.listeners", "OTHER://h:1"}})
              .find("names a listener that") != std::string::npos);
    CHECK(failure({{"listeners", "CONTROLLER://h:1"}}).find("none for clients") !=
          std::string::npos);
}

TEST_CASE("every address of IPv4 is not every address of both families", "[broker][listeners]") {
    auto v4 = parse_listeners(config({{"listeners", "PLAINTEXT://0.0.0.0:9092"}})).value();
    CHECK(v4.clients[0].addresses == std::vector<Endpoint>{{"0.0.0.0", 9092}});
    CHECK(advertised_endpoint(v4.clients[0], {"0.0.0.0", 9092}, "box").host == "box");
    auto both = parse_listeners(config({{"listeners", "PLAINTEXT://[::]:9092"}})).value();
    CHECK(both.clients[0].addresses == std::vector<Endpoint>{{"", 9092}});
}
