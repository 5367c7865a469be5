// SPDX-License-Identifier: Apache-2.0
//
// BrokerHeartbeat, key 63, versions 0-2, all flexible: a broker tells the controller that it lives,
// and asks to be unfenced or to stop.
//
// v1       offline_log_dirs (KIP-858)
// v2       cordoned_log_dirs (KIP-1066)
// source   Kafka protocol guide, "BrokerHeartbeat API (Key: 63)"
#pragma once

#include "protocol/codec.hpp"

namespace kq::wire {

inline constexpr ApiInfo broker_heartbeat_api{
    .key = 63, .name = "BrokerHeartbeat", .versions = {0, 2}, .flexible_from = 0};

struct BrokerHeartbeatRequest {
    static constexpr const auto& info = broker_heartbeat_api;

    std::int32_t broker_id = 0;
    std::int64_t broker_epoch = -1;
    std::int64_t current_metadata_offset = 0;  // up to where the broker has applied
    bool want_fence = false;                   // stay fenced
    bool want_shut_down = false;               // controlled shutdown
    std::vector<Uuid> offline_log_dirs;
    std::optional<std::vector<Uuid>> cordoned_log_dirs;

    template <class Walker>
    void walk(Walker& w) {
        w.field("brokerId", broker_id);
        w.field("brokerEpoch", broker_epoch);
        w.field("currentMetadataOffset", current_metadata_offset);
        w.field("wantFence", want_fence);
        w.field("wantShutDown", want_shut_down);
        w.tags(tagged(0, "offlineLogDirs", offline_log_dirs, since(1)),
               tagged(1, "cordonedLogDirs", cordoned_log_dirs, since(2)));
    }
    bool operator==(const BrokerHeartbeatRequest&) const = default;
};

struct BrokerHeartbeatResponse {
    static constexpr const auto& info = broker_heartbeat_api;

    std::int32_t throttle_time_ms = 0;
    std::int16_t error_code = 0;
    bool is_caught_up = false;
    bool is_fenced = true;
    bool should_shut_down = false;

    template <class Walker>
    void walk(Walker& w) {
        w.field("throttleTimeMs", throttle_time_ms);
        w.field("errorCode", error_code);
        w.field("isCaughtUp", is_caught_up);
        w.field("isFenced", is_fenced);
        w.field("shouldShutDown", should_shut_down);
        w.tags();
    }
    bool operator==(const BrokerHeartbeatResponse&) const = default;
};

}  // namespace kq::wire
