// SPDX-License-Identifier: Apache-2.0
//
// Session: one connection of a client: frames in, requests to the dispatcher, answers out in order.
//
// shape    Ready -> Draining -> Closed. A request starts when nothing is outstanding, or when it
// and
//          everything outstanding is Produce and there are at most 8; else its bytes wait and
//          reading stops. Between frames a session holds no buffer. Half a frame is given up when
//          less than 64 KiB of it come in 30 s; a long one, while other connections wait for
//          memory, when less than an eighth of what it holds comes in 5 s
// owner    the loop it was made on
// errors   every way in which a peer breaks the rules closes the connection, counted by reason
// source   docs/architecture.md, 5 "Connections and requests"
#pragma once

#include <memory>
#include <optional>
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

    std::uint64_t id() const { return id_; }
    const Endpoint& peer() const { return peer_; }

private:
    // Bytes that came and were not taken apart yet, and what keeps them.
    struct Unread {
        MutableBytes bytes;
        std::shared_ptr<const void> hold;
    };
    // What came from then on is what goes past `from`.
    struct Progress {
        MonoTime since{};
        std::uint64_t from = 0;
    };

    bool may_start(MutableBytes frame) const KQ_ON(loop_);
    bool is_blocked() const KQ_ON(loop_);
    bool may_continue() const KQ_ON(loop_);
    void receive() KQ_ON(loop_);
    bool receive_into_slab() KQ_ON(loop_);
    bool receive_large() KQ_ON(loop_);
    std::size_t receive(MutableBytes into) KQ_ON(loop_);
    bool start_large(std::size_t frame_bytes) KQ_ON(loop_);
    void process() KQ_ON(loop_);
    void process_unread() KQ_ON(loop_);
    void tell_stranger() KQ_ON(loop_);
    void start_request(MutableBytes frame, std::shared_ptr<const void> hold) KQ_ON(loop_);
    void keep_unread() KQ_ON(loop_);
    void wait_for_memory() KQ_ON(loop_);
    void watch_half_frame() KQ_ON(loop_);
    void check_half_frame() KQ_ON(loop_);
    void check_half_frame_later() KQ_ON(loop_);
    bool is_too_slow(MonoTime now) const KQ_ON(loop_);
    bool is_too_slow_for_others() KQ_ON(loop_);
    void send_answers() KQ_ON(loop_);
    bool is_large_whole() const KQ_ON(loop_) {
        return large_ != nullptr && large_filled_ == large_->frame_bytes();
    }
    void continue_later() KQ_ON(loop_);
    void go_on() KQ_ON(loop_);
    void stop_reading() KQ_ON(loop_);
    void over() KQ_ON(loop_);
    bool has_half_frame() const KQ_ON(loop_) { return large_filled_ > 0 || !unread_.bytes.empty(); }

    Sessions& sessions_;
    Loop& loop_;
    const std::uint64_t id_;
    std::unique_ptr<Connection> connection_ KQ_OWNED_BY(loop_);
    const Endpoint peer_;
    const std::string listener_;
    ConnectionState state_ KQ_OWNED_BY(loop_);

    // The front is answered next; `others_` of them are not Produce.
    std::vector<std::shared_ptr<PendingRequest>> requests_ KQ_OWNED_BY(loop_);
    std::size_t others_ KQ_OWNED_BY(loop_) = 0;

    Unread unread_ KQ_OWNED_BY(loop_);
    // A frame with a buffer of its own, being received; null without one.
    std::shared_ptr<ReceiveBuffers::Single> large_ KQ_OWNED_BY(loop_);
    std::size_t large_filled_ KQ_OWNED_BY(loop_) = 0;
    std::size_t large_wanted_ KQ_OWNED_BY(loop_) = 0;  // waits for memory of that size

    bool processing_ KQ_OWNED_BY(loop_) = false;
    bool held_back_ KQ_OWNED_BY(loop_) = false;  // a whole frame is here that may not start yet
    bool reading_stopped_ KQ_OWNED_BY(loop_) = false;
    std::optional<MemoryWait> waiting_for_memory_ KQ_OWNED_BY(loop_);
    bool continuing_ KQ_OWNED_BY(loop_) = false;
    bool draining_ KQ_OWNED_BY(loop_) = false;
    bool closed_ KQ_OWNED_BY(loop_) = false;
    MonoTime last_activity_ KQ_OWNED_BY(loop_);
    MonoTime half_frame_since_ KQ_OWNED_BY(loop_){};
    std::uint64_t received_ KQ_OWNED_BY(loop_) = 0;  // since the connection was made
    Progress progress_ KQ_OWNED_BY(loop_);           // of half a frame
    Progress while_scarce_ KQ_OWNED_BY(loop_);       // of the same, in a shorter time
    bool was_scarce_ KQ_OWNED_BY(loop_) = false;     // when that began
    Timer half_frame_timer_ KQ_OWNED_BY(loop_);
    MonoTime paused_until_ KQ_OWNED_BY(loop_) = MonoTime::min();
    Timer pause_timer_ KQ_OWNED_BY(loop_);
    const std::shared_ptr<Session*> self_;  // holds null once destroyed; read on the loop
};

}  // namespace kq
