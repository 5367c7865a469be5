// SPDX-License-Identifier: Apache-2.0
#include "base/memory_budget.hpp"

namespace kq {

bool MemoryBudget::try_take(std::uint64_t bytes) {
    std::uint64_t used = used_.load(std::memory_order_relaxed);
    while (true) {
        if (used != 0 && (used >= bytes_max_ || bytes > bytes_max_ - used)) return false;
        if (used_.compare_exchange_weak(used, used + bytes)) return true;
    }
}

void MemoryBudget::give_back(std::uint64_t bytes) {
    std::uint64_t before = used_.fetch_sub(bytes);
    KQ_CHECK(before >= bytes);
    if (!has_waiters_.load()) return;
    std::vector<Waiter> waiters;
    {
        std::lock_guard lock(mutex_);
        waiters.swap(waiters_);
        has_waiters_.store(false);
    }
    for (auto& waiter : waiters)
        waiter.loop->post(std::move(waiter.task));
}

void MemoryBudget::begin_waiting(std::uint64_t held) {
    waiting_.fetch_add(held);
}

void MemoryBudget::end_waiting(std::uint64_t held) {
    waiting_.fetch_sub(held);
}

bool MemoryBudget::try_overdraw(std::uint64_t bytes) {
    std::lock_guard lock(mutex_);  // one at a time: with what it takes used_ is past waiting_
    std::uint64_t used = waiting_.load();
    return used_.compare_exchange_strong(used, used + bytes);
}

void MemoryBudget::when_freed(Loop& loop, Task task) {
    {
        std::lock_guard lock(mutex_);
        waiters_.push_back({&loop, std::move(task)});
        has_waiters_.store(true);
    }
    // All of it may have come back before anybody saw us wait.
    if (used_.load() == 0) give_back(0);
}

}  // namespace kq
