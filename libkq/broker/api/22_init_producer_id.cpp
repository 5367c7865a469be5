// SPDX-License-Identifier: Apache-2.0
#include "broker/api/22_init_producer_id.hpp"

#include <utility>

namespace kq {

namespace {

void refuse(Reply<wire::InitProducerIdResponse> reply, Errc code) {
    wire::InitProducerIdResponse response;
    response.error_code = wire_code(code);
    response.producer_epoch = -1;
    std::move(reply).send(std::move(response));
}

}  // namespace

void handle_init_producer_id(RequestContext&, wire::InitProducerIdRequest request, ProducerIds& ids,
                             Reply<wire::InitProducerIdResponse> reply) {
    // An epoch means nothing without its producer, nor a producer without its epoch (KIP-360).
    if ((request.producer_id == -1) != (request.producer_epoch == -1)) {
        return refuse(std::move(reply), Errc::invalid_request);
    }
    if (request.transactional_id.has_value()) {
        // An empty one is a mistake; any other belongs to a coordinator, and there is none here.
        return refuse(std::move(reply), request.transactional_id->empty()
                                            ? Errc::invalid_request
                                            : Errc::coordinator_not_available);
    }
    ids.next([reply = std::move(reply)](Result<ProducerId> id) mutable {
        if (!id.ok()) return refuse(std::move(reply), id.code());
        wire::InitProducerIdResponse response;
        response.producer_id = id.value().value;
        response.producer_epoch = 0;
        std::move(reply).send(std::move(response));
    });
}

}  // namespace kq
