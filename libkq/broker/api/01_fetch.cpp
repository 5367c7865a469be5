// SPDX-License-Identifier: Apache-2.0
#include "broker/api/01_fetch.hpp"

#include <utility>

namespace kq {

void handle_fetch(RequestContext& context, wire::FetchRequest request, PendingFetches& pending,
                  Reply<wire::FetchResponse> reply) {
    pending.start(context, std::move(request), std::move(reply));
}

}  // namespace kq
