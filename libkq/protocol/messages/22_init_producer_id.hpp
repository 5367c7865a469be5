// SPDX-License-Identifier: Apache-2.0
//
// InitProducerId, key 22, versions 0-5, flexible from 2: an id and epoch for an idempotent or
// transactional producer.
//
// v3       the id and epoch that the producer has (KIP-360)
// v4       the answer may be PRODUCER_FENCED (KIP-588)
// v5       the answer may be TRANSACTION_ABORTABLE (KIP-890)
// source   Kafka protocol guide, "InitProducerId API (Key: 22)"
#pragma once

#include "protocol/codec.hpp"

namespace kq::wire {

inline constexpr ApiInfo init_producer_id_api{
    .key = 22, .name = "InitProducerId", .versions = {0, 5}, .flexible_from = 2};

struct InitProducerIdRequest {
    static constexpr const auto& info = init_producer_id_api;

    std::optional<std::string> transactional_id = "";  // null outside transactions
    std::int32_t transaction_timeout_ms = 0;
    std::int64_t producer_id = -1;  // -1 at first
    std::int16_t producer_epoch = -1;

    template <class Walker>
    void walk(Walker& w) {
        w.field("transactionalId", transactional_id);
        w.field("transactionTimeoutMs", transaction_timeout_ms);
        w.field("producerId", producer_id, since(3));
        w.field("producerEpoch", producer_epoch, since(3));
        w.tags();
    }
    bool operator==(const InitProducerIdRequest&) const = default;
};

struct InitProducerIdResponse {
    static constexpr const auto& info = init_producer_id_api;

    std::int32_t throttle_time_ms = 0;
    std::int16_t error_code = 0;
    std::int64_t producer_id = -1;
    std::int16_t producer_epoch = 0;

    template <class Walker>
    void walk(Walker& w) {
        w.field("throttleTimeMs", throttle_time_ms);
        w.field("errorCode", error_code);
        w.field("producerId", producer_id);
        w.field("producerEpoch", producer_epoch);
        w.tags();
    }
    bool operator==(const InitProducerIdResponse&) const = default;
};

}  // namespace kq::wire
