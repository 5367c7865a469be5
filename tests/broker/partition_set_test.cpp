// SPDX-License-Identifier: Apache-2.0
//
// PartitionSet and LogDirectories: images made true on disk, checkpoints, retention, restarts.
#include <algorithm>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/broker/data_world.hpp"

using namespace kq;
using namespace kq::sim;

namespace {

std::string text_of(DataWorld& world, const std::string& path) {
    auto bytes = read_file(world.files, path);
    return bytes.ok() ? std::string(as_text(bytes.value())) : "(none)";
}

std::vector<std::string> names_in(DataWorld& world, const std::string& path) {
    return world.files.list(path).value();
}

std::size_t count_with(const std::vector<std::string>& names, const std::string& part) {
    std::size_t count = 0;
    for (const auto& name : names)
        count += name.find(part) != std::string::npos ? 1 : 0;
    return count;
}

}  // namespace

TEST_CASE("a new topic has its directories when the image is applied", "[broker][partition_set]") {
    DataWorld world({.loops = 3, .directories = 2});
    world.create_topic("t", 10);
    std::ptrdiff_t both = 0;
    for (const char* directory : {"/data0", "/data1"}) {
        const auto names = names_in(world, directory);
        const auto here = std::count_if(names.begin(), names.end(), [](const std::string& name) {
            return name.starts_with("t-");
        });
        CHECK(here == 5);  // spread evenly
        both += here;
    }
    CHECK(both == 10);
    for (int i = 0; i < 10; ++i) {
        REQUIRE(world.partition("t", i) != nullptr);
        CHECK(std::holds_alternative<Leader>(world.partition("t", i)->role()));
    }
    CHECK(world.metrics.value("kq_partitions") == 10);
    CHECK(world.metrics.value("kq_offline_partitions") == 0);
}

TEST_CASE("partitions of other brokers are not kept here", "[broker][partition_set]") {
    DataWorld world;
    world.create_topic("t", 1);
    TopicImage topic = *world.state.topic(std::string_view("t"));
    auto registration = *topic.partition(PartitionIndex{0});
    registration.replicas = {BrokerId{2}};
    registration.isr = {BrokerId{2}};
    registration.leader = BrokerId{2};
    registration.leader_epoch = Epoch{1};
    registration.partition_epoch = registration.partition_epoch + 1;
    EditSession edit;
    topic.put(edit, PartitionIndex{0}, registration);
    auto moved = std::make_shared<const TopicImage>(topic);
    world.state.topics_by_name.put(edit, "t", moved);
    world.state.topics_by_id.put(edit, topic.id(), moved);
    world.publish();
    world.run_turns();
    CHECK(world.partition("t", 0) == nullptr);
    CHECK(count_with(names_in(world, "/data0"), "t-0.") == 1);
    CHECK(count_with(names_in(world, "/data0"), "-delete") == 1);
}

TEST_CASE("a clean stop leaves checkpoints and the marker; a start needs no scan", "[broker]") {
    DataWorld world;
    world.create_topic("t", 2);
    world.send("t", 1, make_batch({"a", "b", "c"}));
    world.send("t", 1, make_batch({"d"}), 1);
    REQUIRE(world.stop());
    CHECK(text_of(world, "/data0/.kafka_cleanshutdown") == R"({"version":0,"brokerEpoch":7})");
    CHECK(text_of(world, "/data0/recovery-point-offset-checkpoint") == "0\n2\nt 0 0\nt 1 4\n");
    CHECK(text_of(world, "/data0/replication-offset-checkpoint") == "0\n2\nt 0 0\nt 1 4\n");
    CHECK(text_of(world, "/data0/log-start-offset-checkpoint") == "0\n0\n");
    CHECK(world.files.is_durable("/data0/t-1/00000000000000000000.log"));

    world.start();
    CHECK_FALSE(world.files.exists("/data0/.kafka_cleanshutdown"));
    CHECK(world.partition("t", 1)->log()->opened().scanned_bytes == 0);
    CHECK(world.partition("t", 1)->high_watermark() == Offset{4});
    CHECK(world.read("t", 1) == std::vector<std::string>{"a", "b", "c", "d"});
    CHECK(world.send("t", 1, make_batch({"e"})).base_offset == 4);
}

TEST_CASE("a process that dies loses nothing, and what was seen stays seen", "[broker][I1][I5]") {
    DataWorld world;
    world.create_topic("t");
    world.send("t", 0, make_batch({"a"}));
    world.send("t", 0, make_batch({"b"}), 1);  // in the page cache only
    REQUIRE(world.read("t", 0).size() == 2);
    world.kill();
    world.start();
    CHECK(world.partition("t", 0)->high_watermark() == Offset{2});
    CHECK(world.read("t", 0) == std::vector<std::string>{"a", "b"});
    // What is shown again is on the disk by now.
    world.power_off();
    world.start();
    CHECK(world.read("t", 0) == std::vector<std::string>{"a", "b"});
}

TEST_CASE("checkpoints are written while the broker runs, and only when needed", "[broker]") {
    DataWorld world;
    world.create_topic("t");
    world.world.run_for(10s);
    BatchOf of;
    of.values = {"a", "b"};
    of.timestamp = to_ms(world.clock.wall());  // not so old that retention takes it
    world.send("t", 0, make_batch(of));
    world.world.run_for(6s);
    CHECK(text_of(world, "/data0/replication-offset-checkpoint") == "0\n1\nt 0 2\n");
    CHECK(text_of(world, "/data0/recovery-point-offset-checkpoint") == "0\n1\nt 0 2\n");
    // A quiet broker syncs nothing.
    const auto syncs = world.files.sync_count();
    world.world.run_for(std::chrono::hours(1));
    CHECK(world.files.sync_count() == syncs);
}

TEST_CASE("old segments go by time and by size", "[broker][retention]") {
    DataWorld world({.config = {{"log.retention.check.interval.ms", "1000"}}});
    world.create_topic("age", 1, {{"retention.ms", "3600000"}, {"segment.ms", "600000"}});
    world.create_topic("size", 1, {{"retention.bytes", "2500000"}, {"segment.bytes", "1048576"}});
    const auto now = [&] { return to_ms(world.world.clock().wall()); };
    for (int i = 0; i < 6; ++i) {
        BatchOf of;
        of.timestamp = now();
        of.values = {std::to_string(i) + std::string(900'000, 'x')};
        REQUIRE(world.send("age", 0, make_batch(of)).error_code == 0);
        REQUIRE(world.send("size", 0, make_batch(of)).error_code == 0);
        world.world.run_for(std::chrono::minutes(15));
    }
    const auto first = [&](const std::string& topic) {
        return world.partition(topic, 0)->log()->log_start().value;
    };
    CHECK(first("size") >= 2);
    CHECK(first("size") <= 4);
    CHECK(first("age") >= 1);
    CHECK(first("age") < 6);
    const auto start = first("age");
    Client client;
    auto answer = world.fetch(client, world.fetch_request("age", {0}, start - 1));
    world.wait(answer);
    CHECK(answer->response->responses[0].partitions[0].error_code ==
          static_cast<std::int16_t>(Errc::offset_out_of_range));
    CHECK(count_with(names_in(world, "/data0/age-0"), "00000000000000000000.") == 0);
    // After a restart the log still begins where it did.
    world.restart_after_kill();
    CHECK(first("age") == start);
}

namespace {

Bytes fresh_batch(DataWorld& world, const std::string& value) {
    BatchOf of;
    of.timestamp = to_ms(world.clock.wall());  // not so old that retention takes it
    of.values = {value};
    return make_batch(of);
}

// A topic "t" of one batch a segment: five of them, of which retention.bytes keeps two.
void fill_segments(DataWorld& world, std::map<std::string, std::string> configs = {}) {
    configs.insert({{"segment.bytes", "1048576"}, {"retention.bytes", "-1"}});
    world.create_topic("t", 1, configs);
    for (int i = 0; i < 5; ++i) {
        const auto value = std::to_string(i) + std::string(900'000, 'x');
        REQUIRE(world.send("t", 0, fresh_batch(world, value)).error_code == 0);
    }
    configs["retention.bytes"] = "1000000";
    world.set_topic_config("t", configs);
    world.publish();
}

Offset start_of_t(DataWorld& world) {
    return world.partition("t", 0)->log()->log_start();
}

}  // namespace

TEST_CASE("segments are renamed, and unlinked after file.delete.delay.ms", "[broker][retention]") {
    DataWorld world({.config = {{"log.retention.check.interval.ms", "1000"}}});
    fill_segments(world, {{"file.delete.delay.ms", "30000"}});
    REQUIRE(world.world.run_until([&] { return start_of_t(world) > Offset{0}; }, 5s));
    const auto start = start_of_t(world);
    world.world.run_for(3s);
    const auto waiting = count_with(names_in(world, "/data0/t-0"), ".log.deleted");
    CHECK(waiting == static_cast<std::size_t>(start.value));
    CHECK_FALSE(world.files.exists("/data0/t-0/00000000000000000000.log"));

    SECTION("while the broker runs") {
        world.world.run_for(25s);
        CHECK(count_with(names_in(world, "/data0/t-0"), ".log.deleted") == waiting);
        world.world.run_for(5s);
        CHECK(count_with(names_in(world, "/data0/t-0"), ".deleted") == 0);
    }
    SECTION("by the next start, where it stopped before") {
        REQUIRE(world.stop());
        CHECK(count_with(names_in(world, "/data0/t-0"), ".log.deleted") == waiting);
        world.start();
        CHECK(count_with(names_in(world, "/data0/t-0"), ".deleted") == 0);
        CHECK(start_of_t(world) == start);
    }
    SECTION("with the directory, where the topic goes") {
        world.delete_topic("t");
        world.create_topic("t");
        CHECK(world.send("t", 0, fresh_batch(world, "new")).base_offset == 0);
        world.world.run_for(120s);
        CHECK(world.read("t", 0) == std::vector<std::string>{"new"});
        CHECK(world.metrics.value("kq_offline_partitions") == 0);
        CHECK(count_with(names_in(world, "/data0"), "-delete") == 0);
    }
}

TEST_CASE("a log start that was seen never goes back, whenever the power fails",
          "[broker][retention][I5]") {
    const auto seed = GENERATE(range(1u, 13u));
    DataWorld world({.config = {{"log.retention.check.interval.ms", "1000"}}, .seed = seed});
    fill_segments(world);
    world.pool->set_delay(1ms, 20ms);
    Offset seen{0};
    const auto stop_after = world.world.random().below(60);  // ms after the first sight
    REQUIRE(world.world.run_until([&] { return start_of_t(world) > Offset{0}; }, 5s));
    world.world.run_for(Millis{static_cast<std::int64_t>(stop_after)});
    seen = start_of_t(world);
    CAPTURE(seed, seen.value, stop_after);
    world.power_off();
    world.start();
    CHECK(start_of_t(world) >= seen);
    CHECK(world.partition("t", 0)->log()->log_end() == Offset{5});
}

TEST_CASE("a topic that goes while its segments do takes nothing of its successor",
          "[broker][retention]") {
    const auto seed = GENERATE(range(1u, 9u));
    DataWorld world({.config = {{"log.retention.check.interval.ms", "1000"}}, .seed = seed});
    fill_segments(world);
    world.pool->set_delay(200ms, 200ms);
    REQUIRE(world.world.run_until([&] { return start_of_t(world) > Offset{0}; }, 5s));
    world.pool->set_delay(0ms, 20ms);  // of what comes behind the renaming
    world.delete_topic("t");
    world.create_topic("t");
    CHECK(world.send("t", 0, fresh_batch(world, "new")).base_offset == 0);
    world.world.run_for(200s);
    CHECK(world.files.exists("/data0/t-0/00000000000000000000.log"));
    CHECK(world.read("t", 0) == std::vector<std::string>{"new"});
    CHECK(world.metrics.value("kq_offline_partitions") == 0);
}

TEST_CASE("a topic made anew does not begin where the one before it ended", "[broker][I1]") {
    DataWorld world({.config = {{"log.retention.check.interval.ms", "1000"}}});
    fill_segments(world);
    world.world.run_for(20s);
    REQUIRE(start_of_t(world) > Offset{0});
    // As DeleteRecords leaves it: its log start stands in a checkpoint file for good.
    world.kill();
    REQUIRE(
        replace_file(world.files, "/data0/log-start-offset-checkpoint", as_bytes("0\n1\nt 0 5\n"))
            .ok());
    world.start();
    world.world.run_for(20s);
    world.delete_topic("t");
    world.create_topic("t");
    CHECK(world.send("t", 0, fresh_batch(world, "new")).base_offset == 0);
    GENERATE(true, false) ? world.kill() : world.power_off();
    world.start();
    CHECK(world.read("t", 0) == std::vector<std::string>{"new"});
    CHECK(world.partition("t", 0)->log()->opened().findings.empty());
}

TEST_CASE("checkpoints of a partition that is gone say nothing of the next one", "[broker][I1]") {
    DataWorld world;
    world.create_topic("other");
    REQUIRE(world.stop());
    for (const char* file : {"log-start-offset-checkpoint", "recovery-point-offset-checkpoint",
                             "replication-offset-checkpoint"}) {
        REQUIRE(replace_file(world.files, std::string("/data0/") + file, as_bytes("0\n1\nt 0 5\n"))
                    .ok());
    }
    world.start();
    world.create_topic("t");
    CHECK(world.send("t", 0, fresh_batch(world, "new")).base_offset == 0);
    GENERATE(true, false) ? world.kill() : world.power_off();
    world.start();
    CHECK(world.read("t", 0) == std::vector<std::string>{"new"});
    CHECK(world.partition("t", 0)->log()->opened().findings.empty());
}

TEST_CASE("a full disk does not keep retention from making room", "[broker][retention]") {
    DataWorld world({.config = {{"log.retention.check.interval.ms", "1000"}}});
    fill_segments(world, {{"file.delete.delay.ms", "1000"}});
    world.files.set_capacity(world.files.used_bytes());
    const auto used = world.files.used_bytes();
    world.world.run_for(10s);
    CHECK(start_of_t(world) > Offset{0});
    CHECK(world.files.used_bytes() < used);
    CHECK(world.send("t", 0, fresh_batch(world, "x")).error_code == 0);
}

TEST_CASE("checkpoints keep what they say of logs that are not open yet", "[broker][I5]") {
    const auto seed = GENERATE(range(1u, 13u));
    DataWorld world(
        {.config = {{"replica.high.watermark.checkpoint.interval.ms", "1"}}, .seed = seed});
    world.create_topic("a");
    world.create_topic("b");
    for (const char* topic : {"a", "b"}) {
        for (int i = 0; i < 4; ++i)
            world.send(topic, 0, make_batch({"x"}));
    }
    REQUIRE(world.stop());
    // As DeleteRecords leaves it: the log begins inside of its first segment.
    REQUIRE(replace_file(world.files, "/data0/log-start-offset-checkpoint",
                         as_bytes("0\n2\na 0 1\nb 0 3\n"))
                .ok());
    world.start_slowly(Millis{1}, Millis{1000});
    world.world.run_for(Millis{static_cast<std::int64_t>(world.world.random().below(2000))});
    world.kill();
    CAPTURE(seed, text_of(world, "/data0/log-start-offset-checkpoint"));
    world.start();
    CHECK(world.partition("a", 0)->log()->log_start() == Offset{1});
    CHECK(world.partition("b", 0)->log()->log_start() == Offset{3});
    CHECK(world.partition("b", 0)->high_watermark() == Offset{4});
}

TEST_CASE("a wall clock that jumps deletes nothing for an hour", "[broker][retention][I36]") {
    DataWorld world({.config = {{"log.retention.check.interval.ms", "1000"}}});
    world.create_topic("t", 1, {{"retention.ms", "3600000"}, {"segment.ms", "600000"}});
    BatchOf of;
    of.timestamp = to_ms(world.world.clock().wall());
    world.send("t", 0, make_batch(of));
    world.world.run_for(5s);
    world.clock.jump_wall(std::chrono::hours(24));
    world.world.run_for(std::chrono::minutes(59));
    CHECK(world.partition("t", 0)->log()->log_start() == Offset{0});
    CHECK(world.sink.contains("the wall clock jumped"));
    // A clock that stays there is believed in the end.
    world.world.run_for(std::chrono::minutes(5));
    CHECK(world.partition("t", 0)->log()->log_start() == Offset{1});
}

TEST_CASE("directories that the cluster does not know are put aside", "[broker][partition_set]") {
    DataWorld world;
    world.create_topic("keep");
    world.create_topic("gone");
    world.send("gone", 0, make_batch({"x"}));
    world.send("keep", 0, make_batch({"y"}));
    world.kill();
    const Uuid id = world.id_of("gone");
    EditSession edit;
    world.state.topics_by_name.erase(edit, "gone");
    world.state.topics_by_id.erase(edit, id);
    world.start();
    world.run_turns();
    CHECK(count_with(names_in(world, "/data0"), "gone-0") == 1);
    CHECK(count_with(names_in(world, "/data0"), "-stray") == 1);
    CHECK(world.read("keep", 0) == std::vector<std::string>{"y"});

    SECTION("and the name is free") {
        world.create_topic("gone");
        CHECK(world.send("gone", 0, make_batch({"z"})).base_offset == 0);
    }
}

TEST_CASE("a topic made anew while the broker was down does not get the old records", "[broker]") {
    DataWorld world;
    world.create_topic("t");
    world.send("t", 0, make_batch({"old"}));
    world.kill();
    const Uuid id = world.id_of("t");
    EditSession edit;
    world.state.topics_by_name.erase(edit, "t");
    world.state.topics_by_id.erase(edit, id);
    world.image = std::make_shared<const MetadataState>(world.state);
    world.start();
    world.create_topic("t");
    CHECK(world.read("t", 0).empty());
    CHECK(world.send("t", 0, make_batch({"new"})).base_offset == 0);
}

TEST_CASE("what was being deleted when the process died is deleted after the start", "[broker]") {
    DataWorld world;
    world.create_topic("t");
    world.send("t", 0, make_batch({"x"}));
    world.delete_topic("t");
    world.run_turns();
    REQUIRE(count_with(names_in(world, "/data0"), "-delete") == 1);
    world.restart_after_kill();
    world.world.run_for(5s);
    CHECK(count_with(names_in(world, "/data0"), "-delete") == 0);
}

TEST_CASE("settings that change count from then on", "[broker][partition_set]") {
    DataWorld world;
    world.create_topic("t");
    CHECK(world.send("t", 0, make_batch({std::string(5000, 'x')})).error_code == 0);
    world.set_topic_config("t", {{"max.message.bytes", "1000"}});
    world.publish();
    CHECK(world.send("t", 0, make_batch({std::string(5000, 'x')})).error_code ==
          static_cast<std::int16_t>(Errc::message_too_large));
    world.set_topic_config("t", {});
    world.publish();
    CHECK(world.send("t", 0, make_batch({std::string(5000, 'x')})).error_code == 0);
    world.set_topic_config("t", {{"message.timestamp.type", "LogAppendTime"}});
    world.publish();
    const auto stamped = world.send("t", 0, make_batch({"y"}));
    CHECK(stamped.error_code == 0);
    CHECK(stamped.log_append_time_ms >= to_ms(world.clock.wall()) - 10);
    CHECK(stamped.log_append_time_ms <= to_ms(world.clock.wall()));
}

TEST_CASE("flush.ms bounds how long records lie in memory only", "[broker][partition_set]") {
    DataWorld world;
    world.create_topic("t", 1, {{"flush.ms", "2000"}, {"kq.durability", "replicated"}});
    world.send("t", 0, make_batch({"x"}));
    world.world.run_for(1s);
    CHECK_FALSE(world.files.is_durable("/data0/t-0/00000000000000000000.log"));
    world.world.run_for(2s);
    CHECK(world.files.is_durable("/data0/t-0/00000000000000000000.log"));
}

TEST_CASE("one sync round serves everybody who waits", "[broker][partition_set]") {
    DataWorld world;
    world.create_topic("t", 4);
    world.pool->set_delay(10ms, 10ms);
    const auto rounds = [&] { return world.metrics.value("kq_sync_rounds_total"); };
    world.send("t", 0, make_batch({"warm"}));
    const auto before = rounds();
    std::vector<Client> clients(8);
    std::vector<AnswerPtr<wire::ProduceResponse>> answers;
    const Bytes batch = make_batch({"x"});
    for (std::size_t i = 0; i < clients.size(); ++i) {
        answers.push_back(
            world.produce(clients[i], world.produce_request("t", static_cast<int>(i % 4), batch)));
    }
    for (auto& answer : answers)
        world.wait(answer);
    CHECK(rounds() - before <= 2);
    CHECK(world.watch_count() == 0);
}

TEST_CASE("a full disk at the making of a topic is got over", "[broker][partition_set]") {
    DataWorld world;
    world.create_topic("first");
    world.files.set_capacity(world.files.used_bytes());
    world.create_topic("second");
    CHECK(world.send("second", 0, make_batch()).error_code ==
          static_cast<std::int16_t>(Errc::kafka_storage_error));
    CHECK(world.read("first", 0).empty());
    world.files.set_capacity(std::uint64_t{1} << 40);
    world.world.run_for(10s);
    CHECK(world.send("second", 0, make_batch({"x"})).error_code == 0);
}

TEST_CASE("thousands of partitions are taken in over several turns, images in order", "[broker]") {
    DataWorld world;
    world.create_topic("few");
    world.waits_until_applied = false;
    world.create_topic("many", 2500);
    std::int64_t before = 1;
    int turns = 0;
    while (!world.applied()) {
        REQUIRE(world.world.step());
        const auto now = world.metrics.value("kq_partitions");
        CHECK(now - before <= 1000);
        turns += now > before ? 1 : 0;
        before = now;
    }
    CHECK(before == 2501);
    CHECK(turns == 3);
    // What was said before these are there is done before them.
    world.create_topic("more", 1500);
    world.delete_topic("many");
    world.delete_topic("more");
    world.create_topic("last", 3);
    REQUIRE(
        world.world.run_until([&] { return world.metrics.value("kq_partitions") > 3400; }, 60s));
    REQUIRE(world.world.run_until([&] { return world.metrics.value("kq_partitions") == 4; }, 60s));
    world.run_turns();
    CHECK(world.metrics.value("kq_partitions") == 4);
    CHECK(world.stop());
}

TEST_CASE("a broker stops while thousands of partitions are taken in", "[broker]") {
    DataWorld world;
    world.waits_until_applied = false;
    world.create_topic("many", 2500);
    REQUIRE(world.world.run_until([&] { return world.metrics.value("kq_partitions") > 0; }, 10s));
    CHECK(world.stop());
    world.waits_until_applied = true;
    world.start();
    world.publish();
    CHECK(world.metrics.value("kq_partitions") == 2500);
}
