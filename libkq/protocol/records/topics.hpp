// SPDX-License-Identifier: Apache-2.0
//
// Records of the metadata log about topics and partitions.
//
// v1       directories (KIP-858)
// v2       eligible leader replicas and last known ones (KIP-966)
// source   Kafka metadata records; KIP-631, "Record Schemas"
#pragma once

#include "protocol/codec.hpp"

namespace kq::wire {

inline constexpr RecordInfo topic_record{.type = 2, .name = "TopicRecord", .versions = {0, 0}};

// A topic was created; its partitions follow.
struct TopicRecord {
    static constexpr const auto& info = topic_record;

    std::string name;
    Uuid topic_id;

    template <class Walker>
    void walk(Walker& w) {
        w.field("name", name);
        w.field("topicId", topic_id);
        w.tags();
    }
    bool operator==(const TopicRecord&) const = default;
};

inline constexpr RecordInfo partition_record{
    .type = 3, .name = "PartitionRecord", .versions = {0, 2}};

// A partition in full.
struct PartitionRecord {
    static constexpr const auto& info = partition_record;

    std::int32_t partition_id = -1;
    Uuid topic_id;
    std::vector<std::int32_t> replicas;
    std::vector<std::int32_t> isr;
    std::vector<std::int32_t> removing_replicas;
    std::vector<std::int32_t> adding_replicas;
    std::int32_t leader = -1;
    std::int8_t leader_recovery_state = 0;  // 1 after an unclean election, until recovered
    std::int32_t leader_epoch = -1;
    std::int32_t partition_epoch = -1;
    std::vector<Uuid> directories;
    std::optional<std::vector<std::int32_t>> eligible_leader_replicas;
    std::optional<std::vector<std::int32_t>> last_known_elr;

    template <class Walker>
    void walk(Walker& w) {
        w.field("partitionId", partition_id);
        w.field("topicId", topic_id);
        w.field("replicas", replicas);
        w.field("isr", isr);
        w.field("removingReplicas", removing_replicas);
        w.field("addingReplicas", adding_replicas);
        w.field("leader", leader);
        w.field("leaderEpoch", leader_epoch);
        w.field("partitionEpoch", partition_epoch);
        w.field("directories", directories, since(1));
        w.tags(tagged(0, "leaderRecoveryState", leader_recovery_state),
               tagged(1, "eligibleLeaderReplicas", eligible_leader_replicas, since(2)),
               tagged(2, "lastKnownElr", last_known_elr, since(2)));
    }
    bool operator==(const PartitionRecord&) const = default;
};

inline constexpr RecordInfo partition_change_record{
    .type = 5, .name = "PartitionChangeRecord", .versions = {0, 2}};

// What changed about a partition; fields at their default did not.
struct PartitionChangeRecord {
    static constexpr const auto& info = partition_change_record;

    std::int32_t partition_id = -1;
    Uuid topic_id;
    std::optional<std::vector<std::int32_t>> isr;
    std::int32_t leader = -2;  // -2: as it was; -1: nobody
    std::optional<std::vector<std::int32_t>> replicas;
    std::optional<std::vector<std::int32_t>> removing_replicas;
    std::optional<std::vector<std::int32_t>> adding_replicas;
    std::int8_t leader_recovery_state = -1;  // -1: as it was
    std::optional<std::vector<Uuid>> directories;
    std::optional<std::vector<std::int32_t>> eligible_leader_replicas;
    std::optional<std::vector<std::int32_t>> last_known_elr;

    template <class Walker>
    void walk(Walker& w) {
        w.field("partitionId", partition_id);
        w.field("topicId", topic_id);
        w.tags(tagged(0, "isr", isr), tagged(1, "leader", leader), tagged(2, "replicas", replicas),
               tagged(3, "removingReplicas", removing_replicas),
               tagged(4, "addingReplicas", adding_replicas),
               tagged(5, "leaderRecoveryState", leader_recovery_state),
               tagged(6, "eligibleLeaderReplicas", eligible_leader_replicas, since(2)),
               tagged(7, "lastKnownElr", last_known_elr, since(2)),
               tagged(8, "directories", directories, since(1)));
    }
    bool operator==(const PartitionChangeRecord&) const = default;
};

inline constexpr RecordInfo remove_topic_record{
    .type = 9, .name = "RemoveTopicRecord", .versions = {0, 0}};

// A topic and all its partitions are gone.
struct RemoveTopicRecord {
    static constexpr const auto& info = remove_topic_record;

    Uuid topic_id;

    template <class Walker>
    void walk(Walker& w) {
        w.field("topicId", topic_id);
        w.tags();
    }
    bool operator==(const RemoveTopicRecord&) const = default;
};

inline constexpr RecordInfo clear_elr_record{
    .type = 28, .name = "ClearElrRecord", .versions = {0, 0}};

// Empties the eligible leader replicas of one topic, or of all (KIP-966).
struct ClearElrRecord {
    static constexpr const auto& info = clear_elr_record;

    std::string topic_name;

    template <class Walker>
    void walk(Walker& w) {
        w.field("topicName", topic_name);
        w.tags();
    }
    bool operator==(const ClearElrRecord&) const = default;
};

}  // namespace kq::wire
