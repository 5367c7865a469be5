// SPDX-License-Identifier: Apache-2.0
//
// AlterPartition, key 56, versions 2-3, all flexible: a leader proposes another in-sync set to the
// controller.
//
// v2       topic ids instead of names (KIP-841)
// v3       new_isr_with_epochs replaces new_isr (KIP-903)
// source   Kafka protocol guide, "AlterPartition API (Key: 56)"
#pragma once

#include "protocol/codec.hpp"

namespace kq::wire {

inline constexpr ApiInfo alter_partition_api{
    .key = 56, .name = "AlterPartition", .versions = {2, 3}, .flexible_from = 0};

struct AlterPartitionRequest {
    static constexpr const auto& info = alter_partition_api;

    struct BrokerState {
        std::int32_t broker_id = 0;
        std::int64_t broker_epoch = -1;  // of the leader

        template <class Walker>
        void walk(Walker& w) {
            w.field("brokerId", broker_id);
            w.field("brokerEpoch", broker_epoch);
            w.tags();
        }
        bool operator==(const BrokerState&) const = default;
    };

    struct PartitionData {
        std::int32_t partition_index = 0;
        std::int32_t leader_epoch = 0;
        std::vector<std::int32_t> new_isr;
        std::vector<BrokerState> new_isr_with_epochs;
        std::int8_t leader_recovery_state = 0;
        std::int32_t partition_epoch = 0;

        template <class Walker>
        void walk(Walker& w) {
            w.field("partitionIndex", partition_index);
            w.field("leaderEpoch", leader_epoch);
            w.field("newIsr", new_isr, until(2));
            w.field("newIsrWithEpochs", new_isr_with_epochs, since(3));
            w.field("leaderRecoveryState", leader_recovery_state);
            w.field("partitionEpoch", partition_epoch);
            w.tags();
        }
        bool operator==(const PartitionData&) const = default;
    };

    struct TopicData {
        Uuid topic_id;
        std::vector<PartitionData> partitions;

        template <class Walker>
        void walk(Walker& w) {
            w.field("topicId", topic_id);
            w.field("partitions", partitions);
            w.tags();
        }
        bool operator==(const TopicData&) const = default;
    };

    std::int32_t broker_id = 0;
    std::int64_t broker_epoch = -1;  // of the leader
    std::vector<TopicData> topics;

    template <class Walker>
    void walk(Walker& w) {
        w.field("brokerId", broker_id);
        w.field("brokerEpoch", broker_epoch);
        w.field("topics", topics);
        w.tags();
    }
    bool operator==(const AlterPartitionRequest&) const = default;
};

struct AlterPartitionResponse {
    static constexpr const auto& info = alter_partition_api;

    struct PartitionData {
        std::int32_t partition_index = 0;
        std::int16_t error_code = 0;
        std::int32_t leader_id = 0;
        std::int32_t leader_epoch = 0;
        std::vector<std::int32_t> isr;
        std::int8_t leader_recovery_state = 0;
        std::int32_t partition_epoch = 0;

        template <class Walker>
        void walk(Walker& w) {
            w.field("partitionIndex", partition_index);
            w.field("errorCode", error_code);
            w.field("leaderId", leader_id);
            w.field("leaderEpoch", leader_epoch);
            w.field("isr", isr);
            w.field("leaderRecoveryState", leader_recovery_state);
            w.field("partitionEpoch", partition_epoch);
            w.tags();
        }
        bool operator==(const PartitionData&) const = default;
    };

    struct TopicData {
        Uuid topic_id;
        std::vector<PartitionData> partitions;

        template <class Walker>
        void walk(Walker& w) {
            w.field("topicId", topic_id);
            w.field("partitions", partitions);
            w.tags();
        }
        bool operator==(const TopicData&) const = default;
    };

    std::int32_t throttle_time_ms = 0;
    std::int16_t error_code = 0;
    std::vector<TopicData> topics;

    template <class Walker>
    void walk(Walker& w) {
        w.field("throttleTimeMs", throttle_time_ms);
        w.field("errorCode", error_code);
        w.field("topics", topics);
        w.tags();
    }
    bool operator==(const AlterPartitionResponse&) const = default;
};

}  // namespace kq::wire
