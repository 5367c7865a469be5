// SPDX-License-Identifier: Apache-2.0
//
// MetadataNode: requests that change the metadata, and the life of this node's broker.
#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "metadata/metadata_core.hpp"

namespace kq {
namespace {

// What a topic is answered whose change failed as a whole.
std::int16_t code_for(const Error& error) {
    // Nothing was changed in either case: the batch would have been too large, or there is no room.
    if (error.code == Errc::record_list_too_large) return wire_code(Errc::policy_violation);
    if (is_shortage(error.code)) return wire_code(Errc::kafka_storage_error);
    return wire_code(error.code);
}

wire::CreateTopicsResponse failed(const std::vector<std::string>& names, const Error& error) {
    wire::CreateTopicsResponse response;
    for (const auto& name : names) {
        wire::CreateTopicsResponse::CreatableTopicResult result;
        result.name = name;
        result.error_code = code_for(error);
        result.error_message =
            error.message.empty() ? std::string(sentence_of(error.code)) : error.message;
        response.topics.push_back(std::move(result));
    }
    return response;
}

// What succeeded is written, and not known to be everywhere in time.
template <class Results>
void mark_late(Results& results) {
    for (auto& result : results) {
        if (result.error_code != 0) continue;
        result.error_code = wire_code(Errc::request_timed_out);
        result.error_message = "the change was made, and did not reach every loop in time";
    }
}

}  // namespace

// ---- waiting ----

void MetadataNode::Core::when_applied(Offset end, std::optional<MonoTime> deadline,
                                      Callback<void(bool)> then) {
    if (end <= applied_end_) return then(true);
    if (phase_ == Phase::stopped) return then(false);
    auto place = waiting_.emplace(end, Waiting{std::move(then), nullptr});
    if (!deadline) return;
    place->second.timer = std::make_unique<Timer>(loop_);
    place->second.timer->set(*deadline, [this, place] {
        loop_.assert_here();
        auto late = std::move(place->second.then);
        waiting_.erase(place);
        late(false);
    });
}

void MetadataNode::Core::applied(Offset offset) {
    loop_.assert_here();
    applied_end_ = std::max(applied_end_, offset + 1);
    answer_waiting(applied_end_, false);
}

// Those who wait for no more than `applied_end`; the others too, with false, when `all`.
void MetadataNode::Core::answer_waiting(Offset applied_end, bool all) {
    while (!waiting_.empty() && (all || waiting_.begin()->first <= applied_end)) {
        auto first = waiting_.extract(waiting_.begin());
        first.mapped().timer.reset();
        first.mapped().then(first.key() <= applied_end);
    }
}

void MetadataNode::Core::repeat(Step step, Callback<void(Result<Offset>)> reply) {
    struct Repetition {
        Step step;
        Callback<void(Result<Offset>)> reply;
        bool wrote = false;
    };
    auto repetition =
        std::make_shared<Repetition>(Repetition{std::move(step), std::move(reply), false});
    ask<Status>(
        [repetition](const MetadataReplay& state, Offset) {
            auto decision = repetition->step(state.state());
            repetition->wrote = !decision.records.empty();
            return decision;
        },
        [this, repetition](Result<Settled<Status>> settled) {
            loop_.assert_here();
            if (!settled.ok()) return repetition->reply(settled.error());
            if (!settled.value().response.ok())
                return repetition->reply(settled.value().response.error());
            if (!repetition->wrote) return repetition->reply(settled.value().end);
            repeat(std::move(repetition->step), std::move(repetition->reply));
        });
}

// ---- the broker ----

void MetadataNode::Core::register_broker(BrokerStart start,
                                         Callback<void(Result<BrokerEpoch>)> reply) {
    loop_.assert_here();
    const bool lost_data = start.previous_stop == PreviousStop::unknown;
    ask<Result<BrokerEpoch>>(
        [id = options_.node_id, start = std::move(start)](const MetadataReplay& state,
                                                          Offset next) {
            return kq::register_broker(state.state(), id, start, next);
        },
        [this, lost_data,
         reply = std::move(reply)](Result<Settled<Result<BrokerEpoch>>> settled) mutable {
            loop_.assert_here();
            if (!settled.ok()) return reply(settled.error());
            auto epoch = settled.value().response;
            if (!epoch.ok() || !lost_data) return reply(std::move(epoch));
            logger_.warn("the last stop may have lost records: this broker leaves every ISR",
                         {kv("broker", options_.node_id)});
            repeat(
                [this](const MetadataState& state) {
                    return give_up_partitions(state, options_.node_id, true, context());
                },
                [epoch, reply = std::move(reply)](Result<Offset> given_up) mutable {
                    if (!given_up.ok()) return reply(given_up.error());
                    reply(std::move(epoch));
                });
        });
}

void MetadataNode::Core::unfence(Callback<void(Status)> reply) {
    loop_.assert_here();
    auto step = [this](const MetadataState& state) {
        const auto* broker = state.broker(options_.node_id);
        return broker != nullptr && !broker->fenced
                   ? elect_leaders(state, context())
                   : unfence_broker(state, options_.node_id, context());
    };
    auto recovered = [this](const MetadataState& state) {
        return mark_recovered(state, options_.node_id, context());
    };
    repeat(step, [this, recovered, reply = std::move(reply)](Result<Offset> settled) mutable {
        loop_.assert_here();
        if (!settled.ok()) return reply(settled.error());
        when_applied(settled.value(), std::nullopt,
                     [this, recovered, reply = std::move(reply)](bool done_) mutable {
                         loop_.assert_here();
                         if (!done_) return reply(Error(Errc::not_controller));
                         repeat(recovered, [reply = std::move(reply)](Result<Offset> said) mutable {
                             reply(said.ok() ? done() : Status(said.error()));
                         });
                     });
    });
}

// In Kafka's order: shutting down is announced, leaderships and places in ISRs go, every loop has
// that, then the fence closes.
void MetadataNode::Core::drain(Callback<void(Status)> reply) {
    loop_.assert_here();
    auto fence = [this](Callback<void(Status)> fenced) {
        loop_.assert_here();
        repeat(
            [id = options_.node_id](const MetadataState& state) { return fence_broker(state, id); },
            [fenced = std::move(fenced)](Result<Offset> outcome) mutable {
                fenced(outcome.ok() ? done() : Status(outcome.error()));
            });
    };
    auto give_up = [this, fence](Callback<void(Status)> fenced) {
        loop_.assert_here();
        repeat(
            [this](const MetadataState& state) {
                return give_up_partitions(state, options_.node_id, false, context());
            },
            [this, fence, fenced = std::move(fenced)](Result<Offset> given_up) mutable {
                loop_.assert_here();
                if (!given_up.ok()) return fenced(given_up.error());
                when_applied(given_up.value(), std::nullopt,
                             [fence, fenced = std::move(fenced)](bool in_time) mutable {
                                 if (!in_time) return fenced(Error(Errc::not_controller));
                                 fence(std::move(fenced));
                             });
            });
    };
    repeat(
        [id = options_.node_id](const MetadataState& state) { return begin_shutdown(state, id); },
        [give_up, reply = std::move(reply)](Result<Offset> begun) mutable {
            if (!begun.ok()) return reply(begun.error());
            give_up(std::move(reply));
        });
}

// ---- topics ----

void MetadataNode::Core::create_topics(wire::CreateTopicsRequest request, AdminCall call,
                                       Callback<void(wire::CreateTopicsResponse)> reply) {
    loop_.assert_here();
    std::vector<std::string> names;
    for (const auto& topic : request.topics)
        names.push_back(topic.name);
    const bool validate_only = request.validate_only;
    ask<wire::CreateTopicsResponse>(
        [this, request = std::move(request)](const MetadataReplay& state, Offset) {
            return kq::create_topics(state.state(), request, context());
        },
        [this, names = std::move(names), validate_only, deadline = call.deadline,
         reply = std::move(reply)](Result<Settled<wire::CreateTopicsResponse>> settled) mutable {
            loop_.assert_here();
            if (!settled.ok()) return reply(failed(names, settled.error()));
            auto& answer = settled.value();
            const bool changed =
                !validate_only &&
                std::any_of(answer.response.topics.begin(), answer.response.topics.end(),
                            [](const auto& topic) { return topic.error_code == 0; });
            if (!changed) return reply(std::move(answer.response));
            when_applied(answer.end, deadline,
                         [response = std::move(answer.response),
                          reply = std::move(reply)](bool in_time) mutable {
                             if (!in_time) mark_late(response.topics);
                             reply(std::move(response));
                         });
        });
}

void MetadataNode::Core::delete_topics(wire::DeleteTopicsRequest request, AdminCall call,
                                       Callback<void(wire::DeleteTopicsResponse)> reply) {
    loop_.assert_here();
    wire::DeleteTopicsResponse otherwise;
    for (const auto& topic : request.topics)
        otherwise.responses.push_back({topic.name, topic.topic_id, 0, std::nullopt});
    for (const auto& name : request.topic_names)
        otherwise.responses.push_back({name, Uuid{}, 0, std::nullopt});
    ask<wire::DeleteTopicsResponse>(
        [request = std::move(request)](const MetadataReplay& state, Offset) {
            return kq::delete_topics(state.state(), request);
        },
        [this, otherwise = std::move(otherwise), deadline = call.deadline,
         reply = std::move(reply)](Result<Settled<wire::DeleteTopicsResponse>> settled) mutable {
            loop_.assert_here();
            if (!settled.ok()) {
                for (auto& result : otherwise.responses) {
                    result.error_code = code_for(settled.error());
                    result.error_message = settled.error().message;
                }
                return reply(std::move(otherwise));
            }
            auto& answer = settled.value();
            const bool changed =
                std::any_of(answer.response.responses.begin(), answer.response.responses.end(),
                            [](const auto& topic) { return topic.error_code == 0; });
            if (!changed) return reply(std::move(answer.response));
            when_applied(answer.end, deadline,
                         [response = std::move(answer.response),
                          reply = std::move(reply)](bool in_time) mutable {
                             if (!in_time) mark_late(response.responses);
                             reply(std::move(response));
                         });
        });
}

void MetadataNode::Core::auto_create_topics(const std::set<std::string>& names) {
    loop_.assert_here();
    std::set<std::string> wanted;
    for (const auto& name : names) {
        if (creating_.insert(name).second) wanted.insert(name);
    }
    if (wanted.empty()) return;
    ask<wire::CreateTopicsResponse>(
        [this, wanted](const MetadataReplay& state, Offset) {
            const auto request = automatic_topics(state.state(), wanted, context());
            return kq::create_topics(state.state(), request, context());
        },
        [this, wanted](Result<Settled<wire::CreateTopicsResponse>> settled) {
            loop_.assert_here();
            for (const auto& name : wanted)
                creating_.erase(name);
            if (!settled.ok()) {
                if (complaints_.allows(name_of(settled.error().code), loop_.clock().mono())) {
                    logger_.warn("topics could not be made on first use",
                                 {kv("error", settled.error())});
                }
                return;
            }
            for (const auto& topic : settled.value().response.topics) {
                if (topic.error_code == 0) {
                    logger_.info("topic made on first use",
                                 {kv("topic", topic.name), kv("partitions", topic.num_partitions)});
                } else if (complaints_.allows(name_of(errc_from_wire(topic.error_code)),
                                              loop_.clock().mono())) {
                    logger_.warn(
                        "topic could not be made on first use",
                        {kv("topic", topic.name), kv("error", errc_from_wire(topic.error_code)),
                         kv("why", topic.error_message.value_or(""))});
                }
            }
        });
}

void MetadataNode::Core::allocate_producer_ids(Callback<void(Result<ProducerIdBlock>)> reply) {
    loop_.assert_here();
    ask<Result<ProducerIdBlock>>(
        [id = options_.node_id](const MetadataReplay& state, Offset) {
            return kq::allocate_producer_ids(state.state(), id);
        },
        [reply = std::move(reply)](Result<Settled<Result<ProducerIdBlock>>> settled) mutable {
            if (!settled.ok()) return reply(settled.error());
            reply(std::move(settled.value().response));
        });
}

}  // namespace kq
