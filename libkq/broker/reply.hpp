// SPDX-License-Identifier: Apache-2.0
//
// Reply: the answer to one request. It moves, never copies, and is sent exactly once, on the loop
// of the connection that asked.
//
// shape    a handler that cannot answer at once keeps the Reply; when_gone() tells it that nobody
//          waits any more, so that it can let go of watches and timers. A Reply whose asker is gone
//          may be sent (nothing happens) or dropped
// owner    the connection's loop
#pragma once

#include <memory>
#include <utility>

#include "base/check.hpp"
#include "base/function.hpp"

namespace kq {

// Whether somebody still waits for the answer. One per request; the session says when it closes.
class Asker {
public:
    bool is_gone() const { return gone_; }
    void when_gone(Task task) { on_gone_ = std::move(task); }
    // By a broker that dies without a drain (a crash in the simulator): nobody is told, Replies may
    // be dropped.
    void abandon() {
        gone_ = true;
        on_gone_ = nullptr;
    }
    // By the session, once.
    void leave() {
        if (std::exchange(gone_, true)) return;
        if (auto task = std::exchange(on_gone_, nullptr)) task();
    }

private:
    bool gone_ = false;
    Task on_gone_;
};

template <class Response>
class Reply {
public:
    // Without an asker (tests, requests of our own) somebody waits for ever.
    explicit Reply(Callback<void(Response)> send, std::shared_ptr<Asker> asker = nullptr)
        : send_(std::move(send)), asker_(std::move(asker)) {}
    Reply(Reply&& other) noexcept
        : send_(std::exchange(other.send_, nullptr)), asker_(std::move(other.asker_)) {}
    Reply& operator=(Reply&&) = delete;
    // A request was dropped without an answer.
    ~Reply() { KQ_CHECK(send_ == nullptr || is_gone()); }

    void send(Response response) && {
        auto send = std::exchange(send_, nullptr);
        if (is_gone()) return;
        send(std::move(response));
    }

    // The connection closed, or the broker stops without waiting.
    bool is_gone() const { return asker_ != nullptr && asker_->is_gone(); }
    // Runs `task` when that happens before the answer was sent; replaces the one set before. The
    // task is dropped with the request, so it may not own the Reply.
    void when_gone(Task task) {
        if (asker_ != nullptr) asker_->when_gone(std::move(task));
    }

private:
    Callback<void(Response)> send_;
    std::shared_ptr<Asker> asker_;
};

}  // namespace kq
