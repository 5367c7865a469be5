// SPDX-License-Identifier: Apache-2.0
#include "net/epoll_loop.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

namespace kq {

using std::chrono::nanoseconds;

EpollLoop::EpollLoop(const Clock& clock)
    : clock_(clock), maker_(std::this_thread::get_id()), thread_(maker_) {
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    wake_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    KQ_CHECK_MSG(epoll_ >= 0 && wake_ >= 0, "no descriptor left for an event loop");
    epoll_event interest{};
    interest.events = EPOLLIN;
    interest.data.ptr = nullptr;  // the eventfd; everybody else has an address
    KQ_CHECK(::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &interest) == 0);
    ready_.resize(128);
}

EpollLoop::~EpollLoop() {
    ::close(wake_);
    ::close(epoll_);
}

void EpollLoop::run() {
    thread_ = std::this_thread::get_id();
    assert_here();
    while (!stopping_.load(std::memory_order_acquire))
        turn(MonoTime::max());
    // What was posted before stop(), and the answers it made.
    while (has_posted_.load())
        turn(MonoTime::min());
    turn(MonoTime::min());
    thread_ = maker_;
}

void EpollLoop::stop() {
    stopping_.store(true, std::memory_order_release);
    wake();
}

void EpollLoop::run_turn(MonoTime until) {
    thread_ = std::this_thread::get_id();
    assert_here();
    turn(until);
}

void EpollLoop::wake() {
    std::uint64_t one = 1;
    // A full eventfd is awake already.
    [[maybe_unused]] auto written = ::write(wake_, &one, sizeof one);
}

void EpollLoop::post(Task task) {
    {
        std::lock_guard lock(mutex_);
        posted_.push_back(std::move(task));
        has_posted_.store(true);
    }
    // Of those who post while it sleeps only the first pays for the wake-up.
    if (asleep_.load() && asleep_.exchange(false)) wake();
}

TimerId EpollLoop::at(MonoTime deadline, Task task) {
    assert_here();
    return timers_.add(deadline, std::move(task));
}

void EpollLoop::cancel(TimerId timer) {
    assert_here();
    timers_.cancel(timer);
}

void EpollLoop::at_turn_end(Task task) {
    assert_here();
    outbox_.push_back(std::move(task));
}

bool EpollLoop::is_here() const {
    return thread_.load(std::memory_order_relaxed) == std::this_thread::get_id();
}

Status EpollLoop::watch(int descriptor, std::uint32_t epoll_events, DescriptorEvents& events) {
    epoll_event interest{};
    interest.events = epoll_events;
    interest.data.ptr = &events;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &interest) != 0) {
        return Error{errno == EPERM ? Errc::unsupported : Errc::io_error,
                     "cannot watch a descriptor: " + std::generic_category().message(errno)};
    }
    return done();
}

void EpollLoop::change(int descriptor, std::uint32_t epoll_events, DescriptorEvents& events) {
    epoll_event interest{};
    interest.events = epoll_events;
    interest.data.ptr = &events;
    KQ_CHECK(::epoll_ctl(epoll_, EPOLL_CTL_MOD, descriptor, &interest) == 0);
}

void EpollLoop::unwatch(int descriptor, DescriptorEvents& events) {
    assert_here();
    ::epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr);
    for (std::size_t i = ready_next_; i < ready_count_; ++i) {
        if (ready_[i].data.ptr == &events) ready_[i].events = 0;
    }
}

void EpollLoop::count_into(MetricRegistry& metrics, const std::string& name) {
    assert_here();
    turns_ = &metrics.counter("kq_loop_turns_total", "Turns of an event loop.", {{"loop", name}});
    slow_turns_ =
        &metrics.counter("kq_loop_slow_turns_total",
                         "Turns of an event loop that took more than 10 ms.", {{"loop", name}});
}

void EpollLoop::turn(MonoTime until) {
    sleep(until);
    auto start = clock_.mono();
    run_posted();
    expire_timers(start);
    handle_events();
    run_outbox();
    if (turns_ == nullptr) return;
    turns_->add();
    if (clock_.mono() - start > std::chrono::milliseconds(10)) slow_turns_->add();
}

// Waits for a descriptor, a post or the next timer; returns at once when there is work.
void EpollLoop::sleep(MonoTime until) {
    ready_next_ = 0;
    ready_count_ = 0;
    if (auto next = timers_.next_deadline()) until = std::min(until, *next);
    if (!outbox_.empty() || !flushes_.empty()) until = MonoTime::min();

    auto now = clock_.mono();
    if (until <= now || has_posted_.load()) {
        fetch_events(nanoseconds(0));
        return;
    }
    if (spin_.count() > 0 && slept_short_) {
        auto give_up = std::min(until, now + spin_);
        while (clock_.mono() < give_up) {
            if (has_posted_.load() || fetch_events(nanoseconds(0)) > 0) return;
        }
    }
    // Seen from post(): either it sees asleep_ and wakes us, or we see has_posted_ here.
    asleep_.store(true);
    bool nothing_posted = !has_posted_.load();
    fetch_events(nothing_posted ? until - now : nanoseconds(0));
    asleep_.store(false);
    slept_short_ = spin_.count() > 0 && clock_.mono() - now < spin_;
}

int EpollLoop::fetch_events(nanoseconds wait) {
    int count;
    if (wait.count() <= 0) {
        count = ::epoll_wait(epoll_, ready_.data(), static_cast<int>(ready_.size()), 0);
    } else if (wait > std::chrono::hours(24 * 365)) {
        count = ::epoll_wait(epoll_, ready_.data(), static_cast<int>(ready_.size()), -1);
    } else {
        timespec limit{};
        limit.tv_sec = static_cast<time_t>(wait.count() / 1'000'000'000);
        limit.tv_nsec = static_cast<long>(wait.count() % 1'000'000'000);
        count =
            ::epoll_pwait2(epoll_, ready_.data(), static_cast<int>(ready_.size()), &limit, nullptr);
    }
    if (count < 0) {
        KQ_CHECK_MSG(errno == EINTR, "waiting for events failed");
        count = 0;
    }
    ready_count_ = static_cast<std::size_t>(count);
    return count;
}

void EpollLoop::run_posted() {
    if (!has_posted_.load(std::memory_order_acquire)) return;
    {
        std::lock_guard lock(mutex_);
        running_.swap(posted_);
        has_posted_.store(false);
    }
    for (auto& task : running_) {
        task();
        task = nullptr;  // what it captured dies in order, not at the end of the batch
    }
    running_.clear();
}

void EpollLoop::expire_timers(MonoTime now) {
    // As many as are there now: one that sets itself again for this moment waits a turn.
    for (std::size_t left = timers_.size(); left > 0; --left) {
        auto task = timers_.take_due(now);
        if (task == nullptr) return;
        task();
    }
}

void EpollLoop::handle_events() {
    bool was_full = ready_count_ == ready_.size();
    while (ready_next_ < ready_count_) {
        epoll_event event = ready_[ready_next_++];
        if (event.events == 0) continue;  // unwatched meanwhile
        if (event.data.ptr == nullptr) {
            std::uint64_t ignored;
            [[maybe_unused]] auto count = ::read(wake_, &ignored, sizeof ignored);
            if (on_wake_ != nullptr) on_wake_();
            continue;
        }
        static_cast<DescriptorEvents*>(event.data.ptr)->on_events(event.events);
    }
    ready_next_ = 0;
    ready_count_ = 0;
    if (was_full && ready_.size() < 4096) ready_.resize(ready_.size() * 2);
}

void EpollLoop::run_outbox() {
    while (!outbox_.empty()) {
        auto outbox = std::exchange(outbox_, {});
        for (auto& task : outbox)
            task();
        if (outbox_.empty()) {  // keep the memory
            outbox.clear();
            outbox_.swap(outbox);
        }
    }
    // A flush may close a connection, whose owner may queue more; that leaves in the next turn.
    auto flushes = std::exchange(flushes_, {});
    for (auto& task : flushes)
        task();
    if (flushes_.empty()) {
        flushes.clear();
        flushes_.swap(flushes);
    }
}

}  // namespace kq
