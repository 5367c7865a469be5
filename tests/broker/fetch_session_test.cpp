// SPDX-License-Identifier: Apache-2.0
//
// Fetch sessions: the rules of KIP-227, row by row, and through whole requests.
#include "broker/fetch_session.hpp"

#include <limits>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/broker/data_world.hpp"

using namespace kq;
using namespace kq::sim;

namespace {

std::int16_t code(Errc errc) {
    return static_cast<std::int16_t>(errc);
}

wire::FetchRequest asking(std::int32_t session, std::int32_t epoch) {
    wire::FetchRequest request;
    request.session_id = session;
    request.session_epoch = epoch;
    return request;
}

}  // namespace

TEST_CASE("what session id and epoch mean", "[broker][fetch_session]") {
    auto slots = std::make_shared<FetchSessionSlots>(10, 10);
    FetchSession session(7, true, slots);
    struct Row {
        std::int32_t id;
        std::int32_t epoch;
        int version;
        bool there;
        FetchSessionUse use;
    };
    const Row rows[] = {
        {0, -1, 12, false, FetchSessionUse::none},
        {-1, -1, 12, false, FetchSessionUse::none},  // kafka-go
        {7, -1, 13, true, FetchSessionUse::none},
        {0, 0, 13, false, FetchSessionUse::create},
        {7, 0, 13, true, FetchSessionUse::create},
        {8, 0, 13, true, FetchSessionUse::create},
        {7, 1, 13, true, FetchSessionUse::incremental},
        {7, 1, 13, false, FetchSessionUse::unknown},
        {8, 1, 13, true, FetchSessionUse::unknown},
        {0, 1, 13, true, FetchSessionUse::unknown},
        {7, 2, 13, true, FetchSessionUse::wrong_epoch},
        {7, 1, 12, true, FetchSessionUse::wrong_naming},
    };
    for (const Row& row : rows) {
        CAPTURE(row.id, row.epoch, row.version, row.there);
        CHECK(fetch_session_use(asking(row.id, row.epoch), row.version,
                                row.there ? &session : nullptr) == row.use);
    }
}

TEST_CASE("epochs go on to the largest and begin again at 1", "[broker][fetch_session]") {
    FetchSession session(7, true, std::make_shared<FetchSessionSlots>(1, 10));
    CHECK(session.next_epoch() == 1);
    session.advance_epoch();
    CHECK(session.next_epoch() == 2);
}

TEST_CASE("slots are taken while sessions live", "[broker][fetch_session]") {
    auto slots = std::make_shared<FetchSessionSlots>(1, 10);
    {
        FetchSession session(7, true, slots);
        CHECK_FALSE(slots->has_room());
    }
    CHECK(slots->has_room());
    CHECK(slots->used() == 0);
}

TEST_CASE("a session answers with what is new only", "[broker][fetch_session]") {
    const int version = GENERATE(7, 12, 13, 18);
    CAPTURE(version);
    DataWorld world;
    world.create_topic("t", 3);
    world.create_topic("u");
    Client client;
    std::int32_t id = 0;
    std::int32_t epoch = 0;
    const auto fetch = [&](wire::FetchRequest request) {
        request.session_id = id;
        request.session_epoch = epoch;
        auto answer = world.fetch(client, std::move(request), version);
        world.wait(answer);
        REQUIRE(answer->here());
        return *answer->response;
    };
    const auto names = [](const wire::FetchResponse& response) {
        std::vector<int> found;
        for (const auto& topic : response.responses) {
            for (const auto& partition : topic.partitions) {
                found.push_back(partition.partition_index);
            }
        }
        return found;
    };
    using Found = std::vector<int>;

    auto created = fetch(world.fetch_request("t", {0, 1, 2}));
    CHECK(created.error_code == 0);
    CHECK(created.session_id > 0);
    CHECK(names(created) == Found{0, 1, 2});
    id = created.session_id;
    epoch = 1;

    const auto nothing = [&] { return world.fetch_request("t", {}); };
    auto quiet = fetch(nothing());
    CHECK(quiet.session_id == id);
    CHECK(names(quiet).empty());

    world.send("t", 1, make_batch({"x"}));
    epoch = 2;
    auto news = fetch(nothing());
    CHECK(names(news) == Found{1});
    CHECK(news.responses[0].partitions[0].records.size_bytes() > 0);

    // The same position again: still records, so it is named; and it was moved to the end.
    world.send("t", 0, make_batch({"y"}));
    epoch = 3;
    CHECK(names(fetch(nothing())) == Found{0, 1});

    // Past the records: both are quiet again.
    epoch = 4;
    CHECK(names(fetch(world.fetch_request("t", {0, 1}, 1))).empty());

    SECTION("forgotten partitions are not served") {
        epoch = 5;
        auto request = nothing();
        request.forgotten_topics_data.push_back({"t", world.id_of("t"), {0}});
        fetch(request);
        world.send("t", 0, make_batch({"z"}));
        world.send("t", 2, make_batch({"z"}));
        epoch = 6;
        CHECK(names(fetch(nothing())) == Found{2});
    }
    SECTION("an error is told again and again, and so is its end") {
        epoch = 5;
        CHECK(names(fetch(world.fetch_request("t", {2}, 9))) == Found{2});
        epoch = 6;
        auto again = fetch(nothing());
        REQUIRE(names(again) == Found{2});
        CHECK(again.responses[0].partitions[0].error_code == code(Errc::offset_out_of_range));
        epoch = 7;
        auto healed = fetch(world.fetch_request("t", {2}, 0));
        REQUIRE(names(healed) == Found{2});
        CHECK(healed.responses[0].partitions[0].error_code == 0);
        epoch = 8;
        CHECK(names(fetch(nothing())).empty());
    }
    SECTION("a wrong epoch, an unknown session") {
        epoch = 9;
        auto wrong = fetch(nothing());
        CHECK(wrong.error_code == code(Errc::invalid_fetch_session_epoch));
        CHECK(wrong.session_id == 0);
        CHECK(wrong.responses.empty());
        id += 1;
        CHECK(fetch(nothing()).error_code == code(Errc::fetch_session_id_not_found));
        // Another connection has no part in it.
        id -= 1;
        epoch = 5;
        Client stranger;
        auto request = nothing();
        request.session_id = id;
        request.session_epoch = 5;
        auto answer = world.fetch(stranger, request, version);
        world.wait(answer);
        CHECK(answer->response->error_code == code(Errc::fetch_session_id_not_found));
    }
    SECTION("it ends when nothing is left in it, or when it is closed") {
        epoch = 5;
        CHECK(world.plane->data_loop(0).fetches.session_count() == 1);
        auto request = nothing();
        if (GENERATE(true, false)) {
            request.forgotten_topics_data.push_back({"t", world.id_of("t"), {0, 1, 2}});
        } else {
            epoch = -1;
        }
        auto last = fetch(request);
        CHECK(last.session_id == 0);
        CHECK(world.plane->data_loop(0).fetches.session_count() == 0);
    }
    CHECK(world.watch_count() == 0);
}

TEST_CASE("naming by name and by id do not mix in a session", "[broker][fetch_session]") {
    DataWorld world;
    world.create_topic("t");
    Client client;
    auto request = world.fetch_request("t", {0});
    request.session_epoch = 0;
    auto created = world.fetch(client, request, 12);
    world.wait(created);
    request.session_id = created->response->session_id;
    request.session_epoch = 1;
    auto mixed = world.fetch(client, request, 13);
    world.wait(mixed);
    CHECK(mixed->response->error_code == code(Errc::fetch_session_topic_id_error));
}

TEST_CASE("without room there is no session, and the fetch is served", "[broker][fetch_session]") {
    DataWorld world({.config = {{"max.incremental.fetch.session.cache.slots", "1"}}});
    world.create_topic("t");
    world.send("t", 0, make_batch({"x"}));
    Client first;
    Client second;
    auto request = world.fetch_request("t", {0});
    request.session_epoch = 0;
    auto one = world.fetch(first, request);
    auto two = world.fetch(second, request);
    world.wait(one);
    world.wait(two);
    CHECK(one->response->session_id > 0);
    CHECK(two->response->session_id == 0);
    CHECK(two->response->responses[0].partitions[0].records.size_bytes() > 0);
    // The connection goes, and its session with it.
    first.connection.fetch_session.reset();
    auto three = world.fetch(second, request);
    world.wait(three);
    CHECK(three->response->session_id > 0);
    CHECK(three->response->session_id != one->response->session_id);
}

TEST_CASE("sessions name no more partitions than there may be, existing or not", "[broker][I33]") {
    DataWorld world({.config = {{"kq.partitions.max", "10"}}});
    world.create_topic("t", 10);
    world.send("t", 0, make_batch({"x"}));
    auto& fetches = world.plane->data_loop(0).fetches;
    const auto held = [&] {
        std::size_t count = 0;
        world.on_loop(0, [&] { count = fetches.session_partition_count(); });
        return count;
    };
    const auto ask = [&](Client& client, const std::string& topic, std::vector<int> partitions,
                         std::int32_t session = 0, std::int32_t epoch = 0) {
        auto request = world.fetch_request(topic, std::move(partitions));
        request.session_id = session;
        request.session_epoch = epoch;
        auto answer = world.fetch(client, request);
        world.wait(answer);
        return *answer->response;
    };
    Client first;
    Client second;
    const auto made = ask(first, "t", {0, 1, 2, 3, 0});  // one of them twice
    REQUIRE(made.session_id > 0);
    CHECK(held() == 4);

    SECTION("a full fetch past the limit is served without a session") {
        CHECK(ask(second, "t", {0, 1, 2, 3, 4, 5}).session_id > 0);
        CHECK(held() == 10);
        const auto past = ask(second, "t", {0, 1, 2, 3, 4, 5, 6});
        CHECK(past.session_id == 0);
        REQUIRE(past.responses.size() == 1);
        CHECK(past.responses[0].partitions.size() == 7);
        CHECK(held() == 4);
    }
    SECTION("an incremental fetch past the limit ends its session") {
        CHECK(ask(first, "zz", {0, 1, 2, 3, 4, 5}, made.session_id, 1).error_code == 0);
        CHECK(held() == 10);
        const auto past = ask(first, "zz", {5, 6}, made.session_id, 2);
        CHECK(past.error_code == code(Errc::fetch_session_id_not_found));
        CHECK(held() == 0);
        CHECK(ask(first, "t", {0}).session_id > 0);  // as a client goes on then
        CHECK(held() == 1);
    }
    SECTION("what is forgotten makes room") {
        wire::FetchRequest forget = world.fetch_request("t", {4});
        forget.session_id = made.session_id;
        forget.session_epoch = 1;
        forget.forgotten_topics_data.push_back({"t", world.id_of("t"), {0, 1, 2}});
        world.wait(world.fetch(first, forget));
        CHECK(held() == 2);
    }
    SECTION("a name that no topic can have is not remembered") {
        CHECK(ask(second, std::string(249, 'x'), {0}).session_id > 0);
        const auto longer = ask(second, std::string(250, 'x'), {0});
        CHECK(longer.session_id == 0);
        CHECK(longer.responses[0].partitions[0].error_code ==
              code(Errc::unknown_topic_or_partition));
    }
}

TEST_CASE("a topic made anew under its name is served by the same session", "[broker]") {
    DataWorld world;
    world.create_topic("t");
    Client client;
    auto request = world.fetch_request("t", {0});
    request.session_epoch = 0;
    auto created = world.fetch(client, request);
    world.wait(created);
    world.delete_topic("t");
    world.create_topic("t");
    world.send("t", 0, make_batch({"new"}));
    auto next = world.fetch_request("t", {});
    next.session_id = created->response->session_id;
    next.session_epoch = 1;
    auto answer = world.fetch(client, next);
    world.wait(answer);
    REQUIRE(answer->response->responses.size() == 1);
    CHECK(values_of(bytes_of(answer->response->responses[0].partitions[0].records)) ==
          std::vector<std::string>{"new"});
}
