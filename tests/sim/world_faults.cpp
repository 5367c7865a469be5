// SPDX-License-Identifier: Apache-2.0
//
// OneBrokerWorld: what goes wrong.
#include "tests/sim/world.hpp"

namespace kq::sim {
namespace {

// A crash on a crash on a crash: how often a start may fail in a row before it counts as broken.
constexpr int start_attempts_max = 20;

// Together they begin more than twice what may be held.
constexpr std::size_t stallers_max = 40;

bool is_cache(const std::string& name) {
    auto ends = [&](std::string_view end) { return name.ends_with(end); };
    return ends(".index") || ends(".timeindex") || ends(".txnindex") || ends(".snapshot") ||
           ends(".producers") || name == "leader-epoch-checkpoint" ||
           name == "recovery-point-offset-checkpoint" || name == "replication-offset-checkpoint" ||
           name == "cleaner-offset-checkpoint";
}

}  // namespace

// The process dies, or with it the machine.
void OneBrokerWorld::die(bool power) {
    if (power && !clients_->may_trust_memory) {
        ledger_.allow_holes();
        node_->power_off();
    } else {
        node_->kill();
    }
}

void OneBrokerWorld::crash(bool power) {
    struck(power ? "power cut" : "kill");
    die(power);
    auto& random = scheduler_.random();
    for (int attempt = 0;; ++attempt) {
        run_for(random_ms(random, 1, 2000));
        if (random.chance(0.3)) damage_caches();
        if (is_broken() || !start_broker()) return;
        // Often it dies again while it recovers.
        if (attempt == start_attempts_max || !random.chance(0.25)) return;
        run_for(std::chrono::microseconds(random.below(30'000)));
        if (is_broken() || !node_->is_running()) return;
        if (!node_->is_serving()) struck("crash amid recovery");
        die(random.chance(0.5));
    }
}

// Deletes or flips files that can be rebuilt (I29), while the broker is down.
void OneBrokerWorld::damage_caches() {
    auto& disk = node_->disk();
    auto& random = scheduler_.random();
    auto damage = [&](const std::string& path) {
        auto info = disk.info(path);
        if (!info.ok()) return;
        struck("damaged cache");
        // It may say now that the disk held more than it ever did.
        if (path.ends_with("recovery-point-offset-checkpoint")) ledger_.allow_holes();
        // A second bit in one file might make it look like a newer version's, which is refused.
        if (random.chance(0.5) || info.value().size == 0 || !flipped_.insert(path).second) {
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
    struck("full disk");
    auto& random = scheduler_.random();
    auto& disk = node_->disk();
    disk.set_capacity(disk.used_bytes() + random.below(400'000));
    run_for(random_ms(random, 100, 5000));
    if (random.chance(0.3) && node_->is_running()) {
        die(random.chance(0.5));
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
    bool sync = random.chance(0.6);
    sync ? node_->disk().fail_next_sync() : node_->disk().fail_writes();
    run_for(random_ms(random, 1, 4000));
    node_->disk().clear_faults();
    if (node_->failure()) struck(sync ? "failed sync" : "failed write");
    // A broker that believes the disk again is found out when the power fails.
    if (node_->is_running() && random.chance(0.5)) die(true);
    end_bad_disk();
}

void OneBrokerWorld::end_bad_disk() {
    if (node_->is_running() && node_->failure()) node_->kill();
    disk_is_bad_ = false;
    if (!is_broken() && !node_->is_running()) start_broker();
}

// A jump that a running broker sees deletes nothing for an hour (I36).
void OneBrokerWorld::jump_clock() {
    struck("clock jump");
    auto& random = scheduler_.random();
    auto jump = Millis(static_cast<std::int64_t>(random.below(172'800'000)) - 86'400'000);
    node_->jump_wall_clock(jump);
    run_for(random_ms(random, 100, 5000));
    node_->jump_wall_clock(-jump);
}

// A topic comes, and may go again: what was answered as done is there for the next one who asks
// (I26). Another may come by its name, and the broker die soon after: nothing of the first one is
// left then.
void OneBrokerWorld::change_topics() {
    auto& random = scheduler_.random();
    ClientHost host(*clients_, "admin");
    AdminCore admin(host.loop, *host.network, host.random, client_options(*clients_));
    const auto name = "extra-" + std::to_string(extra_topics_++);
    const auto partitions = static_cast<std::int32_t>(1 + random.below(4));
    auto is_there = [&]() -> std::optional<bool> {
        std::optional<bool> there;
        bool told = false;
        admin.describe_topics({name}, scheduler_.now() + 10s,
                              [&](const Result<Each<TopicDescription>>& result) {
                                  told = true;
                                  if (!result.ok()) return;
                                  auto code = result.value()[0].code();
                                  if (code == Errc::none) there = true;
                                  if (code == Errc::unknown_topic_or_partition) there = false;
                              });
        return run_until([&] { return told; }, 30s) ? there : std::nullopt;
    };
    auto create = [&] {
        std::optional<bool> done;
        admin.create_topics({{.name = name,
                              .partitions = partitions,
                              .replication_factor = 1,
                              .assignment = {},
                              .configs = {}}},
                            false, scheduler_.now() + 10s,
                            [&](const Result<Each<CreatedTopic>>& result) {
                                done = result.ok() && result.value()[0].ok();
                            });
        return run_until([&] { return done.has_value(); }, 30s) && *done;
    };
    if (!create()) return;
    struck("created topic");
    if (is_there() == false) ledger_.fail("I26", name + " was created and is unknown");
    if (is_broken() || random.chance(0.5)) return;
    const bool comes_again = random.chance(0.5);
    if (comes_again) fill_topic(name);
    run_for(random_ms(random, 0, 1000));
    std::optional<bool> done;
    admin.delete_topics({name}, scheduler_.now() + 10s, [&](const Result<Each<Unit>>& result) {
        done = result.ok() && result.value()[0].ok();
    });
    if (!run_until([&] { return done.has_value(); }, 30s) || !*done) return;
    struck("deleted topic");
    if (is_there() == true) ledger_.fail("I26", name + " was deleted and is still known");
    if (is_broken() || !comes_again || !create()) return;
    struck("topic of a name that was another's");
    run_for(random_ms(random, 0, 6000));
    if (is_broken() || !node_->is_running()) return;
    die(random.chance(0.5));
    if (!start_broker()) return;
    check_topic_is_empty(admin, name, partitions);
}

// A few records into its first partition; whether they arrive is nobody's business.
void OneBrokerWorld::fill_topic(const std::string& name) {
    ClientHost host(*clients_, "filler");
    ProducerOptions options;
    options.client = client_options(*clients_);
    ProducerCore core(host.loop, *host.network, host.random, options);
    ProducerRecord record{.topic = name,
                          .partition = PartitionIndex{0},
                          .key = std::nullopt,
                          .value = as_bytes("old"),
                          .headers = {},
                          .timestamp = std::nullopt};
    bool known = false;
    core.when_writable(name, scheduler_.now() + 5s, [&](const Status&) { known = true; });
    run_until([&] { return known; }, 10s);
    int reported = 0;
    int sent = 0;
    for (int i = 0; i < 5; ++i)
        sent += core.send(record, [&](const RecordReport&) { ++reported; }).ok();
    run_until([&] { return reported == sent; }, 5s);
    core.close();
}

void OneBrokerWorld::check_topic_is_empty(AdminCore& admin, const std::string& name,
                                          std::int32_t partitions) {
    if (!run_until([&] { return node_->is_serving(); }, 60s)) return;
    std::vector<OffsetQuery> asked;
    for (std::int32_t p = 0; p < partitions; ++p)
        asked.push_back({{name, PartitionIndex(p)}, OffsetSpec::latest()});
    bool answered = false;
    admin.list_offsets(asked, Isolation::read_uncommitted, scheduler_.now() + 20s,
                       [&](const Result<Each<ListedOffset>>& listed) {
                           answered = true;
                           for (std::size_t i = 0; listed.ok() && i < asked.size(); ++i) {
                               const auto& one = listed.value()[i];
                               if (!one.ok() || one.value().offset == Offset{0}) continue;
                               ledger_.fail("I2", asked[i].partition.text() +
                                                      " is new and ends at " +
                                                      std::to_string(one.value().offset.value));
                           }
                       });
    run_until([&] { return answered; }, 30s);
}

void OneBrokerWorld::stop_and_start() {
    if (node_->is_stopping() || !node_->is_serving()) return;
    struck("clean stop");
    auto& random = scheduler_.random();
    node_->stop();
    if (!run_until([&] { return !node_->is_running(); }, 60s)) {
        return ledger_.fail("stop", "the broker does not stop");
    }
    if (!node_->stopped_cleanly()) ledger_.fail("stop", "the broker did not stop cleanly");
    if (random.chance(0.3) && !clients_->may_trust_memory) node_->power_off_machine();
    run_for(random_ms(random, 1, 1000));
    start_broker();
}

// More memory is asked for than there is: some begin requests and do not end them (I33). They
// leave, or are thrown out, before the world heals.
void OneBrokerWorld::stall() {
    auto& random = scheduler_.random();
    if (!node_->is_running() && !start_broker()) return;
    if (!run_until([&] { return node_->is_serving() || disk_is_bad_; }, 30s)) return;
    struck("stalled requests");
    stalled_ = true;
    while (stallers_.size() < stallers_max)
        stallers_.push_back(std::make_unique<SimStaller>(*clients_, staller_host));
    run_for(random_ms(random, 50, 5000));
    stallers_.clear();
}

void OneBrokerWorld::one_fault() {
    auto& random = scheduler_.random();
    if (!node_->is_running()) {
        start_broker();
        return;
    }
    switch (random.below(12)) {
        case 0:
        case 1:
            return crash(false);
        case 2:
        case 3:
            return crash(true);
        case 4:
            struck("cut connections");
            network_.cut_all(node_->host());
            return;
        case 5:
            struck("flaky network");
            network_.set_cut_chance(random.chance(0.5) ? 0.02 : 0);
            return;
        case 6:
            return jump_clock();
        case 7:
            struck("replaced producer");
            producers_[random.below(producers_.size())]->replace();
            return;
        case 8:
            return fill_disk();
        case 9:
            return break_disk();
        case 10:
            return change_topics();
        default:
            return stop_and_start();
    }
}

}  // namespace kq::sim
