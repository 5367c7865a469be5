// SPDX-License-Identifier: Apache-2.0
//
// Caller: one question, one answer: finds a connection, agrees on the version, sends, decodes; asks
// again after a back-off where that is safe and may help, until the deadline.
//
// owner    the cluster's loop; callbacks that were not called when it is destroyed are dropped
// errors   those of BrokerPool and BrokerConnection. Where a request that must not be repeated went
//          out and no answer came, the message ends with "the outcome is unknown"
#pragma once

#include <list>
#include <memory>

#include "client/cluster.hpp"

namespace kq {

// Whom to ask: any broker, or this one.
struct Target {
    BrokerId broker = no_broker;
};
inline constexpr Target any_broker{};

enum class Repeat {
    safe,         // asking twice does no harm
    only_unsent,  // only while it is certain that nobody has heard it
};

template <class Response>
struct Answered {
    Response response;
    SharedBytes frame;  // what views in the response look into
    std::int16_t version = 0;
    BrokerConnection* connection = nullptr;  // it came over; good until the end of the turn
};

class Caller {
public:
    explicit Caller(Cluster& cluster) : loop_(cluster.loop()), cluster_(cluster) {}

    // `make(version)` gives the request; it is called once per attempt.
    template <class Response, class Make>
    void call(Target target, Make make, Repeat repeat, MonoTime deadline,
              Callback<void(Result<Answered<Response>>)> done) {
        loop_.assert_here();
        using Request = decltype(make(std::int16_t{0}));
        auto sender = [make = std::move(make)](BrokerConnection& connection, std::int16_t version,
                                               MonoTime until,
                                               BrokerConnection::OnAnswer answer) mutable {
            connection.send<Request>(make(version), version, until, std::move(answer));
        };
        auto on_answer = [done = std::move(done)](Result<Answer> answer,
                                                  BrokerConnection* connection) mutable {
            if (!answer.ok()) return done(answer.error());
            auto& got = answer.value();
            auto response = wire::decode<Response>(got.body, got.version);
            if (!response.ok()) {
                return done(Error{Errc::malformed, connection->endpoint().text() +
                                                       " sent an answer that cannot be read: " +
                                                       response.error().message});
            }
            connection->hold_back(Millis{response.value().throttle_time_ms});
            done(Answered<Response>{std::move(response).value(), std::move(got.frame), got.version,
                                    connection});
        };
        begin(target, Request::info, std::move(sender), repeat, deadline, std::move(on_answer));
    }

    // Runs `task` at `when`, unless the caller is destroyed before.
    void later(MonoTime when, Task task);
    // A pause for the next attempt, after `failures` of them.
    std::chrono::nanoseconds pause(int failures);

private:
    using Send = Function<void(BrokerConnection&, std::int16_t version, MonoTime until,
                               BrokerConnection::OnAnswer)>;
    using OnAnswer = Callback<void(Result<Answer>, BrokerConnection*)>;
    struct Question;

    void begin(Target target, const wire::ApiInfo& api, Send send, Repeat repeat, MonoTime deadline,
               OnAnswer done) KQ_ON(loop_);
    void attempt(std::shared_ptr<Question> question) KQ_ON(loop_);
    void on_connection(std::shared_ptr<Question> question, BrokerConnection& connection)
        KQ_ON(loop_);
    void on_failure(std::shared_ptr<Question> question, const Error& why, bool was_sent)
        KQ_ON(loop_);

    Loop& loop_;
    Cluster& cluster_;
    std::list<Timer> timers_ KQ_OWNED_BY(loop_);
};

}  // namespace kq
