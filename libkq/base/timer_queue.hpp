// SPDX-License-Identifier: Apache-2.0
//
// TimerQueue: the timers of one loop: a heap by deadline whose entries know their place, so that
// cancelling takes an entry out at once and a long-lived loop does not carry dead ones.
//
// shape    timers of one deadline fire in the order they were set
// owner    the loop it belongs to
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/loop.hpp"

namespace kq {

class TimerQueue {
public:
    TimerId add(MonoTime deadline, Task task);
    void cancel(TimerId timer);

    std::optional<MonoTime> next_deadline() const;
    // Takes out the first timer with a deadline <= now; a null Task where there is none.
    Task take_due(MonoTime now);

    std::size_t size() const { return heap_.size(); }
    void clear();

private:
    struct Slot {
        MonoTime deadline;
        std::uint64_t order = 0;
        std::uint32_t generation = 1;
        std::uint32_t heap_index = 0;
        bool in_use = false;
        Task task;
    };
    bool before(std::uint32_t a, std::uint32_t b) const;
    void sift_up(std::uint32_t index);
    void sift_down(std::uint32_t index);
    void place(std::uint32_t index, std::uint32_t slot);
    Task remove(std::uint32_t slot);

    std::vector<Slot> slots_;
    std::vector<std::uint32_t> free_;
    std::vector<std::uint32_t> heap_;  // of slot numbers
    std::uint64_t order_ = 0;
};

}  // namespace kq
