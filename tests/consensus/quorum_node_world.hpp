// SPDX-License-Identifier: Apache-2.0
//
// One QuorumNode on a simulated disk, that can be stopped, killed and left without power.
#pragma once

#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "base/memory_file_system.hpp"
#include "base/sim_loop.hpp"
#include "consensus/quorum_node.hpp"

namespace kq::sim {

inline const std::string directory = "/d/__cluster_metadata-0";
inline constexpr std::chrono::minutes minute{1};

// A listener that keeps what it is told.
struct NodeListener final : ReplicatedLogListener {
    Status on_snapshot(const SnapshotView& snapshot) override {
        records.clear();
        snapshot_end = snapshot.end;
        return snapshot.for_each([&](const LogRecordView& record) {
            records.emplace_back(as_text(*record.value));
            return done();
        });
    }
    Status on_committed(const CommittedBatch& batch) override {
        next = batch.last + 1;
        if (batch.is_control) return done();
        for (const auto& record : batch.records)
            records.emplace_back(as_text(*record.value));
        return done();
    }
    void on_leader(Epoch epoch) override { led = epoch; }
    void on_resigned(Epoch) override { led.reset(); }
    void on_failed(Error error) override { failure = std::move(error); }

    std::vector<std::string> records;
    std::optional<Offset> snapshot_end;
    Offset next{0};
    std::optional<Epoch> led;
    std::optional<Error> failure;
};

struct NodeWorld {
    SimScheduler scheduler;
    MemoryFileSystem files;
    Uuid self = Uuid::parse("AAAAAAAAAAAAAAAAAAAA1g").value();
    QuorumNodeOptions options;
    struct Process {
        explicit Process(NodeWorld& world)
            : loop(world.scheduler),
              pool(world.scheduler),
              node({loop, world.files, pool, world.scheduler.random(), Logger()}, world.options,
                   listener) {}
        SimLoop loop;
        SimIoPool pool;
        NodeListener listener;
        QuorumNode node;
    };
    std::unique_ptr<Process> process;

    explicit NodeWorld(std::uint64_t seed = 1)
        : scheduler(seed), files(scheduler.clock(), MemoryFileSystem::CrashModel::on) {
        options.self = {BrokerId{1}, self};
        options.directory = directory;
        options.endpoints = {{"CONTROLLER", "here", 9093}};
        REQUIRE(files.mkdir("/d").ok());
        REQUIRE(files.sync_dir("/").ok());
    }
    void format(std::int32_t voter = 1, int voters = 1) {
        VoterSet set;
        for (std::int32_t i = voter; i < voter + voters; ++i)
            set[BrokerId{i}] = {{BrokerId{i}, self}, {{"CONTROLLER", "here", 9093}}, 0, 1};
        REQUIRE(write_first_voters(files, directory, set, scheduler.clock().wall()).ok());
    }
    void put(const std::string& name, const std::string& golden) {
        std::ifstream in(std::string(KQ_SOURCE_DIR) + "/tests/wire/golden/metadata/" + golden,
                         std::ios::binary);
        REQUIRE(in);
        const std::string text{std::istreambuf_iterator<char>(in), {}};
        REQUIRE(files.mkdir(directory).ok());
        REQUIRE(replace_file(files, directory + '/' + name, as_bytes(text)).ok());
    }

    Status start() {
        process = std::make_unique<Process>(*this);
        std::optional<Status> started;
        process->node.start([&](Status status) { started = status; });
        REQUIRE(scheduler.run_until([&] { return started.has_value(); }, minute));
        return *started;
    }
    void lead() {
        const auto started = start();
        REQUIRE(started.ok());
        REQUIRE(scheduler.run_until([&] { return listener().led.has_value(); }, minute));
    }
    NodeListener& listener() { return process->listener; }
    QuorumNode& node() { return process->node; }
    Result<Offset> append(std::vector<std::string> values) {
        std::vector<LogRecord> records;
        for (const auto& value : values)
            records.push_back({std::nullopt, to_bytes(as_bytes(value))});
        return node().append(listener().led.value_or(Epoch{0}), std::move(records));
    }
    void settle() {
        REQUIRE(scheduler.run_until(
            [&] { return node().committed_end() == node().log_end() || listener().failure; },
            minute));
    }
    void stop() {
        bool stopped = false;
        node().stop([&](Status status) {
            CHECK(status.ok());
            stopped = true;
        });
        REQUIRE(scheduler.run_until([&] { return stopped; }, minute));
        process.reset();
    }
    void kill(bool power) {
        process->loop.kill();
        process->pool.kill();
        process.reset();
        if (power) files.power_off(scheduler.random());
    }
};

}  // namespace kq::sim
