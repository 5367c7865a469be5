// SPDX-License-Identifier: Apache-2.0
//
// Fetch: what is returned, when, and what is left behind (nothing).
#include <limits>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "base/mutant.hpp"
#include "tests/broker/data_world.hpp"

using namespace kq;
using namespace kq::sim;

namespace {

std::int16_t code(Errc errc) {
    return static_cast<std::int16_t>(errc);
}

using PartitionData = wire::FetchResponse::PartitionData;

const PartitionData& only(const AnswerPtr<wire::FetchResponse>& answer) {
    REQUIRE(answer->here());
    REQUIRE(answer->response->responses.size() == 1);
    REQUIRE(answer->response->responses[0].partitions.size() == 1);
    return answer->response->responses[0].partitions[0];
}

PartitionData fetch_one(DataWorld& world, wire::FetchRequest request, int version = 12) {
    Client client;
    auto answer = world.fetch(client, std::move(request), version);
    world.wait(answer);
    CHECK(wire::expressible(*answer->response, version).ok());
    return only(answer);
}

}  // namespace

TEST_CASE("a fetch gets batches from the one that holds its offset", "[broker][fetch]") {
    DataWorld world;
    world.create_topic("t");
    world.send("t", 0, make_batch({"a", "b", "c"}));
    world.send("t", 0, make_batch({"d"}));
    for (int version = 4; version <= 18; ++version) {
        CAPTURE(version);
        const auto data = fetch_one(world, world.fetch_request("t", {0}, 1), version);
        CHECK(data.error_code == 0);
        CHECK(data.high_watermark == 4);
        CHECK(data.last_stable_offset == 4);
        CHECK(data.log_start_offset == 0);
        CHECK_FALSE(data.aborted_transactions.has_value());
        CHECK(values_of(bytes_of(data.records)) == std::vector<std::string>{"a", "b", "c", "d"});
    }
    auto committed = world.fetch_request("t", {0}, 0);
    committed.isolation_level = 1;
    const auto data = fetch_one(world, committed);
    CHECK(data.aborted_transactions.has_value());
    CHECK(values_of(bytes_of(data.records)).size() == 4);
}

TEST_CASE("what a fetch asks wrongly is answered for that partition only", "[broker][fetch]") {
    DataWorld world;
    world.create_topic("t", 2);
    world.send("t", 0, make_batch({"a"}));
    struct Row {
        const char* name;
        std::function<void(wire::FetchRequest&)> change;
        Errc code;
    };
    const auto place = [](wire::FetchRequest& request) -> wire::FetchRequest::FetchPartition& {
        return request.topics[0].partitions[0];
    };
    const Row rows[] = {
        {"past the end", [&](auto& r) { place(r).fetch_offset = 2; }, Errc::offset_out_of_range},
        {"negative", [&](auto& r) { place(r).fetch_offset = -1; }, Errc::offset_out_of_range},
        {"no such partition", [&](auto& r) { place(r).partition = 2; },
         Errc::unknown_topic_or_partition},
        {"negative partition", [&](auto& r) { place(r).partition = -1; },
         Errc::unknown_topic_or_partition},
        {"no such topic", [&](auto& r) { r.topics[0].topic = "nope"; },
         Errc::unknown_topic_or_partition},
        {"epoch too high", [&](auto& r) { place(r).current_leader_epoch = 1; },
         Errc::unknown_leader_epoch},
        {"negative max_bytes", [&](auto& r) { place(r).partition_max_bytes = -1; },
         Errc::invalid_request},
        {"negative max_bytes of all", [&](auto& r) { r.max_bytes = -1; }, Errc::invalid_request},
        {"a follower that has no replica", [&](auto& r) { r.replica_id = 7; },
         Errc::not_leader_or_follower},
        {"such a one with our epoch",
         [&](auto& r) {
             r.replica_id = 7;
             place(r).current_leader_epoch = 0;
             place(r).fetch_offset = -5;
         },
         Errc::unknown_leader_epoch},
        {"the leader's own id", [&](auto& r) { r.replica_id = 1; }, Errc::not_leader_or_follower},
        {"the leader's own id and epoch",
         [&](auto& r) {
             r.replica_id = 1;
             place(r).current_leader_epoch = 0;
         },
         Errc::unknown_leader_epoch},
        {"a higher epoch and no sense in the last one",
         [&](auto& r) {
             place(r).current_leader_epoch = 3;
             place(r).last_fetched_epoch = -2;
         },
         Errc::unknown_leader_epoch},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        auto request = world.fetch_request("t", {0}, 0, 60'000);
        row.change(request);
        const auto data = fetch_one(world, request);
        CHECK(std::string(name_of(errc_from_wire(data.error_code))) ==
              std::string(name_of(row.code)));
        CHECK(data.high_watermark == -1);
        CHECK(data.log_start_offset == -1);
        CHECK(data.records.empty());
        CHECK_FALSE(data.records.is_null());
        // As Kafka 4.3 has it.
        CHECK(data.aborted_transactions.has_value() ==
              (row.code == Errc::unknown_topic_or_partition));
        CHECK(world.watch_count() == 0);
    }
    auto by_id = world.fetch_request("t", {0});
    by_id.topics[0].topic_id.bytes[4] = 77;
    const auto unknown = fetch_one(world, by_id, 13);
    CHECK(unknown.error_code == code(Errc::unknown_topic_id));
    CHECK(unknown.aborted_transactions.has_value());
}

// Kafka 4.3 answers all of this as it stands here.
TEST_CASE("an isolation level that nobody knows fails the whole request", "[broker][fetch]") {
    DataWorld world;
    world.create_topic("t");
    world.send("t", 0, make_batch({"a"}));
    for (const std::int8_t level : {std::int8_t{2}, std::int8_t{-1}, std::int8_t{9}}) {
        for (const int version : {4, 12, 13, 18}) {
            CAPTURE(version, static_cast<int>(level));
            auto request = world.fetch_request("t", {0}, 0, 60'000);
            request.isolation_level = level;
            Client client;
            auto answer = world.fetch(client, request, version);
            world.wait(answer);
            REQUIRE(answer->here());
            CHECK(wire::expressible(*answer->response, version).ok());
            CHECK(answer->response->error_code == code(Errc::unknown_server_error));
            CHECK(answer->response->session_id == 0);
            if (version >= 13) {
                CHECK(answer->response->responses.empty());
                continue;
            }
            CHECK(only(answer).error_code == code(Errc::unknown_server_error));
            CHECK(only(answer).high_watermark == -1);
            CHECK(only(answer).records.size_bytes() == 0);
        }
    }
}

TEST_CASE("any negative epoch means that none was given", "[broker][fetch]") {
    DataWorld world;
    world.create_topic("t");
    world.send("t", 0, make_batch({"a"}));
    for (const std::int32_t epoch : {-1, -2, std::numeric_limits<std::int32_t>::min()}) {
        CAPTURE(epoch);
        auto request = world.fetch_request("t", {0});
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        request.topics[0].partitions[0].last_fetched_epoch = epoch;
        const auto data = fetch_one(world, request);
        CHECK(data.error_code == 0);
        CHECK(values_of(bytes_of(data.records)).size() == 1);
    }
}

TEST_CASE("a partition that is named twice is answered once, as it was asked last", "[broker]") {
    DataWorld world;
    world.create_topic("t", 2);
    world.send("t", 0, make_batch({"a"}));
    auto request = world.fetch_request("t", {0, 1, 0});
    request.topics[0].partitions[2].fetch_offset = 77;
    request.topics.push_back(request.topics[0]);
    request.topics[1].topic = "zz";
    request.topics[1].partitions.assign(1000, request.topics[0].partitions[0]);
    request.session_epoch = GENERATE(-1, 0);
    Client client;
    auto answer = world.fetch(client, request);
    world.wait(answer);
    REQUIRE(answer->here());
    const auto& topics = answer->response->responses;
    REQUIRE(topics.size() == 2);
    REQUIRE(topics[0].partitions.size() == 2);
    CHECK(topics[0].partitions[0].partition_index == 0);
    CHECK(topics[0].partitions[0].error_code == code(Errc::offset_out_of_range));
    CHECK(topics[0].partitions[1].partition_index == 1);
    CHECK(topics[0].partitions[1].error_code == 0);
    CHECK(topics[1].topic == "zz");
    CHECK(topics[1].partitions.size() == 1);
}

TEST_CASE("an old epoch is fenced, an old history is told where it ends", "[broker][fetch]") {
    DataWorld world;
    world.create_topic("t");
    world.send("t", 0, make_batch({"a", "b"}));
    world.lead("t", 0, BrokerId{1}, 5);
    world.send("t", 0, make_batch({"c"}));
    auto request = world.fetch_request("t", {0}, 0);
    request.topics[0].partitions[0].current_leader_epoch = 0;
    CHECK(fetch_one(world, request).error_code == code(Errc::fenced_leader_epoch));
    // Who leads is told from version 16 on, as Kafka does, though the field is there before.
    CHECK(fetch_one(world, request).current_leader.leader_epoch == -1);
    auto by_id = request;
    by_id.topics[0].topic_id = world.state.topic("t")->id();
    CHECK(fetch_one(world, by_id, 15).current_leader.leader_epoch == -1);
    const auto told = fetch_one(world, by_id, 16);
    CHECK(told.error_code == code(Errc::fenced_leader_epoch));
    CHECK(told.current_leader.leader_epoch == 5);
    CHECK(told.current_leader.leader_id == 1);

    request.topics[0].partitions[0].current_leader_epoch = 5;
    request.topics[0].partitions[0].last_fetched_epoch = 0;
    request.topics[0].partitions[0].fetch_offset = 3;
    const auto data = fetch_one(world, request);
    CHECK(data.error_code == 0);
    CHECK(data.diverging_epoch.epoch == 0);
    CHECK(data.diverging_epoch.end_offset == 2);
    CHECK(data.records.empty());
}

TEST_CASE("a fetch waits for min_bytes, and no longer than max_wait_ms", "[broker][fetch]") {
    DataWorld world;
    world.create_topic("t", 2);
    Client client;
    const auto waited = [&](const AnswerPtr<wire::FetchResponse>& answer) {
        const MonoTime begin = world.world.now();
        world.wait(answer);
        REQUIRE(answer->here());
        return std::chrono::duration_cast<Millis>(world.world.now() - begin).count();
    };
    SECTION("nothing comes") {
        auto answer = world.fetch(client, world.fetch_request("t", {0, 1}, 0, 500));
        world.run_turns();
        CHECK_FALSE(answer->here());
        CHECK(world.watch_count() > 0);
        CHECK(waited(answer) >= 490);
        CHECK(answer->response->responses[0].partitions.size() == 2);
        CHECK(world.watch_count() == 0);
    }
    SECTION("something comes") {
        auto answer = world.fetch(client, world.fetch_request("t", {0, 1}, 0, 60'000));
        world.run_turns();
        world.send("t", 1, make_batch({"x"}));
        CHECK(waited(answer) < 100);
        CHECK(values_of(bytes_of(answer->response->responses[0].partitions[1].records)) ==
              std::vector<std::string>{"x"});
        CHECK(world.watch_count() == 0);
    }
    SECTION("less than min_bytes, then enough") {
        auto request = world.fetch_request("t", {0}, 0, 60'000);
        request.min_bytes = 150;
        auto answer = world.fetch(client, request);
        world.send("t", 0, make_batch({"x"}));
        world.run_turns();
        CHECK_FALSE(answer->here());
        world.send("t", 0, make_batch({std::string(100, 'y')}));
        CHECK(waited(answer) < 100);
        CHECK(values_of(bytes_of(only(answer).records)).size() == 2);
        CHECK(world.watch_count() == 0);
    }
    SECTION("a wait of nothing") {
        CHECK(waited(world.fetch(client, world.fetch_request("t", {0}, 0, 0))) < 5);
        CHECK(waited(world.fetch(client, world.fetch_request("t", {0}, 0, -1))) < 5);
    }
    SECTION("no partitions") {
        auto request = world.fetch_request("t", {}, 0, 60'000);
        CHECK(waited(world.fetch(client, request)) < 5);
    }
}

TEST_CASE("a fetch that waits is answered in the turn that appended", "[broker][fetch]") {
    DataWorld world;
    world.create_topic("t", 1, {{"kq.durability", "replicated"}});
    Client consumer;
    auto answer = world.fetch(consumer, world.fetch_request("t", {0}, 0, 60'000));
    world.run_turns();
    REQUIRE_FALSE(answer->here());

    Client producer;
    const Bytes batch = make_batch({"x"});
    auto sent = world.produce(producer, world.produce_request("t", 0, batch));
    // The turn that runs the produce handler writes, answers it, and answers the fetch.
    while (!sent->here())
        REQUIRE(world.world.step());
    REQUIRE(answer->here());
    CHECK(values_of(bytes_of(only(answer).records)) == std::vector<std::string>{"x"});
}

TEST_CASE("consumers do not see what is not safe yet", "[broker][fetch][I2]") {
    DataWorld world;
    world.create_topic("t");
    world.pool->set_delay(50ms, 60ms);
    Client client;
    const Bytes batch = make_batch({"x"});
    auto sent = world.produce(client, world.produce_request("t", 0, batch));
    world.run_turns();
    CHECK_FALSE(sent->here());
    CHECK(world.partition("t", 0)->log()->log_end() == Offset{1});
    const auto before = fetch_one(world, world.fetch_request("t", {0}));
    CHECK(before.records.empty());
    CHECK(before.high_watermark == 0);
    world.wait(sent);
    CHECK(world.read("t", 0) == std::vector<std::string>{"x"});
}

TEST_CASE("limits bind all but the first batch", "[broker][fetch][KIP-74]") {
    for (const std::size_t loops : {std::size_t{1}, std::size_t{3}}) {
        CAPTURE(loops);
        DataWorld world({.loops = loops});
        world.create_topic("t", 6);
        for (int i = 0; i < 6; ++i) {
            world.send("t", i, make_batch({std::string(1000, 'x')}));
            world.send("t", i, make_batch({std::string(1000, 'y')}));
        }
        const auto total = [](const AnswerPtr<wire::FetchResponse>& answer) {
            std::size_t bytes = 0;
            for (const auto& partition : answer->response->responses[0].partitions) {
                bytes += partition.records.size_bytes();
            }
            return bytes;
        };
        const std::size_t one = make_batch({std::string(1000, 'x')}).size();
        Client client;
        const auto fetch = [&](int max_bytes, int partition_max_bytes) {
            auto request = world.fetch_request("t", {0, 1, 2, 3, 4, 5});
            request.max_bytes = max_bytes;
            for (auto& partition : request.topics[0].partitions) {
                partition.partition_max_bytes = partition_max_bytes;
            }
            auto answer = world.fetch(client, request);
            world.wait(answer);
            REQUIRE(answer->here());
            CHECK(answer->response->responses[0].partitions.size() == 6);
            return total(answer);
        };
        CHECK(fetch(1, 1) == one);  // the first batch, whole
        CHECK(fetch(0, 0) == one);
        CHECK(fetch(1 << 20, 1) >= one);  // and nothing of the others
        CHECK(fetch(1 << 20, 1) < 2 * one);
        CHECK(fetch(1 << 20, static_cast<int>(one)) == 6 * one);
        CHECK(fetch(1 << 20, 1 << 20) == 12 * one);
        CHECK(fetch(static_cast<int>(3 * one), 1 << 20) <= 3 * one);
        CHECK(fetch(static_cast<int>(3 * one), 1 << 20) >= one);
    }
}

namespace {

// Whether the records of an answer are in memory of their own, other than in a file.
bool is_in_memory(const PartitionData& data) {
    for (const auto& piece : data.records.chain()->pieces()) {
        if (std::holds_alternative<FileSlice>(piece)) return false;
    }
    return true;
}

}  // namespace

TEST_CASE("cold records are read a little at a time, into bounded memory", "[broker][fetch][I33]") {
    DataWorld world;
    world.create_topic("t", 1, {{"max.message.bytes", "4000000"}});
    const std::string large(2'000'000, 'l');
    world.send("t", 0, make_batch({large}));
    const std::string some(300'000, 's');
    for (int i = 0; i < 130; ++i)  // more than the end that is taken to be cached
        world.send("t", 0, make_batch({some + std::to_string(i)}));
    const std::string log = "/data0/t-0/00000000000000000000.log";
    auto& fetches = world.plane->data_loop(0).fetches;
    auto request = world.fetch_request("t", {0}, 1);
    request.max_bytes = request.topics[0].partitions[0].partition_max_bytes = 4 << 20;

    SECTION("whole batches, at most a megabyte") {
        world.files.go_cold(log);
        const auto data = fetch_one(world, request);
        CHECK(is_in_memory(data));
        const auto values = values_of(bytes_of(data.records), 1);
        REQUIRE(values.size() == 3);
        CHECK(values[2] == some + "2");
        CHECK(data.records.size_bytes() <= 1 << 20);
        CHECK(fetch_one(world, request).records.size_bytes() == data.records.size_bytes());
    }
    SECTION("a larger first batch comes whole") {
        world.files.go_cold(log);
        request.topics[0].partitions[0].fetch_offset = 0;
        const auto values = values_of(bytes_of(fetch_one(world, request).records));
        REQUIRE(values.size() == 1);
        CHECK(values[0] == large);
    }
    SECTION("what is warm is sent from the file, as much as was asked for") {
        const auto data = fetch_one(world, request);
        CHECK_FALSE(is_in_memory(data));
        CHECK(values_of(bytes_of(data.records), 1).size() == 13);
    }
    SECTION("clients that do not read hold no more than the budget, and others are served") {
        std::vector<Client> clients(80);
        std::vector<AnswerPtr<wire::FetchResponse>> answers;
        std::size_t in_memory = 0;
        for (Client& client : clients) {
            world.files.go_cold(log);
            answers.push_back(world.fetch(client, request));
            world.wait(answers.back());
            const PartitionData& data = only(answers.back());
            CHECK(values_of(bytes_of(data.records), 1).size() == 3);
            if (is_in_memory(data)) ++in_memory;
            CHECK(fetches.cold_bytes() <= 64 << 20);
        }
        CHECK(in_memory == 64);
        answers.clear();
        CHECK(fetches.cold_bytes() == 0);
    }
    SECTION("a client that leaves while its records are read leaves nothing") {
        world.files.go_cold(log);
        Client client;
        auto answer = world.fetch(client, request);
        world.on_loop(0, [&] { answer->asker->leave(); });
        world.run_turns();
        CHECK_FALSE(answer->here());
        CHECK(fetches.cold_bytes() == 0);
    }
    SECTION("a disk that fails is told") {
        world.files.go_cold(log);
        CHECK(fetch_one(world, request).error_code == 0);  // the index is warm now
        world.files.go_cold(log);
        world.files.fail_reads(log);
        CHECK(fetch_one(world, request).error_code == code(Errc::kafka_storage_error));
        CHECK(fetches.cold_bytes() == 0);
    }
    CHECK(world.watch_count() == 0);
}

TEST_CASE("a topic that is deleted ends the fetches that wait for it", "[broker][fetch]") {
    DataWorld world;
    world.create_topic("t");
    Client client;
    auto answer = world.fetch(client, world.fetch_request("t", {0}, 0, 60'000));
    world.run_turns();
    world.delete_topic("t");
    world.wait(answer, 1s);
    REQUIRE(answer->here());
    CHECK(only(answer).error_code == code(Errc::not_leader_or_follower));
    CHECK(world.watch_count() == 0);
    world.world.run_for(90s);
    const auto names = world.files.list("/data0").value();
    for (const std::string& name : names) {
        CHECK(name.find("t-0") == std::string::npos);  // renamed at once, unlinked after a while
    }
    // The name is free for another topic at once.
    world.create_topic("t");
    CHECK(world.send("t", 0, make_batch({"new"})).base_offset == 0);
    CHECK(world.read("t", 0) == std::vector<std::string>{"new"});
}

TEST_CASE("a name may be used again while the old topic's files are there", "[broker]") {
    DataWorld world({.loops = 3});
    world.create_topic("t", 4);
    for (int i = 0; i < 4; ++i)
        world.send("t", i, make_batch({"old"}));
    world.pool->set_delay(5ms, 20ms);
    for (int round = 0; round < 3; ++round) {
        world.delete_topic("t");
        world.create_topic("t", 4);
        for (int i = 0; i < 4; ++i) {
            CHECK(world.send("t", i, make_batch({"new"})).base_offset == 0);
            CHECK(world.read("t", i) == std::vector<std::string>{"new"});
        }
    }
    CHECK(world.watch_count() == 0);
}

TEST_CASE("leadership that moves ends the fetches that wait", "[broker][fetch]") {
    DataWorld world;
    world.create_topic("t");
    Client client;
    auto answer = world.fetch(client, world.fetch_request("t", {0}, 0, 60'000));
    world.run_turns();
    world.lead("t", 0, BrokerId{2}, 1, {BrokerId{2}});
    world.wait(answer, 1s);
    CHECK(only(answer).error_code == code(Errc::not_leader_or_follower));
    CHECK(world.watch_count() == 0);
}

TEST_CASE("a fetch whose connection closes leaves nothing behind", "[broker][fetch][I34]") {
    for (const std::size_t loops : {std::size_t{1}, std::size_t{3}}) {
        DataWorld world({.loops = loops});
        world.create_topic("t", 5);
        Client client;
        auto answer = world.fetch(client, world.fetch_request("t", {0, 1, 2, 3, 4}, 0, 60'000));
        world.run_turns();
        CHECK(world.watch_count() > 5);
        CHECK(world.metrics.value("kq_watches") == 5);
        world.on_loop(0, [&] { answer->asker->leave(); });
        world.run_turns();
        CHECK(world.watch_count() == 0);
        CHECK(world.metrics.value("kq_watches") == 0);
        CHECK_FALSE(answer->here());
    }
}

#ifdef KQ_MUTANTS
TEST_CASE("mutant leak_watch is seen", "[broker][mutant]") {
    DataWorld world;
    world.create_topic("t");
    Client client;
    active_mutant = Mutant::leak_watch;
    auto answer = world.fetch(client, world.fetch_request("t", {0}, 0, 100));
    world.wait(answer);
    world.run_turns();
    active_mutant = Mutant::none;
    CHECK(world.metrics.value("kq_watches") == 1);
}
#endif

TEST_CASE("a broker that stops answers the fetches that wait", "[broker][fetch]") {
    DataWorld world;
    world.create_topic("t");
    Client client;
    auto answer = world.fetch(client, world.fetch_request("t", {0}, 0, 60'000));
    world.run_turns();
    REQUIRE(world.stop());
    CHECK(answer->here());
    CHECK(world.files.exists("/data0/.kafka_cleanshutdown"));
    CHECK(world.metrics.value("kq_watches") == 0);
}
