// SPDX-License-Identifier: Apache-2.0
#include "broker/acceptor.hpp"

#include <catch2/catch.hpp>

#include "net/sim_network.hpp"
#include "tests/net/echo.hpp"

using namespace kq;

namespace {

struct Silent final : RequestHandler {
    void handle(RequestContext&, RequestSlot slot) override { slots.push_back(std::move(slot)); }
    std::vector<RequestSlot> slots;
};

// Two data loops; the first accepts.
struct Scene {
    explicit Scene(AcceptorOptions options) {
        acceptor = std::make_unique<Acceptor>(first, *first_network, metrics, Logger{}, options);
        acceptor->set_targets({{&first, &first_sessions}, {&second, &second_sessions}});
        const ListenerOptions listener{"PLAINTEXT", {{"broker", 9092}}, std::nullopt};
        REQUIRE(acceptor->bind(listener).ok());
        acceptor->open();
    }
    ~Scene() {
        acceptor->close();
        first_sessions.close_all();
        second_sessions.close_all();
        world.run_ready();
    }
    std::unique_ptr<Talker> connect(Network& from) {
        auto talker = std::make_unique<Talker>(from, Endpoint{"broker", 9092});
        CHECK(world.run_until([&] { return talker->connected; }, 10s));
        world.run_for(1s);
        return talker;
    }
    std::unique_ptr<Network> host(const std::string& name) {
        return network.network_for(clients, name);
    }
    std::size_t served() const { return first_sessions.count() + second_sessions.count(); }
    std::int64_t refused() const { return metrics.value("kq_connections_refused_total"); }

    SimScheduler world{7};
    SimNetwork network{world};
    SimLoop first{world};
    SimLoop second{world};
    SimLoop clients{world};
    std::unique_ptr<Network> first_network = network.network_for(first, "broker");
    std::unique_ptr<Network> second_network = network.network_for(second, "broker");
    MemoryBudget budget{1 << 20};
    MetricRegistry metrics;
    Silent handler;
    Sessions first_sessions{first, *first_network, budget, metrics, Logger{}, {}, handler};
    Sessions second_sessions{second, *second_network, budget, metrics, Logger{}, {}, handler};
    std::unique_ptr<Acceptor> acceptor;
};

}  // namespace

TEST_CASE("connections go to the loop that serves the fewest", "[broker][acceptor]") {
    Scene scene({});
    auto host = scene.host("client");
    std::vector<std::unique_ptr<Talker>> talkers;
    for (int i = 0; i < 6; ++i)
        talkers.push_back(scene.connect(*host));
    CHECK(scene.first_sessions.count() == 3);
    CHECK(scene.second_sessions.count() == 3);
    // Those of one loop leave; the next ones take their places.
    const auto first_before = scene.first_sessions.count();
    talkers.erase(talkers.begin());
    talkers.erase(talkers.begin() + 1);
    scene.world.run_for(1s);
    REQUIRE(scene.served() == 4);
    CHECK((scene.first_sessions.count() == first_before - 2 ||
           scene.second_sessions.count() == first_before - 2));
    talkers.push_back(scene.connect(*host));
    talkers.push_back(scene.connect(*host));
    CHECK(scene.first_sessions.count() == 3);
    CHECK(scene.second_sessions.count() == 3);
    CHECK(scene.refused() == 0);
}

TEST_CASE("a connection beyond max.connections is closed, and one that ends makes room",
          "[broker][acceptor]") {
    AcceptorOptions options;
    options.connections_max = 3;
    Scene scene(options);
    auto a = scene.host("a");
    auto b = scene.host("b");
    std::vector<std::unique_ptr<Talker>> talkers;
    for (auto* host : {a.get(), b.get(), a.get()})
        talkers.push_back(scene.connect(*host));
    CHECK(scene.served() == 3);
    CHECK(scene.refused() == 0);
    auto one_more = scene.connect(*b);
    CHECK(one_more->closed != Errc::none);
    CHECK(scene.served() == 3);
    CHECK(scene.refused() == 1);
    for (auto& talker : talkers)
        CHECK(talker->closed == Errc::none);

    talkers.pop_back();
    scene.world.run_for(1s);
    CHECK(scene.connect(*b)->closed == Errc::none);
    CHECK(scene.refused() == 1);
}

TEST_CASE("one address has at most max.connections.per.ip", "[broker][acceptor]") {
    AcceptorOptions options;
    options.connections_per_ip_max = 2;
    Scene scene(options);
    auto a = scene.host("a");
    auto b = scene.host("b");
    std::vector<std::unique_ptr<Talker>> talkers;
    talkers.push_back(scene.connect(*a));
    talkers.push_back(scene.connect(*a));
    CHECK(scene.connect(*a)->closed != Errc::none);
    CHECK(scene.refused() == 1);
    talkers.push_back(scene.connect(*b));
    CHECK(talkers.back()->closed == Errc::none);

    talkers.erase(talkers.begin());
    scene.world.run_for(1s);
    talkers.push_back(scene.connect(*a));
    CHECK(talkers.back()->closed == Errc::none);
    CHECK(scene.connect(*a)->closed != Errc::none);
    CHECK(scene.refused() == 2);
}

TEST_CASE("an address that may have none is refused, and nothing is kept of it",
          "[broker][acceptor]") {
    AcceptorOptions options;
    options.connections_per_ip_max = 0;
    Scene scene(options);
    auto a = scene.host("a");
    CHECK(scene.connect(*a)->closed != Errc::none);
    CHECK(scene.connect(*a)->closed != Errc::none);
    CHECK(scene.refused() == 2);
    CHECK(scene.served() == 0);
}

TEST_CASE("without a descriptor left who dials waits until a connection ends",
          "[broker][acceptor]") {
    AcceptorOptions options;
    options.descriptors_max = 2;
    Scene scene(options);
    auto host = scene.host("client");
    std::vector<std::unique_ptr<Talker>> talkers;
    talkers.push_back(scene.connect(*host));
    talkers.push_back(scene.connect(*host));
    REQUIRE(scene.served() == 2);
    auto waiting = std::make_unique<Talker>(*host, Endpoint{"broker", 9092});
    scene.world.run_for(5s);
    CHECK(scene.served() == 2);
    CHECK(waiting->closed == Errc::none);
    CHECK(scene.refused() == 0);

    talkers.pop_back();
    scene.world.run_for(5s);
    CHECK(scene.served() == 2);
    CHECK(waiting->connected);
    CHECK(waiting->closed == Errc::none);
}
