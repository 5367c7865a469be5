// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "client/consumer_core.hpp"
#include "protocol/batch_builder.hpp"
#include "protocol/messages/01_fetch.hpp"
#include "protocol/messages/02_list_offsets.hpp"
#include "protocol/record_batch.hpp"
#include "scripted_broker.hpp"

using namespace kq;
using kq::sim::ClientWorld;
using wire::FetchRequest;
using wire::FetchResponse;
using wire::ListOffsetsRequest;
using wire::ListOffsetsResponse;

namespace {

// A partition's batches as a broker would hold them, with their offsets.
struct Stored {
    std::vector<Bytes> batches;
    std::int64_t start = 0;
    std::int64_t end = 0;
    std::int64_t stable = -1;                                    // last stable offset; -1: the end
    std::vector<std::pair<std::int64_t, std::int64_t>> aborted;  // producer, first offset

    void add(Bytes batch) {
        auto header = BatchHeader::parse(batch).value();
        assign(batch, Offset{end}, Epoch{0});
        end += header.last_offset_delta + 1;
        batches.push_back(std::move(batch));
    }
    void add_values(const std::vector<std::string>& values, BatchOptions options = {}) {
        BatchBuilder builder(options);
        for (const auto& value : values) {
            builder.append(wall_time(1000 + end), std::nullopt, as_bytes(value));
        }
        Compressor compressor;
        add(builder.finish(&compressor).value());
    }
    Bytes from(std::int64_t offset, std::size_t bytes_max) const {
        Bytes out;
        for (const auto& batch : batches) {
            auto header = BatchHeader::parse(batch).value();
            if (header.last_offset().value < offset) continue;
            if (!out.empty() && out.size() + batch.size() > bytes_max) break;
            append(out, batch);
        }
        return out;
    }
};

struct Fixture {
    explicit Fixture(int brokers = 1, std::uint64_t seed = 1) : world(brokers, seed) {
        options.client.bootstrap = {{"b1", 9092}};
        options.client.request_timeout = 3s;
        options.fetch_wait_max = 100ms;
        for (auto& broker : world.brokers) {
            auto id = broker->id();
            broker->on<ListOffsetsRequest, ListOffsetsResponse>(
                [this, id](const ListOffsetsRequest& request, int) {
                    return std::optional(list(id, request));
                });
            broker->on<FetchRequest, FetchResponse>(
                [this, id](const FetchRequest& request, int version) {
                    fetches.push_back(request);
                    return fetch(id, request, version);
                });
        }
    }
    ~Fixture() { consumer.reset(); }

    Stored& at(const std::string& topic, int partition) { return stored[{topic, partition}]; }

    ListOffsetsResponse list(std::int32_t broker, const ListOffsetsRequest& request) {
        ListOffsetsResponse response;
        for (const auto& topic : request.topics) {
            auto& told = response.topics.emplace_back();
            told.name = topic.name;
            for (const auto& partition : topic.partitions) {
                auto& result = told.partitions.emplace_back();
                result.partition_index = partition.partition_index;
                auto& log = at(topic.name, partition.partition_index);
                if (leader_of(topic.name, partition.partition_index) != broker) {
                    result.error_code = static_cast<std::int16_t>(Errc::not_leader_or_follower);
                } else if (partition.timestamp == -2) {
                    result.offset = log.start;
                } else if (partition.timestamp == -1) {
                    result.offset =
                        request.isolation_level == 1 && log.stable >= 0 ? log.stable : log.end;
                } else {  // records are stamped 1000 + offset of their batch
                    result.offset = -1;
                    for (const auto& batch : log.batches) {
                        auto header = BatchHeader::parse(batch).value();
                        if (to_ms(header.max_timestamp) >= partition.timestamp) {
                            result.offset = header.base_offset.value;
                            result.timestamp = to_ms(header.base_timestamp);
                            break;
                        }
                    }
                }
            }
        }
        return response;
    }

    std::int32_t leader_of(const std::string& topic, std::int32_t partition) {
        return world.topology->topics[topic].partitions[static_cast<std::size_t>(partition)].leader;
    }

    std::optional<FetchResponse> fetch(std::int32_t broker, const FetchRequest& request,
                                       int version) {
        FetchResponse response;
        if (auto code = judge_fetch(request); code != Errc::none) {
            response.error_code = static_cast<std::int16_t>(code);
            sessions.erase(request.session_id);
            return response;
        }
        using Asked = std::map<std::pair<std::string, std::int32_t>, FetchRequest::FetchPartition>;
        Asked asked;
        bool incremental = request.session_epoch > 0;
        if (incremental) {
            auto known = sessions.find(request.session_id);
            if (known == sessions.end()) {
                response.error_code = static_cast<std::int16_t>(Errc::fetch_session_id_not_found);
                return response;
            }
            CHECK(request.session_epoch == known->second.epoch);
            known->second.epoch += 1;
            asked = known->second.partitions;
        }
        auto name_of = [&](const auto& topic) {
            if (version < 13) return topic.topic;
            for (auto& [name, known] : world.topology->topics) {
                if (known.id == topic.topic_id) return name;
            }
            return std::string("?");
        };
        for (const auto& topic : request.topics) {
            for (const auto& partition : topic.partitions) {
                asked[{name_of(topic), partition.partition}] = partition;
            }
        }
        for (const auto& topic : request.forgotten_topics_data) {
            for (auto partition : topic.partitions)
                asked.erase({name_of(topic), partition});
        }
        if (with_sessions && request.session_epoch >= 0) {
            auto id = incremental ? request.session_id : ++last_session;
            response.session_id = id;
            if (!incremental) sessions[id].epoch = 1;
            sessions[id].partitions = asked;
        }
        for (const auto& [key, partition] : asked) {
            auto [name, index] = key;
            auto& log = at(name, index);
            FetchResponse::PartitionData told;
            told.partition_index = index;
            told.high_watermark = log.end;
            told.last_stable_offset = log.stable >= 0 ? log.stable : log.end;
            told.log_start_offset = log.start;
            auto topic = std::find_if(response.responses.begin(), response.responses.end(),
                                      [&, n = name](const auto& one) { return one.topic == n; });
            if (leader_of(name, index) != broker) {
                told.error_code = static_cast<std::int16_t>(Errc::not_leader_or_follower);
                if (version >= 12 && tells_leader) {
                    told.current_leader.leader_id = leader_of(name, index);
                    told.current_leader.leader_epoch =
                        world.topology->topics[name]
                            .partitions[static_cast<std::size_t>(index)]
                            .epoch;
                }
            } else if (partition.fetch_offset < log.start || partition.fetch_offset > log.end) {
                told.error_code = static_cast<std::int16_t>(Errc::offset_out_of_range);
            } else if (damaged) {
                told.error_code = static_cast<std::int16_t>(Errc::corrupt_message);
            } else {
                frames.push_back(std::make_shared<Bytes>(
                    log.from(partition.fetch_offset,
                             static_cast<std::size_t>(partition.partition_max_bytes))));
                if (flip_bit && frames.back()->size() > 70) (*frames.back())[70] ^= 1;
                told.records = wire::Records(ByteView(*frames.back()));
                if (request.isolation_level == 1) {
                    told.aborted_transactions.emplace();
                    for (auto [producer, first] : log.aborted) {
                        told.aborted_transactions->push_back(
                            {.producer_id = producer, .first_offset = first});
                    }
                }
            }
            bool empty = told.error_code == 0 && told.records.empty();
            if (empty && incremental) continue;
            if (topic == response.responses.end()) {
                response.responses.emplace_back();
                topic = std::prev(response.responses.end());
                topic->topic = name;
                topic->topic_id = world.topology->topics[name].id;
            }
            topic->partitions.push_back(std::move(told));
        }
        response.throttle_time_ms = throttle_ms;
        return response;
    }

    ConsumerCore& start() {
        consumer = std::make_unique<ConsumerCore>(world.loop, *world.client_network, world.random,
                                                  options);
        return *consumer;
    }
    Status assign(std::vector<Assignment> assignments) {
        std::optional<Status> assigned;
        consumer->assign(std::move(assignments), world.in(10s),
                         [&](Status status) { assigned = std::move(status); });
        REQUIRE(world.until([&] { return assigned.has_value(); }));
        return *assigned;
    }
    // Everything until the stops, or the first error.
    std::vector<std::string> drain(std::chrono::nanoseconds limit = 30s) {
        std::vector<std::string> values;
        auto end = world.in(limit);
        while (!consumer->finished() && world.scheduler.now() < end) {
            auto taken = consumer->take();
            if (!taken.ok()) {
                error = taken.error();
                return values;
            }
            if (!taken.value()) {
                world.scheduler.run_for(1ms);
                continue;
            }
            while (true) {
                auto record = taken.value()->next();
                if (!record.ok()) {
                    error = record.error();
                    return values;
                }
                if (record.value() == nullptr) break;
                offsets.push_back(record.value()->offset.value);
                values.emplace_back(as_text(record.value()->value.value_or(ByteView())));
            }
        }
        return values;
    }

    struct Session {
        std::int32_t epoch = 1;
        std::map<std::pair<std::string, std::int32_t>, FetchRequest::FetchPartition> partitions;
    };
    ClientWorld world;
    ConsumerOptions options;
    std::map<std::pair<std::string, int>, Stored> stored;
    std::map<std::int32_t, Session> sessions;
    std::int32_t last_session = 0;
    bool with_sessions = true;
    bool tells_leader = true;
    bool flip_bit = false;
    bool damaged = false;  // the broker finds its own log damaged
    std::int32_t throttle_ms = 0;
    std::function<Errc(const FetchRequest&)> judge_fetch = [](const FetchRequest&) {
        return Errc::none;
    };
    std::vector<FetchRequest> fetches;
    std::vector<std::shared_ptr<Bytes>> frames;
    std::vector<std::int64_t> offsets;
    std::optional<Error> error;
    std::unique_ptr<ConsumerCore> consumer;
};

TopicPartition part(int index, const std::string& topic = "t") {
    return {topic, PartitionIndex{index}};
}

std::vector<std::string> numbers(int from, int to) {
    std::vector<std::string> list;
    for (int i = from; i < to; ++i)
        list.push_back("v" + std::to_string(i));
    return list;
}

}  // namespace

TEST_CASE("reading to the end there is now is exact, though more is written", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 1);
    for (int i = 0; i < 10; ++i)
        at.at("t", 0).add_values(numbers(i * 10, i * 10 + 10));
    at.start();
    REQUIRE(at.assign({{part(0), Position::from_start(), Position::from_end()}}).ok());
    for (int i = 10; i < 20; ++i)
        at.at("t", 0).add_values(numbers(i * 10, i * 10 + 10));
    CHECK(at.drain() == numbers(0, 100));
    CHECK(at.consumer->finished());
    auto progress = at.consumer->progress();
    REQUIRE(progress.size() == 1);
    CHECK(progress[0].position == Offset{100});
    CHECK(progress[0].finished);
}

TEST_CASE("positions mean what they say", "[client]") {
    struct Case {
        Position from;
        std::optional<Position> to;
        int first;
        int end;
    };
    auto example = GENERATE(Case{Position::at(Offset{7}), Position::from_end(), 7, 100},
                            Case{Position::from_start(3), Position::at(Offset{9}), 3, 9},
                            Case{Position::from_end(-5), Position::from_end(), 95, 100},
                            Case{Position::from_end(-500), Position::from_end(-90), 0, 10},
                            Case{Position::at_time(wall_time(1050)), Position::from_end(), 50, 100},
                            Case{Position::from_start(), Position::at_time(wall_time(1050)), 0, 50},
                            Case{Position::at_time(wall_time(9999)), Position::from_end(), 0, 0},
                            Case{Position::at(Offset{50}), Position::at(Offset{40}), 0, 0});
    Fixture at;
    at.world.topology->add_topic("t", 1);
    for (int i = 0; i < 10; ++i)
        at.at("t", 0).add_values(numbers(i * 10, i * 10 + 10));
    at.start();
    REQUIRE(at.assign({{part(0), example.from, example.to}}).ok());
    CHECK(at.drain() == numbers(example.first, example.end));
    CHECK(at.consumer->finished());
}

TEST_CASE("many partitions over two brokers are read whole, each in order", "[client]") {
    auto sessions = GENERATE(true, false);
    Fixture at(2);
    at.with_sessions = sessions;
    at.world.topology->add_topic("t", 6);
    std::vector<Assignment> assignments;
    for (int p = 0; p < 6; ++p) {
        at.world.topology->topics["t"].partitions[static_cast<std::size_t>(p)].leader = 1 + p % 2;
        for (int i = 0; i < 20; ++i) {
            at.at("t", p).add_values({"p" + std::to_string(p) + "-" + std::to_string(i)});
        }
        assignments.push_back({part(p), Position::from_start(), Position::from_end()});
    }
    at.options.partition_bytes_max = 300;
    at.start();
    REQUIRE(at.assign(assignments).ok());
    auto values = at.drain();
    CHECK(values.size() == 120);
    for (int p = 0; p < 6; ++p) {
        int next = 0;
        for (const auto& value : values) {
            auto prefix = "p" + std::to_string(p) + "-";
            if (value.starts_with(prefix)) CHECK(value == prefix + std::to_string(next++));
        }
        CHECK(next == 20);
    }
    CHECK(at.consumer->finished());
}

TEST_CASE("a session names only what changed, and starts over when it is forgotten", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 3);
    for (int p = 0; p < 3; ++p)
        at.at("t", p).add_values(numbers(0, 5));
    at.start();
    REQUIRE(at.assign({{part(0), Position::from_start(), {}},
                       {part(1), Position::from_start(), {}},
                       {part(2), Position::from_start(), {}}})
                .ok());
    auto values = at.drain(1s);
    CHECK(values.size() == 15);
    REQUIRE(at.fetches.size() > 3);
    CHECK(at.fetches[0].session_id == 0);
    CHECK(at.fetches[0].session_epoch == 0);
    CHECK(at.fetches[0].topics[0].partitions.size() == 3);
    const auto& quiet = at.fetches.back();
    CHECK(quiet.session_id == 1);
    CHECK(quiet.topics.empty());  // nothing has changed
    CHECK(quiet.forgotten_topics_data.empty());

    at.sessions.clear();  // the broker forgot
    at.at("t", 1).add_values(numbers(5, 10));
    CHECK(at.drain(1s) == numbers(5, 10));
    CHECK(at.consumer->stats().sessions_reset == 1);
    CHECK(at.last_session == 2);

    at.consumer->pause(part(2));
    at.at("t", 0).add_values(numbers(5, 6));
    CHECK(at.drain(1s) == numbers(5, 6));
    bool forgotten = false;
    for (const auto& fetch : at.fetches) {
        forgotten = forgotten || !fetch.forgotten_topics_data.empty();
    }
    CHECK(forgotten);
    at.at("t", 2).add_values(numbers(5, 7));
    CHECK(at.drain(1s).empty());
    at.consumer->resume(part(2));
    CHECK(at.drain(1s) == numbers(5, 7));
}

TEST_CASE("lost connections lose and repeat no record", "[client]") {
    auto seed = GENERATE(range(1, 6));
    Fixture at(1, static_cast<std::uint64_t>(seed));
    at.world.topology->add_topic("t", 2);
    for (int p = 0; p < 2; ++p) {
        for (int i = 0; i < 100; ++i)
            at.at("t", p).add_values({"v" + std::to_string(i)});
    }
    at.options.partition_bytes_max = 200;
    at.world.sockets.set_cut_chance(0.08);
    at.start();
    REQUIRE(at.assign({{part(0), Position::from_start(), Position::from_end()},
                       {part(1), Position::from_start(), Position::from_end()}})
                .ok());
    CHECK(at.drain(300s).size() == 200);
    CHECK(at.consumer->finished());
    CHECK(!at.error);
    CHECK(at.world.broker(1).connections_made() > 1);  // the cuts bit
}

TEST_CASE("when the leader moves the consumer follows it", "[client]") {
    auto hint = GENERATE(true, false);
    Fixture at(2);
    at.tells_leader = hint;
    at.world.topology->add_topic("t", 1);
    at.at("t", 0).add_values(numbers(0, 5));
    at.start();
    REQUIRE(at.assign({{part(0), Position::from_start(), {}}}).ok());
    CHECK(at.drain(500ms) == numbers(0, 5));
    at.world.topology->topics["t"].partitions[0] = {2, 1};
    at.at("t", 0).add_values(numbers(5, 10));
    CHECK(at.drain(3s) == numbers(5, 10));
    CHECK(!at.error);
}

TEST_CASE("a position outside the log is told, or moved if the reader wants so", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 1);
    for (int i = 0; i < 10; ++i)
        at.at("t", 0).add_values(numbers(i * 10, i * 10 + 10));
    at.at("t", 0).batches.erase(at.at("t", 0).batches.begin(), at.at("t", 0).batches.begin() + 5);
    at.at("t", 0).start = 50;
    SECTION("told, with what there is") {
        at.start();
        REQUIRE(at.assign({{part(0), Position::at(Offset{3}), Position::from_end()}}).ok());
        CHECK(at.drain().empty());
        REQUIRE(at.error);
        CHECK(at.error->code == Errc::offset_out_of_range);
        CHECK(at.error->message == "'t' partition 0 has offsets 50 to 100, not 3");
        CHECK(at.consumer->finished());  // it will not come back
    }
    SECTION("moved to the start") {
        at.options.on_out_of_range = OnOutOfRange::earliest;
        at.start();
        REQUIRE(at.assign({{part(0), Position::at(Offset{3}), Position::from_end()}}).ok());
        CHECK(at.drain() == numbers(50, 100));
        CHECK(!at.error);
    }
    SECTION("moved to the end, past the stop") {
        at.options.on_out_of_range = OnOutOfRange::latest;
        at.start();
        REQUIRE(at.assign({{part(0), Position::at(Offset{3}), Position::at(Offset{60})}}).ok());
        CHECK(at.drain().empty());
        CHECK(at.consumer->finished());
    }
}

TEST_CASE("compressed batches are unpacked record by record", "[client]") {
    auto codec =
        GENERATE(Compression::gzip, Compression::snappy, Compression::lz4, Compression::zstd);
    Fixture at;
    at.world.topology->add_topic("t", 1);
    for (int i = 0; i < 5; ++i) {
        at.at("t", 0).add_values(numbers(i * 100, i * 100 + 100), {.compression = codec});
    }
    at.start();
    REQUIRE(at.assign({{part(0), Position::at(Offset{250}), Position::at(Offset{310})}}).ok());
    CHECK(at.drain() == numbers(250, 310));
    CHECK(at.offsets.front() == 250);
}

TEST_CASE("a compressed batch that unpacks to too much is refused, not allocated", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 1);
    at.at("t", 0).add_values({std::string(1 << 20, 'x')}, {.compression = Compression::zstd});
    at.options.unpacked_batch_bytes_max = 1 << 16;
    at.start();
    REQUIRE(at.assign({{part(0), Position::from_start(), Position::from_end()}}).ok());
    CHECK(at.drain().empty());
    REQUIRE(at.error);
    CHECK(at.error->code == Errc::bad_data);
}

TEST_CASE("a batch with a wrong checksum is refused, unless nobody checks", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 1);
    at.at("t", 0).add_values({"value"});
    at.flip_bit = true;
    SECTION("checked") {
        at.start();
        REQUIRE(at.assign({{part(0), Position::from_start(), Position::from_end()}}).ok());
        CHECK(at.drain().empty());
        REQUIRE(at.error);
        CHECK(at.error->code == Errc::bad_data);
        CHECK_THAT(at.error->message, Catch::Contains("'t' partition 0, batch at offset 0"));
    }
    SECTION("not checked") {
        at.options.check_crcs = false;
        at.start();
        REQUIRE(at.assign({{part(0), Position::from_start(), Position::from_end()}}).ok());
        CHECK(at.drain().size() == 1);
    }
}

TEST_CASE("damage that the broker tells of is told, not asked for again", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 1);
    at.at("t", 0).add_values({"value"});
    at.damaged = true;
    at.start();
    REQUIRE(at.assign({{part(0), Position::from_start(), Position::from_end()}}).ok());
    CHECK(at.drain().empty());
    REQUIRE(at.error);
    CHECK(at.error->code == Errc::corrupt_message);
    CHECK_THAT(at.error->message,
               Catch::Contains("'t' partition 0: the broker cannot read its log at offset 0"));
}

TEST_CASE("read_committed leaves out aborted records and stops at what is decided", "[client]") {
    auto isolation = GENERATE(Isolation::read_uncommitted, Isolation::read_committed);
    Fixture at;
    at.world.topology->add_topic("t", 1);
    auto& log = at.at("t", 0);
    BatchOptions seven{.producer_id = ProducerId{7},
                       .producer_epoch = ProducerEpoch{0},
                       .base_sequence = Sequence{0},
                       .transactional = true};
    auto nine = seven;
    nine.producer_id = ProducerId{9};
    auto marker = [&](bool commit, std::int64_t producer) {
        log.add(make_end_transaction_marker(commit, 0, wall_time(1), Offset{0}, Epoch{0},
                                            ProducerId{producer}, ProducerEpoch{0}));
    };
    log.add_values({"plain0"});               // 0
    log.add_values({"bad1", "bad2"}, seven);  // 1, 2
    log.add_values({"good3"}, nine);          // 3
    log.add_values({"bad4"}, seven);          // 4
    marker(false, 7);                         // 5: abort of 7
    log.add_values({"good6"}, seven);         // 6: the next transaction of 7
    marker(true, 9);                          // 7
    marker(true, 7);                          // 8
    log.add_values({"plain9"});               // 9
    log.aborted = {{7, 1}};
    log.stable = 10;
    log.add_values({"open10"}, nine);  // 10: not decided
    at.options.isolation = isolation;
    at.start();
    REQUIRE(at.assign({{part(0), Position::from_start(), Position::from_end()}}).ok());
    auto values = at.drain();
    if (isolation == Isolation::read_committed) {
        CHECK(values == std::vector<std::string>{"plain0", "good3", "good6", "plain9"});
        CHECK(at.consumer->progress()[0].position == Offset{10});
    } else {
        CHECK(values == std::vector<std::string>{"plain0", "bad1", "bad2", "good3", "bad4", "good6",
                                                 "plain9", "open10"});
        CHECK(at.consumer->progress()[0].position == Offset{11});
    }
    CHECK(at.consumer->finished());
}

TEST_CASE("batches that compaction emptied move the position on", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 1);
    auto& log = at.at("t", 0);
    log.add_values(numbers(0, 10));
    auto emptied = log.batches[0];
    emptied.resize(batch_header_bytes);
    store_be(emptied.data() + 8, static_cast<std::int32_t>(batch_header_bytes - 12));
    store_be(emptied.data() + 57, std::int32_t{0});
    seal(emptied);
    log.batches[0] = emptied;
    log.add_values(numbers(10, 12));
    log.batches.push_back(emptied);
    assign(log.batches.back(), Offset{12}, Epoch{0});
    log.end = 22;
    at.start();
    REQUIRE(at.assign({{part(0), Position::from_start(), Position::from_end()}}).ok());
    CHECK(at.drain() == numbers(10, 12));
    CHECK(at.consumer->finished());
}

TEST_CASE("a topic or partition that does not exist is told by assign", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 1);
    at.start();
    CHECK(at.assign({{part(0, "absent"), Position::from_start(), {}}}).code() ==
          Errc::unknown_topic_or_partition);
    auto status = at.assign({{part(5), Position::from_start(), {}}});
    CHECK(status.code() == Errc::unknown_topic_or_partition);
    CHECK_THAT(status.error().message, Catch::Contains("'t' partition 5"));
    CHECK(at.assign({{part(0), Position::from_start(), {}}, {part(0), Position::from_end(), {}}})
              .code() == Errc::usage);
}

TEST_CASE("seeking drops what was fetched ahead", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 1);
    for (int i = 0; i < 10; ++i)
        at.at("t", 0).add_values(numbers(i * 10, i * 10 + 10));
    at.options.partition_bytes_max = 100;
    at.start();
    REQUIRE(at.assign({{part(0), Position::from_start(), Position::from_end()}}).ok());
    at.world.scheduler.run_for(500ms);  // two answers wait
    std::optional<Status> sought;
    at.consumer->seek(part(0), Position::from_end(-3), at.world.in(5s),
                      [&](Status status) { sought = std::move(status); });
    REQUIRE(at.world.until([&] { return sought.has_value(); }));
    REQUIRE(sought->ok());
    CHECK(at.drain() == numbers(97, 100));
}

TEST_CASE("no more than two answers of a partition wait to be taken", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 1);
    for (int i = 0; i < 50; ++i)
        at.at("t", 0).add_values(numbers(i, i + 1));
    at.options.partition_bytes_max = 100;
    at.start();
    REQUIRE(at.assign({{part(0), Position::from_start(), Position::from_end()}}).ok());
    at.world.scheduler.run_for(5s);
    CHECK(at.fetches.size() == 2);
    CHECK(at.drain() == numbers(0, 50));
}

TEST_CASE("a deleted topic is told, not waited for without end", "[client]") {
    Fixture at;
    at.world.topology->add_topic("t", 1);
    at.at("t", 0).add_values(numbers(0, 5));
    at.start();
    REQUIRE(at.assign({{part(0), Position::from_start(), {}}}).ok());
    CHECK(at.drain(500ms) == numbers(0, 5));
    at.judge_fetch = [](const FetchRequest&) { return Errc::none; };
    at.world.topology->topics.erase("t");
    at.world.topology->topics["t"].partitions.resize(1);  // asked for by id: nobody knows it
    auto gone = at.world.topology->topics;
    at.world.topology->topics.clear();
    at.world.broker(1).on<FetchRequest, FetchResponse>(
        [](const FetchRequest& request, int) -> std::optional<FetchResponse> {
            FetchResponse response;
            for (const auto& topic : request.topics) {
                auto& told = response.responses.emplace_back();
                told.topic_id = topic.topic_id;
                auto& partition = told.partitions.emplace_back();
                partition.error_code = static_cast<std::int16_t>(Errc::unknown_topic_id);
                partition.high_watermark = -1;
            }
            return response;
        });
    at.world.sockets.cut_all("b1");
    at.drain(60s);
    REQUIRE(at.error);
    CHECK(at.error->code == Errc::unknown_topic_or_partition);
}
