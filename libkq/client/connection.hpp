// SPDX-License-Identifier: Apache-2.0
//
// BrokerConnection: one TCP connection to one broker, from connecting over the negotiation of
// versions to its end: requests go out with a correlation id, answers come back in order.
//
// shape    Connecting -> Negotiating -> Ready -> Closed; Closed is final, a new one is made
// instead.
//          Whatever goes wrong closes the whole connection: answers are ordered, so one that does
//          not come holds up all behind it
// owner    its loop. May be destroyed at any time but inside its own callbacks; callbacks that were
//          not called by then are dropped
// errors   unreachable        could not connect, or the peer is no Kafka broker; the message says
// so
//          connection_closed  the peer closed or reset it; a request under way may have been served
//          deadline_passed    an answer did not come in time; the request may have been served
//          malformed          an answer that is none, or is longer than answer_bytes_max
//          unsupported        the broker offers no version of the request that we know
// source   Kafka protocol guide, "Protocol", "ApiVersions" (KIP-511)
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/loop.hpp"
#include "client/exchange.hpp"
#include "net/network.hpp"
#include "protocol/codec.hpp"

namespace kq {

// The body of an answer, and what keeps it alive.
struct Answer {
    SharedBytes frame;
    ByteView body;
    std::int16_t version = 0;
};

class BrokerConnection final : private ConnectionEvents {
public:
    struct Settings {
        std::string client_id;
        Millis setup_timeout{10'000};
        std::uint32_t answer_bytes_max = 128u << 20;
        ExchangeObserver* observer = nullptr;
    };
    struct Events {
        Callback<void()> ready;               // once, before `closed`
        Callback<void(const Error&)> closed;  // once, after every request under way was told
    };
    using OnAnswer = Callback<void(Result<Answer>)>;

    // Starts connecting.
    BrokerConnection(Loop& loop, Network& network, const Endpoint& to, Settings settings,
                     Events events);
    ~BrokerConnection();

    bool is_ready() const {
        loop_.assert_here();
        return state_ == State::ready;
    }
    bool is_closed() const {
        loop_.assert_here();
        return state_ == State::closed;
    }
    const Endpoint& endpoint() const { return to_; }

    // The highest version of an API that both sides know, not above `cap`.
    Result<std::int16_t> version_for(const wire::ApiInfo& api,
                                     std::int16_t cap = wire::never) const;

    // Queues a request; `done` is called exactly once. Requires: is_ready().
    template <class Request>
    void send(const Request& request, std::int16_t version, MonoTime deadline, OnAnswer done) {
        loop_.assert_here();
        send_frame(wire::encode_frame(header_for(Request::info, version), request, version),
                   Request::info, version, deadline, std::move(done));
    }
    // The same for a request that is not answered (Produce with acks=0): `sent` is called when the
    // kernel has taken it.
    template <class Request>
    void send_unanswered(const Request& request, std::int16_t version,
                         Callback<void(Status)> sent) {
        loop_.assert_here();
        send_unanswered_frame(
            wire::encode_frame(header_for(Request::info, version), request, version), Request::info,
            version, std::move(sent));
    }

    // Requests whose answer is out.
    std::size_t in_flight() const {
        loop_.assert_here();
        return in_flight_.size();
    }
    MonoTime last_used() const {
        loop_.assert_here();
        return last_used_;
    }
    // The broker asked for a pause (throttle_time_ms): what is sent meanwhile waits here.
    void hold_back(Millis duration);

    // Ends it as the peer would.
    void close(const Error& why);

private:
    enum class State { connecting, negotiating, ready, closed };
    struct Waiting {
        std::int32_t correlation_id;
        const wire::ApiInfo* api;
        std::int16_t version;
        MonoTime deadline;
        OnAnswer done;
        MonoTime sent;
        Chain request;  // kept for the observer alone
    };

    void on_connected() override;
    void on_readable() override;
    void on_drained() override;
    void on_closed(const Error& why) override;

    Bytes header_for(const wire::ApiInfo& api, std::int16_t version) KQ_ON(loop_);
    void send_frame(Chain frame, const wire::ApiInfo& api, std::int16_t version, MonoTime deadline,
                    OnAnswer done) KQ_ON(loop_);
    void send_unanswered_frame(Chain frame, const wire::ApiInfo& api, std::int16_t version,
                               Callback<void(Status)> sent) KQ_ON(loop_);
    void tell_observer(const Waiting& waiting, std::optional<ByteView> answer, const Status& status)
        KQ_ON(loop_);
    void put(Chain frame) KQ_ON(loop_);
    void release_held() KQ_ON(loop_);

    void ask_versions(std::int16_t version) KQ_ON(loop_);
    void on_versions(Result<Answer> answer) KQ_ON(loop_);

    Status receive_some() KQ_ON(loop_);
    Status take_frames(ByteView bytes) KQ_ON(loop_);
    Status begin_frame(ByteView bytes) KQ_ON(loop_);
    Status on_frame(SharedBytes frame) KQ_ON(loop_);
    Status check_size(std::int32_t size, ByteView first_bytes) const KQ_ON(loop_);
    std::shared_ptr<Bytes> buffer_of(std::size_t size) KQ_ON(loop_);

    void watch_deadline(MonoTime deadline) KQ_ON(loop_);
    void on_deadline() KQ_ON(loop_);
    void end(Error why) KQ_ON(loop_);
    std::string name() const;

    Loop& loop_;
    const Endpoint to_;
    const Settings settings_;
    Events events_ KQ_OWNED_BY(loop_);

    State state_ KQ_OWNED_BY(loop_) = State::connecting;
    std::unique_ptr<Connection> connection_ KQ_OWNED_BY(loop_);
    Timer setup_timer_ KQ_OWNED_BY(loop_);
    MonoTime last_used_ KQ_OWNED_BY(loop_);

    struct Range {
        std::int16_t min;
        std::int16_t max;
    };
    std::unordered_map<std::int16_t, Range> offered_ KQ_OWNED_BY(loop_);

    std::int32_t next_correlation_id_ KQ_OWNED_BY(loop_) = 0;
    std::deque<Waiting> in_flight_ KQ_OWNED_BY(loop_);
    std::vector<Callback<void(Status)>> unanswered_
        KQ_OWNED_BY(loop_);  // told when the kernel has taken them
    Timer deadline_timer_ KQ_OWNED_BY(loop_);
    MonoTime watched_deadline_ KQ_OWNED_BY(loop_) = MonoTime::max();

    std::optional<MonoTime> held_until_ KQ_OWNED_BY(loop_);
    std::vector<Chain> held_ KQ_OWNED_BY(loop_);
    Timer hold_timer_ KQ_OWNED_BY(loop_);

    // Receiving: small answers are cut out of staging_, a long one is received into its own buffer.
    // Buffers that nobody refers to any more are used again.
    Bytes staging_ KQ_OWNED_BY(loop_);
    std::size_t staged_ KQ_OWNED_BY(loop_) = 0;
    std::shared_ptr<Bytes> frame_ KQ_OWNED_BY(loop_);
    std::size_t frame_size_ KQ_OWNED_BY(loop_) = 0;
    std::size_t frame_filled_ KQ_OWNED_BY(loop_) = 0;
    std::vector<std::shared_ptr<Bytes>> buffers_ KQ_OWNED_BY(loop_);
};

}  // namespace kq
