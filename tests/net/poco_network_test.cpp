// SPDX-License-Identifier: Apache-2.0
//
// The real loop and real sockets on loopback, each test in its own process's ports.
#include "net/poco_network.hpp"

#include <thread>

#include <catch2/catch.hpp>
#include <sys/resource.h>
#include <unistd.h>

#include "base/posix_file_system.hpp"
#include "base/system_clock.hpp"
#include "base/thread_io_pool.hpp"
#include "net/descriptor_watch.hpp"
#include "tests/net/echo.hpp"

using namespace kq;

namespace {

struct Host {
    SystemClock clock;
    EpollLoop loop{clock};
    ThreadIoPool pool{1};
    PocoNetwork network{loop, pool};
    std::vector<std::unique_ptr<Echo>> echoes;

    std::unique_ptr<Listener> listen(const Endpoint& at) {
        return network
            .listen(at,
                    [this](std::unique_ptr<Socket> socket) {
                        echoes.push_back(std::make_unique<Echo>(network, std::move(socket)));
                    })
            .value();
    }
    bool run_until(const std::function<bool()>& reached,
                   std::chrono::nanoseconds limit = std::chrono::seconds(10)) {
        auto end = clock.mono() + limit;
        while (!reached()) {
            if (clock.mono() >= end) return false;
            loop.run_turn(end);
        }
        return true;
    }
};

}  // namespace

TEST_CASE("real sockets carry bytes both ways, however many", "[net]") {
    Host host;
    auto listener = host.listen({"127.0.0.1", 0});
    CHECK(listener->local().host == "127.0.0.1");
    CHECK(listener->local().port != 0);
    Talker talker(host.network, listener->local());
    std::string text(5'000'000, 'x');
    for (std::size_t i = 0; i < text.size(); ++i)
        text[i] = static_cast<char>('a' + i % 23);
    talker.say(text);  // before it is connected
    REQUIRE(host.run_until([&] { return talker.heard.size() == text.size(); }));
    CHECK(talker.heard == text);
    CHECK(talker.drained >= 1);
    CHECK(talker.connection->unsent_bytes() == 0);
    CHECK(talker.connection->peer() == listener->local());
}

TEST_CASE("localhost is both loopback addresses on one port", "[net]") {
    Host host;
    auto listener = host.listen({"localhost", 0});
    auto port = listener->local().port;
    Talker four(host.network, Endpoint{"127.0.0.1", port});
    Talker name(host.network, Endpoint{"localhost", port});
    four.say("4");
    name.say("n");
    REQUIRE(host.run_until([&] { return four.heard == "4" && name.heard == "n"; }));
    auto taken = host.network.listen({"127.0.0.1", port}, [](std::unique_ptr<Socket>) {});
    REQUIRE(taken.code() == Errc::port_in_use);
    CHECK(taken.error().message == "cannot listen on 127.0.0.1:" + std::to_string(port) +
                                       ": another process listens on port " + std::to_string(port));
}

TEST_CASE("who cannot be reached is named, with the reason", "[net]") {
    Host host;
    std::uint16_t port;
    {
        auto listener = host.listen({"127.0.0.1", 0});
        port = listener->local().port;
    }
    Talker refused(host.network, Endpoint{"127.0.0.1", port});
    Talker unknown(host.network, Endpoint{"no-such-host.invalid", 1});
    REQUIRE(host.run_until(
        [&] { return refused.closed != Errc::none && unknown.closed != Errc::none; }, 30s));
    CHECK(refused.closed == Errc::unreachable);
    CHECK(refused.message ==
          "cannot connect to 127.0.0.1:" + std::to_string(port) + ": connection refused");
    CHECK(unknown.closed == Errc::unreachable);
    CHECK(unknown.message.find("no-such-host.invalid") != std::string::npos);
    CHECK(host.network.listen({"203.0.113.1", 0}, [](std::unique_ptr<Socket>) {}).code() ==
          Errc::unreachable);
}

TEST_CASE("chains mix memory and files; a file that became short breaks the connection", "[net]") {
    Host host;
    auto listener = host.listen({"127.0.0.1", 0});
    char name[] = "/tmp/kq-net-XXXXXX";
    int descriptor = ::mkstemp(name);
    REQUIRE(descriptor >= 0);
    ::close(descriptor);
    PosixFileSystem files;
    auto file = files.open(name, OpenMode::read_write).value();
    std::string content(300'000, 'f');
    content.replace(0, 5, "begin");
    content.replace(content.size() - 3, 3, "end");
    REQUIRE(file->pwrite(0, as_bytes(content)).ok());

    Talker talker(host.network, listener->local());
    Chain chain;
    chain.add(to_bytes(as_bytes("<")));
    chain.add(FileSlice{file, 0, content.size()});
    chain.add(to_bytes(as_bytes("|")));
    chain.add(FileSlice{file, 1, 3});
    chain.add(to_bytes(as_bytes(">")));
    auto total = chain.size_bytes();
    talker.connection->send(std::move(chain));
    REQUIRE(host.run_until([&] { return talker.heard.size() == total; }));
    CHECK(talker.heard == "<" + content + "|egi>");

    Chain promise;
    promise.add(FileSlice{file, content.size() - 1, 10});
    talker.connection->send(std::move(promise));
    REQUIRE(host.run_until([&] { return talker.closed != Errc::none; }));
    CHECK(talker.closed == Errc::io_error);
    REQUIRE(files.unlink(name).ok());
}

TEST_CASE("a peer that does not read is not waited for; its bytes are counted", "[net]") {
    Host host;
    auto listener = host.listen({"127.0.0.1", 0});
    Talker talker(host.network, listener->local());
    REQUIRE(host.run_until([&] { return talker.connected && host.echoes.size() == 1; }));
    host.echoes[0]->connection->pause_reading();
    talker.say(std::string(30'000'000, 'q'));
    for (int i = 0; i < 50; ++i)
        host.loop.run_turn(host.clock.mono() + 1ms);
    CHECK(talker.connection->unsent_bytes() > 1'000'000);
    CHECK(talker.drained == 0);
    host.echoes[0]->connection->resume_reading();
    CHECK(host.run_until([&] { return talker.heard.size() == 30'000'000; }, 30s));
}

TEST_CASE("closing after sending delivers everything, though bytes were left unread", "[net]") {
    Host host;
    std::unique_ptr<Talker> server;
    auto listener = host.network
                        .listen({"127.0.0.1", 0},
                                [&](std::unique_ptr<Socket> socket) {
                                    server =
                                        std::make_unique<Talker>(host.network, std::move(socket));
                                    server->connection->pause_reading();
                                })
                        .value();
    Talker talker(host.network, listener->local());
    talker.say("never read");
    REQUIRE(host.run_until([&] { return server != nullptr; }));
    std::string answer(2'000'000, 'a');
    server->say(answer);
    server->connection->close_after_sending();
    REQUIRE(host.run_until([&] { return talker.closed != Errc::none; }));
    CHECK(talker.heard == answer);
    CHECK(talker.closed == Errc::connection_closed);
    CHECK(host.run_until([&] { return server->closed == Errc::connection_closed; }));
}

TEST_CASE("a reset is heard while reading is paused, and the loop does not spin", "[net]") {
    Host host;
    MetricRegistry metrics;
    host.loop.count_into(metrics, "test");
    auto listener = host.listen({"127.0.0.1", 0});
    auto talker = std::make_unique<Talker>(host.network, listener->local());
    REQUIRE(host.run_until([&] { return talker->connected && host.echoes.size() == 1; }));
    talker->say("unread");
    host.echoes[0]->connection->pause_reading();
    host.loop.run_turn(host.clock.mono());
    host.loop.run_turn(host.clock.mono() + 5ms);
    host.echoes[0]->connection->resume_reading();
    host.echoes[0]->connection->pause_reading();
    // The echo's side closes with bytes unread: the talker's kernel hears a reset.
    talker->connection->pause_reading();
    host.echoes[0] = nullptr;
    REQUIRE(host.run_until([&] { return talker->closed != Errc::none; }));
    CHECK(talker->closed == Errc::io_error);
    auto before = metrics.value("kq_loop_turns_total", {{"loop", "test"}});
    auto end = host.clock.mono() + 50ms;
    while (host.clock.mono() < end)
        host.loop.run_turn(end);
    CHECK(metrics.value("kq_loop_turns_total", {{"loop", "test"}}) - before < 5);
}

TEST_CASE("without descriptors accepting rests and resumes; those connected are served", "[net]") {
    Host host;
    MetricRegistry metrics;
    host.loop.count_into(metrics, "test");
    auto listener = host.listen({"127.0.0.1", 0});
    Talker first(host.network, listener->local());
    REQUIRE(host.run_until([&] { return host.echoes.size() == 1; }));
    Talker second(host.network, listener->local());
    host.loop.run_turn(host.clock.mono());  // the socket of `second` is made
    rlimit old{};
    ::getrlimit(RLIMIT_NOFILE, &old);
    rlimit none = old;
    none.rlim_cur = 3;  // everything open stays open, nothing new opens
    ::setrlimit(RLIMIT_NOFILE, &none);
    first.say("still here");
    bool served = host.run_until([&] { return first.heard == "still here"; });
    auto before = metrics.value("kq_loop_turns_total", {{"loop", "test"}});
    auto end = host.clock.mono() + 50ms;
    while (host.clock.mono() < end)
        host.loop.run_turn(end);
    auto turns = metrics.value("kq_loop_turns_total", {{"loop", "test"}}) - before;
    ::setrlimit(RLIMIT_NOFILE, &old);
    CHECK(served);
    CHECK(turns < 10);
    CHECK(host.echoes.size() == 1);
    second.say("at last");
    CHECK(host.run_until([&] { return second.heard == "at last"; }));
}

TEST_CASE("a socket travels to another loop, on another thread", "[net][threads]") {
    Host front;
    SystemClock clock;
    EpollLoop back(clock);
    PocoNetwork back_network(back, front.pool);
    std::unique_ptr<Echo> echo;
    std::thread thread([&] { back.run(); });
    auto listener = front.network
                        .listen({"127.0.0.1", 0},
                                [&](std::unique_ptr<Socket> socket) {
                                    back.post([&, socket = std::move(socket)]() mutable {
                                        echo =
                                            std::make_unique<Echo>(back_network, std::move(socket));
                                    });
                                })
                        .value();
    Talker talker(front.network, listener->local());
    talker.say("over there");
    CHECK(front.run_until([&] { return talker.heard == "over there"; }));
    // And back again: detached on its loop, served here.
    std::unique_ptr<Socket> carried;
    std::atomic<bool> detached{false};
    back.post([&] {
        carried = echo->connection->detach();
        echo = nullptr;
        detached = true;
        front.loop.post([] {});
    });
    REQUIRE(front.run_until([&] { return detached.load(); }));
    Echo here(front.network, std::move(carried));
    talker.say(" and back");
    CHECK(front.run_until([&] { return talker.heard == "over there and back"; }));
    back.stop();
    thread.join();
}

TEST_CASE("descriptors of others are watched: a pipe when it is readable, a file always", "[net]") {
    Host host;
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    int calls = 0;
    DescriptorWatch watch(host.loop, ends[0], DescriptorWatch::For::reading, [&] {
        ++calls;
        char c;
        REQUIRE(::read(ends[0], &c, 1) == 1);
    });
    host.loop.run_turn(host.clock.mono() + 5ms);
    CHECK(calls == 0);
    REQUIRE(::write(ends[1], "ab", 2) == 2);
    CHECK(host.run_until([&] { return calls == 2; }));
    watch.pause();
    REQUIRE(::write(ends[1], "c", 1) == 1);
    host.loop.run_turn(host.clock.mono() + 5ms);
    CHECK(calls == 2);
    watch.resume();
    CHECK(host.run_until([&] { return calls == 3; }));

    FILE* plain = std::tmpfile();
    int file_calls = 0;
    {
        DescriptorWatch always(host.loop, ::fileno(plain), DescriptorWatch::For::reading,
                               [&] { ++file_calls; });
        CHECK(host.run_until([&] { return file_calls == 3; }));
    }
    host.loop.run_turn(host.clock.mono());
    CHECK(file_calls == 3);
    std::fclose(plain);
    ::close(ends[0]);
    ::close(ends[1]);
}
