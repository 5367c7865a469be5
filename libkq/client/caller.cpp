// SPDX-License-Identifier: Apache-2.0
#include "client/caller.hpp"

namespace kq {

struct Caller::Question {
    Target target;
    const wire::ApiInfo* api;
    Send send;
    Repeat repeat;
    MonoTime deadline;
    OnAnswer done;
    int failures = 0;
};

void Caller::later(MonoTime when, Task task) {
    loop_.assert_here();
    auto at = timers_.emplace(timers_.end(), loop_);
    at->set(when, [this, at, run = std::move(task)]() mutable {
        loop_.assert_here();
        timers_.erase(at);
        run();
    });
}

std::chrono::nanoseconds Caller::pause(int failures) {
    Backoff backoff(cluster_.options().retry_backoff, cluster_.options().retry_backoff_max);
    auto drawn = backoff.next(cluster_.random());
    for (int i = 1; i < failures && i < 16; ++i)
        drawn = backoff.next(cluster_.random());
    return drawn;
}

void Caller::begin(Target target, const wire::ApiInfo& api, Send send, Repeat repeat,
                   MonoTime deadline, OnAnswer done) {
    attempt(std::make_shared<Question>(
        Question{target, &api, std::move(send), repeat, deadline, std::move(done)}));
}

void Caller::attempt(std::shared_ptr<Question> question) {
    auto deadline = question->deadline;
    auto target = question->target.broker;
    auto on_found = [this, question = std::move(question)](Result<BrokerConnection*> found) {
        loop_.assert_here();
        if (!found.ok()) return on_failure(question, found.error(), false);
        on_connection(question, *found.value());
    };
    if (target == no_broker) {
        cluster_.pool().any_connection(deadline, std::move(on_found));
    } else {
        cluster_.connection_to(target, deadline, std::move(on_found));
    }
}

void Caller::on_connection(std::shared_ptr<Question> question, BrokerConnection& connection) {
    auto version = connection.version_for(*question->api);
    if (!version.ok()) return question->done(version.error(), nullptr);
    auto until =
        std::min(question->deadline, loop_.clock().mono() + cluster_.options().request_timeout);
    auto& send = question->send;
    send(connection, version.value(), until,
         [this, question = std::move(question), from = &connection](Result<Answer> answer) {
             loop_.assert_here();
             if (!answer.ok()) return on_failure(question, answer.error(), true);
             question->done(std::move(answer), from);
         });
}

void Caller::on_failure(std::shared_ptr<Question> question, const Error& why, bool was_sent) {
    question->failures += 1;
    auto again = loop_.clock().mono() + pause(question->failures);
    bool passing = why.code == Errc::connection_closed || why.code == Errc::deadline_passed;
    bool harmless = question->repeat == Repeat::safe || !was_sent;
    if (passing && harmless && again < question->deadline) {
        return later(again, [this, question = std::move(question)]() mutable {
            loop_.assert_here();
            attempt(std::move(question));
        });
    }
    if (was_sent && question->repeat == Repeat::only_unsent) {
        return question->done(Error{why.code, why.message + "; the outcome is unknown"}, nullptr);
    }
    question->done(why, nullptr);
}

}  // namespace kq
