// SPDX-License-Identifier: Apache-2.0
#include "broker/dispatch.hpp"

namespace kq {

void Dispatcher::add(const wire::ApiInfo& api, Serve serve) {
    auto& requests = metrics_.counter("kq_requests_total", "Requests, by API.",
                                      {{"api", std::string(api.name)}});
    bool is_new =
        entries_.emplace(api.key, Entry{api.versions, std::move(serve), &requests}).second;
    KQ_CHECK(is_new);
    AdvertisedApi entry{api.key, api.advertised()};
    auto after = [](const AdvertisedApi& a, const AdvertisedApi& b) { return a.key < b.key; };
    advertised_.insert(std::upper_bound(advertised_.begin(), advertised_.end(), entry, after),
                       entry);
}

void Dispatcher::handle(RequestContext& context, RequestSlot slot) {
    auto found = entries_.find(context.api_key);
    if (found == entries_.end()) {
        return slot.fail("unknown_api",
                         Error{Errc::unsupported_version,
                               "API " + std::to_string(context.api_key) + " is not served"});
    }
    auto& entry = found->second;
    entry.requests->add();
    if (entry.versions.contains(context.api_version)) return entry.serve(context, std::move(slot));
    // A client that is newer than we are learns from this what we speak; anything else is a client
    // that did not ask.
    if (context.api_key == wire::ApiVersionsRequest::info.key) {
        return slot.answer(
            wire::encode_response(context.correlation_id, api_versions_unsupported(), 0));
    }
    slot.fail("unsupported_version",
              Error{Errc::unsupported_version, "API " + std::to_string(context.api_key) +
                                                   " is not served in version " +
                                                   std::to_string(context.api_version)});
}

Error Dispatcher::too_many_named() {
    return Error{Errc::invalid_request,
                 "a request names more than kq.partitions.max things (10000, if that is less)"};
}

Reply<wire::ProduceResponse> Dispatcher::silent_reply(RequestSlot slot) {
    slot.answer_nothing();
    auto asker = slot.asker();
    return Reply<wire::ProduceResponse>(
        [slot = std::move(slot)](wire::ProduceResponse response) mutable {
            for (const auto& topic : response.responses) {
                for (const auto& partition : topic.partition_responses) {
                    if (partition.error_code == 0) continue;
                    auto code = errc_from_wire(partition.error_code);
                    return slot.fail("silent_produce_failed", Error{code});
                }
            }
        },
        std::move(asker));
}

}  // namespace kq
