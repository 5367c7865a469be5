// SPDX-License-Identifier: Apache-2.0
//
// StateMachine: runs one deterministic machine over one ReplicatedLog: decide, append, apply, and
// answer once the log has committed what the answer rests on (ARCHITECTURE 11).
//
//   Loading -> Active     the log made us leader; the state holds everything committed before
//   Active  -> Closed     leadership lost, or an append failed (not: found no room, or too many
//                         records at once, which changes nothing): the state is dropped, what is
//                         parked fails with `closed_error` (outcome unknown)
//   Closed  -> Loading    reset(): the state is built again from the log
//
// shape    a Machine gives
//            using State, Record;
//            static LogRecord encode(const State&, Record&)   drops what cannot be written now
//            static void apply(State&, std::span<const Record>, Offset first)
//          apply cannot fail and decides nothing; encode sees the state before the run
//          decide is any callable `Decision<Record, Response>(const State&, Offset next)`; it
//          changes nothing; `next` is the offset that its first record would get
// owner    the log's loop
// errors   loading_error and closed_error as the machine's clients know them
#pragma once

#include <deque>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/function.hpp"
#include "base/loop.hpp"
#include "base/result.hpp"
#include "consensus/replicated_log.hpp"

namespace kq {

// What a request wants the log to say, and what to answer once the log has said it.
template <class Record, class Response>
struct Decision {
    std::vector<Record> records;
    Response response;
};

// An answer and the end of the log that it rests on.
template <class Response>
struct Settled {
    Response response;
    Offset end;  // one past the last record of the decision, or the log end when it had none
};

struct StateMachineOptions {
    Errc loading_error = Errc::coordinator_load_in_progress;
    Errc closed_error = Errc::not_coordinator;
};

template <class Machine>
class StateMachine {
public:
    using State = typename Machine::State;
    using Record = typename Machine::Record;
    enum class Phase { loading, active, closed };

    StateMachine(Loop& loop, ReplicatedLog& log, StateMachineOptions options)
        : loop_(loop), log_(log), options_(options) {}
    // Answers that are still parked are dropped: close() gives them.
    ~StateMachine() = default;
    StateMachine(const StateMachine&) = delete;
    StateMachine& operator=(const StateMachine&) = delete;

    Phase phase() const {
        loop_.assert_here();
        return phase_;
    }
    // What requests are decided on: everything appended so far. Requires: Active.
    const State& state() const {
        loop_.assert_here();
        KQ_CHECK(phase_ == Phase::active);
        return state_;
    }

    // The log made us leader; `state` is everything committed before.
    void activate(Epoch epoch, State state) {
        loop_.assert_here();
        KQ_CHECK(phase_ == Phase::loading);
        phase_ = Phase::active;
        epoch_ = epoch;
        state_ = std::move(state);
    }

    // Asks `decide` and answers through `reply`, exactly once, never from inside this call unless
    // the answer is an error or rests on nothing uncommitted.
    template <class Decide, class Response>
    void submit(Decide&& decide, Callback<void(Result<Settled<Response>>)> reply) {
        loop_.assert_here();
        if (phase_ != Phase::active) {
            reply(Error(phase_ == Phase::loading ? options_.loading_error : options_.closed_error));
            return;
        }
        Decision<Record, Response> decision = decide(std::as_const(state_), log_.log_end());
        if (!decision.records.empty()) {
            if (auto written = write(decision.records); !written.ok()) {
                reply(written.error());
                if (!nothing_was_appended(written.code())) close();
                return;
            }
        }
        const Offset end = log_.log_end();
        if (end <= log_.committed_end()) {
            reply(Settled<Response>{std::move(decision.response), end});
            return;
        }
        parked_.push_back({end, [reply = std::move(reply), response = std::move(decision.response),
                                 end](Status outcome) mutable {
                               if (outcome.ok())
                                   reply(Settled<Response>{std::move(response), end});
                               else
                                   reply(std::move(outcome).error());
                           }});
    }

    // The log has committed everything below `end`.
    void on_committed(Offset end) {
        loop_.assert_here();
        while (!parked_.empty() && parked_.front().end <= end) {
            auto first = std::move(parked_.front());
            parked_.pop_front();
            first.answer(done());
        }
    }

    // Takes `state`, which says the same as what is held, in its place: parts may then be shared
    // with whoever made it. Requires: everything appended is committed.
    void rebase(State state) {
        loop_.assert_here();
        KQ_CHECK(phase_ == Phase::active && log_.log_end() == log_.committed_end());
        state_ = std::move(state);
    }

    // Leadership is lost, or the node stops.
    void close() {
        loop_.assert_here();
        phase_ = Phase::closed;
        state_ = State{};
        auto parked = std::exchange(parked_, {});
        for (auto& waiting : parked)
            waiting.answer(Error(options_.closed_error));
    }

    // From Closed back to Loading: the log may elect us again.
    void reset() {
        loop_.assert_here();
        KQ_CHECK(phase_ == Phase::closed);
        phase_ = Phase::loading;
    }

    std::size_t parked_count() const {
        loop_.assert_here();
        return parked_.size();
    }

private:
    struct Parked {
        Offset end;
        Callback<void(Status)> answer;
    };

    static bool nothing_was_appended(Errc code) {
        return code == Errc::record_list_too_large || is_shortage(code);
    }

    Status write(std::vector<Record>& records) KQ_ON(loop_) {
        const Offset first = log_.log_end();
        std::vector<LogRecord> encoded;
        encoded.reserve(records.size());
        for (auto& record : records)
            encoded.push_back(Machine::encode(state_, record));
        KQ_LET(const Offset last, log_.append(epoch_, std::move(encoded)));
        KQ_CHECK(last == first + (static_cast<std::int64_t>(records.size()) - 1));
        Machine::apply(state_, std::span<const Record>(records), first);
        return done();
    }

    Loop& loop_;
    ReplicatedLog& log_;
    StateMachineOptions options_;
    Phase phase_ KQ_OWNED_BY(loop_) = Phase::loading;
    Epoch epoch_ KQ_OWNED_BY(loop_) = no_epoch;
    State state_ KQ_OWNED_BY(loop_);
    std::deque<Parked> parked_ KQ_OWNED_BY(loop_);
};

}  // namespace kq
