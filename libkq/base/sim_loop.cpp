// SPDX-License-Identifier: Apache-2.0
#include "base/sim_loop.hpp"

#include <algorithm>

namespace kq {

MonoTime SimClock::mono() const {
    return world_.now();
}

WallTime SimClock::wall() const {
    // 1 March 2026: a date that Kafka's own files could carry.
    constexpr Millis start{1'772'323'200'000};
    auto run = std::chrono::floor<Millis>(world_.now().time_since_epoch());
    return WallTime{start + run + offset_};
}

SimScheduler::SimScheduler(std::uint64_t seed) : clock_(*this), random_(seed) {}

SimScheduler::~SimScheduler() {
    KQ_CHECK(loops_.empty());
}

bool SimScheduler::step() {
    KQ_CHECK(running_ == nullptr && !in_job_);
    std::vector<SimLoop*> runnable;
    std::optional<MonoTime> next = events_.next_deadline();
    for (auto* loop : loops_) {
        if (loop->is_runnable()) runnable.push_back(loop);
        auto deadline = loop->timers_.next_deadline();
        if (deadline && (!next || *deadline < *next)) next = deadline;
    }
    bool event_due = events_.next_deadline() && *events_.next_deadline() <= now_;
    std::size_t choices = runnable.size() + (event_due ? 1 : 0);
    if (choices == 0) {
        if (!next) return false;
        KQ_CHECK(*next > now_);
        now_ = *next;
        return true;
    }
    ++step_count_;
    auto choice = static_cast<std::size_t>(random_.below(choices));
    note(choice * 31 + choices);
    if (choice == runnable.size()) {
        auto task = events_.take_due(now_);
        task();
        return true;
    }
    running_ = runnable[choice];
    runnable[choice]->run_turn();
    running_ = nullptr;
    now_ += std::chrono::microseconds(1);
    return true;
}

void SimScheduler::run_for(std::chrono::nanoseconds duration) {
    run_until([] { return false; }, duration);
}

bool SimScheduler::run_until(const std::function<bool()>& reached, std::chrono::nanoseconds limit) {
    MonoTime end = now_ + limit;
    // A timer of the world marks the end, so that no step jumps over it.
    auto mark = events_.add(end, [] {});
    while (!reached()) {
        if (now_ >= end) {
            events_.cancel(mark);
            return false;
        }
        step();
    }
    events_.cancel(mark);
    return true;
}

void SimScheduler::run_ready() {
    while (true) {
        bool busy = std::any_of(loops_.begin(), loops_.end(),
                                [](const SimLoop* loop) { return loop->is_runnable(); });
        if (!busy && !(events_.next_deadline() && *events_.next_deadline() <= now_)) return;
        step();
    }
}

TimerId SimScheduler::at(MonoTime when, Task task) {
    return events_.add(std::max(when, now_), std::move(task));
}

SimLoop::SimLoop(SimScheduler& world, const Clock* clock)
    : world_(world), clock_(clock != nullptr ? *clock : world.clock()) {
    world_.loops_.push_back(this);
}

SimLoop::~SimLoop() {
    KQ_CHECK(world_.running_ != this);
    kill();
    std::erase(world_.loops_, this);
}

void SimLoop::post(Task task) {
    if (!killed_) posted_.push_back(std::move(task));
}

TimerId SimLoop::at(MonoTime deadline, Task task) {
    if (killed_) return TimerId::none;
    return timers_.add(deadline, std::move(task));
}

void SimLoop::cancel(TimerId timer) {
    timers_.cancel(timer);
}

void SimLoop::at_turn_end(Task task) {
    if (!killed_) outbox_.push_back(std::move(task));
}

void SimLoop::at_flush(Task task) {
    if (!killed_) flushes_.push_back(std::move(task));
}

bool SimLoop::is_here() const {
    return world_.running_ == this || (world_.running_ == nullptr && !world_.in_job_);
}

bool SimLoop::is_runnable() const {
    if (killed_) return false;
    if (!posted_.empty() || !outbox_.empty() || !flushes_.empty()) return true;
    auto deadline = timers_.next_deadline();
    return deadline && *deadline <= world_.now_;
}

void SimLoop::run_all(std::vector<Task>& tasks) {
    for (auto& task : tasks)
        task();
    tasks.clear();
}

void SimLoop::run_turn() {
    auto tasks = std::exchange(posted_, {});
    for (auto& task : tasks) {
        if (killed_) return;
        task();
        task = nullptr;
    }
    // As many as are there now: a timer that sets itself again for this moment waits a turn.
    for (std::size_t left = timers_.size(); left > 0 && !killed_; --left) {
        auto task = timers_.take_due(world_.now_);
        if (task == nullptr) break;
        task();
    }
    while (!outbox_.empty() && !killed_) {
        auto outbox = std::exchange(outbox_, {});
        run_all(outbox);
    }
    while (!flushes_.empty() && !killed_) {
        auto flushes = std::exchange(flushes_, {});
        run_all(flushes);
    }
}

void SimLoop::kill() {
    killed_ = true;
    posted_.clear();
    outbox_.clear();
    flushes_.clear();
    timers_.clear();
}

}  // namespace kq
