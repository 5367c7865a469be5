// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "client/producer_core.hpp"
#include "protocol/messages/00_produce.hpp"
#include "protocol/messages/22_init_producer_id.hpp"
#include "protocol/murmur2.hpp"
#include "protocol/record_batch.hpp"
#include "scripted_broker.hpp"

using namespace kq;
using kq::sim::ClientWorld;
using wire::InitProducerIdRequest;
using wire::InitProducerIdResponse;
using wire::ProduceRequest;
using wire::ProduceResponse;

namespace {

// What was written where, as a broker with the rules of the protocol guide, "Idempotent producers",
// would have it. The script of a test decides for each batch what is said of it.
struct Written {
    struct Known {
        ProducerEpoch epoch{-1};
        std::map<std::int32_t, std::int64_t> offsets;  // of each sequence
        std::int32_t next = 0;
    };
    struct Partition {
        std::vector<std::string> values;
        std::map<std::int64_t, Known> producers;
        int batches = 0;
    };
    std::map<std::pair<Uuid, std::int32_t>, Partition> partitions;

    // Appends, or says why not.
    std::pair<Errc, std::int64_t> append(const Uuid& topic, std::int32_t index, ByteView bytes) {
        auto& partition = partitions[{topic, index}];
        auto header = BatchHeader::parse(bytes);
        REQUIRE(header.ok());
        REQUIRE(header.value().size_bytes == bytes.size());
        REQUIRE(check_crc(bytes).ok());
        const auto& batch = header.value();
        auto offset = static_cast<std::int64_t>(partition.values.size());
        if (batch.has_producer()) {
            auto& known = partition.producers[batch.producer_id.value];
            if (batch.producer_epoch < known.epoch) return {Errc::invalid_producer_epoch, -1};
            if (batch.producer_epoch > known.epoch) {
                if (batch.base_sequence.value != 0) return {Errc::out_of_order_sequence_number, -1};
                known = {batch.producer_epoch, {}, 0};
            }
            auto seen = known.offsets.find(batch.base_sequence.value);
            if (seen != known.offsets.end()) return {Errc::none, seen->second};
            if (batch.base_sequence.value != known.next) {
                return {Errc::out_of_order_sequence_number, -1};
            }
            known.offsets[batch.base_sequence.value] = offset;
            known.next += batch.record_count;
        }
        Decompressor decompressor;
        REQUIRE(for_each_record(batch, bytes, decompressor, 1 << 26, [&](const RecordView& record) {
                    partition.values.emplace_back(as_text(record.value.value_or(ByteView())));
                    return done();
                }).ok());
        partition.batches += 1;
        return {Errc::none, offset};
    }
    std::size_t count() const {
        std::size_t sum = 0;
        for (const auto& [key, partition] : partitions)
            sum += partition.values.size();
        return sum;
    }
};

// Says what becomes of a batch before the log is asked: an error, none to append it, or silence.
struct Verdict {
    Errc code = Errc::none;
    bool append = true;
    bool answer = true;
    std::string message = {};  // of the broker, beside the error
};

struct Fixture {
    explicit Fixture(int brokers = 1, std::uint64_t seed = 1) : world(brokers, seed) {
        options.client.bootstrap = {{"b1", 9092}};
        options.linger = 0ms;
        options.client.request_timeout = 2s;
        options.delivery_timeout = 20s;
        for (auto& broker : world.brokers) {
            auto id = broker->id();
            broker->on<InitProducerIdRequest, InitProducerIdResponse>(
                [this](const InitProducerIdRequest& request, int) {
                    CHECK(!request.transactional_id);
                    InitProducerIdResponse response;
                    response.producer_id = 1000 + producer_ids++;
                    return std::optional(response);
                });
            broker->on<ProduceRequest, ProduceResponse>(
                [this, id](const ProduceRequest& request, int version) {
                    return serve(id, request, version);
                });
        }
    }
    ~Fixture() { producer.reset(); }

    std::optional<ProduceResponse> serve(std::int32_t broker, const ProduceRequest& request,
                                         int version) {
        requests += 1;
        ProduceResponse response;
        bool answered = request.acks != 0;
        for (const auto& topic : request.topic_data) {
            auto& told = response.responses.emplace_back();
            told.name = topic.name;
            told.topic_id = topic.topic_id;
            auto id = version >= 13 ? topic.topic_id : world.topology->topics[topic.name].id;
            std::string name;
            for (auto& [known, one] : world.topology->topics) {
                if (one.id == id) name = known;
            }
            for (const auto& partition : topic.partition_data) {
                auto& result = told.partition_responses.emplace_back();
                result.index = partition.index;
                auto leader = world.topology->topics[name]
                                  .partitions[static_cast<std::size_t>(partition.index)]
                                  .leader;
                auto verdict = judge(partition.index, partition.records.view());
                if (leader != broker) verdict = {Errc::not_leader_or_follower, false, true};
                if (verdict.append) {
                    auto [code, offset] =
                        written.append(id, partition.index, partition.records.view());
                    if (verdict.code == Errc::none) verdict.code = code;
                    result.base_offset = offset;
                }
                result.error_code = static_cast<std::int16_t>(verdict.code);
                if (!verdict.message.empty()) result.error_message = verdict.message;
                answered = answered && verdict.answer;
            }
        }
        response.throttle_time_ms = throttle_ms;
        if (!answered) return std::nullopt;
        return response;
    }

    ProducerCore& start() {
        producer = std::make_unique<ProducerCore>(world.loop, *world.client_network, world.random,
                                                  options);
        producer->on_batch([this](const BatchReport& report) {
            reports.push_back(report);
            topics.emplace_back(report.topic);
            if (report.status.ok()) {
                acked += report.record_count;
            } else {
                failed += report.record_count;
            }
        });
        return *producer;
    }
    // Sends, waiting as the blocking form does.
    Status send(std::string_view topic, std::string_view value,
                std::optional<std::string_view> key = {}, std::optional<int> partition = {}) {
        ProducerRecord record{.topic = topic, .value = as_bytes(value)};
        if (key) record.key = as_bytes(*key);
        if (partition) record.partition = PartitionIndex{*partition};
        while (true) {
            auto sent = producer->send(record);
            if (sent.code() != Errc::would_block) return sent;
            std::optional<Status> writable;
            producer->when_writable(topic, world.in(options.block_max),
                                    [&](Status status) { writable = std::move(status); });
            REQUIRE(world.until([&] { return writable.has_value(); }, 300s));
            if (!writable->ok()) return *writable;
        }
    }
    bool flush(std::chrono::nanoseconds limit = 300s) {
        bool flushed = false;
        producer->flush([&] { flushed = true; });
        return world.until([&] { return flushed; }, limit);
    }
    std::vector<std::string>& values(const std::string& topic, int partition) {
        return written.partitions[{world.topology->topics[topic].id, partition}].values;
    }

    ClientWorld world;
    ProducerOptions options;
    Written written;
    std::function<Verdict(std::int32_t, ByteView)> judge = [](std::int32_t, ByteView) {
        return Verdict();
    };
    std::vector<BatchReport> reports;
    std::vector<std::string> topics;
    std::uint64_t acked = 0;
    std::uint64_t failed = 0;
    int requests = 0;
    int producer_ids = 0;
    std::int32_t throttle_ms = 0;
    std::unique_ptr<ProducerCore> producer;
};

std::vector<std::string> numbers(int from, int to) {
    std::vector<std::string> list;
    for (int i = from; i < to; ++i)
        list.push_back("v" + std::to_string(i));
    return list;
}

}  // namespace

TEST_CASE("records arrive in order, once, and every batch is reported once", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 1);
    at.options.batch_bytes = 200;
    at.start();
    for (const auto& value : numbers(0, 500))
        REQUIRE(at.send("t", value).ok());
    REQUIRE(at.flush());
    CHECK(at.values("t", 0) == numbers(0, 500));
    CHECK(at.acked == 500);
    CHECK(at.failed == 0);
    CHECK(at.producer->pending_records() == 0);
    CHECK(at.producer->stats().buffered_bytes == 0);
    std::uint64_t next = 0;
    for (const auto& report : at.reports) {
        CHECK(report.first_record == next);
        CHECK(report.base_offset == Offset{static_cast<std::int64_t>(next)});
        next += report.record_count;
    }
    CHECK(next == 500);
    CHECK(at.producer_ids == 1);
}

TEST_CASE("lost connections make nothing doubled, lost or out of order", "[client]") {
    auto seed = GENERATE(range(1, 9));
    CAPTURE(seed);
    Fixture at(2, static_cast<std::uint64_t>(seed));
    at.world.topology->add_topic("t", 3);
    at.world.topology->topics["t"].partitions[1].leader = 2;
    at.options.batch_bytes = 300;
    at.options.delivery_timeout = 120s;
    at.start();
    at.world.sockets.set_cut_chance(0.03);
    for (int i = 0; i < 900; ++i) {
        REQUIRE(at.send("t", "v" + std::to_string(i), {}, i % 3).ok());
        if (i % 50 == 0) at.world.scheduler.run_for(5ms);
    }
    REQUIRE(at.flush());
    for (int partition = 0; partition < 3; ++partition) {
        std::vector<std::string> expected;
        for (int i = partition; i < 900; i += 3)
            expected.push_back("v" + std::to_string(i));
        CHECK(at.values("t", partition) == expected);
    }
    CHECK(at.acked == 900);
    CHECK(at.failed == 0);
    CHECK(at.producer->stats().batches_retried > 0);  // the cuts bit
}

TEST_CASE("an answer that was lost is not written twice", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 1);
    int batches = 0;
    at.judge = [&](std::int32_t, ByteView) {
        Verdict verdict;
        if (++batches == 1) {
            at.world.broker(1).hang_up();
            verdict.answer = false;  // appended, but nobody is told
        }
        return verdict;
    };
    at.start();
    REQUIRE(at.send("t", "v0").ok());
    REQUIRE(at.flush());
    CHECK(batches == 2);
    CHECK(at.values("t", 0) == numbers(0, 1));
    REQUIRE(at.reports.size() == 1);
    CHECK(at.reports[0].base_offset == Offset{0});
}

TEST_CASE("a refused batch is sent again before what follows it", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 1);
    at.options.batch_bytes = 100;
    int batches = 0;
    at.judge = [&](std::int32_t, ByteView) -> Verdict {
        if (++batches == 2) return {Errc::not_enough_replicas, false, true};
        return {};
    };
    at.start();
    for (const auto& value : numbers(0, 60))
        REQUIRE(at.send("t", value).ok());
    REQUIRE(at.flush());
    CHECK(at.values("t", 0) == numbers(0, 60));
    CHECK(at.acked == 60);
}

TEST_CASE("when the leader moves the batches follow it", "[client]") {
    Fixture at(2);
    at.world.topology->add_topic("t", 1, 1);
    at.options.batch_bytes = 100;
    at.start();
    for (const auto& value : numbers(0, 30))
        REQUIRE(at.send("t", value).ok());
    REQUIRE(at.flush());
    at.world.topology->topics["t"].partitions[0] = {2, 1};
    for (const auto& value : numbers(30, 60))
        REQUIRE(at.send("t", value).ok());
    REQUIRE(at.flush());
    CHECK(at.values("t", 0) == numbers(0, 60));
    CHECK(at.world.broker(2).asked(0) > 0);
}

TEST_CASE("a dead broker's partitions go on at their new leader", "[client]") {
    Fixture at(2);
    at.world.topology->add_topic("t", 1, 2);
    at.start();
    REQUIRE(at.send("t", "v0").ok());
    REQUIRE(at.flush());
    at.world.sockets.kill("b2");
    REQUIRE(at.send("t", "v1").ok());
    at.world.scheduler.run_for(1s);
    at.world.topology->topics["t"].partitions[0] = {1, 1};
    REQUIRE(at.flush());
    CHECK(at.values("t", 0) == numbers(0, 2));
    CHECK(at.acked == 2);
}

TEST_CASE("a topic that appears later is waited for, one that does not is told", "[client]") {
    Fixture at;
    at.start();
    at.options.block_max = 5s;
    SECTION("it appears") {
        at.world.scheduler.at(at.world.in(2s), [&] { at.world.topology->add_topic("late", 2); });
        REQUIRE(at.send("late", "v0", {}, 1).ok());
        REQUIRE(at.flush());
        CHECK(at.values("late", 1) == numbers(0, 1));
    }
    SECTION("it does not") {
        auto begun = at.world.scheduler.now();
        CHECK(at.send("late", "v0").code() == Errc::unknown_topic_or_partition);
        CHECK(at.world.scheduler.now() - begun >= 5s);
        CHECK(at.world.broker(1).asked(3) < 30);  // with a back-off, not in a frenzy
    }
}

TEST_CASE("a topic is made by asking only where that is wanted", "[client]") {
    Fixture at;
    auto& broker = at.world.broker(1);
    const auto begun = at.world.scheduler.now();
    SECTION("who asks whether it exists does not make it") {
        at.start();
        const auto ask = [&] {
            std::optional<Result<std::int32_t>> told;
            at.producer->when_existing_topic("late", at.world.in(5s),
                                             [&](Result<std::int32_t> count) { told = count; });
            REQUIRE(at.world.until([&] { return told.has_value(); }, 300s));
            return *told;
        };
        CHECK(ask().code() == Errc::unknown_topic_or_partition);
        CHECK(at.world.scheduler.now() - begun < 1s);
        CHECK(broker.asked_with_making == 0);
        at.world.topology->add_topic("late", 2);
        CHECK(ask().value() == 2);
        CHECK(broker.asked_with_making == 0);
        REQUIRE(at.send("late", "v0", {}, 1).ok());
    }
    SECTION("nor does a producer that may not, and it does not wait for it") {
        at.options.auto_create_topics = false;
        at.start();
        CHECK(at.send("late", "v0").code() == Errc::unknown_topic_or_partition);
        CHECK(at.world.scheduler.now() - begun < 1s);
        CHECK(broker.asked_with_making == 0);
    }
    SECTION("else it does") {
        at.options.block_max = 1s;
        at.start();
        CHECK(at.send("late", "v0").code() == Errc::unknown_topic_or_partition);
        CHECK(broker.asked_with_making > 0);
    }
}

TEST_CASE("a batch whose answer never comes has an unknown outcome", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 1);
    at.judge = [](std::int32_t, ByteView) { return Verdict{Errc::none, true, false}; };
    at.options.delivery_timeout = 5s;
    at.start();
    REQUIRE(at.send("t", "v0").ok());
    REQUIRE(at.flush());
    REQUIRE(at.reports.size() == 1);
    CHECK(at.reports[0].status.code() == Errc::deadline_passed);
    CHECK(at.reports[0].outcome_unknown);
    CHECK(at.producer->stats().records_unknown == 1);
    at.world.scheduler.run_for(60s);
    CHECK(at.reports.size() == 1);  // exactly once
}

TEST_CASE("a batch whose disk failed may stand in the log all the same", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 1);
    int asked = 0;
    at.judge = [&](std::int32_t, ByteView) {
        return Verdict{asked++ == 0 ? Errc::kafka_storage_error : Errc::invalid_timestamp};
    };
    at.start();
    REQUIRE(at.send("t", "v0").ok());
    REQUIRE(at.flush());
    REQUIRE(at.reports.size() == 1);
    CHECK(asked == 2);
    CHECK(at.reports[0].status.code() == Errc::invalid_timestamp);
    CHECK(at.reports[0].outcome_unknown);
}

TEST_CASE("a batch that is given up tells what the brokers said of it", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 1);
    at.options.delivery_timeout = 5s;
    const std::string refusal =
        "broker 1 refused it: KAFKA_STORAGE_ERROR: the disk of /data/t-0 is full";
    at.judge = [](std::int32_t, ByteView) {
        return Verdict{Errc::kafka_storage_error, false, true, "the disk of /data/t-0 is full"};
    };
    at.start();
    CHECK_FALSE(at.producer->trouble());
    const auto sent_at = at.world.scheduler.now();
    REQUIRE(at.send("t", "v0").ok());
    at.world.scheduler.run_for(2s);
    auto trouble = at.producer->trouble();
    REQUIRE(trouble);
    CHECK(trouble->why.message == refusal);
    CHECK(trouble->why.code == Errc::kafka_storage_error);
    CHECK(trouble->since - sent_at < 1s);  // of the first refusal, not of the last
    SECTION("when its time is over") {
        REQUIRE(at.flush());
        REQUIRE(at.reports.size() == 1);
        CHECK(at.reports[0].status.code() == Errc::deadline_passed);
        CHECK(at.reports[0].status.error().message ==
              "no acknowledgement within 5s (delivery.timeout.ms): " + refusal);
    }
    SECTION("when the producer is closed") {
        at.producer->close();
        REQUIRE(at.reports.size() == 1);
        CHECK(at.reports[0].status.code() == Errc::cancelled);
        CHECK(at.reports[0].status.error().message ==
              "the producer was closed before the batch was acknowledged: " + refusal);
    }
    REQUIRE(at.producer->first_trouble());
    CHECK(at.producer->first_trouble()->message == refusal);
    CHECK_FALSE(at.producer->trouble());
}

TEST_CASE("what holds a batch up is told, whatever it is", "[client]") {
    Fixture at;
    bool says_one_thing = true;
    at.world.topology->add_topic("t", 1);
    at.options.delivery_timeout = 5s;
    auto message = [&] {
        auto trouble = at.producer->trouble();
        return trouble ? trouble->why.message : "";
    };
    SECTION("a broker that does not answer") {
        at.judge = [](std::int32_t, ByteView) { return Verdict{Errc::none, true, false}; };
        at.start();
        REQUIRE(at.send("t", "v0").ok());
        at.world.scheduler.run_for(1s);
        CHECK(message() == "broker 1 has not answered yet");
        at.world.scheduler.run_for(2s);  // over request.timeout.ms
        CHECK(message() == "b1:9092 did not answer in time");
    }
    SECTION("a partition without a leader") {
        at.world.topology->topics["t"].partitions[0].leader = -1;
        at.start();
        REQUIRE(at.send("t", "v0", {}, 0).ok());
        at.world.scheduler.run_for(1s);
        CHECK(message() == "partition 0 of 't' has no leader");
    }
    SECTION("a producer id that does not come") {
        at.world.broker(1).on<InitProducerIdRequest, InitProducerIdResponse>(
            [](const InitProducerIdRequest&, int) -> std::optional<InitProducerIdResponse> {
                return std::nullopt;
            });
        at.start();
        REQUIRE(at.send("t", "v0").ok());
        at.world.scheduler.run_for(1s);
        CHECK(message() == "no broker has given a producer id yet");
        at.world.scheduler.run_for(2s);  // over request.timeout.ms
        CHECK(message().find("answer") != std::string::npos);
        says_one_thing = false;  // it is asked for again and again
    }
    SECTION("no producer id") {
        at.world.broker(1).on<InitProducerIdRequest, InitProducerIdResponse>(
            [](const InitProducerIdRequest&, int) {
                InitProducerIdResponse response;
                response.error_code = static_cast<std::int16_t>(Errc::coordinator_not_available);
                return std::optional(response);
            });
        at.start();
        REQUIRE(at.send("t", "v0").ok());
        at.world.scheduler.run_for(1s);
        CHECK(
            message().starts_with("the brokers gave no producer id: COORDINATOR_NOT_AVAILABLE: "));
    }
    SECTION("a buffer full of it") {
        at.judge = [](std::int32_t, ByteView) {
            return Verdict{Errc::not_enough_replicas, false, true};
        };
        at.options.batch_bytes = 1000;
        at.options.buffer_bytes = 1000;
        at.options.block_max = 1s;
        at.start();
        REQUIRE(at.send("t", std::string(900, 'x')).ok());
        const auto refused = at.send("t", std::string(900, 'x'));
        CHECK(refused.code() == Errc::buffer_exhausted);
        CHECK(refused.error().message.find(": broker 1 refused it: NOT_ENOUGH_REPLICAS: ") !=
              std::string::npos);
    }
    if (!says_one_thing) return;
    // And in the end it is in the error.
    const auto held_up = message();
    REQUIRE(at.flush());
    REQUIRE(at.reports.size() == 1);
    CHECK(at.reports[0].status.error().message.starts_with("no acknowledgement within 5s"));
    CHECK(at.reports[0].status.error().message.ends_with(": " + held_up));
}

TEST_CASE("a batch that never left has a known outcome", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 1);
    at.options.delivery_timeout = 5s;
    at.start();
    std::optional<Result<std::int32_t>> known;
    at.producer->when_topic("t", at.world.in(10s),
                            [&](Result<std::int32_t> count) { known = std::move(count); });
    REQUIRE(at.world.until([&] { return known.has_value(); }));
    at.world.sockets.set_refuse("b1", true);
    at.world.sockets.cut_all("b1");
    at.world.scheduler.run_for(100ms);
    REQUIRE(at.send("t", "v0").ok());
    REQUIRE(at.flush());
    REQUIRE(at.reports.size() == 1);
    CHECK_FALSE(at.reports[0].status.ok());
    CHECK_FALSE(at.reports[0].outcome_unknown);
}

TEST_CASE("after a batch was given up the next ones go on in a new epoch", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 2);
    at.options.batch_bytes = 100;
    std::vector<std::int16_t> epochs;
    at.judge = [&](std::int32_t index, ByteView bytes) -> Verdict {
        auto header = BatchHeader::parse(bytes).value();
        epochs.push_back(header.producer_epoch.value);
        bool bad =
            index == 0 && header.base_sequence.value == 0 && header.producer_epoch.value == 0;
        if (bad) return {Errc::invalid_record, false, true};
        return {};
    };
    at.start();
    REQUIRE(at.send("t", "bad", {}, 0).ok());
    for (const auto& value : numbers(0, 40))
        REQUIRE(at.send("t", value, {}, 0).ok());
    for (const auto& value : numbers(0, 40))
        REQUIRE(at.send("t", value, {}, 1).ok());
    REQUIRE(at.flush());
    auto lost = at.failed;
    CHECK(lost >= 1);
    CHECK(at.values("t", 0) == [&] {
        auto all = numbers(0, 40);
        all.insert(all.begin(), "bad");
        all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(lost));
        return all;
    }());
    CHECK(at.values("t", 1) == numbers(0, 40));
    CHECK(std::count(epochs.begin(), epochs.end(), 1) > 0);
}

TEST_CASE("a broker that forgot the producer gets a new epoch, and no record is lost", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 1);
    at.start();
    for (const auto& value : numbers(0, 5))
        REQUIRE(at.send("t", value).ok());
    REQUIRE(at.flush());
    for (auto& [key, partition] : at.written.partitions) {
        for (auto& [id, known] : partition.producers)
            known.next = 77;  // as if it had lost its state
    }
    for (const auto& value : numbers(5, 10))
        REQUIRE(at.send("t", value).ok());
    REQUIRE(at.flush());
    CHECK(at.values("t", 0) == numbers(0, 10));
    CHECK(at.failed == 0);
}

TEST_CASE("an epoch that the broker fences is replaced by a new producer id", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 1);
    at.start();
    REQUIRE(at.send("t", "v0").ok());
    REQUIRE(at.flush());
    for (auto& [key, partition] : at.written.partitions) {
        for (auto& [id, known] : partition.producers)
            known.epoch = ProducerEpoch{9};
    }
    REQUIRE(at.send("t", "v1").ok());
    REQUIRE(at.flush());
    CHECK(at.values("t", 0) == numbers(0, 2));
    CHECK(at.producer_ids == 2);
}

TEST_CASE("a batch too large for the topic is halved until it fits", "[client]") {
    auto codec = GENERATE(Compression::none, Compression::lz4, Compression::zstd);
    Fixture at;
    at.world.topology->add_topic("t", 1);
    at.options.compression = codec;
    at.options.batch_bytes = 4000;
    at.options.linger = 50ms;
    at.judge = [&](std::int32_t, ByteView bytes) -> Verdict {
        if (BatchHeader::parse(bytes).value().record_count > 10) {
            return {Errc::message_too_large, false, true};
        }
        return {};
    };
    at.start();
    for (const auto& value : numbers(0, 100))
        REQUIRE(at.send("t", value).ok());
    REQUIRE(at.flush());
    CHECK(at.values("t", 0) == numbers(0, 100));
    CHECK(at.acked == 100);
    CHECK(at.producer->stats().buffered_bytes == 0);
}

TEST_CASE("every codec arrives as it was sent", "[client]") {
    auto codec =
        GENERATE(Compression::gzip, Compression::snappy, Compression::lz4, Compression::zstd);
    Fixture at;
    at.world.topology->add_topic("t", 1);
    at.options.compression = codec;
    int seen = 0;
    at.judge = [&](std::int32_t, ByteView bytes) -> Verdict {
        CHECK(BatchHeader::parse(bytes).value().compression().value() == codec);
        seen += 1;
        return {};
    };
    at.start();
    for (const auto& value : numbers(0, 300))
        REQUIRE(at.send("t", value).ok());
    REQUIRE(at.flush());
    CHECK(at.values("t", 0) == numbers(0, 300));
    CHECK(seen > 0);
}

TEST_CASE("a full buffer blocks, and says so when nothing is acknowledged in time", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 1);
    at.options.batch_bytes = 1000;
    at.options.buffer_bytes = 4000;
    at.options.block_max = 1s;
    at.options.client.request_timeout = 10s;
    bool silent = true;
    at.judge = [&](std::int32_t, ByteView) { return Verdict{Errc::none, !silent, !silent}; };
    at.start();
    Status last = done();
    int taken = 0;
    while (last.ok() && taken < 1000) {
        last = at.send("t", std::string(200, 'x'));
        if (last.ok()) ++taken;
    }
    CHECK(last.code() == Errc::buffer_exhausted);
    CHECK(taken >= 12);
    CHECK(at.producer->stats().buffered_bytes <= 4000);
    silent = false;
    REQUIRE(at.flush());
    CHECK(at.values("t", 0).size() == static_cast<std::size_t>(taken));
    CHECK(at.send("t", "more").ok());
    REQUIRE(at.flush());
}

TEST_CASE("a record beyond max.request.size is refused, a large one goes alone", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 1);
    at.options.batch_bytes = 500;
    at.options.request_bytes_max = 10'000;
    at.start();
    CHECK(at.send("t", std::string(20'000, 'x')).code() == Errc::message_too_large);
    REQUIRE(at.send("t", "v0").ok());
    REQUIRE(at.send("t", std::string(9'000, 'y')).ok());
    REQUIRE(at.send("t", "v1").ok());
    REQUIRE(at.flush());
    CHECK(at.values("t", 0) == std::vector<std::string>{"v0", std::string(9'000, 'y'), "v1"});
}

TEST_CASE("keys go where Java's producer puts them; records without one are spread", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 8);
    at.options.batch_bytes = 200;
    at.start();
    for (int i = 0; i < 200; ++i) {
        auto key = "key-" + std::to_string(i);
        REQUIRE(at.send("t", key, key).ok());
    }
    REQUIRE(at.flush());
    for (int partition = 0; partition < 8; ++partition) {
        for (const auto& key : at.values("t", partition)) {
            CHECK(partition_for_key(as_bytes(key), 8) == partition);
        }
    }
    for (int i = 0; i < 2000; ++i)
        REQUIRE(at.send("t", "n" + std::to_string(i)).ok());
    REQUIRE(at.flush());
    int used = 0;
    for (int partition = 0; partition < 8; ++partition) {
        if (at.values("t", partition).size() > 60) used += 1;
    }
    CHECK(used >= 7);
}

TEST_CASE("small batches of many partitions share a request", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 50);
    at.options.linger = 20ms;
    at.start();
    REQUIRE(at.send("t", "first", {}, 0).ok());
    REQUIRE(at.flush());
    auto before = at.requests;
    for (int partition = 0; partition < 50; ++partition) {
        REQUIRE(at.send("t", "x", {}, partition).ok());
    }
    REQUIRE(at.flush());
    CHECK(at.requests == before + 1);
    CHECK(at.acked == 51);
}

TEST_CASE("at most max.in.flight requests are unanswered", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 1);
    at.options.batch_bytes = 100;
    at.options.in_flight_max = 3;
    at.judge = [&](std::int32_t, ByteView) { return Verdict{Errc::none, true, false}; };
    at.start();
    for (const auto& value : numbers(0, 100))
        REQUIRE(at.send("t", value).ok());
    at.world.scheduler.run_for(1s);
    CHECK(at.requests == 3);
}

TEST_CASE("records with a callback of their own learn their offsets", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 1);
    at.options.linger = 10ms;
    at.start();
    REQUIRE(at.send("t", "before").ok());
    std::vector<std::int64_t> offsets;
    int calls = 0;
    for (int i = 0; i < 5; ++i) {
        auto sent = at.producer->send({.topic = "t", .value = as_bytes("x")},
                                      [&](const RecordReport& report) {
                                          calls += 1;
                                          CHECK(report.status.ok());
                                          offsets.push_back(report.offset.value);
                                      });
        REQUIRE(sent.ok());
    }
    REQUIRE(at.flush());
    CHECK(calls == 5);
    CHECK(offsets == std::vector<std::int64_t>{1, 2, 3, 4, 5});
}

TEST_CASE("acks=0 is done when it is written, acks=1 needs no producer id", "[client]") {
    auto acks = GENERATE(Acks::none, Acks::leader);
    Fixture at;
    at.world.topology->add_topic("t", 1);
    at.options.acks = acks;
    at.options.idempotent = false;
    at.start();
    for (const auto& value : numbers(0, 50))
        REQUIRE(at.send("t", value).ok());
    REQUIRE(at.flush());
    at.world.scheduler.run_for(1s);
    CHECK(at.values("t", 0) == numbers(0, 50));
    CHECK(at.acked == 50);
    CHECK(at.producer_ids == 0);
    REQUIRE(!at.reports.empty());
    CHECK((at.reports[0].base_offset == no_offset) == (acks == Acks::none));
}

TEST_CASE("closing reports what is left as given up", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 1);
    at.judge = [](std::int32_t, ByteView) { return Verdict{Errc::none, true, false}; };
    at.start();
    REQUIRE(at.send("t", "v0").ok());
    at.world.scheduler.run_for(100ms);
    at.options.linger = 10s;
    at.producer->close();
    REQUIRE(at.reports.size() == 1);
    CHECK(at.reports[0].status.code() == Errc::cancelled);
    CHECK(at.reports[0].outcome_unknown);
    CHECK(at.producer->send({.topic = "t"}).code() == Errc::cancelled);
    at.world.scheduler.run_for(60s);
    CHECK(at.reports.size() == 1);
}

TEST_CASE("a throttled producer slows down and loses nothing", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 1);
    at.options.batch_bytes = 100;
    at.throttle_ms = 200;
    at.start();
    auto begun = at.world.scheduler.now();
    for (const auto& value : numbers(0, 100))
        REQUIRE(at.send("t", value).ok());
    REQUIRE(at.flush());
    CHECK(at.values("t", 0) == numbers(0, 100));
    CHECK(at.world.scheduler.now() - begun >= 400ms);
    CHECK(at.producer->stats().throttled_ms >= 400);
}

TEST_CASE("an advertised address that does not answer is told beside the one that does",
          "[client]") {
    Fixture at(1);
    at.world.topology->brokers[1] = {"elsewhere", 19092};
    at.world.topology->add_topic("t", 1);
    at.options.client.fail_fast = true;
    SECTION("and fails at once for a person at a prompt") {
        at.start();
        REQUIRE(at.send("t", "v0").ok());
        REQUIRE(at.flush(15s));
        REQUIRE(at.reports.size() == 1);
        CHECK(at.reports[0].status.code() == Errc::unreachable);
        CHECK_THAT(at.reports[0].status.error().message,
                   Catch::Contains("b1:9092 answers, but broker 1 advertises itself as "
                                   "elsewhere:19092"));
        auto trouble = at.producer->cluster().pool().advertised_trouble();
        REQUIRE(trouble);
        CHECK(trouble->advertised == Endpoint{"elsewhere", 19092});
    }
    SECTION("and can be dialled under another address") {
        at.options.client.resolve.push_back(
            AddressOverride::parse("elsewhere:19092=b1:9092").value());
        at.start();
        REQUIRE(at.send("t", "v0").ok());
        REQUIRE(at.flush(15s));
        CHECK(at.acked == 1);
    }
}

TEST_CASE("the same seed gives the same run", "[client]") {
    auto run = [] {
        Fixture at(2, 77);
        at.world.topology->add_topic("t", 4);
        at.world.topology->topics["t"].partitions[2].leader = 2;
        at.options.batch_bytes = 200;
        at.world.sockets.set_cut_chance(0.02);
        at.start();
        for (int i = 0; i < 300; ++i) {
            if (!at.send("t", "v" + std::to_string(i)).ok()) break;
        }
        at.flush();
        return at.world.scheduler.fingerprint();
    };
    CHECK(run() == run());
}
