// SPDX-License-Identifier: Apache-2.0
//
// Loop: one thread, one queue, one set of timers. Every mutable object has one owner loop for life;
// others post messages to it. The real one is net/epoll_loop, the simulated one base/sim_loop.
//
// shape    a turn: drain posted tasks, expire timers, handle socket events, run the outbox
//          (at_turn_end), flush sockets. Tasks posted during a turn run in the next one.
// owner    post() may be called from any thread; everything else on the loop itself
// errors   none; tasks report through their own callbacks
#pragma once

#include <cstdint>

#include "base/check.hpp"
#include "base/function.hpp"
#include "base/thread_annotations.hpp"
#include "base/time.hpp"

namespace kq {

enum class TimerId : std::uint64_t { none = 0 };

class KQ_CAPABILITY("loop") Loop {
public:
    virtual ~Loop() = default;

    // Queues `task`. FIFO per (sender, receiver); posting to oneself also queues.
    virtual void post(Task task) = 0;

    // Runs `task` at `deadline` or a little later (never earlier), once.
    virtual TimerId at(MonoTime deadline, Task task) = 0;
    // Forgets a timer that has not fired; a fired or unknown one is ignored.
    virtual void cancel(TimerId timer) = 0;

    // The outbox: runs `task` at the end of this turn, before sockets are flushed.
    virtual void at_turn_end(Task task) = 0;

    virtual const Clock& clock() const = 0;
    virtual bool is_here() const = 0;

    TimerId after(std::chrono::nanoseconds delay, Task task) {
        return at(clock().mono() + delay, std::move(task));
    }
    void assert_here() const KQ_ASSERTS(this) { KQ_CHECK(is_here()); }
};

// A timer that dies with its owner: a member of this type cannot fire into a destroyed object.
class Timer {
public:
    explicit Timer(Loop& loop) : loop_(loop) {}
    ~Timer() { cancel(); }
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    // Replaces what was set before.
    void set(MonoTime deadline, Task task) {
        cancel();
        id_ = loop_.at(deadline, [this, run = std::move(task)]() mutable {
            id_ = TimerId::none;
            auto now = std::move(run);
            now();
        });
    }
    void set_after(std::chrono::nanoseconds delay, Task task) {
        set(loop_.clock().mono() + delay, std::move(task));
    }
    void cancel() {
        if (id_ != TimerId::none) loop_.cancel(std::exchange(id_, TimerId::none));
    }
    bool is_set() const { return id_ != TimerId::none; }

private:
    Loop& loop_;
    TimerId id_ = TimerId::none;
};

}  // namespace kq
