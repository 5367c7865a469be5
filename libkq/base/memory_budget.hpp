// SPDX-License-Identifier: Apache-2.0
//
// MemoryBudget: how much memory the requests of all connections may hold together. Taken before the
// memory is; who gets none waits until some is given back.
//
// shape    a request larger than the whole budget is let in alone, or it could never be served. Who
//          takes memory piece by piece says so while it waits for the next: when all that is taken
//          is held by such, one of them may go past the limit, or they would wait for each other.
//          Whoever waits, with or without a part, keeps a MemoryWait: who holds much for long sees
//          that others need it
// units    bytes
// owner    any thread; waiters are called on their loop
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "base/loop.hpp"

namespace kq {

class MemoryBudget {
public:
    explicit MemoryBudget(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}
    MemoryBudget(const MemoryBudget&) = delete;
    MemoryBudget& operator=(const MemoryBudget&) = delete;

    bool try_take(std::uint64_t bytes);
    void give_back(std::uint64_t bytes);
    // Runs `task` on `loop` after memory was given back, once; at once when nothing is taken. There
    // may be none left by then.
    void when_freed(Loop& loop, Task task);

    // Who holds `held` bytes waits for more, until end_waiting().
    void begin_waiting(std::uint64_t held);
    void end_waiting(std::uint64_t held);
    // Takes `bytes`, past the limit, when nobody but those who wait holds anything. Requires: the
    // caller is one of them, and has what it needs with these.
    bool try_overdraw(std::uint64_t bytes);

    // Somebody waits for memory, on any loop.
    bool is_short() const { return waits_.load(std::memory_order_relaxed) > 0; }

    std::uint64_t used() const { return used_.load(std::memory_order_relaxed); }
    std::uint64_t bytes_max() const { return bytes_max_; }

private:
    friend class MemoryWait;
    struct Waiter {
        Loop* loop;
        Task task;
    };
    const std::uint64_t bytes_max_;
    std::atomic<std::uint64_t> used_{0};
    std::atomic<std::uint64_t> waiting_{0};  // of used_, held by those who wait
    std::atomic<std::uint64_t> waits_{0};    // how many MemoryWaits there are
    std::atomic<bool> has_waiters_{false};
    std::mutex mutex_;
    std::vector<Waiter> waiters_;  // guarded by mutex_
};

// Somebody waits for memory, as long as it lives.
class MemoryWait {
public:
    explicit MemoryWait(MemoryBudget& budget) : budget_(budget) { budget_.waits_.fetch_add(1); }
    ~MemoryWait() { budget_.waits_.fetch_sub(1); }
    MemoryWait(const MemoryWait&) = delete;
    MemoryWait& operator=(const MemoryWait&) = delete;

private:
    MemoryBudget& budget_;
};

// A part of the budget, given back when it dies.
class MemoryLease {
public:
    MemoryLease() = default;
    // Requires: try_take(bytes) said yes.
    MemoryLease(MemoryBudget& budget, std::uint64_t bytes) : budget_(&budget), bytes_(bytes) {}
    MemoryLease(MemoryLease&& other) noexcept
        : budget_(std::exchange(other.budget_, nullptr)), bytes_(other.bytes_) {}
    MemoryLease& operator=(MemoryLease&& other) noexcept {
        if (this != &other) {
            release();
            budget_ = std::exchange(other.budget_, nullptr);
            bytes_ = other.bytes_;
        }
        return *this;
    }
    ~MemoryLease() { release(); }

    bool held() const { return budget_ != nullptr; }
    std::uint64_t bytes() const { return bytes_; }
    // Requires: held(), and so many more were taken for it.
    void add(std::uint64_t bytes) { bytes_ += bytes; }
    void release() {
        if (auto* budget = std::exchange(budget_, nullptr)) budget->give_back(bytes_);
    }

private:
    MemoryBudget* budget_ = nullptr;
    std::uint64_t bytes_ = 0;
};

}  // namespace kq
