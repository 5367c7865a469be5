// SPDX-License-Identifier: Apache-2.0
#include "broker/api/20_delete_topics.hpp"

namespace kq {
namespace {

// Versions before 3 do not know the code.
Errc disabled_code(int version) {
    return version < 3 ? Errc::invalid_request : Errc::topic_deletion_disabled;
}

wire::DeleteTopicsResponse all_refused(const wire::DeleteTopicsRequest& request, Errc code,
                                       const std::string& why) {
    wire::DeleteTopicsResponse response;
    for (const auto& topic : request.topics)
        response.responses.push_back({topic.name, topic.topic_id, wire_code(code), why});
    for (const auto& name : request.topic_names)
        response.responses.push_back({name, Uuid{}, wire_code(code), why});
    return response;
}

}  // namespace

void handle_delete_topics(RequestContext& context, wire::DeleteTopicsRequest request,
                          const ControllerChannel& controller, bool allowed,
                          Reply<wire::DeleteTopicsResponse> reply) {
    if (!allowed) {
        std::move(reply).send(
            all_refused(request, disabled_code(context.api_version),
                        "this cluster does not delete topics (delete.topic.enable=false)"));
        return;
    }
    if (request.timeout_ms < 0) {
        std::move(reply).send(
            all_refused(request, Errc::invalid_request, "a timeout is not negative"));
        return;
    }
    const Millis patience{request.timeout_ms};
    AdminCall call{std::string(context.principal), context.clock.mono() + patience};
    controller.delete_topics(
        context.loop, std::move(request), std::move(call),
        [reply = std::move(reply)](wire::DeleteTopicsResponse response) mutable {
            std::move(reply).send(std::move(response));
        });
}

}  // namespace kq
