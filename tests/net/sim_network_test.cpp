// SPDX-License-Identifier: Apache-2.0
#include "net/sim_network.hpp"

#include <catch2/catch.hpp>

#include "base/memory_file_system.hpp"
#include "tests/net/echo.hpp"

using namespace kq;

namespace {

struct Town {
    explicit Town(std::uint64_t seed) : world(seed) {
        listener = server_network
                       ->listen({"server", 9092},
                                [this](std::unique_ptr<Socket> socket) {
                                    echoes.push_back(
                                        std::make_unique<Echo>(*server_network, std::move(socket)));
                                })
                       .value();
    }
    SimScheduler world;
    SimNetwork network{world};
    SimLoop server{world};
    SimLoop client{world};
    std::unique_ptr<Network> server_network = network.network_for(server, "server");
    std::unique_ptr<Network> client_network = network.network_for(client, "client");
    std::vector<std::unique_ptr<Echo>> echoes;
    std::unique_ptr<Listener> listener;
};

std::string long_text() {
    std::string text;
    for (int i = 0; i < 60'000; ++i)
        text += std::to_string(i) + ' ';
    return text;
}

}  // namespace

TEST_CASE("bytes arrive whole and in order however they are cut up, the same for a seed",
          "[net][sim]") {
    auto text = long_text();
    std::vector<std::uint64_t> fingerprints;
    for (auto seed : {1u, 2u, 3u, 1u}) {
        Town town(seed);
        Talker talker(*town.client_network, {"server", 9092});
        talker.say(text);  // may be said before the connection stands
        CHECK(town.world.run_until([&] { return talker.heard.size() == text.size(); }, 60s));
        CHECK(talker.heard == text);
        CHECK(talker.connected);
        CHECK(talker.drained >= 1);
        fingerprints.push_back(town.world.fingerprint());
    }
    CHECK(fingerprints[0] == fingerprints[3]);
    CHECK(fingerprints[0] != fingerprints[1]);
}

TEST_CASE("a receiver that does not read holds the sender back", "[net][sim]") {
    Town town(5);
    Talker talker(*town.client_network, {"server", 9092});
    town.world.run_for(1s);
    town.echoes.at(0)->connection->pause_reading();
    talker.say(std::string(2'000'000, 'x'));
    town.world.run_for(5s);
    CHECK(talker.connection->unsent_bytes() > 1'000'000);
    CHECK(talker.heard.empty());
    town.echoes.at(0)->connection->resume_reading();
    CHECK(town.world.run_until([&] { return talker.heard.size() == 2'000'000; }, 60s));
    CHECK(talker.connection->unsent_bytes() == 0);
}

TEST_CASE("cuts, refusals, partings and deaths are heard as they should be", "[net][sim]") {
    Town town(9);
    SECTION("a cut is a reset on both sides") {
        Talker talker(*town.client_network, {"server", 9092});
        town.world.run_for(1s);
        CHECK(town.network.connection_count() == 1);
        CHECK(town.network.cut_all("server") == 1);
        CHECK(town.world.run_until([&] { return talker.closed == Errc::io_error; }, 1s));
        CHECK(town.world.run_until([&] { return town.echoes[0]->connection == nullptr; }, 1s));
        CHECK(town.network.connection_count() == 0);
    }
    SECTION("nobody listens") {
        Talker talker(*town.client_network, {"server", 1});
        CHECK(town.world.run_until([&] { return talker.closed != Errc::none; }, 1s));
        CHECK(talker.closed == Errc::unreachable);
        CHECK(talker.message == "cannot connect to server:1: connection refused");
    }
    SECTION("parted hosts hear nothing, and everything once they are joined") {
        Talker talker(*town.client_network, {"server", 9092});
        town.world.run_for(1s);
        town.network.part("client", "server");
        talker.say("hello");
        town.world.run_for(20s);
        CHECK(talker.heard.empty());
        CHECK(talker.closed == Errc::none);
        Talker late(*town.client_network, {"server", 9092});
        CHECK(town.world.run_until([&] { return late.closed != Errc::none; }, 15s));
        CHECK(late.message == "cannot connect to server:9092: connection timed out");
        town.network.join("client", "server");
        CHECK(town.world.run_until([&] { return talker.heard == "hello"; }, 1s));
    }
    SECTION("closing after sending loses nothing, then both sides are done") {
        Talker talker(*town.client_network, {"server", 9092});
        town.world.run_for(1s);
        talker.say(std::string(100'000, 'z'));
        CHECK(town.world.run_until([&] { return talker.heard.size() == 100'000; }, 10s));
        town.echoes[0]->connection->close_after_sending();
        CHECK(town.world.run_until([&] { return talker.closed == Errc::connection_closed; }, 1s));
        CHECK(town.world.run_until([&] { return town.echoes[0]->connection == nullptr; }, 1s));
    }
    SECTION("the chance to be cut strikes") {
        town.network.set_cut_chance(0.05);
        int cut = 0;
        for (int i = 0; i < 50; ++i) {
            Talker talker(*town.client_network, {"server", 9092});
            for (int j = 0; j < 10 && talker.connection != nullptr; ++j) {
                talker.say("x");
                town.world.run_for(5ms);
            }
            if (talker.closed != Errc::none) ++cut;
        }
        CHECK(cut > 5);
        CHECK(cut < 50);
    }
    SECTION("what is said after the place of a cut never arrives behind a gap") {
        auto text = long_text();
        std::size_t cut = 0;
        for (int i = 0; i < 50; ++i) {
            Talker talker(*town.client_network, {"server", 9092});
            town.world.run_for(5ms);
            town.network.set_cut_chance(0.05);
            for (std::size_t at = 0; at < 3000 && talker.connection != nullptr; at += 30) {
                talker.say(std::string_view(text).substr(at, 30));
                town.world.run_for(20us);
            }
            town.network.set_cut_chance(0);
            town.world.run_for(5ms);
            if (talker.closed != Errc::none) ++cut;
            CHECK(text.starts_with(town.echoes.back()->heard));
            CHECK(text.starts_with(talker.heard));
        }
        CHECK(cut > 5);
    }
}

TEST_CASE("file slices are sent as bytes, and a short file breaks the connection", "[net][sim]") {
    Town town(11);
    MemoryFileSystem files(town.world.clock());
    auto file = files.open("/f", OpenMode::create).value();
    REQUIRE(file->pwrite(0, as_bytes("0123456789")).ok());
    Talker talker(*town.client_network, {"server", 9092});
    Chain chain;
    chain.add(to_bytes(as_bytes("<")));
    chain.add(FileSlice{file, 2, 5});
    chain.add(to_bytes(as_bytes(">")));
    talker.connection->send(std::move(chain));
    CHECK(town.world.run_until([&] { return talker.heard == "<23456>"; }, 1s));
    Chain promise;
    promise.add(FileSlice{file, 8, 5});
    talker.connection->send(std::move(promise));
    CHECK(town.world.run_until([&] { return talker.closed == Errc::io_error; }, 1s));
}

TEST_CASE("a socket travels between loops", "[net][sim]") {
    SimScheduler world(13);
    SimNetwork network(world);
    SimLoop front(world);
    SimLoop back(world);
    SimLoop client(world);
    auto front_network = network.network_for(front, "server");
    auto back_network = network.network_for(back, "server");
    auto client_network = network.network_for(client, "client");
    std::unique_ptr<Echo> echo;
    auto listener =
        front_network
            ->listen({"server", 0},
                     [&](std::unique_ptr<Socket> socket) {
                         auto held = std::make_shared<std::unique_ptr<Socket>>(std::move(socket));
                         back.post([&, held] {
                             echo = std::make_unique<Echo>(*back_network, std::move(*held));
                         });
                     })
            .value();
    Talker talker(*client_network, listener->local());
    talker.say("over there");
    CHECK(world.run_until([&] { return talker.heard == "over there"; }, 1s));
}
