// SPDX-License-Identifier: Apache-2.0
//
// ClientRuntime: what a program needs to use Admin, Producer and Consumer without a thread of its
// own: an EpollLoop with its network, clock and dice, turned by the caller's thread while it waits.
//
// shape    nothing happens in the background: requests move only inside wait_until(), poll_fd(),
//          turn() and the calls of Admin, Producer and Consumer, which use them
// owner    the thread that made it; interrupt() may be called from any thread or signal handler
// errors   interrupted      interrupt() was called; stays so until clear_interrupt()
//          deadline_passed  the time was up before the condition held
#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "base/function.hpp"
#include "base/loop.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "net/network.hpp"

namespace kq {

class ClientRuntime {
public:
    ClientRuntime();
    ~ClientRuntime();

    Loop& loop();
    Network& network();
    Random& random();
    const Clock& clock() const;

    // Turns the loop until `condition` holds (asked before the first and after every turn).
    // Without a deadline waits for ever.
    Status wait_until(Function<bool()> condition, std::optional<MonoTime> deadline = std::nullopt);

    // Turns the loop once: handles what is ready, and waits for it at most until `until`.
    void turn(MonoTime until);
    // The same without waiting: lets requests and answers move between two pieces of work.
    void turn_now() { turn(clock().mono()); }

    enum class FdUse { read, write };
    // Turns the loop until `fd` (a pipe, terminal, socket or file; not one of ours) can be read or
    // written without blocking, or has reached its end; so that a program reads its standard input
    // while batches leave. A file is always ready: then one turn is made without waiting.
    Status poll_fd(int fd, FdUse use, std::optional<MonoTime> deadline = std::nullopt);

    // From here on a wait also ends with `interrupted` when whoever reads what is written to `fd`
    // (a pipe, a terminal or a socket of the caller's) has gone.
    void watch_reader(int fd);
    bool reader_is_gone() const { return reader_is_gone_; }

    // Ends the wait under way, and every later one, with `interrupted`. Async-signal-safe.
    void interrupt();
    bool is_interrupted() const { return interrupted_.load(std::memory_order_relaxed); }
    void clear_interrupt() { interrupted_.store(false, std::memory_order_relaxed); }

private:
    struct Seams;
    std::unique_ptr<Seams> seams_;
    std::atomic<bool> interrupted_{false};
    bool reader_is_gone_ = false;
};

}  // namespace kq
