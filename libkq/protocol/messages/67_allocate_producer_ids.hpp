// SPDX-License-Identifier: Apache-2.0
//
// AllocateProducerIds, key 67, version 0, flexible: a broker takes a block of producer ids from the
// controller.
//
// source   Kafka protocol guide, "AllocateProducerIds API (Key: 67)"
#pragma once

#include "protocol/codec.hpp"

namespace kq::wire {

inline constexpr ApiInfo allocate_producer_ids_api{
    .key = 67, .name = "AllocateProducerIds", .versions = {0, 0}, .flexible_from = 0};

struct AllocateProducerIdsRequest {
    static constexpr const auto& info = allocate_producer_ids_api;

    std::int32_t broker_id = 0;
    std::int64_t broker_epoch = -1;

    template <class Walker>
    void walk(Walker& w) {
        w.field("brokerId", broker_id);
        w.field("brokerEpoch", broker_epoch);
        w.tags();
    }
    bool operator==(const AllocateProducerIdsRequest&) const = default;
};

struct AllocateProducerIdsResponse {
    static constexpr const auto& info = allocate_producer_ids_api;

    std::int32_t throttle_time_ms = 0;
    std::int16_t error_code = 0;
    std::int64_t producer_id_start = 0;
    std::int32_t producer_id_len = 0;

    template <class Walker>
    void walk(Walker& w) {
        w.field("throttleTimeMs", throttle_time_ms);
        w.field("errorCode", error_code);
        w.field("producerIdStart", producer_id_start);
        w.field("producerIdLen", producer_id_len);
        w.tags();
    }
    bool operator==(const AllocateProducerIdsResponse&) const = default;
};

}  // namespace kq::wire
