// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/world.hpp"

#include <algorithm>

#include "protocol/record_batch.hpp"

namespace kq::sim {
namespace {

// What requests may hold, where the world limits it: little, or what takes in some slabs, so that
// one that is held cannot use it up; and the largest of them.
constexpr std::int64_t request_memory_little = 40'000;
constexpr std::int64_t request_memory_some = 2'500'000;
constexpr std::int64_t request_max = 20'000;
constexpr std::int64_t request_beginning_max = 16 * 1024;  // of a request that waits for memory

NodeOptions node_options(Random& random, LogSink* log) {
    NodeOptions options;
    options.data_loops = 1 + random.below(2);
    options.log = log;
    options.configs = {
        // Small segments and indexes, so that rolling and recovery happen all the time.
        {"log.roll.ms", std::to_string(500 + random.below(4000))},
        {"log.index.interval.bytes", std::to_string(random.below(4096))},
        // A wall clock that jumps by a day must not make a broker delete anything (I36).
        {"log.retention.ms", "7200000"},
        {"log.retention.check.interval.ms", std::to_string(100 + random.below(2000))},
        {"auto.create.topics.enable", "false"},
    };
    if (random.chance(0.3)) {
        options.request_memory_max =
            random.chance(0.5) ? request_memory_some : request_memory_little;
        options.configs.emplace_back("queued.max.request.bytes",
                                     std::to_string(options.request_memory_max));
    }
    return options;
}

// Whether a checksum covers the byte: that of a batch does not cover its base offset, by which a
// reader may then find it at another one.
bool is_checked(MemoryFileSystem& disk, const std::string& path, std::uint64_t position) {
    const auto content = read_file(disk, path);
    KQ_CHECK(content.ok());
    ByteView rest(content.value());
    while (true) {
        const auto header = BatchHeader::parse(rest);
        if (!header.ok() || header.value().size_bytes > rest.size()) return true;
        if (position < header.value().size_bytes) return position >= sizeof(std::int64_t);
        position -= header.value().size_bytes;
        rest = rest.subspan(header.value().size_bytes);
    }
}

// Whether nothing sound stands behind the byte in its partition.
bool is_in_last_batch(MemoryFileSystem& disk, const std::vector<std::string>& segments,
                      const std::string& path, std::uint64_t position) {
    const auto directory = parent_of(path);
    for (const auto& other : segments) {
        if (parent_of(other) == directory && other > path) return false;
    }
    const auto content = read_file(disk, path);
    KQ_CHECK(content.ok());
    ByteView rest(content.value());
    while (true) {
        const auto header = BatchHeader::parse(rest);
        if (!header.ok() || header.value().size_bytes >= rest.size()) return true;
        if (position < header.value().size_bytes) return false;
        position -= header.value().size_bytes;
        rest = rest.subspan(header.value().size_bytes);
    }
}

}  // namespace

OneBrokerWorld::OneBrokerWorld(std::uint64_t seed, LogSink* log)
    : scheduler_(seed), network_(scheduler_), logger_(log != nullptr ? Logger(*log) : Logger()) {
    auto& random = scheduler_.random();
    node_ = std::make_unique<Node>(scheduler_, network_, node_options(random, log));
    auto topics = 1 + random.below(2);
    for (std::uint64_t t = 0; t < topics; ++t) {
        topics_.push_back({"topic-" + std::to_string(t),
                           static_cast<std::int32_t>(1 + random.below(3)), random.chance(0.25)});
        if (!topics_.back().deletes) continue;
        for (std::int32_t p = 0; p < topics_.back().partitions; ++p)
            ledger_.allow_deletion({topics_.back().name, PartitionIndex(p)});
    }
    clients_ = std::make_unique<ClientWorld>(ClientWorld{scheduler_, network_, ledger_,
                                                         Endpoint{node_->host(), node_->port()},
                                                         topics_, random.chance(0.25)});
}

OneBrokerWorld::~OneBrokerWorld() {
    stallers_.clear();
    readers_.clear();
    producers_.clear();
}

void OneBrokerWorld::struck(const std::string& kind) {
    ++counts_[kind];
    logger_.info("fault", {kv("kind", kind)});
}

bool OneBrokerWorld::is_broken() {
    node_->reap();
    if (node_->failure() && !disk_is_bad_ && !ledger_.broken()) {
        ledger_.fail("broker", "it gave up: " + node_->failure()->text());
    }
    check_request_memory();
    return ledger_.broken().has_value();
}

// I33. What the broker counts may not be more than it was given, and one request that has to be let
// in; and what it has in truth received of requests that never end not more than that and what it
// is free to hold uncounted: the slab that each loop receives into, and the beginning of every
// request.
void OneBrokerWorld::check_request_memory() {
    const auto limit = node_->options().request_memory_max;
    if (limit == 0 || !node_->is_running()) return;
    const auto slab = static_cast<std::int64_t>(ReceiveBuffers::slab_bytes);
    auto most = limit + request_max;
    if (stalled_) most = limit + SimStaller::frame_bytes;
    if (auto held = node_->metric("kq_request_memory_bytes"); held > most) {
        ledger_.fail("I33", std::to_string(held) + " bytes of requests are counted as held");
    }
    if (stallers_.empty()) return;
    const auto loops = static_cast<std::int64_t>(node_->options().data_loops);
    const auto connections = static_cast<std::int64_t>(stallers_.size());
    most += loops * slab + connections * request_beginning_max;
    const auto received = static_cast<std::int64_t>(network_.received_from(staller_host));
    if (received > most) {
        ledger_.fail("I33", std::to_string(received) + " bytes of requests are held; at most " +
                                std::to_string(most) + " may be");
    }
}

bool OneBrokerWorld::run_until(const std::function<bool()>& reached,
                               std::chrono::nanoseconds limit) {
    bool ended = scheduler_.run_until([&] { return is_broken() || reached(); }, limit);
    return ended && !ledger_.broken();
}

void OneBrokerWorld::run_for(std::chrono::nanoseconds duration) {
    run_until([] { return false; }, duration);
}

bool OneBrokerWorld::start_broker() {
    auto started = node_->start();
    if (!started.ok()) {
        ledger_.fail("I27", "the broker does not start: " + started.error().text());
        return false;
    }
    return true;
}

bool OneBrokerWorld::create_topics() {
    ClientHost host(*clients_, "admin");
    AdminCore admin(host.loop, *host.network, host.random, client_options(*clients_));
    std::vector<NewTopic> wanted;
    for (const auto& topic : topics_) {
        wanted.push_back(
            {.name = topic.name,
             .partitions = topic.partitions,
             .replication_factor = 1,
             .assignment = {},
             .configs = topic.deletes
                            ? std::vector<std::pair<std::string, std::string>>{{"retention.bytes",
                                                                                "20000"}}
                            : std::vector<std::pair<std::string, std::string>>{}});
    }
    bool created = false;
    admin.create_topics(wanted, false, scheduler_.now() + 30s,
                        [&](const Result<Each<CreatedTopic>>& result) {
                            if (!result.ok()) {
                                ledger_.fail("set-up", result.error().text());
                                return;
                            }
                            for (const auto& topic : result.value()) {
                                if (!topic.ok()) ledger_.fail("set-up", topic.error().text());
                            }
                            created = true;
                        });
    return run_until([&] { return created; }, 60s);
}

// ---- healing and the last look

void OneBrokerWorld::heal() {
    network_.set_cut_chance(0);
    node_->disk().clear_faults();
    if (!node_->is_running() && !start_broker()) return;
    for (auto& producer : producers_)
        producer->stop();
    bool settled = run_until(
        [&] {
            for (auto& producer : producers_) {
                if (!producer->is_idle()) return false;
            }
            return node_->is_serving();
        },
        60s);
    if (settled) return;
    for (auto& producer : producers_) {
        if (!producer->is_idle()) ledger_.fail("liveness", producer->trouble());
    }
    ledger_.fail("liveness", "the broker does not serve 60 s after the last fault");
}

bool OneBrokerWorld::read_all(const OnRecord& on_record,
                              const std::function<void(Error)>& refused) {
    ClientHost host(*clients_, "last-reader");
    ConsumerOptions options;
    options.client = client_options(*clients_);
    ConsumerCore consumer(host.loop, *host.network, host.random, options);
    std::vector<Assignment> assignments;
    for (const auto& topic : topics_) {
        for (std::int32_t p = 0; p < topic.partitions; ++p) {
            assignments.push_back(
                {{topic.name, PartitionIndex(p)}, Position::from_start(), Position::from_end()});
        }
    }
    bool assigned = false;
    std::optional<Error> trouble;
    consumer.assign(std::move(assignments), scheduler_.now() + 60s, [&](const Status& status) {
        if (!status.ok()) trouble = status.error();
        assigned = true;
    });
    if (!run_until([&] { return assigned; }, 90s)) return false;
    while (!trouble && !consumer.finished()) {
        bool ready = false;
        consumer.when_ready([&] { ready = true; });
        if (!run_until([&] { return ready; }, 60s)) {
            ledger_.fail("liveness", "the last reader does not come to the end");
            return false;
        }
        for (;;) {
            auto fetched = consumer.take();
            if (!fetched.ok()) trouble = fetched.error();
            if (!fetched.ok() || !fetched.value()) break;
            for (;;) {
                auto next = fetched.value()->next();
                if (!next.ok()) trouble = next.error();
                if (!next.ok() || next.value() == nullptr) break;
                auto name = RecordName::parse(as_text(*next.value()->value));
                if (!name) {
                    ledger_.fail("I28", "a record that nobody sent was read");
                    return false;
                }
                on_record(fetched.value()->partition(), next.value()->offset, *name);
            }
            if (trouble) break;
        }
    }
    if (trouble) refused(*trouble);
    return !trouble;
}

void OneBrokerWorld::read_everything() {
    struct Found {
        Offset start{0};
        Offset next{0};
        std::map<Offset, RecordName> records;
    };
    std::map<TopicPartition, Found> all;
    bool whole = false;
    bool overtaken = true;  // by retention, which deletes what is being read
    for (int attempt = 0; overtaken && attempt < 50 && !is_broken(); ++attempt) {
        overtaken = false;
        all.clear();
        for (const auto& topic : topics_) {
            for (std::int32_t p = 0; p < topic.partitions; ++p)
                all[{topic.name, PartitionIndex(p)}];
        }
        whole = read_all(
            [&](const TopicPartition& partition, Offset offset, const RecordName& name) {
                auto& found = all[partition];
                if (found.records.empty() && ledger_.may_delete(partition)) {
                    found.start = found.next = offset;
                }
                ledger_.on_position(partition, found.next, offset);
                ledger_.on_read(partition, offset, name);
                found.records.emplace(offset, name);
                found.next = offset + 1;
            },
            [&](const Error& error) {
                overtaken = error.code == Errc::offset_out_of_range &&
                            std::any_of(topics_.begin(), topics_.end(),
                                        [](const SimTopic& topic) { return topic.deletes; });
                if (!overtaken) ledger_.fail("I1", "the last reader was told: " + error.text());
            });
    }
    if (!whole) return;
    for (const auto& [partition, found] : all)
        ledger_.on_final(partition, found.start, found.records);
    // A world in which nothing happened proves nothing.
    if (ledger_.acked_count() == 0 || ledger_.read_count() == 0) {
        ledger_.fail("world", "no record was acknowledged and read");
    }
}

// I28, with which the run ends: one bit of one segment is flipped. Records may be lost by it, none
// may be read as another one, and the broker serves the rest. No offset is given twice (I2), unless
// the damage looks like the torn end of a log that was not stopped.
void OneBrokerWorld::flip_a_bit() {
    auto& random = scheduler_.random();
    auto& disk = node_->disk();
    const bool clean = random.chance(0.5);
    clean ? node_->stop() : node_->kill();
    if (!run_until([&] { return !node_->is_running(); }, 60s)) {
        return ledger_.fail("stop", "the broker does not stop");
    }
    std::vector<std::string> segments;
    const auto partitions = disk.list("/data");
    KQ_CHECK(partitions.ok());
    for (const auto& name : partitions.value()) {
        if (!name.starts_with("topic-")) continue;
        const auto files = disk.list("/data/" + name);
        KQ_CHECK(files.ok());
        for (const auto& file : files.value()) {
            auto path = "/data/" + name + "/" + file;
            if (file.ends_with(".log") && disk.info(path).value().size > 0)
                segments.push_back(path);
        }
    }
    if (segments.empty()) return;
    const auto& path = segments[random.below(segments.size())];
    const auto position = random.below(disk.info(path).value().size);
    const bool checked = is_checked(disk, path, position);
    const bool seems_torn = !clean && is_in_last_batch(disk, segments, path, position);
    disk.flip_bit(path, position, static_cast<int>(random.below(8)));
    struck("flipped bit");
    if (!start_broker() || !run_until([&] { return node_->is_serving(); }, 60s)) {
        return ledger_.fail("I28", "the broker does not serve after a bit was flipped");
    }
    read_all(
        [&](const TopicPartition& partition, Offset offset, const RecordName& name) {
            if (checked) ledger_.on_read_after_damage(partition, offset, name);
        },
        [&](const Error& error) {
            bool told = error.code == Errc::bad_data || error.code == Errc::offset_out_of_range ||
                        error.code == Errc::corrupt_message ||
                        error.code == Errc::kafka_storage_error;
            if (!told) ledger_.fail("I28", "after a bit was flipped: " + error.text());
            if (told) struck("damage told to a reader");
        });
    if (!seems_torn && !is_broken()) check_ends_after_damage();
}

void OneBrokerWorld::check_ends_after_damage() {
    ClientHost host(*clients_, "admin");
    AdminCore admin(host.loop, *host.network, host.random, client_options(*clients_));
    std::vector<OffsetQuery> asked;
    for (const auto& topic : topics_) {
        for (std::int32_t p = 0; p < topic.partitions; ++p)
            asked.push_back({{topic.name, PartitionIndex(p)}, OffsetSpec::latest()});
    }
    bool answered = false;
    admin.list_offsets(asked, Isolation::read_uncommitted, scheduler_.now() + 10s,
                       [&](const Result<Each<ListedOffset>>& listed) {
                           answered = true;
                           for (std::size_t i = 0; listed.ok() && i < asked.size(); ++i) {
                               const auto& one = listed.value()[i];
                               if (!one.ok()) continue;  // a log that cannot be opened
                               ledger_.on_end_after_damage(asked[i].partition, one.value().offset);
                           }
                       });
    if (!run_until([&] { return answered; }, 60s) && !is_broken()) {
        ledger_.fail("liveness", "nobody says where the logs end after a bit was flipped");
    }
}

// I34: with the clients gone a broker is as it was before they came.
void OneBrokerWorld::check_nothing_left() {
    for (auto& reader : readers_)
        reader->stop();
    readers_.clear();
    producers_.clear();
    bool idle = run_until(
        [&] {
            return node_->connection_count() == 0 && node_->metric("kq_watches") == 0 &&
                   node_->metric("kq_request_memory_bytes") == 0;
        },
        30s);
    if (!idle && !ledger_.broken()) {
        ledger_.fail("I34", "left over: " + std::to_string(node_->connection_count()) +
                                " connections, " + std::to_string(node_->metric("kq_watches")) +
                                " watches, " +
                                std::to_string(node_->metric("kq_request_memory_bytes")) +
                                " bytes of request memory");
    }
}

RunResult OneBrokerWorld::run() {
    auto& random = scheduler_.random();
    if (start_broker() && run_until([&] { return node_->is_serving(); }, 30s) && create_topics()) {
        auto producer_count = 1 + random.below(3);
        for (std::uint64_t i = 0; i < producer_count; ++i) {
            producers_.push_back(std::make_unique<SimProducer>(
                *clients_, static_cast<std::int32_t>(i), i == 0 || random.chance(0.7)));
            producers_.back()->start();
        }
        for (int i = 0; i < 2; ++i) {
            readers_.push_back(std::make_unique<SimReader>(*clients_, i));
            readers_.back()->start();
        }
        auto rounds = 3 + random.below(6);
        for (std::uint64_t i = 0; i < rounds && !is_broken(); ++i) {
            run_for(random_ms(random, 50, 2500));
            one_fault();
        }
        if (!is_broken() && node_->options().request_memory_max == request_memory_some) stall();
        if (!is_broken()) heal();
        if (!is_broken()) read_everything();
        if (!is_broken()) check_nothing_left();
        if (!is_broken() && random.chance(0.3)) flip_a_bit();
    } else if (!ledger_.broken()) {
        ledger_.fail("liveness", "the broker does not serve 30 s after its start");
    }
    return {.broken = ledger_.broken(),
            .fingerprint = scheduler_.fingerprint(),
            .steps = scheduler_.step_count(),
            .acked = ledger_.acked_count(),
            .read = ledger_.read_count(),
            .counts = counts_,
            .lasted = scheduler_.now().time_since_epoch()};
}

}  // namespace kq::sim
