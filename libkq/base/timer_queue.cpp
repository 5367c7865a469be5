// SPDX-License-Identifier: Apache-2.0
#include "base/timer_queue.hpp"

#include <tuple>

namespace kq {

TimerId TimerQueue::add(MonoTime deadline, Task task) {
    KQ_CHECK(task != nullptr);
    std::uint32_t number;
    if (free_.empty()) {
        number = static_cast<std::uint32_t>(slots_.size());
        slots_.emplace_back();
    } else {
        number = free_.back();
        free_.pop_back();
    }
    Slot& slot = slots_[number];
    slot.deadline = deadline;
    slot.order = order_++;
    slot.in_use = true;
    slot.task = std::move(task);
    heap_.push_back(number);
    slot.heap_index = static_cast<std::uint32_t>(heap_.size() - 1);
    sift_up(slot.heap_index);
    return TimerId{static_cast<std::uint64_t>(slot.generation) << 32 | number};
}

void TimerQueue::cancel(TimerId timer) {
    auto value = static_cast<std::uint64_t>(timer);
    auto number = static_cast<std::uint32_t>(value);
    auto generation = static_cast<std::uint32_t>(value >> 32);
    if (number >= slots_.size()) return;
    if (!slots_[number].in_use || slots_[number].generation != generation) return;
    Task dropped = remove(number);  // dies after the queue is in order again: it may cancel others
}

std::optional<MonoTime> TimerQueue::next_deadline() const {
    if (heap_.empty()) return std::nullopt;
    return slots_[heap_.front()].deadline;
}

Task TimerQueue::take_due(MonoTime now) {
    if (heap_.empty() || slots_[heap_.front()].deadline > now) return nullptr;
    return remove(heap_.front());
}

void TimerQueue::clear() {
    while (!heap_.empty())
        Task dropped = remove(heap_.back());
}

bool TimerQueue::before(std::uint32_t a, std::uint32_t b) const {
    const Slot& x = slots_[a];
    const Slot& y = slots_[b];
    return std::tie(x.deadline, x.order) < std::tie(y.deadline, y.order);
}

void TimerQueue::place(std::uint32_t index, std::uint32_t slot) {
    heap_[index] = slot;
    slots_[slot].heap_index = index;
}

void TimerQueue::sift_up(std::uint32_t index) {
    std::uint32_t moving = heap_[index];
    while (index > 0) {
        std::uint32_t parent = (index - 1) / 2;
        if (!before(moving, heap_[parent])) break;
        place(index, heap_[parent]);
        index = parent;
    }
    place(index, moving);
}

void TimerQueue::sift_down(std::uint32_t index) {
    std::uint32_t moving = heap_[index];
    auto size = static_cast<std::uint32_t>(heap_.size());
    while (true) {
        std::uint32_t child = 2 * index + 1;
        if (child >= size) break;
        if (child + 1 < size && before(heap_[child + 1], heap_[child])) ++child;
        if (!before(heap_[child], moving)) break;
        place(index, heap_[child]);
        index = child;
    }
    place(index, moving);
}

Task TimerQueue::remove(std::uint32_t number) {
    Slot& slot = slots_[number];
    std::uint32_t index = slot.heap_index;
    std::uint32_t last = heap_.back();
    heap_.pop_back();
    if (last != number) {
        place(index, last);
        sift_up(index);
        sift_down(slots_[last].heap_index);
    }
    slot.in_use = false;
    if (++slot.generation == 0) slot.generation = 1;  // 0 would make TimerId::none of slot 0
    free_.push_back(number);
    return std::exchange(slot.task, nullptr);
}

}  // namespace kq
