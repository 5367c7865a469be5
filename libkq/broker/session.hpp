// SPDX-License-Identifier: Apache-2.0
//
// Session: one connection of a client: frames in, requests to the dispatcher, answers out in order.
//
// shape    Ready -> Draining -> Closed. A request starts when nothing is outstanding, or when it
// and
//          everything outstanding is Produce and there are at most 8; else its bytes wait and
//          reading stops. Between frames a session holds no buffer
// owner    the loop it was made on
// errors   every way in which a peer breaks the rules closes the connection, counted by reason
// source   docs/architecture.md, 5 "Connections and requests"
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "broker/request_context.hpp"
#include "broker/request_slot.hpp"
#include "net/network.hpp"
#include "net/receive_buffers.hpp"

namespace kq {

class Sessions;

class Session final : public ConnectionEvents {
public:
    Session(Sessions& sessions, std::unique_ptr<Socket> socket, std::uint64_t id,
            std::string listener);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    // --- of the connection
    void on_readable() override;
    void on_drained() override;
    void on_closed(const Error& why) override;

    // --- of RequestSlot
    void answer(PendingRequest& request, Chain frame, Millis pause);
    void answer_nothing(PendingRequest& request);
    void close(const char* reason, const Error& why);

    // --- of Sessions
    // Memory came back; false when there was still not enough.
    bool try_memory_again();
    // Answers what is outstanding, starts nothing new, closes.
    void drain();
    // Closes where nothing has come or gone since `before`.
    void close_if_idle(MonoTime before);
    // The broker dies without a drain: no handler is told.
    void abandon();

    std::uint64_t id() const { return state_.id; }
    std::size_t outstanding() const { return requests_.size(); }
    const Endpoint& peer() const { return peer_; }

private:
    // Bytes that came and were not taken apart yet, and what keeps them.
    struct Unread {
        MutableBytes bytes;
        std::shared_ptr<const void> hold;
    };

    bool may_start(MutableBytes frame) const;
    bool is_blocked() const;
    bool may_continue() const;
    void receive();
    bool receive_into_slab();
    bool receive_large();
    bool start_large(std::size_t frame_bytes);
    void process();
    void process_unread();
    void start_request(MutableBytes frame, std::shared_ptr<const void> hold);
    void keep_unread();
    void wait_for_memory();
    void watch_half_frame();
    void check_half_frame();
    void send_answers();
    void continue_later();
    void stop_reading();
    void over();
    bool has_half_frame() const { return large_filled_ > 0 || !unread_.bytes.empty(); }

    Sessions& sessions_;
    Loop& loop_;
    std::unique_ptr<Connection> connection_;
    const Endpoint peer_;
    const std::string listener_;
    ConnectionState state_;

    std::vector<std::shared_ptr<PendingRequest>> requests_;  // the front is answered next
    std::size_t others_ = 0;                                 // of them that are not Produce

    Unread unread_;
    MutableBytes large_;  // a frame with a buffer of its own, being received
    std::shared_ptr<const void> large_hold_;
    std::size_t large_filled_ = 0;
    std::size_t large_wanted_ = 0;  // waits for memory of that size

    bool processing_ = false;
    bool held_back_ = false;  // a whole frame is here that may not start yet
    bool reading_stopped_ = false;
    bool waiting_for_memory_ = false;
    bool continuing_ = false;
    bool draining_ = false;
    bool closed_ = false;
    MonoTime last_activity_;
    MonoTime half_frame_since_{};
    Timer half_frame_timer_;
    MonoTime paused_until_ = MonoTime::min();
    Timer pause_timer_;
    std::shared_ptr<Session*> self_;  // null once destroyed
};

}  // namespace kq
