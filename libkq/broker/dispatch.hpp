// SPDX-License-Identifier: Apache-2.0
//
// Dispatcher: from a request's header to its handler: is the API served, in this version; decode;
// call; encode the answer.
//
// shape    what is served is what is announced: ApiVersions answers from advertised(). Filled once,
//          before the first request
// owner    the loop of its sessions
// errors   a request that cannot be read or names too many partitions, an API or version that is
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

// How many partitions a request names, each as often as it is named.
template <class Request>
std::size_t partitions_named(const Request& request) {
    std::size_t count = 0;
    if constexpr (requires { request.topic_data.front().partition_data; }) {  // Produce
        for (const auto& topic : request.topic_data)
            count += topic.partition_data.size();
    } else if constexpr (requires { request.forgotten_topics_data; }) {  // Fetch
        for (const auto& topic : request.topics)
            count += topic.partitions.size();
        for (const auto& topic : request.forgotten_topics_data)
            count += topic.partitions.size();
    } else if constexpr (requires { request.topics.front().partitions.front().timestamp; }) {
        for (const auto& topic : request.topics)  // ListOffsets
            count += topic.partitions.size();
    }
    return count;
}

class Dispatcher final : public RequestHandler {
public:
    // A request that names more than `request_partitions_max` is no client's: there are not so
    // many.
    Dispatcher(MetricRegistry& metrics, std::size_t request_partitions_max)
        : metrics_(metrics), request_partitions_max_(request_partitions_max) {}

    // `handler(context, request, reply)` answers every version of the API.
    template <class Request, class Response, class Handler>
    void serve(Handler handler) {
        add(Request::info, [this, handler = std::move(handler)](RequestContext& context,
                                                                RequestSlot slot) mutable {
            auto request = wire::decode<Request>(context.body, context.api_version);
            if (!request.ok()) return slot.fail("malformed", request.error());
            if (partitions_named(request.value()) > request_partitions_max_) {
                return slot.fail("too_many_partitions", too_many_partitions());
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
            if (partitions_named(request.value()) > request_partitions_max_) {
                return slot.fail("too_many_partitions", too_many_partitions());
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
    static Error too_many_partitions();
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
    const std::size_t request_partitions_max_;
    std::map<std::int16_t, Entry> entries_;
    std::vector<AdvertisedApi> advertised_;
};

}  // namespace kq
