// SPDX-License-Identifier: Apache-2.0
#include "broker/api/19_create_topics.hpp"

namespace kq {
namespace {

wire::CreateTopicsResponse all_refused(const wire::CreateTopicsRequest& request, Errc code,
                                       const std::string& why) {
    wire::CreateTopicsResponse response;
    for (const auto& topic : request.topics) {
        auto& answer = response.topics.emplace_back();
        answer.name = topic.name;
        answer.error_code = wire_code(code);
        answer.error_message = why;
    }
    return response;
}

}  // namespace

void handle_create_topics(RequestContext& context, wire::CreateTopicsRequest request,
                          const ControllerChannel& controller,
                          Reply<wire::CreateTopicsResponse> reply) {
    if (request.timeout_ms < 0) {
        std::move(reply).send(
            all_refused(request, Errc::invalid_request, "a timeout is not negative"));
        return;
    }
    const Millis patience{request.timeout_ms};
    AdminCall call{std::string(context.principal), context.clock.mono() + patience};
    controller.create_topics(
        context.loop, std::move(request), std::move(call),
        [reply = std::move(reply)](wire::CreateTopicsResponse response) mutable {
            std::move(reply).send(std::move(response));
        });
}

}  // namespace kq
