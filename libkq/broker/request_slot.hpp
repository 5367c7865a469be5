// SPDX-License-Identifier: Apache-2.0
//
// RequestSlot: the place of one request in its connection's queue of answers. The dispatcher gets
// it with the request and gives it back with the answer: replies leave from the front only, in the
// order of the requests (Q1).
//
// shape    exactly one of answer(), answer_nothing(), fail()
// owner    the connection's loop
#pragma once

#include <memory>

#include "base/chain.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "broker/reply.hpp"

namespace kq {

class Session;

// What session and handlers share of a request; it survives the session.
struct PendingRequest : Asker {
    std::shared_ptr<Session*> session;  // holds null once the session is gone
    bool is_produce = false;
    bool answered = false;
    Chain answer;
};

class RequestSlot {
public:
    explicit RequestSlot(std::shared_ptr<PendingRequest> request) : request_(std::move(request)) {}
    RequestSlot(RequestSlot&&) = default;
    RequestSlot& operator=(RequestSlot&&) = delete;

    // For the Reply: tells a handler when nobody waits any more.
    std::shared_ptr<Asker> asker() const { return request_; }

    // The whole frame. After it the connection is not read for `pause`: a client over its quota has
    // been told so in the answer.
    void answer(Chain frame, Millis pause = Millis{0});
    // Produce with acks=0: the request leaves the queue at once, and nothing is ever sent for it.
    void answer_nothing();
    // Closes the connection, counted under `reason`: "malformed", "unknown_api" … Allowed after
    // answer_nothing() too.
    void fail(const char* reason, const Error& why);

private:
    Session* session() const { return request_->session != nullptr ? *request_->session : nullptr; }

    std::shared_ptr<PendingRequest> request_;
};

}  // namespace kq
