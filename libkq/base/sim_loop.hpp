// SPDX-License-Identifier: Apache-2.0
//
// SimScheduler: a world of loops on one thread, with a clock of its own, driven by a seed. The same
// seed gives the same run, event for event.
//
// shape    each step runs one turn of one runnable loop, or one job of an I/O pool, or one event of
//          the world, drawn at random from those that could run; where none can, time goes on to
//          the next timer. Posts to one loop stay in order. A turn takes a microsecond of virtual
//          time
// owner    the test's thread. Outside a turn the test counts as being on every loop
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/io_pool.hpp"
#include "base/loop.hpp"
#include "base/random.hpp"
#include "base/timer_queue.hpp"

namespace kq {

class SimLoop;
class SimScheduler;

// A clock that follows the world's time; the wall clock may be set apart and may jump.
class SimClock final : public Clock {
public:
    explicit SimClock(const SimScheduler& world) : world_(world) {}
    MonoTime mono() const override;
    WallTime wall() const override;
    void jump_wall(Millis by) { offset_ += by; }

private:
    const SimScheduler& world_;
    Millis offset_{0};
};

class SimScheduler {
public:
    explicit SimScheduler(std::uint64_t seed);
    ~SimScheduler();
    SimScheduler(const SimScheduler&) = delete;
    SimScheduler& operator=(const SimScheduler&) = delete;

    const Clock& clock() const { return clock_; }
    MonoTime now() const { return now_; }
    Random& random() { return random_; }

    // One step; false when nothing will ever happen again by itself.
    bool step();
    void run_for(std::chrono::nanoseconds duration);
    // Runs until `reached` says so; false when `limit` of virtual time passed first.
    bool run_until(const std::function<bool()>& reached, std::chrono::nanoseconds limit);
    // Runs until no loop has anything to do now (timers of the future stay).
    void run_ready();

    // Runs `task` at `when`, outside every loop. For networks, disks, pools and tests.
    TimerId at(MonoTime when, Task task);
    void cancel(TimerId event) { events_.cancel(event); }

    // Whether a loop's turn is running: what waits for a disk must not be called then.
    bool is_in_turn() const { return running_ != nullptr; }
    std::uint64_t step_count() const { return step_count_; }
    // Mixes into a fingerprint of the run, which replays must reproduce.
    void note(std::uint64_t event) { fingerprint_ = (fingerprint_ ^ event) * 0x100000001b3ull; }
    std::uint64_t fingerprint() const { return fingerprint_; }

private:
    friend class SimLoop;
    friend class SimIoPool;

    MonoTime now_{std::chrono::seconds(1000)};
    SimClock clock_;
    SeededRandom random_;
    TimerQueue events_;
    std::vector<SimLoop*> loops_;  // in order of creation
    const SimLoop* running_ = nullptr;
    bool in_job_ = false;
    std::uint64_t step_count_ = 0;
    std::uint64_t fingerprint_ = 0xcbf29ce484222325ull;
};

class SimLoop final : public Loop {
public:
    // `clock` where this node's wall clock differs from the world's.
    explicit SimLoop(SimScheduler& world, const Clock* clock = nullptr);
    ~SimLoop() override;

    void post(Task task) override;
    TimerId at(MonoTime deadline, Task task) override;
    void cancel(TimerId timer) override;
    void at_turn_end(Task task) override;
    const Clock& clock() const override { return clock_; }
    bool is_here() const override;

    // Runs after the outbox: sockets are flushed here. For networks.
    void at_flush(Task task);
    // The node died: nothing that waits will run, nothing more is accepted.
    void kill();
    bool is_killed() const { return killed_; }
    SimScheduler& world() { return world_; }

private:
    friend class SimScheduler;
    bool is_runnable() const;
    void run_turn();
    static void run_all(std::vector<Task>& tasks);

    SimScheduler& world_;
    const Clock& clock_;
    std::vector<Task> posted_;
    std::vector<Task> outbox_;
    std::vector<Task> flushes_;
    TimerQueue timers_;
    bool killed_ = false;
};

// The I/O pool of one simulated node. Jobs start in order and take a random time; several may be
// under way, as with `threads` threads.
class SimIoPool final : public IoPool {
public:
    explicit SimIoPool(SimScheduler& world, unsigned threads = 2);
    ~SimIoPool() override;

    void submit(Loop& reply_to, Task job, Task on_done) override;
    // How long a job takes; drawn between the two.
    void set_delay(std::chrono::nanoseconds least, std::chrono::nanoseconds most);
    // The node died: jobs that have not run will not.
    void kill();
    std::size_t waiting() const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace kq
