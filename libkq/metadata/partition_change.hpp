// SPDX-License-Identifier: Apache-2.0
//
// change_partition: the one function through which partitions change: it completes a reassignment
// if it can, elects if needed, and says the difference as a record.
//
// shape    a leader comes from the ISR, else from the eligible replicas, else it is the last known
//          leader, else (where the topic allows it) any replica that is up (I11). Without eligible
//          replicas (feature level 0) the last member stays in the ISR
// owner    pure
// source   KIP-455 (reassignment), KIP-966 (eligible leader replicas), KIP-858 (directories)
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <vector>

#include "metadata/metadata_state.hpp"
#include "protocol/records/topics.hpp"

namespace kq {

enum class Election {
    online,     // keep a leader that may lead, else the first replica that may
    preferred,  // the first replica if it may lead
    unclean,    // any replica that is up, if nobody else may lead
};

struct PartitionChange {
    Election election = Election::online;
    std::optional<std::vector<BrokerId>> isr;  // as it shall be; absent: as it is
    std::set<BrokerId> may_have_lost_data;     // are neither in the ISR nor eligible afterwards
    LeaderRecoveryState recovery_state = LeaderRecoveryState::recovered;  // once the ISR says so
    bool set_recovery_state = false;
    // A reassignment: all three, or none.
    std::optional<std::vector<BrokerId>> replicas;
    std::vector<BrokerId> adding;
    std::vector<BrokerId> removing;
};

// What surrounds the partition.
struct PartitionSurroundings {
    std::function<bool(BrokerId)> may_lead;  // is up and not about to go
    std::function<Uuid(BrokerId)> default_directory;
    std::int32_t min_insync_replicas = 1;
    bool eligible_leader_replicas = true;  // the feature is on
};

// Nothing when nothing changes.
std::optional<wire::PartitionChangeRecord> change_partition(
    const TopicIdPartition& id, const PartitionRegistration& partition,
    const PartitionChange& change, const PartitionSurroundings& surroundings);

}  // namespace kq
