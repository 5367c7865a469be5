// SPDX-License-Identifier: Apache-2.0
//
// SharedLimit: how many of something several owners have together, and may have.
//
// shape    nobody is kept from taking: who asks is_full() first keeps the limit. Several that ask
// at
//          the same time may go past it by what each of them takes
// owner    any thread; a Share belongs to one owner
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace kq {

class SharedLimit {
public:
    explicit SharedLimit(std::uint64_t limit) : limit_(limit) {}

    std::uint64_t used() const { return used_.load(std::memory_order_relaxed); }
    bool is_full() const { return used() >= limit_; }

    // What one owner has of it; given back when it dies.
    class Share {
    public:
        // Null: there is no limit.
        explicit Share(std::shared_ptr<SharedLimit> whole) : whole_(std::move(whole)) {}
        Share(Share&& other) noexcept
            : whole_(std::move(other.whole_)), taken_(std::exchange(other.taken_, 0)) {}
        Share& operator=(Share&&) = delete;
        ~Share() { take(0); }

        bool is_full() const { return whole_ != nullptr && whole_->is_full(); }
        // So many it has from now on.
        void take(std::uint64_t count) {
            if (whole_ != nullptr) whole_->used_ += count - taken_;  // wraps back where it falls
            taken_ = count;
        }

    private:
        std::shared_ptr<SharedLimit> whole_;
        std::uint64_t taken_ = 0;
    };

private:
    const std::uint64_t limit_;
    std::atomic<std::uint64_t> used_{0};
};

}  // namespace kq
