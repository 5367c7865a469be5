// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/world.hpp"

namespace kq::sim {
namespace {

// A crash on a crash on a crash: how often a start may fail in a row before it counts as broken.
constexpr int start_attempts_max = 20;

std::chrono::milliseconds random_ms(Random& random, std::uint64_t least, std::uint64_t most) {
    return Millis(static_cast<std::int64_t>(least + random.below(most - least + 1)));
}

NodeOptions node_options(Random& random, LogSink* log) {
    NodeOptions options;
    options.data_loops = 1 + random.below(2);
    options.log = log;
    options.configs = {
        // Small segments and indexes, so that rolling and recovery happen all the time.
        {"log.roll.ms", std::to_string(500 + random.below(4000))},
        {"log.index.interval.bytes", std::to_string(random.below(4096))},
        {"log.retention.ms", "-1"},
        {"auto.create.topics.enable", "false"},
    };
    return options;
}

}  // namespace

OneBrokerWorld::OneBrokerWorld(std::uint64_t seed, LogSink* log)
    : scheduler_(seed), network_(scheduler_) {
    auto& random = scheduler_.random();
    node_ = std::make_unique<Node>(scheduler_, network_, node_options(random, log));
    auto topics = 1 + random.below(2);
    for (std::uint64_t t = 0; t < topics; ++t) {
        topics_.push_back(
            {"topic-" + std::to_string(t), static_cast<std::int32_t>(1 + random.below(3))});
    }
    clients_ = std::make_unique<ClientWorld>(ClientWorld{
        scheduler_, network_, ledger_, Endpoint{node_->host(), node_->port()}, topics_});
}

OneBrokerWorld::~OneBrokerWorld() {
    readers_.clear();
    producers_.clear();
}

bool OneBrokerWorld::is_broken() {
    node_->reap();
    if (node_->failure() && !disk_is_bad_ && !ledger_.broken()) {
        ledger_.fail("broker", "it gave up: " + node_->failure()->text());
    }
    return ledger_.broken().has_value();
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
        wanted.push_back({.name = topic.name,
                          .partitions = topic.partitions,
                          .replication_factor = 1,
                          .assignment = {},
                          .configs = {}});
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

// ---- faults

void OneBrokerWorld::crash(bool power) {
    power ? node_->power_off() : node_->kill();
    auto& random = scheduler_.random();
    for (int attempt = 0;; ++attempt) {
        run_for(random_ms(random, 1, 2000));
        if (random.chance(0.3)) damage_caches();
        if (is_broken() || !start_broker()) return;
        // Often it dies again while it recovers.
        if (attempt == start_attempts_max || !random.chance(0.25)) return;
        run_for(std::chrono::microseconds(random.below(30'000)));
        if (is_broken() || !node_->is_running()) return;
        random.chance(0.5) ? node_->power_off() : node_->kill();
    }
}

// Deletes or flips files that can be rebuilt (I29), while the broker is down.
void OneBrokerWorld::damage_caches() {
    auto& disk = node_->disk();
    auto& random = scheduler_.random();
    auto is_cache = [](const std::string& name) {
        auto ends = [&](std::string_view end) { return name.ends_with(end); };
        return ends(".index") || ends(".timeindex") || ends(".snapshot") ||
               name == "recovery-point-offset-checkpoint" ||
               name == "replication-offset-checkpoint";
    };
    auto damage = [&](const std::string& path) {
        auto info = disk.info(path);
        if (!info.ok()) return;
        if (random.chance(0.5) || info.value().size == 0) {
            KQ_CHECK(disk.unlink(path).ok());
        } else {
            disk.flip_bit(path, random.below(info.value().size), static_cast<int>(random.below(8)));
        }
    };
    auto names = disk.list("/data");
    if (!names.ok()) return;
    for (const auto& name : names.value()) {
        auto path = "/data/" + name;
        if (is_cache(name) && random.chance(0.2)) damage(path);
        if (!name.starts_with("topic-")) continue;
        auto files = disk.list(path);
        if (!files.ok()) continue;
        for (const auto& file : files.value()) {
            if (is_cache(file) && random.chance(0.2)) damage(path + "/" + file);
        }
    }
}

// The disk is full for a while: what does not fit is refused, and later taken (RELIABILITY 3). The
// broker may die meanwhile; its start may be refused until there is room.
void OneBrokerWorld::fill_disk() {
    auto& random = scheduler_.random();
    auto& disk = node_->disk();
    auto space = disk.free_space("/data");
    KQ_CHECK(space.ok());
    auto used = space.value().total_bytes - space.value().free_bytes;
    disk.set_capacity(used + random.below(400'000));
    run_for(random_ms(random, 100, 5000));
    if (random.chance(0.3) && node_->is_running()) {
        random.chance(0.5) ? node_->power_off() : node_->kill();
        auto started = node_->start();
        if (!started.ok() && started.code() != Errc::disk_full) {
            ledger_.fail("disk full", "the broker does not start: " + started.error().text());
        }
        disk_is_bad_ = true;  // it may find out later that it cannot begin
        run_for(random_ms(random, 10, 2000));
    }
    disk.clear_faults();
    end_bad_disk();
}

// The disk answers writes or a sync with an error: what it holds is not believed any more (I31).
// The broker gives its only directory up, and with it itself.
void OneBrokerWorld::break_disk() {
    auto& random = scheduler_.random();
    disk_is_bad_ = true;
    random.chance(0.6) ? node_->disk().fail_next_sync() : node_->disk().fail_writes();
    run_for(random_ms(random, 1, 4000));
    node_->disk().clear_faults();
    // A broker that believes the disk again is found out when the power fails.
    if (node_->is_running() && random.chance(0.5)) node_->power_off();
    end_bad_disk();
}

void OneBrokerWorld::end_bad_disk() {
    if (node_->is_running() && node_->failure()) node_->kill();
    disk_is_bad_ = false;
    if (!is_broken() && !node_->is_running()) start_broker();
}

void OneBrokerWorld::one_fault() {
    auto& random = scheduler_.random();
    if (!node_->is_running()) {
        start_broker();
        return;
    }
    ++faults_;
    switch (random.below(11)) {
        case 0:
        case 1:
            crash(false);
            break;
        case 2:
        case 3:
            crash(true);
            break;
        case 4:
            network_.cut_all(node_->host());
            break;
        case 5:
            network_.set_cut_chance(random.chance(0.5) ? 0.02 : 0);
            break;
        case 6:
            node_->jump_wall_clock(
                Millis(static_cast<std::int64_t>(random.below(172'800'000)) - 86'400'000));
            break;
        case 7:
            if (!producers_.empty()) producers_[random.below(producers_.size())]->replace();
            break;
        case 8:
            fill_disk();
            break;
        case 9:
            break_disk();
            break;
        default:
            if (!node_->is_stopping() && node_->is_serving()) {
                node_->stop();
                if (run_until([&] { return !node_->is_running(); }, 60s)) {
                    if (!node_->stopped_cleanly()) {
                        ledger_.fail("stop", "the broker did not stop cleanly");
                    }
                    if (random.chance(0.3)) node_->power_off_machine();
                    run_for(random_ms(random, 1, 1000));
                    start_broker();
                } else {
                    ledger_.fail("stop", "the broker does not stop");
                }
            }
            break;
    }
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

void OneBrokerWorld::read_everything() {
    ClientHost host(*clients_, "last-reader");
    ConsumerOptions options;
    options.client = client_options(*clients_);
    ConsumerCore consumer(host.loop, *host.network, host.random, options);
    std::vector<Assignment> assignments;
    std::map<TopicPartition, std::vector<RecordName>> records;
    for (const auto& topic : topics_) {
        for (std::int32_t p = 0; p < topic.partitions; ++p) {
            TopicPartition partition{topic.name, PartitionIndex(p)};
            records[partition];
            assignments.push_back({partition, Position::from_start(), Position::from_end()});
        }
    }
    bool assigned = false;
    consumer.assign(std::move(assignments), scheduler_.now() + 60s, [&](const Status& status) {
        if (!status.ok()) ledger_.fail("liveness", status.error().text());
        assigned = true;
    });
    if (!run_until([&] { return assigned; }, 90s)) return;
    bool ready = false;
    std::function<void()> wait = [&] {
        ready = false;
        consumer.when_ready([&] { ready = true; });
    };
    while (!consumer.finished()) {
        wait();
        if (!run_until([&] { return ready; }, 60s)) {
            ledger_.fail("liveness", "the last reader does not come to the end");
            return;
        }
        for (;;) {
            auto fetched = consumer.take();
            if (!fetched.ok()) {
                ledger_.fail("I1", "the last reader was told: " + fetched.error().text());
                return;
            }
            if (!fetched.value()) break;
            for (;;) {
                auto next = fetched.value()->next();
                if (!next.ok()) {
                    ledger_.fail("I28", "the last reader got " + next.error().text());
                    return;
                }
                if (next.value() == nullptr) break;
                auto& list = records[fetched.value()->partition()];
                ledger_.on_position(fetched.value()->partition(),
                                    Offset(static_cast<std::int64_t>(list.size())),
                                    next.value()->offset);
                auto name = RecordName::parse(as_text(*next.value()->value));
                if (!name) {
                    ledger_.fail("I28", "a record that nobody sent was read");
                    return;
                }
                ledger_.on_read(fetched.value()->partition(), next.value()->offset, *name);
                list.push_back(*name);
            }
        }
    }
    for (const auto& [partition, list] : records)
        ledger_.on_final(partition, list);
    // A world in which nothing happened proves nothing.
    if (ledger_.acked_count() == 0 || ledger_.read_count() == 0) {
        ledger_.fail("world", "no record was acknowledged and read");
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
            producers_.push_back(
                std::make_unique<SimProducer>(*clients_, static_cast<std::int32_t>(i), true));
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
        if (!is_broken()) heal();
        if (!is_broken()) read_everything();
        if (!is_broken()) check_nothing_left();
    } else if (!ledger_.broken()) {
        ledger_.fail("liveness", "the broker does not serve 30 s after its start");
    }
    return {.broken = ledger_.broken(),
            .fingerprint = scheduler_.fingerprint(),
            .steps = scheduler_.step_count(),
            .acked = ledger_.acked_count(),
            .read = ledger_.read_count(),
            .faults = faults_};
}

}  // namespace kq::sim
