// SPDX-License-Identifier: Apache-2.0
#include "consensus/state_machine.hpp"

#include <string>

#include <catch2/catch.hpp>

#include "base/sim_loop.hpp"

using namespace kq;

namespace {

// A log in memory that commits when it is told to.
class MemoryLog final : public ReplicatedLog {
public:
    Result<Offset> append(Epoch epoch, std::vector<LogRecord> records) override {
        if (failure) return *failure;
        if (epoch != leader_epoch) return Error(Errc::not_leader_or_follower);
        if (records.size() > 3) return Error(Errc::record_list_too_large);
        for (auto& record : records)
            entries.push_back(std::string(as_text(*record.value)));
        ++batches;
        return log_end() - 1;
    }
    std::size_t batch_bytes_max() const override { return 1000; }
    Offset log_end() const override { return Offset{static_cast<std::int64_t>(entries.size())}; }
    Offset committed_end() const override { return committed; }

    Epoch leader_epoch{1};
    std::vector<std::string> entries;
    Offset committed{0};
    int batches = 0;
    std::optional<Error> failure;
};

struct Sum {
    struct State {
        std::int64_t sum = 0;
        std::vector<std::int64_t> offsets;
    };
    using Record = std::int64_t;
    static LogRecord encode(const State& state, Record& record) {
        if (record > 100) record = 100;  // what cannot be written is not applied either
        const auto text = std::to_string(state.sum) + "+" + std::to_string(record);
        return {std::nullopt, to_bytes(as_bytes(text))};
    }
    static void apply(State& state, std::span<const Record> records, Offset first) {
        for (auto record : records) {
            state.sum += record;
            state.offsets.push_back(first.value++);
        }
    }
};

struct World {
    SimScheduler scheduler{1};
    SimLoop loop{scheduler};
    MemoryLog log;
    StateMachine<Sum> machine{
        loop, log, {Errc::coordinator_load_in_progress, Errc::not_coordinator}};
    std::vector<std::string> answers;

    // Adds the numbers, and answers with the sum it saw before.
    void add(std::vector<std::int64_t> numbers) {
        machine.submit(
            [numbers](const Sum::State& state, Offset next) {
                return Decision<std::int64_t, std::string>{
                    numbers, std::to_string(state.sum) + "@" + std::to_string(next.value)};
            },
            Callback<void(Result<Settled<std::string>>)>([this](Result<Settled<std::string>> got) {
                answers.push_back(got.ok() ? got.value().response + "<" +
                                                 std::to_string(got.value().end.value)
                                           : std::string(name_of(got.code())));
            }));
    }
    void commit(std::int64_t end) {
        log.committed = Offset{end};
        machine.on_committed(Offset{end});
    }
};

using Answers = std::vector<std::string>;

}  // namespace

TEST_CASE("a machine decides on everything appended and answers once it is committed",
          "[state_machine]") {
    World world;
    world.add({1});
    CHECK(world.answers == Answers{"COORDINATOR_LOAD_IN_PROGRESS"});
    world.answers.clear();
    world.machine.activate(Epoch{1}, {.sum = 10, .offsets = {}});
    world.add({1, 2});
    world.add({3});
    CHECK(world.answers.empty());
    CHECK(world.machine.state().sum == 16);
    CHECK(world.machine.state().offsets == std::vector<std::int64_t>{0, 1, 2});
    CHECK(world.log.entries == std::vector<std::string>{"10+1", "10+2", "13+3"});
    CHECK(world.log.batches == 2);
    world.commit(2);
    CHECK(world.answers == Answers{"10@0<2"});
    world.commit(3);
    CHECK(world.answers == Answers{"10@0<2", "13@2<3"});
}

TEST_CASE("a question rests on what was appended before it", "[state_machine]") {
    World world;
    world.machine.activate(Epoch{1}, {});
    world.add({});
    CHECK(world.answers == Answers{"0@0<0"});  // on nothing uncommitted: at once
    world.add({5});
    world.add({});
    CHECK(world.answers.size() == 1);
    world.commit(1);
    CHECK(world.answers == Answers{"0@0<0", "0@0<1", "5@1<1"});
}

TEST_CASE("losing the lead fails what waits and forgets the state", "[state_machine]") {
    World world;
    world.machine.activate(Epoch{1}, {});
    world.add({1});
    world.add({});
    world.machine.close();
    CHECK(world.answers == Answers{"NOT_COORDINATOR", "NOT_COORDINATOR"});
    world.add({1});
    CHECK(world.answers.back() == "NOT_COORDINATOR");
    world.machine.reset();
    world.add({1});
    CHECK(world.answers.back() == "COORDINATOR_LOAD_IN_PROGRESS");
    world.log.leader_epoch = Epoch{3};
    world.machine.activate(Epoch{3}, {.sum = 1, .offsets = {}});
    CHECK(world.machine.state().sum == 1);
}

TEST_CASE("an append that fails closes the machine; one that finds no room does not",
          "[state_machine]") {
    World world;
    world.machine.activate(Epoch{1}, {});
    world.add({1, 1, 1, 1});
    CHECK(world.answers == Answers{"RECORD_LIST_TOO_LARGE"});
    CHECK(world.machine.state().sum == 0);
    world.add({2});
    world.log.failure = Error(Errc::disk_full);
    world.add({3});
    CHECK(world.machine.state().sum == 2);
    CHECK(world.machine.phase() == StateMachine<Sum>::Phase::active);
    world.log.failure = Error(Errc::kafka_storage_error);
    world.add({3});
    CHECK(world.machine.phase() == StateMachine<Sum>::Phase::closed);
    CHECK(world.answers == Answers{"RECORD_LIST_TOO_LARGE", "KQ_DISK_FULL", "KAFKA_STORAGE_ERROR",
                                   "NOT_COORDINATOR"});
}

TEST_CASE("what is applied is what was written", "[state_machine]") {
    World world;
    world.machine.activate(Epoch{1}, {});
    world.add({5000});
    CHECK(world.machine.state().sum == 100);
    CHECK(world.log.entries == std::vector<std::string>{"0+100"});
}

TEST_CASE("an answer may ask again", "[state_machine]") {
    World world;
    world.machine.activate(Epoch{1}, {});
    world.machine.submit(
        [](const Sum::State&, Offset) {
            return Decision<std::int64_t, int>{{1}, 0};
        },
        Callback<void(Result<Settled<int>>)>([&](Result<Settled<int>>) { world.add({7}); }));
    world.commit(1);
    CHECK(world.machine.state().sum == 8);
    CHECK(world.machine.parked_count() == 1);
    world.commit(2);
    CHECK(world.answers.size() == 1);
}
