// SPDX-License-Identifier: Apache-2.0
#include "broker/api/00_produce.hpp"

#include <utility>

namespace kq {

void handle_produce(RequestContext& context, wire::ProduceRequest request, PendingProduces& pending,
                    Reply<wire::ProduceResponse> reply) {
    pending.start(context, std::move(request), std::move(reply));
}

}  // namespace kq
