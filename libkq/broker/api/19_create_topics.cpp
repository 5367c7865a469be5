// SPDX-License-Identifier: Apache-2.0
#include "broker/api/19_create_topics.hpp"

#include <algorithm>

namespace kq {

void handle_create_topics(RequestContext& context, wire::CreateTopicsRequest request,
                          const ControllerChannel& controller,
                          Reply<wire::CreateTopicsResponse> reply) {
    const Millis patience{std::max(0, request.timeout_ms)};
    AdminCall call{std::string(context.principal), context.clock.mono() + patience};
    controller.create_topics(
        context.loop, std::move(request), std::move(call),
        [reply = std::move(reply)](wire::CreateTopicsResponse response) mutable {
            std::move(reply).send(std::move(response));
        });
}

}  // namespace kq
