// SPDX-License-Identifier: Apache-2.0
//
// Connections against a handler that the test commands: order, pipelining, limits, the end.
#include <deque>

#include <catch2/catch.hpp>

#include "broker/sessions.hpp"
#include "net/sim_network.hpp"
#include "tests/net/echo.hpp"

using namespace kq;

namespace {

// Keeps every request until the test answers it with a frame that repeats its correlation id.
class Patient final : public RequestHandler {
public:
    struct Kept {
        std::int16_t api_key;
        std::int32_t correlation_id;
        std::string body;
        RequestSlot slot;
        std::shared_ptr<const void> frame;
        std::shared_ptr<bool> gone;
    };
    void handle(RequestContext& context, RequestSlot slot) override {
        REQUIRE_FALSE(inside_);  // T3: no handler runs inside another
        inside_ = true;
        auto gone = std::make_shared<bool>(false);
        slot.asker()->when_gone([gone] { *gone = true; });
        ++started;
        kept.push_back({context.api_key, context.correlation_id, std::string(as_text(context.body)),
                        std::move(slot), context.frame_owner, gone});
        if (answer_at_once) answer(kept.size() - 1);
        inside_ = false;
    }
    void answer(std::size_t index, Millis pause = Millis{0}, std::size_t padding = 0) {
        Bytes frame;
        append_be<std::int32_t>(frame, static_cast<std::int32_t>(4 + padding));
        append_be(frame, kept[index].correlation_id);
        frame.resize(frame.size() + padding);
        Chain chain;
        chain.add(std::move(frame));
        kept[index].frame = nullptr;
        std::move(kept[index].slot).answer(std::move(chain), pause);
    }
    std::deque<Kept> kept;
    std::size_t started = 0;
    bool answer_at_once = false;

private:
    bool inside_ = false;
};

std::string request(std::int16_t api_key, std::int32_t correlation_id, std::string_view body = {},
                    std::int16_t version = 3) {
    Bytes frame;
    append_be<std::int32_t>(frame, static_cast<std::int32_t>(10 + body.size()));
    append_be(frame, api_key);
    append_be(frame, version);
    append_be(frame, correlation_id);
    append_be<std::int16_t>(frame, -1);  // no client id
    append(frame, as_bytes(body));
    return std::string(as_text(frame));
}

constexpr std::int16_t produce = 0;
constexpr std::int16_t list_offsets = 2;

struct Scene {
    explicit Scene(SessionOptions options = {}, std::uint64_t memory = 64 << 20,
                   std::uint64_t seed = 1)
        : world(seed), budget(memory) {
        options.strangers = &strangers;
        sessions = std::make_unique<Sessions>(server, *server_network, budget, metrics, Logger(log),
                                              options, handler);
        listener =
            server_network
                ->listen({"broker", 9092},
                         [this](std::unique_ptr<Socket> socket) {
                             sessions->serve(std::move(socket), "PLAINTEXT", [this] { ++over; });
                         })
                .value();
    }
    ~Scene() { sessions->close_all(); }

    std::unique_ptr<Talker> connect() {
        return std::make_unique<Talker>(*client_network, Endpoint{"broker", 9092});
    }
    // The correlation ids of the answers a client has heard.
    static std::vector<std::int32_t> ids(const std::string& heard) {
        std::vector<std::int32_t> out;
        std::size_t at = 0;
        while (at + 8 <= heard.size()) {
            const auto* place = reinterpret_cast<const std::uint8_t*>(heard.data() + at);
            out.push_back(load_be<std::int32_t>(place + 4));
            at += 4 + static_cast<std::size_t>(load_be<std::int32_t>(place));
        }
        return out;
    }
    bool until(const std::function<bool()>& reached, std::chrono::nanoseconds limit = 60s) {
        return world.run_until(reached, limit);
    }
    std::int64_t closed(const std::string& reason) const {
        return metrics.value("kq_connections_closed_total", {{"reason", reason}});
    }

    SimScheduler world;
    SimNetwork network{world};
    SimLoop server{world};
    SimLoop client{world};
    std::unique_ptr<Network> server_network = network.network_for(server, "broker");
    std::unique_ptr<Network> client_network = network.network_for(client, "client");
    MemoryBudget budget;
    MetricRegistry metrics;
    MemoryLogSink log;
    LogLimiter strangers;
    Patient handler;
    std::unique_ptr<Sessions> sessions;
    std::unique_ptr<Listener> listener;
    int over = 0;
};

using Ids = std::vector<std::int32_t>;

}  // namespace

TEST_CASE("answers leave in the order of the requests, whoever is ready first", "[broker]") {
    Scene scene;
    auto client = scene.connect();
    client->say(request(produce, 1, "a") + request(produce, 2, "b") + request(produce, 3, "c"));
    REQUIRE(scene.until([&] { return scene.handler.kept.size() == 3; }));
    CHECK(scene.handler.kept[1].body == "b");
    scene.handler.answer(2);
    scene.handler.answer(1);
    scene.world.run_for(1s);
    CHECK(client->heard.empty());
    scene.handler.answer(0);
    REQUIRE(scene.until([&] { return Scene::ids(client->heard).size() == 3; }));
    CHECK(Scene::ids(client->heard) == Ids{1, 2, 3});
}

TEST_CASE("eight produces may be under way, everything else is alone", "[broker]") {
    Scene scene;
    auto client = scene.connect();
    std::string all;
    for (int i = 0; i < 12; ++i)
        all += request(produce, i);
    all += request(list_offsets, 100) + request(produce, 101) + request(list_offsets, 102);
    client->say(all);
    scene.world.run_for(1s);
    CHECK(scene.handler.started == 8);
    scene.handler.answer(0);
    scene.world.run_for(1s);
    CHECK(scene.handler.started == 9);
    for (std::size_t i = 1; i < 9; ++i)
        scene.handler.answer(i);
    scene.world.run_for(1s);
    CHECK(scene.handler.started == 12);  // the ListOffsets waits for all of them
    for (std::size_t i = 9; i < 12; ++i)
        scene.handler.answer(i);
    scene.world.run_for(1s);
    CHECK(scene.handler.started == 13);
    CHECK(scene.handler.kept[12].correlation_id == 100);
    scene.handler.answer(12);
    scene.world.run_for(1s);
    CHECK(scene.handler.started == 14);  // and the produce behind it goes before the next
    scene.handler.answer(13);
    scene.world.run_for(1s);
    CHECK(scene.handler.started == 15);
    scene.handler.answer(14);
    REQUIRE(scene.until([&] { return Scene::ids(client->heard).size() == 15; }));
}

TEST_CASE("frames of every size arrive whole, however the network cuts them", "[broker]") {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        Scene scene({}, 64 << 20, seed);
        scene.handler.answer_at_once = true;
        auto client = scene.connect();
        Ids wanted;
        std::vector<std::size_t> sizes;
        std::string all;
        int id = 0;
        for (std::size_t size : std::initializer_list<std::size_t>{
                 0, 1, 100, 16'370, 16'374, 16'375, 16'384, 20'000, 70'000, 262'144, 300'000, 5,
                 2'000'000, 17'000, 3, 16'000, 16'000, 16'000}) {
            std::string body(size, 'x');
            for (std::size_t i = 0; i < size; ++i)
                body[i] = static_cast<char>('a' + (i * 7) % 26);
            all += request(id % 2 == 0 ? produce : list_offsets, id, body);
            sizes.push_back(size);
            wanted.push_back(id++);
        }
        client->say(all);
        REQUIRE(scene.until([&] { return Scene::ids(client->heard).size() == wanted.size(); }));
        CHECK(Scene::ids(client->heard) == wanted);
        for (std::size_t i = 0; i < sizes.size(); ++i) {
            const auto& body = scene.handler.kept[i].body;
            REQUIRE(body.size() == sizes[i]);
            for (std::size_t j = 0; j < body.size(); ++j) {
                if (body[j] != static_cast<char>('a' + (j * 7) % 26)) FAIL("byte " << j);
            }
        }
        CHECK(scene.budget.used() == 0);  // I34
    }
}

TEST_CASE("sizes that cannot be are not believed, and nothing is allocated for them", "[broker]") {
    for (std::int32_t size : {-1, 0, 7, 104'857'601, 2'147'483'647}) {
        Scene scene;
        auto client = scene.connect();
        Bytes bytes;
        append_be(bytes, size);
        client->say(as_text(bytes));
        CAPTURE(size);
        REQUIRE(scene.until([&] { return client->closed != Errc::none; }));
        CHECK(scene.closed("frame_size") == 1);
        CHECK(scene.budget.used() == 0);
        CHECK(scene.over == 1);
    }
}

TEST_CASE("TLS and HTTP on a listener of Kafka's are told once a minute", "[broker]") {
    Scene scene;
    const auto lines = [&] {
        std::size_t count = 0;
        for (const auto& line : scene.log.lines())
            count += line.find("another protocol") != std::string::npos ? 1 : 0;
        return count;
    };
    const auto greet = [&](std::string_view text) {
        auto client = scene.connect();
        client->say(text);
        CHECK(scene.until([&] { return client->closed != Errc::none; }, 1s));
    };
    greet(std::string_view("\0\0\0\7nonsense", 12));  // somebody's bug: nothing to configure
    CHECK(lines() == 0);
    greet("\x16\x03\x01\x02 and so on");
    REQUIRE(lines() == 1);
    CHECK(scene.log.contains("speaks=TLS"));
    CHECK(scene.log.contains("peer=client"));
    CHECK(scene.log.contains("listener=PLAINTEXT"));
    for (int i = 0; i < 100; ++i)
        greet("GET / HTTP/1.1\r\n\r\n");
    CHECK(lines() == 1);
    scene.world.run_for(61s);
    greet("GET / HTTP/1.1\r\n\r\n");
    CHECK(lines() == 2);
    CHECK(scene.log.contains("speaks=HTTP"));
    CHECK(scene.closed("frame_size") == 103);
}

TEST_CASE("half a frame is waited for 30 s, a dripping one not for ever", "[broker]") {
    SECTION("silent in the size") {
        Scene scene;
        auto client = scene.connect();
        client->say(std::string("\0\0", 2));
        scene.world.run_for(29s);
        CHECK(client->closed == Errc::none);
        CHECK(scene.until([&] { return client->closed != Errc::none; }, 3s));
        CHECK(scene.closed("half_frame") == 1);
    }
    SECTION("silent in a long frame, whose memory is given back") {
        Scene scene;
        auto client = scene.connect();
        client->say(request(produce, 1, std::string(1'000'000, 'x')).substr(0, 300'000));
        scene.world.run_for(5s);
        CHECK(scene.budget.used() >= 300'000);
        CHECK(scene.budget.used() <= 600'000);
        CHECK(scene.until([&] { return client->closed != Errc::none; }, 60s));
        CHECK(scene.budget.used() == 0);
    }
    SECTION("a byte every ten seconds") {
        Scene scene;
        auto client = scene.connect();
        auto frame = request(produce, 1, "0123456789");
        for (std::size_t i = 0; i < frame.size() && client->connection != nullptr; ++i) {
            client->say(frame.substr(i, 1));
            scene.world.run_for(10s);
        }
        CHECK(client->closed != Errc::none);
        CHECK(scene.handler.started == 0);
    }
    SECTION("a byte every 29 s, of a short frame and of a long one") {
        const auto bytes = GENERATE(std::size_t{100}, std::size_t{50'000}, std::size_t{50'000'000});
        Scene scene;
        auto client = scene.connect();
        auto frame = request(produce, 1, std::string(bytes, 'x'));
        const std::size_t at_once = std::min<std::size_t>(50, bytes / 2);
        client->say(frame.substr(0, at_once));
        std::size_t i = at_once;
        for (; i < at_once + 5 && client->closed == Errc::none; ++i) {
            scene.world.run_for(29s);
            if (client->closed == Errc::none) client->say(frame.substr(i, 1));
        }
        CHECK(client->closed != Errc::none);
        CHECK(i <= at_once + 2);
        CHECK(scene.closed("half_frame") == 1);
        CHECK(scene.budget.used() == 0);
    }
    SECTION("64 KiB in each 30 s are enough, as long as the whole comes at 64 KiB a second") {
        SessionOptions options;
        options.half_frame_rate_min = 1000;  // so that this frame has ten minutes
        Scene scene(options);
        scene.handler.answer_at_once = true;
        auto client = scene.connect();
        auto frame = request(produce, 1, std::string(600'000, 'x'));
        for (std::size_t at = 0; at < frame.size(); at += 70'000) {
            client->say(frame.substr(at, 70'000));
            scene.world.run_for(29s);
        }
        CHECK(Scene::ids(client->heard) == Ids{1});
        CHECK(client->closed == Errc::none);
    }
    SECTION("a client that always is in the middle of a frame is not slow") {
        Scene scene;
        scene.handler.answer_at_once = true;
        auto client = scene.connect();
        const auto frame = request(produce, 1, "0123456789");
        client->say(frame.substr(0, 7));
        for (int i = 0; i < 30; ++i) {
            scene.world.run_for(5s);
            client->say(frame.substr(7) + frame.substr(0, 7));
        }
        scene.world.run_for(1s);
        CHECK(Scene::ids(client->heard).size() == 30);
        CHECK(client->closed == Errc::none);
    }
    SECTION("whole in time") {
        Scene scene;
        scene.handler.answer_at_once = true;
        auto client = scene.connect();
        auto frame = request(produce, 1, "0123456789");
        client->say(frame.substr(0, 7));
        scene.world.run_for(20s);
        client->say(frame.substr(7));
        scene.world.run_for(60s);
        CHECK(Scene::ids(client->heard) == Ids{1});
        CHECK(client->closed == Errc::none);
    }
}

TEST_CASE("a long frame's memory is taken as it comes; who gets none waits its turn", "[broker]") {
    Scene scene({}, 3'000'000);
    std::vector<std::unique_ptr<Talker>> clients;
    for (int i = 0; i < 5; ++i) {
        clients.push_back(scene.connect());
        clients.back()->say(request(list_offsets, i, std::string(1'000'000, 'x')));
        scene.world.run_for(1s);
    }
    CHECK(scene.handler.started == 2);
    CHECK(scene.budget.used() <= 3'000'000);
    CHECK(scene.metrics.value("kq_request_memory_waits_total") >= 1);
    // They are all served, each frame that is done with making room for another.
    for (std::size_t i = 0; i < 5; ++i) {
        REQUIRE(scene.until([&] { return scene.handler.kept.size() > i; }));
        CHECK(scene.budget.used() <= 4'000'010);
        scene.handler.answer(i);
        scene.world.run_for(1s);
    }
    for (const auto& client : clients)
        CHECK(Scene::ids(client->heard).size() == 1);
    CHECK(scene.budget.used() == 0);
}

TEST_CASE("what is announced and does not come holds up nobody", "[broker][I33]") {
    Scene scene({}, 3'000'000);
    scene.handler.answer_at_once = true;
    std::vector<std::unique_ptr<Talker>> announcers;
    for (int i = 0; i < 50; ++i) {
        announcers.push_back(scene.connect());
        announcers.back()->say(request(produce, i, std::string(2'000'000, 'x')).substr(0, 12));
    }
    scene.world.run_for(1s);
    CHECK(scene.budget.used() <= 50 * 16 * 1024);
    auto client = scene.connect();
    client->say(request(produce, 7, std::string(500'000, 'x')));
    REQUIRE(scene.until([&] { return !client->heard.empty(); }, 1s));
    scene.world.run_for(31s);
    CHECK(scene.closed("half_frame") == 50);
    CHECK(scene.budget.used() == 0);
}

TEST_CASE("half frames that hold all memory together are finished one after the other",
          "[broker]") {
    Scene scene({}, 2'000'000);
    scene.handler.answer_at_once = true;
    std::vector<std::unique_ptr<Talker>> clients;
    const auto frame = request(produce, 1, std::string(1'500'000, 'x'));
    for (int i = 0; i < 6; ++i) {
        clients.push_back(scene.connect());
        clients.back()->say(frame.substr(0, 300'000));
    }
    scene.world.run_for(1s);
    for (auto& client : clients)
        client->say(frame.substr(300'000));
    for (auto& client : clients) {
        REQUIRE(scene.until([&] { return !client->heard.empty(); }, 20s));
        CHECK(client->closed == Errc::none);
    }
    CHECK(scene.budget.used() == 0);
}

TEST_CASE("a frame that drips gives way when others wait for memory", "[broker][I33]") {
    Scene scene({}, 5'000'000);
    scene.handler.answer_at_once = true;
    const auto frame = request(produce, 1, std::string(3'000'000, 'x'));
    std::vector<std::unique_ptr<Talker>> dripping;
    std::size_t sent = 1'500'000;
    for (int i = 0; i < 3; ++i) {
        dripping.push_back(scene.connect());
        dripping.back()->say(frame.substr(0, sent));
    }
    const auto drip_for = [&](int seconds, const auto& meanwhile) {
        for (int i = 0; i < seconds; ++i) {
            if (i % 10 == 0) {
                for (auto& client : dripping) {
                    if (client->closed == Errc::none) client->say(frame.substr(sent, 70'000));
                }
                sent += 70'000;
            }
            meanwhile(i);
            scene.world.run_for(1s);
        }
    };
    const auto closed = [&] {
        return std::count_if(dripping.begin(), dripping.end(),
                             [](const auto& client) { return client->closed != Errc::none; });
    };
    SECTION("large requests and small ones are served within seconds") {
        auto other = scene.connect();
        auto large = request(produce, 7, std::string(1'000'000, 'x'));
        other->say(large);
        drip_for(30, [&](int second) {
            if (second >= 20) CHECK(Scene::ids(other->heard) == Ids{7});
        });
        CHECK(scene.closed("slow_frame") == closed());
        CHECK(scene.closed("slow_frame") >= 1);
        CHECK(scene.closed("half_frame") == 0);
    }
    SECTION("a megabyte over one megabit a second gets through all the same") {
        auto slow = scene.connect();
        const auto small = request(produce, 7, std::string(1 << 20, 'x'));
        slow->say(small.substr(0, 125'000));
        drip_for(30, [&](int second) {
            const auto at = static_cast<std::size_t>(second + 1) * 125'000;
            if (at < small.size()) slow->say(small.substr(at, 125'000));
        });
        CHECK(Scene::ids(slow->heard) == Ids{7});
        CHECK(slow->closed == Errc::none);
        CHECK(scene.closed("slow_frame") >= 1);
    }
}

TEST_CASE("a frame may drip while nobody waits, or for a moment only", "[broker][I33]") {
    Scene scene({}, 5'000'000);
    scene.handler.answer_at_once = true;
    const auto frame = request(produce, 1, std::string(3'000'000, 'x'));
    auto client = scene.connect();
    std::size_t sent = 2'200'000;  // holds 3 MB, of which an eighth is 375 KB
    client->say(frame.substr(0, sent));
    for (; sent < frame.size(); sent += 200'000) {
        scene.world.run_for(3s);
        {
            MemoryWait moment(scene.budget);  // seen once in ten seconds
            scene.world.run_for(4s);
        }
        scene.world.run_for(3s);
        REQUIRE(client->closed == Errc::none);
        client->say(frame.substr(sent, 200'000));
    }
    scene.world.run_for(1s);
    CHECK(Scene::ids(client->heard) == Ids{1});
    CHECK(client->closed == Errc::none);
}

TEST_CASE("a frame larger than the whole budget is served alone", "[broker]") {
    Scene scene({}, 500'000);
    scene.handler.answer_at_once = true;
    auto client = scene.connect();
    client->say(request(produce, 7, std::string(2'000'000, 'x')));
    REQUIRE(scene.until([&] { return !client->heard.empty(); }));
    CHECK(scene.budget.used() == 0);
}

TEST_CASE("a client that leaves is noticed while its request waits", "[broker]") {
    Scene scene;
    auto client = scene.connect();
    client->say(request(list_offsets, 1));
    REQUIRE(scene.until([&] { return scene.handler.kept.size() == 1; }));
    client->connection = nullptr;
    REQUIRE(scene.until([&] { return *scene.handler.kept[0].gone; }, 1s));
    CHECK(scene.over == 1);
    scene.handler.answer(0);  // into the void
    CHECK(scene.sessions->count() == 0);
}

TEST_CASE("produce with acks=0 is never answered, and its failure closes", "[broker]") {
    Scene scene;
    auto client = scene.connect();
    client->say(request(produce, 1) + request(produce, 2) + request(produce, 3));
    REQUIRE(scene.until([&] { return scene.handler.kept.size() == 3; }));
    scene.handler.kept[0].slot.answer_nothing();
    scene.handler.kept[1].slot.answer_nothing();
    scene.handler.answer(2);
    REQUIRE(scene.until([&] { return !client->heard.empty(); }));
    CHECK(Scene::ids(client->heard) == Ids{3});
    scene.handler.kept[1].slot.fail("silent_produce_failed", Error{Errc::not_leader_or_follower});
    REQUIRE(scene.until([&] { return client->closed != Errc::none; }, 1s));
    CHECK(scene.closed("silent_produce_failed") == 1);
    scene.handler.kept[0].slot.fail("late", Error{Errc::none});  // harmless
}

TEST_CASE("a client over its quota is answered at once and read again later", "[broker]") {
    Scene scene;
    auto client = scene.connect();
    client->say(request(list_offsets, 1));
    REQUIRE(scene.until([&] { return scene.handler.kept.size() == 1; }));
    auto start = scene.world.now();
    scene.handler.answer(0, 500ms);
    REQUIRE(scene.until([&] { return !client->heard.empty(); }, 100ms));
    client->say(request(list_offsets, 2));
    REQUIRE(scene.until([&] { return scene.handler.kept.size() == 2; }, 2s));
    CHECK(scene.world.now() - start >= 500ms);
}

TEST_CASE("who does not read the answers is not served further, then cut off", "[broker]") {
    SessionOptions options;
    options.output_bytes_max = 3 << 20;
    Scene scene(options);
    auto client = scene.connect();
    std::string all;
    for (int i = 0; i < 8; ++i)
        all += request(produce, i);
    client->say(all + request(produce, 8));
    REQUIRE(scene.until([&] { return scene.handler.kept.size() == 8; }));
    client->connection->pause_reading();
    scene.handler.answer(0, Millis{0}, 2 << 20);
    scene.world.run_for(2s);
    CHECK(scene.handler.started == 8);  // more than a megabyte is unread
    scene.handler.answer(1, Millis{0}, 2 << 20);
    REQUIRE(scene.until([&] { return scene.over == 1; }));
    CHECK(scene.closed("output_bound") == 1);
}

TEST_CASE("idle connections are closed after their time; those at work are not", "[broker]") {
    SessionOptions options;
    options.idle_max = Millis{60'000};
    Scene scene(options);
    auto idle = scene.connect();
    auto busy = scene.connect();
    auto waiting = scene.connect();
    waiting->say(request(list_offsets, 1));
    scene.world.run_for(50s);
    busy->say(request(list_offsets, 2));
    REQUIRE(scene.until([&] { return scene.handler.kept.size() == 2; }));
    scene.handler.answer(1);
    scene.world.run_for(40s);
    CHECK(idle->closed == Errc::connection_closed);
    CHECK(busy->closed == Errc::none);
    CHECK(waiting->closed == Errc::none);
    CHECK(scene.closed("idle") == 1);
}

TEST_CASE("memory goes back once after connections closed, not again and not while idle",
          "[broker][I34]") {
    int given_back = 0;
    SessionOptions options;
    options.give_back_memory = [&given_back] { ++given_back; };
    Scene scene(options);
    scene.world.run_for(60s);
    CHECK(given_back == 0);
    const auto come_and_go = [&] {
        auto client = scene.connect();
        scene.world.run_for(1s);
        client.reset();
        scene.world.run_for(1s);
    };
    come_and_go();
    come_and_go();
    CHECK(given_back == 0);
    scene.world.run_for(5s);
    CHECK(given_back == 1);
    come_and_go();
    scene.world.run_for(15s);
    CHECK(given_back == 1);  // 30 s have not passed
    scene.world.run_for(15s);
    CHECK(given_back == 2);
    scene.world.run_for(300s);
    CHECK(given_back == 2);
}

TEST_CASE("memory goes back after a burst of clients that stay", "[broker][I34]") {
    int given_back = 0;
    SessionOptions options;
    options.give_back_memory = [&given_back] { ++given_back; };
    options.burst_bytes = 2'000'000;
    Scene scene(options);
    std::vector<std::unique_ptr<Talker>> clients;
    const auto burst = [&](int requests) {
        for (int i = 0; i < requests; ++i) {
            if (clients.size() <= static_cast<std::size_t>(i)) clients.push_back(scene.connect());
            clients[static_cast<std::size_t>(i)]->say(
                request(produce, i, std::string(1'000'000, 'x')));
        }
        const auto first = scene.handler.kept.size();
        REQUIRE(scene.until([&] {
            return scene.handler.kept.size() == first + static_cast<std::size_t>(requests);
        }));
        return first;
    };
    const auto answer_from = [&](std::size_t first) {
        for (auto i = first; i < scene.handler.kept.size(); ++i)
            scene.handler.answer(i);
        scene.world.run_for(1s);
        CHECK(scene.budget.used() == 0);
    };
    answer_from(burst(1));
    scene.world.run_for(60s);
    CHECK(given_back == 0);  // that was no burst
    auto held = burst(4);
    answer_from(held);
    scene.world.run_for(5s);
    CHECK(given_back == 1);
    scene.world.run_for(300s);
    CHECK(given_back == 1);
    held = burst(4);
    scene.world.run_for(100s);  // it holds its memory for long
    answer_from(held);
    const auto before = given_back;
    scene.world.run_for(60s);
    CHECK(given_back == before + 1);
    scene.world.run_for(300s);
    CHECK(given_back == before + 1);
    CHECK(scene.over == 0);
}

TEST_CASE("draining answers what is under way and starts nothing", "[broker]") {
    Scene scene;
    auto idle = scene.connect();
    auto busy = scene.connect();
    busy->say(request(produce, 1) + request(list_offsets, 2));
    REQUIRE(scene.until([&] { return scene.handler.kept.size() == 1; }));
    bool drained = false;
    scene.server.post([&] { scene.sessions->drain([&] { drained = true; }); });
    REQUIRE(scene.until([&] { return idle->closed != Errc::none; }, 5s));
    CHECK_FALSE(drained);
    scene.handler.answer(0);
    REQUIRE(scene.until([&] { return drained && Scene::ids(busy->heard).size() == 1; }, 5s));
    CHECK(Scene::ids(busy->heard) == Ids{1});
    CHECK(scene.handler.started == 1);
}

TEST_CASE("a request whose header is cut closes the connection", "[broker]") {
    Scene scene;
    auto client = scene.connect();
    // The size covers the fixed part only, and the client id that must follow is not there.
    auto whole = request(list_offsets, 1);
    Bytes frame;
    append_be<std::int32_t>(frame, 8);
    append(frame, as_bytes(whole).subspan(4, 8));
    client->say(as_text(frame));
    REQUIRE(scene.until([&] { return client->closed != Errc::none; }));
    CHECK(scene.closed("malformed_header") == 1);
}

TEST_CASE("cut connections leave nothing behind (I34)", "[broker][sim]") {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        Scene scene({}, 4 << 20, seed);
        scene.handler.answer_at_once = seed % 2 == 0;
        scene.network.set_cut_chance(0.02);
        SeededRandom dice(seed);
        std::vector<std::unique_ptr<Talker>> clients;
        for (int i = 0; i < 20; ++i) {
            clients.push_back(scene.connect());
            for (int j = 0; j < 10; ++j) {
                if (clients.back()->connection == nullptr) break;
                clients.back()->say(request(dice.chance(0.5) ? produce : list_offsets, j,
                                            std::string(dice.below(60'000), 'x')));
                scene.world.run_for(std::chrono::microseconds(dice.below(3000)));
            }
        }
        scene.network.cut_all("broker");
        scene.world.run_for(100s);
        clients.clear();
        scene.world.run_for(1s);
        CHECK(scene.sessions->count() == 0);
        CHECK(static_cast<std::int64_t>(scene.over) ==
              scene.metrics.value("kq_connections_accepted_total"));
        for (auto& kept : scene.handler.kept)
            kept.frame = nullptr;
        CHECK(scene.budget.used() <= ReceiveBuffers::slab_bytes * 4);
    }
}
