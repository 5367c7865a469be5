// SPDX-License-Identifier: Apache-2.0
//
// Loops and pools across real threads: what ThreadSanitizer watches.
#include "net/epoll_loop.hpp"

#include <thread>

#include <catch2/catch.hpp>

#include "base/system_clock.hpp"
#include "base/thread_io_pool.hpp"

using namespace kq;

TEST_CASE("posts of many threads all run, in order for each sender", "[net][threads]") {
    SystemClock clock;
    EpollLoop loop(clock);
    constexpr int senders = 4;
    constexpr int posts = 5000;
    std::vector<int> next(senders, 0);
    int ran = 0;
    bool in_order = true;
    CHECK(loop.is_here());  // nobody runs it yet: it is its maker's
    std::atomic<bool> running{false};
    loop.post([&] { running = true; });
    std::thread server([&] { loop.run(); });
    while (!running)
        std::this_thread::yield();
    std::vector<std::thread> threads;
    for (int s = 0; s < senders; ++s) {
        threads.emplace_back([&, s] {
            for (int i = 0; i < posts; ++i) {
                loop.post([&, s, i] {
                    in_order &= next[static_cast<std::size_t>(s)]++ == i;
                    in_order &= loop.is_here();
                    ++ran;
                });
            }
        });
    }
    for (auto& thread : threads)
        thread.join();
    CHECK_FALSE(loop.is_here());
    loop.stop();  // what was posted before runs first
    server.join();
    CHECK(ran == senders * posts);
    CHECK(in_order);
    CHECK(loop.is_here());
}

TEST_CASE("two loops play ping-pong without losing a wake-up", "[net][threads]") {
    SystemClock clock;
    EpollLoop a(clock);
    EpollLoop b(clock);
    int rounds = 0;
    Function<void()> ping;
    ping = [&] {
        if (++rounds == 5000) {
            b.stop();
            a.stop();
            return;
        }
        b.post([&] { a.post([&] { ping(); }); });
    };
    a.post([&] { ping(); });
    std::thread other([&] { b.run(); });
    a.run();
    other.join();
    CHECK(rounds == 5000);
}

TEST_CASE("a pool runs every job off the loop and answers on it", "[net][threads]") {
    SystemClock clock;
    EpollLoop loop(clock);
    int done_count = 0;
    std::atomic<int> ran{0};
    {
        ThreadIoPool pool(3);
        loop.post([&] {
            for (int i = 0; i < 1000; ++i) {
                auto result = std::make_unique<int>(0);
                auto* place = result.get();
                pool.submit(
                    loop,
                    [&, place, i] {
                        if (loop.is_here()) std::abort();
                        *place = i;
                        ++ran;
                    },
                    [&, result = std::move(result), i] {
                        if (*result == i && loop.is_here()) ++done_count;
                        if (done_count == 1000) loop.stop();
                    });
            }
        });
        loop.run();
    }
    CHECK(ran == 1000);
    CHECK(done_count == 1000);
}

TEST_CASE("timers of the real loop are never early, and an idle loop sleeps", "[net]") {
    SystemClock clock;
    EpollLoop loop(clock);
    MetricRegistry metrics;
    loop.count_into(metrics, "test");
    auto start = clock.mono();
    MonoTime fired{};
    loop.after(30ms, [&] {
        fired = clock.mono();
        loop.stop();
    });
    auto dead = loop.after(10ms, [&] { FAIL("a cancelled timer fired"); });
    loop.cancel(dead);
    loop.run();
    CHECK(fired - start >= 30ms);
    CHECK(fired - start < 2s);
    CHECK(metrics.value("kq_loop_turns_total", {{"loop", "test"}}) <= 4);
}

TEST_CASE("wake() ends a sleep", "[net][threads]") {
    SystemClock clock;
    EpollLoop loop(clock);
    std::thread other([&] { loop.wake(); });
    auto start = clock.mono();
    loop.run_turn(start + 10s);
    CHECK(clock.mono() - start < 5s);
    other.join();
}

TEST_CASE("a turn runs posts, timers, the outbox, then flushes", "[net]") {
    SystemClock clock;
    EpollLoop loop(clock);
    std::string order;
    loop.post([&] {
        order += "1";
        loop.post([&] { order += "5"; });
        loop.at_turn_end([&] {
            order += "3";
            loop.at_turn_end([&] { order += "x"; });
        });
        loop.at_flush([&] { order += "4"; });
        loop.at(clock.mono() - 1ms, [&] { order += "2"; });
    });
    loop.run_turn(clock.mono());
    loop.run_turn(clock.mono());
    CHECK((order == "123x45" || order == "13x425"));
    CHECK(order.find("3x4") != std::string::npos);
}
