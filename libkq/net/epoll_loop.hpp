// SPDX-License-Identifier: Apache-2.0
//
// EpollLoop: the real Loop: level-triggered epoll, a queue that wakes the thread only when it
// sleeps, and a heap of timers. An idle loop sleeps until its next timer.
//
// shape    a turn: posted tasks, due timers, socket events, outbox, flushes
// owner    the thread inside run(), or that called run_turn() last; outside run() the thread that
// made
//          the loop
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <sys/epoll.h>

#include "base/counters.hpp"
#include "base/loop.hpp"
#include "base/result.hpp"
#include "base/timer_queue.hpp"

namespace kq {

// Whom the loop tells about a descriptor. For net/ only.
class DescriptorEvents {
public:
    virtual void on_events(std::uint32_t epoll_events) = 0;

protected:
    ~DescriptorEvents() = default;
};

class EpollLoop final : public Loop {
public:
    explicit EpollLoop(const Clock& clock);
    ~EpollLoop() override;
    EpollLoop(const EpollLoop&) = delete;
    EpollLoop& operator=(const EpollLoop&) = delete;

    // Serves until stop(). What was posted before stop() has run when run() returns.
    void run();
    // From any thread. A run() that starts later returns at once.
    void stop();
    // One turn on the caller's thread: waits for an event, a post, a timer, wake(), or `until` at
    // the latest. For programs whose thread drives the loop while it waits for an answer.
    void run_turn(MonoTime until);
    // Ends the current or next sleep. From any thread, and from a signal handler.
    void wake();
    // Runs after wake() ended a sleep, in that turn; perhaps at other wake-ups too.
    void set_on_wake(Task task) {
        assert_here();
        on_wake_ = std::move(task);
    }
    // Looks for work that long before it sleeps, after a sleep that was shorter (kq.loop.spin.us).
    void set_spin(std::chrono::nanoseconds spin) {
        assert_here();
        spin_ = spin;
    }

    void post(Task task) override;
    TimerId at(MonoTime deadline, Task task) override;
    void cancel(TimerId timer) override;
    void at_turn_end(Task task) override;
    const Clock& clock() const override { return clock_; }
    bool is_here() const override;

    // Runs after the outbox of this turn. For networks.
    void at_flush(Task task) {
        assert_here();
        flushes_.push_back(std::move(task));
    }
    Status watch(int descriptor, std::uint32_t epoll_events, DescriptorEvents& events);
    void change(int descriptor, std::uint32_t epoll_events, DescriptorEvents& events);
    // No event of this descriptor comes any more, not even one that this turn has already fetched.
    void unwatch(int descriptor, DescriptorEvents& events);

    // Counts turns, and those over 10 ms (I35). `name` is the loop's label.
    void count_into(MetricRegistry& metrics, const std::string& name);

private:
    void turn(MonoTime until) KQ_ON(this);
    void sleep(MonoTime until) KQ_ON(this);
    int fetch_events(std::chrono::nanoseconds wait) KQ_ON(this);
    void run_posted() KQ_ON(this);
    void expire_timers(MonoTime now) KQ_ON(this);
    void handle_events() KQ_ON(this);
    void run_outbox() KQ_ON(this);

    const Clock& clock_;
    int epoll_ = -1;
    int wake_ = -1;  // an eventfd
    const std::thread::id maker_;
    std::atomic<std::thread::id> thread_;
    Task on_wake_ KQ_OWNED_BY(this);
    std::chrono::nanoseconds spin_ KQ_OWNED_BY(this){0};

    std::mutex mutex_;
    std::vector<Task> posted_;  // guarded by mutex_
    std::atomic<bool> has_posted_{false};
    std::atomic<bool> asleep_{false};
    std::atomic<bool> stopping_{false};

    std::vector<Task> running_ KQ_OWNED_BY(this);
    TimerQueue timers_ KQ_OWNED_BY(this);
    std::vector<Task> outbox_ KQ_OWNED_BY(this);
    std::vector<Task> flushes_ KQ_OWNED_BY(this);
    std::vector<epoll_event> ready_ KQ_OWNED_BY(this);
    std::size_t ready_count_ KQ_OWNED_BY(this) = 0;
    std::size_t ready_next_ KQ_OWNED_BY(this) = 0;
    bool slept_short_ KQ_OWNED_BY(this) = false;
    Counter* turns_ KQ_OWNED_BY(this) = nullptr;
    Counter* slow_turns_ KQ_OWNED_BY(this) = nullptr;
};

}  // namespace kq
