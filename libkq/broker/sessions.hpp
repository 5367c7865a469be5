// SPDX-License-Identifier: Apache-2.0
//
// Sessions: all connections of one data loop, and what they share: buffers, limits, counters, the
// queue of those that wait for memory.
//
// owner    its loop
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/counters.hpp"
#include "base/log.hpp"
#include "base/log_limiter.hpp"
#include "broker/session.hpp"

namespace kq {

struct SessionOptions {
    std::size_t frame_bytes_max = 104'857'600;       // socket.request.max.bytes
    Millis idle_max{600'000};                        // connections.max.idle.ms; below 0: no limit
    Millis half_frame_max{30'000};                   // without a byte more of it
    std::uint64_t half_frame_progress_min = 65'536;  // in each half_frame_max, or the rest
    std::uint64_t half_frame_rate_min = 65'536;      // bytes a second, on the whole of a frame
    // While others wait for memory: a long frame brings this part of what it holds in each
    // interval.
    Millis scarce_interval{5'000};
    std::uint64_t scarce_part = 8;                // an eighth
    std::uint64_t output_bytes_max = 256u << 20;  // unsent, then the connection is closed
    std::uint64_t output_bytes_pause = 1u << 20;  // unsent, then nothing new is started
    std::size_t produce_pipeline_max = 8;
    // Called some seconds after connections closed, or after requests that held burst_bytes
    // together, at most once in give_back_interval: what they left may go back to the machine.
    // Null: nobody is interested.
    std::function<void()> give_back_memory;
    std::uint64_t burst_bytes = 16u << 20;
    Millis give_back_delay{5'000};
    Millis give_back_interval{30'000};
    LogLimiter* strangers = nullptr;  // of lines on who speaks TLS or HTTP here; null: no lines
};

// Takes a request: decodes it, answers through the slot, now or later.
class RequestHandler {
public:
    virtual ~RequestHandler() = default;
    // `frame` is the frame without its size; the context's frame is the same bytes.
    virtual void handle(RequestContext& context, RequestSlot slot) = 0;
};

class Sessions {
public:
    Sessions(Loop& loop, Network& network, MemoryBudget& budget, MetricRegistry& metrics,
             Logger log, SessionOptions options, RequestHandler& handler);
    ~Sessions();
    Sessions(const Sessions&) = delete;
    Sessions& operator=(const Sessions&) = delete;

    // `on_over` runs when the connection is gone.
    void serve(std::unique_ptr<Socket> socket, const std::string& listener, Task on_over);
    // What requests see from now on.
    void set_image(std::shared_ptr<const MetadataState> image) {
        loop_.assert_here();
        image_ = std::move(image);
    }

    // Starts no new request; connections close as their answers are out. `on_drained` when all
    // have.
    void drain(Task on_drained);
    // Closes what is left.
    void close_all();
    // The process dies: handlers are told nothing, replies may be dropped.
    void abandon();

    std::size_t count() const {
        loop_.assert_here();
        return sessions_.size();
    }

private:
    friend class Session;

    // --- of Session
    void wait_for_memory(Session& session, bool holds_some);
    void forget(Session& session);
    void note_burst();
    void count_closed(const char* reason);
    const std::shared_ptr<const MetadataState>& image() const {
        loop_.assert_here();
        return image_;
    }

    void ask_for_memory() KQ_ON(loop_);
    void give_memory() KQ_ON(loop_);
    bool give_memory_to(std::deque<Session*>& waiting) KQ_ON(loop_);
    void look_for_idle() KQ_ON(loop_);
    void give_back_later() KQ_ON(loop_);

    Loop& loop_;
    Network& network_;
    MemoryBudget& budget_;
    MetricRegistry& metrics_;
    Logger log_;
    const SessionOptions options_;
    RequestHandler& handler_;
    ReceiveBuffers buffers_;  // sees to its owner itself
    std::shared_ptr<const MetadataState> image_ KQ_OWNED_BY(loop_);

    struct Held {
        std::unique_ptr<Session> session;
        Task on_over;
    };
    // By id: what is done to all is done in order of arrival.
    std::map<std::uint64_t, Held> sessions_ KQ_OWNED_BY(loop_);
    // Wait for memory, in order: for more to a frame that has some, and for any at all.
    std::deque<Session*> growing_ KQ_OWNED_BY(loop_);
    std::deque<Session*> hungry_ KQ_OWNED_BY(loop_);
    bool asked_for_memory_ KQ_OWNED_BY(loop_) = false;
    bool draining_ KQ_OWNED_BY(loop_) = false;
    Task on_drained_ KQ_OWNED_BY(loop_);
    Timer idle_timer_ KQ_OWNED_BY(loop_);
    Timer give_back_timer_ KQ_OWNED_BY(loop_);
    std::optional<MonoTime> gave_back_ KQ_OWNED_BY(loop_);
    std::uint64_t last_id_ KQ_OWNED_BY(loop_) = 0;
    Gauge& connections_;
    Counter& accepted_;
    Counter& bytes_received_;
    Counter& memory_waits_;
    std::map<std::string, Counter*> closed_ KQ_OWNED_BY(loop_);
    const std::shared_ptr<Sessions*> self_;  // holds null once destroyed; read on the loop
};

}  // namespace kq
