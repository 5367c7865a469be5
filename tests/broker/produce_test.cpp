// SPDX-License-Identifier: Apache-2.0
//
// Produce: every way to be answered, and the log unchanged by what is refused (RELIABILITY 2).
#include <functional>
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

Bytes changed(Bytes batch, const std::function<void(Bytes&)>& change, bool reseal = true) {
    change(batch);
    if (reseal) seal(batch);
    return batch;
}

}  // namespace

TEST_CASE("batches are appended and answered with their offsets", "[broker][produce]") {
    DataWorld world;
    world.create_topic("t");
    for (const std::int16_t acks : {std::int16_t{-1}, std::int16_t{1}, std::int16_t{0}}) {
        CAPTURE(acks);
        DataWorld fresh;
        fresh.create_topic("t");
        const auto first = fresh.send("t", 0, make_batch({"a", "b"}), acks);
        CHECK(first.error_code == 0);
        CHECK(first.base_offset == 0);
        CHECK(first.log_append_time_ms == -1);
        CHECK(first.log_start_offset == 0);
        CHECK(fresh.send("t", 0, make_batch({"c"}), acks).base_offset == 2);
        CHECK(fresh.read("t", 0) == std::vector<std::string>{"a", "b", "c"});
        CHECK(fresh.read("t", 0, 1) == std::vector<std::string>{"b", "c"});
        CHECK(fresh.watch_count() == 0);
    }
}

TEST_CASE("acks=all is answered when the batch is on disk, unless the topic says otherwise",
          "[broker][produce][I1]") {
    DataWorld world;
    world.create_topic("safe");
    world.create_topic("fast", 1, {{"kq.durability", "replicated"}});
    world.send("safe", 0, make_batch({"x"}));
    CHECK(world.files.is_durable("/data0/safe-0/00000000000000000000.log"));
    world.send("fast", 0, make_batch({"x"}));
    CHECK_FALSE(world.files.is_durable("/data0/fast-0/00000000000000000000.log"));
    world.send("safe", 0, make_batch({"y"}), 1);
    CHECK_FALSE(world.files.is_durable("/data0/safe-0/00000000000000000000.log"));
}

TEST_CASE("a request that is refused changes no byte of the log", "[broker][produce]") {
    struct Row {
        const char* name;
        std::function<Bytes()> batch;
        Errc code;
        int version = 9;
        bool record_errors = false;
        std::int64_t log_start = -1;  // what Kafka 4.3 says
    };
    BatchOf transactional;
    transactional.producer = 7;
    transactional.epoch = 0;
    transactional.sequence = 0;
    BatchOf no_sequence;
    no_sequence.producer = 7;
    no_sequence.epoch = 0;
    BatchOf late;
    late.timestamp = 4'000'000'000'000;
    BatchOf zstd;
    zstd.compression = Compression::zstd;
    zstd.values = {std::string(1000, 'z')};
    BatchOf gzip;
    gzip.compression = Compression::gzip;
    gzip.values = {std::string(1000, 'g')};

    const std::vector<Row> rows = {
        {"empty", [] { return Bytes(); }, Errc::invalid_record},
        {"garbage", [] { return Bytes(100, 0xAB); }, Errc::corrupt_message},
        {"half a batch",
         [] {
             Bytes batch = make_batch();
             batch.resize(batch.size() / 2);
             return batch;
         },
         Errc::invalid_record},
        {"two batches",
         [] {
             Bytes batch = make_batch();
             append(batch, make_batch());
             return batch;
         },
         Errc::invalid_record},
        {"magic 1",
         [] {
             return changed(
                 make_batch(), [](Bytes& b) { b[BatchAt::magic] = 1; }, false);
         },
         Errc::invalid_record},
        {"crc",
         [] {
             return changed(
                 make_batch(), [](Bytes& b) { b.back() ^= 1; }, false);
         },
         Errc::corrupt_message},
        {"base offset", [] { return changed(make_batch(), [](Bytes& b) { b[7] = 1; }); },
         Errc::invalid_record, 9, false, 0},
        {"count too large",
         [] { return changed(make_batch(), [](Bytes& b) { b[BatchAt::record_count + 3] = 9; }); },
         Errc::invalid_record, 9, false, 0},
        {"control batch",
         [] { return changed(make_batch(), [](Bytes& b) { b[BatchAt::attributes + 1] |= 0x20; }); },
         Errc::invalid_record, 9, false, 0},
        {"producer without sequence", [=] { return make_batch(no_sequence); }, Errc::invalid_record,
         9, false, 0},
        {"future", [=] { return make_batch(late); }, Errc::invalid_timestamp, 9, true, 0},
        {"too large", [] { return make_batch({std::string(1'100'000, 'x')}); },
         Errc::message_too_large},
        {"zstd below version 7", [=] { return make_batch(zstd); },
         Errc::unsupported_compression_type, 6},
        {"gzip stream cut short",
         [=] {
             return changed(make_batch(gzip), [](Bytes& b) {
                 for (std::size_t i = batch_header_bytes + 10; i < b.size(); ++i)
                     b[i] = 0xFF;
             });
         },
         Errc::corrupt_message},
        {"unknown codec",
         [] { return changed(make_batch(), [](Bytes& b) { b[BatchAt::attributes + 1] |= 7; }); },
         Errc::corrupt_message},
    };
    DataWorld world;
    world.create_topic("t");
    world.send("t", 0, make_batch({"good"}));
    const Bytes before = world.log_bytes("t", 0);
    for (const Row& row : rows) {
        CAPTURE(row.name);
        for (const std::int16_t acks : {std::int16_t{-1}, std::int16_t{1}}) {
            const auto answer = world.send("t", 0, row.batch(), acks, row.version);
            CHECK(std::string(name_of(errc_from_wire(answer.error_code))) ==
                  std::string(name_of(row.code)));
            CHECK(answer.base_offset == -1);
            CHECK(answer.log_start_offset == row.log_start);
            CHECK(answer.record_errors.empty() != row.record_errors);
        }
        CHECK(world.log_bytes("t", 0) == before);
        CHECK(world.watch_count() == 0);
    }
    CHECK(world.send("t", 0, make_batch({"more"})).base_offset == 1);
}

TEST_CASE("a record without key is refused where records are compacted", "[broker][produce]") {
    DataWorld world;
    world.create_topic("t", 1, {{"cleanup.policy", "compact"}});
    const auto refused = world.send("t", 0, make_batch({"a"}));
    CHECK(refused.error_code == code(Errc::invalid_record));
    REQUIRE(refused.record_errors.size() == 1);
    CHECK(refused.record_errors[0].batch_index == 0);
    BatchOf keyed;
    keyed.key = "k";
    CHECK(world.send("t", 0, make_batch(keyed)).error_code == 0);
}

TEST_CASE("what the request itself does wrong", "[broker][produce]") {
    DataWorld world;
    world.create_topic("t", 2);
    Client client;
    const auto codes = [&](wire::ProduceRequest request, int version = 9) {
        auto answer = world.produce(client, std::move(request), version);
        world.wait(answer);
        REQUIRE(answer->here());
        std::vector<std::int16_t> found;
        for (const auto& topic : answer->response->responses) {
            for (const auto& partition : topic.partition_responses) {
                found.push_back(partition.error_code);
            }
        }
        return found;
    };
    const Bytes batch = make_batch();
    using Codes = std::vector<std::int16_t>;

    SECTION("acks") {
        for (const int acks : {2, -2, 100}) {
            auto request = world.produce_request("t", 0, batch, static_cast<std::int16_t>(acks));
            request.topic_data[0].partition_data.push_back({1, wire::Records(ByteView(batch))});
            CHECK(codes(request) == Codes(2, code(Errc::invalid_required_acks)));
        }
    }
    SECTION("a negative timeout, whether or not it counts") {
        for (const int acks : {-1, 1}) {
            auto request = world.produce_request("t", 0, batch, static_cast<std::int16_t>(acks));
            request.topic_data[0].partition_data.push_back({1, wire::Records(ByteView(batch))});
            request.timeout_ms = -1;
            CHECK(codes(request) == Codes(2, code(Errc::invalid_request)));
            CHECK(world.read("t", 0).empty());
        }
    }
    SECTION("unknown topics and partitions, beside a good one") {
        auto request = world.produce_request("t", 0, batch);
        for (const int partition : {2, -1, 1}) {
            request.topic_data[0].partition_data.push_back(
                {partition, wire::Records(ByteView(batch))});
        }
        request.topic_data.push_back(world.produce_request("nope", 0, batch).topic_data[0]);
        const auto unknown = code(Errc::unknown_topic_or_partition);
        CHECK(codes(request) == Codes{0, unknown, unknown, 0, unknown});
    }
    SECTION("topic ids from version 13 on") {
        auto request = world.produce_request("t", 0, batch);
        CHECK(codes(request, 13) == Codes{0});
        request.topic_data[0].topic_id.bytes[3] = 9;
        CHECK(codes(request, 13) == Codes{code(Errc::unknown_topic_id)});
    }
    SECTION("no records at all") {
        auto request = world.produce_request("t", 0, batch);
        request.topic_data[0].partition_data[0].records = wire::Records();
        CHECK(codes(request) == Codes{code(Errc::invalid_record)});
    }
    SECTION("of a partition that is named twice the later batch is written, and answered") {
        const Bytes later = make_batch({"later"});
        auto request = world.produce_request("t", 0, batch);
        request.topic_data[0].partition_data.push_back({1, wire::Records(ByteView(batch))});
        request.topic_data[0].partition_data.push_back({0, wire::Records(ByteView(later))});
        request.topic_data.push_back(request.topic_data[0]);
        request.topic_data[1].partition_data = {{0, wire::Records(ByteView(later))}};
        CHECK(codes(request) == Codes{0, 0});
        CHECK(world.read("t", 0) == std::vector<std::string>{"later"});
    }
    SECTION("internal topics are written by nobody but Kafka's own admin client") {
        world.create_topic("__consumer_offsets");
        auto request = world.produce_request("__consumer_offsets", 0, batch);
        CHECK(codes(request) == Codes{code(Errc::invalid_topic_exception)});
        client.id = "__admin_client";
        CHECK(codes(request) == Codes{0});
    }
    SECTION("transactions") {
        BatchOf of;
        of.producer = 7;
        of.epoch = 0;
        of.sequence = 0;
        of.transactional = true;
        const Bytes transactional = make_batch(of);
        auto request = world.produce_request("t", 0, transactional);
        request.topic_data[0].partition_data.push_back({1, wire::Records(ByteView(batch))});
        CHECK(codes(request) == Codes(2, code(Errc::transactional_id_authorization_failed)));
        request.transactional_id = "tx";
        CHECK(codes(request, 11) == Codes{code(Errc::transaction_abortable), 0});
        CHECK(codes(request, 10) == Codes{code(Errc::invalid_txn_state), 0});
    }
    SECTION("an empty request has an empty answer") {
        wire::ProduceRequest request;
        request.acks = -1;
        CHECK(codes(request).empty());
    }
    CHECK(world.watch_count() == 0);
}

TEST_CASE("a broker that does not lead says who does", "[broker][produce][KIP-951]") {
    DataWorld world;
    auto registration = std::make_shared<BrokerRegistration>();
    registration->id = BrokerId{2};
    registration->endpoints.push_back({"PLAINTEXT", "two.example", 9092, 0});
    EditSession edit;
    world.state.brokers.put(edit, BrokerId{2},
                            std::shared_ptr<const BrokerRegistration>(registration));
    world.create_topic("t", 1, {}, BrokerId{2});
    Client client;
    for (const int version : {9, 10, 13}) {
        CAPTURE(version);
        const Bytes batch = make_batch();
        auto answer = world.produce(client, world.produce_request("t", 0, batch), version);
        world.wait(answer);
        REQUIRE(answer->here());
        const auto& partition = answer->response->responses[0].partition_responses[0];
        CHECK(partition.error_code == code(Errc::not_leader_or_follower));
        CHECK(partition.current_leader.leader_id == (version >= 10 ? 2 : -1));
        CHECK(answer->response->node_endpoints.size() == (version >= 10 ? 1 : 0));
        CHECK(wire::expressible(*answer->response, version).ok());
    }
}

TEST_CASE("duplicates are answered with their first offset, gaps are refused", "[I12][I13]") {
    DataWorld world;
    world.create_topic("t");
    const auto from = [](int sequence, std::vector<std::string> values) {
        BatchOf of;
        of.producer = 9;
        of.epoch = 0;
        of.sequence = sequence;
        of.values = std::move(values);
        return make_batch(of);
    };
    CHECK(world.send("t", 0, from(0, {"a"})).base_offset == 0);
    CHECK(world.send("t", 0, from(1, {"b"})).base_offset == 1);
    CHECK(world.send("t", 0, from(0, {"a"})).base_offset == 0);
    const auto gap = world.send("t", 0, from(3, {"d"}));
    CHECK(gap.error_code == code(Errc::out_of_order_sequence_number));
    CHECK(world.read("t", 0) == std::vector<std::string>{"a", "b"});

    SECTION("after the process died") {
        world.restart_after_kill();
        CHECK(world.send("t", 0, from(1, {"b"})).base_offset == 1);
        CHECK(world.send("t", 0, from(0, {"a"})).base_offset == 0);
        CHECK(world.send("t", 0, from(2, {"c"})).base_offset == 2);
        CHECK(world.read("t", 0) == std::vector<std::string>{"a", "b", "c"});
    }
    SECTION("after a clean stop") {
        REQUIRE(world.stop());
        world.start();
        CHECK(world.send("t", 0, from(0, {"a"})).base_offset == 0);
        CHECK(world.send("t", 0, from(3, {"d"})).error_code ==
              code(Errc::out_of_order_sequence_number));
        CHECK(world.read("t", 0) == std::vector<std::string>{"a", "b"});
    }
}

TEST_CASE("pipelined requests of a turn are appended in order with one write", "[broker][I13]") {
    DataWorld world;
    world.create_topic("t", 1, {{"kq.durability", "replicated"}});
    Client client;
    std::vector<AnswerPtr<wire::ProduceResponse>> answers;
    std::vector<Bytes> batches;
    for (int i = 0; i < 8; ++i) {
        BatchOf of;
        of.producer = 5;
        of.epoch = 0;
        of.sequence = i;
        of.values = {std::to_string(i)};
        batches.push_back(make_batch(of));
    }
    for (auto& batch : batches) {
        answers.push_back(world.produce(client, world.produce_request("t", 0, batch)));
    }
    for (auto& answer : answers)
        world.wait(answer);
    for (int i = 0; i < 8; ++i) {
        const auto& partition =
            answers[static_cast<std::size_t>(i)]->response->responses[0].partition_responses[0];
        CHECK(partition.error_code == 0);
        CHECK(partition.base_offset == i);
    }
    CHECK(world.read("t", 0).size() == 8);
}

TEST_CASE("partitions on several loops are all answered", "[broker][produce]") {
    DataWorld world({.loops = 3});
    world.create_topic("t", 12);
    Client client;
    client.loop = 1;
    const Bytes batch = make_batch({"x"});
    auto request = world.produce_request("t", 0, batch);
    for (int i = 1; i < 12; ++i) {
        request.topic_data[0].partition_data.push_back({i, wire::Records(ByteView(batch))});
    }
    for (const std::int16_t acks : {std::int16_t{1}, std::int16_t{-1}}) {
        request.acks = acks;
        auto answer = world.produce(client, request);
        world.wait(answer);
        REQUIRE(answer->here());
        const auto& partitions = answer->response->responses[0].partition_responses;
        REQUIRE(partitions.size() == 12);
        for (int i = 0; i < 12; ++i) {
            const auto& partition = partitions[static_cast<std::size_t>(i)];
            CHECK(partition.index == i);
            CHECK(partition.error_code == 0);
            CHECK(partition.base_offset == (acks == 1 ? 0 : 1));
        }
    }
    for (int i = 0; i < 12; ++i)
        CHECK(world.read("t", i).size() == 2);
    CHECK(world.watch_count() == 0);
}

TEST_CASE("no records at all are refused, and the rest is written", "[broker][produce]") {
    // Kafka 4.3 never answers such a request.
    DataWorld world;
    world.create_topic("t", 2);
    const Bytes batch = make_batch({"x"});
    auto request = world.produce_request("t", 0, batch);
    request.topic_data[0].partition_data.push_back({1, wire::Records()});
    Client client;
    auto answer = world.produce(client, request);
    world.wait(answer);
    REQUIRE(answer->here());
    const auto& partitions = answer->response->responses[0].partition_responses;
    REQUIRE(partitions.size() == 2);
    CHECK(partitions[0].error_code == 0);
    CHECK(partitions[1].error_code == wire_code(Errc::invalid_record));
    CHECK(world.read("t", 0).size() == 1);
    CHECK(world.read("t", 1).empty());
}

TEST_CASE("acks=all that is not safe in time is answered as unknown", "[broker][produce]") {
    DataWorld world;
    world.create_topic("t", 1, {{"min.insync.replicas", "1"}});
    // A second replica is in sync and never fetches.
    TopicImage topic = *world.state.topic("t");
    auto registration = *topic.partition(PartitionIndex{0});
    registration.replicas = {BrokerId{1}, BrokerId{2}};
    registration.directories = {Uuid{}, Uuid{}};
    registration.isr = registration.replicas;
    registration.partition_epoch = registration.partition_epoch + 1;
    EditSession edit;
    topic.put(edit, PartitionIndex{0}, registration);
    auto changed_topic = std::make_shared<const TopicImage>(topic);
    world.state.topics_by_name.put(edit, "t", changed_topic);
    world.state.topics_by_id.put(edit, topic.id(), changed_topic);
    world.publish();

    const auto late = world.send("t", 0, make_batch({"x"}));
    CHECK(late.error_code == code(Errc::request_timed_out));
    CHECK(late.base_offset == 0);
    CHECK(world.watch_count() == 0);
    CHECK(world.partition("t", 0)->log()->log_end() == Offset{1});

    SECTION("and one whose connection closes is written, and leaves nothing behind") {
        Client client;
        const Bytes batch = make_batch({"y"});
        auto answer = world.produce(client, world.produce_request("t", 0, batch));
        world.run_turns();
        CHECK(world.watch_count() > 0);
        world.on_loop(0, [&] { answer->asker->leave(); });
        world.run_turns();
        CHECK(world.watch_count() == 0);
        CHECK_FALSE(answer->here());
        CHECK(world.partition("t", 0)->log()->log_end() == Offset{2});
    }
    SECTION("leadership that is lost meanwhile is told") {
        Client client;
        const Bytes batch = make_batch({"y"});
        auto answer = world.produce(client, world.produce_request("t", 0, batch));
        world.run_turns();
        world.lead("t", 0, BrokerId{2}, 1, {BrokerId{2}});
        world.wait(answer);
        REQUIRE(answer->here());
        CHECK(answer->response->responses[0].partition_responses[0].error_code ==
              code(Errc::not_leader_or_follower));
        CHECK(world.watch_count() == 0);
    }
    SECTION("too few in sync, found before and after") {
        world.set_topic_config("t", {{"min.insync.replicas", "2"}});
        world.publish();
        Client client;
        const Bytes batch = make_batch({"y"});
        auto answer = world.produce(client, world.produce_request("t", 0, batch));
        world.run_turns();
        world.lead("t", 0, BrokerId{1}, 0, {BrokerId{1}});
        world.wait(answer);
        REQUIRE(answer->here());
        CHECK(answer->response->responses[0].partition_responses[0].error_code ==
              code(Errc::not_enough_replicas_after_append));
        CHECK(world.partition("t", 0)->log()->log_end() == Offset{2});
        CHECK(world.send("t", 0, make_batch({"z"})).error_code == code(Errc::not_enough_replicas));
        CHECK(world.partition("t", 0)->log()->log_end() == Offset{2});
        CHECK(world.send("t", 0, make_batch({"z"}), 1).error_code == 0);
    }
}

TEST_CASE("a directory that fails takes its partitions offline and no others", "[broker][I31]") {
    DataWorld world({.directories = 2});
    world.create_topic("a");
    world.create_topic("b");  // goes to the directory with fewer partitions: the other one
    REQUIRE(world.send("a", 0, make_batch()).error_code == 0);
    REQUIRE(world.send("b", 0, make_batch()).error_code == 0);
    world.files.fail_next_sync("/data0/a-0/00000000000000000000.log");
    CHECK(world.send("a", 0, make_batch()).error_code == code(Errc::kafka_storage_error));
    CHECK(world.send("a", 0, make_batch()).error_code == code(Errc::kafka_storage_error));
    CHECK(world.send("a", 0, make_batch(), 1, 3).error_code == code(Errc::not_leader_or_follower));
    CHECK(world.send("b", 0, make_batch()).error_code == 0);
    CHECK(world.sink.contains("a log directory is offline"));
    CHECK(world.watch_count() == 0);
    REQUIRE(world.stop());
    CHECK_FALSE(world.files.exists("/data0/.kafka_cleanshutdown"));
}

TEST_CASE("records that were acknowledged survive a power cut", "[broker][I1]") {
    DataWorld world;
    world.create_topic("t");
    for (int i = 0; i < 20; ++i) {
        REQUIRE(world.send("t", 0, make_batch({std::to_string(i)})).error_code == 0);
    }
    world.power_off();
    world.start();
    CHECK(world.read("t", 0).size() == 20);
    CHECK(world.send("t", 0, make_batch({"20"})).base_offset == 20);
}
