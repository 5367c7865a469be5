// SPDX-License-Identifier: Apache-2.0
//
// Dispatcher: from a request's header to its handler: is the API served, in this version; decode;
// call; encode the answer.
//
// shape    what is served is what is announced: ApiVersions answers from advertised(). Filled once,
//          before the first request
// owner    the loop of its sessions
// errors   a request that cannot be read or names too many things, an API or version that is
//          not served: the connection closes, counted by reason. Only ApiVersions in an unknown
//          version is answered, in version 0 (KIP-511)
#pragma once

#include <algorithm>
#include <map>
#include <span>
#include <vector>

#include "base/counters.hpp"
#include "broker/api/18_api_versions.hpp"
#include "broker/reply.hpp"
#include "broker/request_context.hpp"
#include "broker/request_slot.hpp"
#include "broker/sessions.hpp"
#include "protocol/frames.hpp"
#include "protocol/messages/00_produce.hpp"

namespace kq {

// What the elements of a list name: each its partitions, keys or settings, and at least itself.
template <class List>
std::size_t named_in(const List& list) {
    std::size_t count = 0;
    for (const auto& one : list) {
        std::size_t inside = 0;
        if constexpr (requires { one.partitions.size(); }) inside += one.partitions.size();
        if constexpr (requires { one.partition_data.size(); }) inside += one.partition_data.size();
        if constexpr (requires { one.assignments.size(); }) inside += one.assignments.size();
        if constexpr (requires { one.configs.size(); }) inside += one.configs.size();
        if constexpr (requires { one.configuration_keys->size(); }) {
            if (one.configuration_keys) inside += one.configuration_keys->size();
        }
        count += std::max<std::size_t>(1, inside);
    }
    return count;
}

// How many partitions, topics, keys, resources and settings a request names, each as often as it
// is named: what its answer grows with.
template <class Request>
std::size_t named_by(const Request& request) {
    std::size_t count = 0;
    if constexpr (requires { request.topic_data; }) count += named_in(request.topic_data);
    if constexpr (requires { request.topics.has_value(); }) {
        if (request.topics) count += named_in(*request.topics);
    } else if constexpr (requires { request.topics; }) {
        count += named_in(request.topics);
    }
    if constexpr (requires { request.forgotten_topics_data; }) {
        count += named_in(request.forgotten_topics_data);
    }
    if constexpr (requires { request.topic_names; }) count += named_in(request.topic_names);
    if constexpr (requires { request.coordinator_keys; }) {
        count += named_in(request.coordinator_keys);
    }
    if constexpr (requires { request.resources; }) count += named_in(request.resources);
    return count;
}

class Dispatcher final : public RequestHandler {
public:
    // A request that names more than `named_max` is no client's: there are not so many partitions.
    Dispatcher(MetricRegistry& metrics, std::size_t named_max)
        : metrics_(metrics), named_max_(named_max) {}

    // `handler(context, request, reply)` answers every version of the API.
    template <class Request, class Response, class Handler>
    void serve(Handler handler) {
        add(Request::info, [this, handler = std::move(handler)](RequestContext& context,
                                                                RequestSlot slot) mutable {
            auto request = wire::decode<Request>(context.body, context.api_version);
            if (!request.ok()) return slot.fail("malformed", request.error());
            if (named_by(request.value()) > named_max_) {
                return slot.fail("too_many_named", too_many_named());
            }
            handler(context, std::move(request).value(),
                    reply_for<Response>(context, std::move(slot)));
        });
    }
    // Produce: with acks=0 nothing is answered, and an error closes the connection.
    template <class Handler>
    void serve_produce(Handler handler) {
        add(wire::ProduceRequest::info, [this, handler = std::move(handler)](
                                            RequestContext& context, RequestSlot slot) mutable {
            auto request = wire::decode<wire::ProduceRequest>(context.body, context.api_version);
            if (!request.ok()) return slot.fail("malformed", request.error());
            if (named_by(request.value()) > named_max_) {
                return slot.fail("too_many_named", too_many_named());
            }
            bool is_silent = request.value().acks == 0;
            handler(context, std::move(request).value(),
                    is_silent ? silent_reply(std::move(slot))
                              : reply_for<wire::ProduceResponse>(context, std::move(slot)));
        });
    }

    std::span<const AdvertisedApi> advertised() const { return advertised_; }

    void handle(RequestContext& context, RequestSlot slot) override;

private:
    using Serve = Function<void(RequestContext&, RequestSlot)>;
    struct Entry {
        wire::Versions versions;
        Serve serve;
        Counter* requests = nullptr;
    };

    void add(const wire::ApiInfo& api, Serve serve);
    static Error too_many_named();
    static Reply<wire::ProduceResponse> silent_reply(RequestSlot slot);

    template <class Response>
    static Reply<Response> reply_for(const RequestContext& context, RequestSlot slot) {
        auto asker = slot.asker();
        return Reply<Response>(
            [slot = std::move(slot), correlation_id = context.correlation_id,
             version = context.api_version](Response response) mutable {
                Millis pause{0};
                if constexpr (requires { response.throttle_time_ms; }) {
                    pause = Millis{response.throttle_time_ms};
                }
                slot.answer(wire::encode_response(correlation_id, response, version), pause);
            },
            std::move(asker));
    }

    MetricRegistry& metrics_;
    const std::size_t named_max_;
    std::map<std::int16_t, Entry> entries_;
    std::vector<AdvertisedApi> advertised_;
};

}  // namespace kq
