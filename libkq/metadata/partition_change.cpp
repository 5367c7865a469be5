// SPDX-License-Identifier: Apache-2.0
#include "metadata/partition_change.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace kq {
namespace {

using Brokers = std::vector<BrokerId>;

std::vector<std::int32_t> ids_of(const Brokers& brokers) {
    std::vector<std::int32_t> result;
    for (auto id : brokers)
        result.push_back(id.value);
    return result;
}

// What the partition shall look like; starts as it is.
struct Target {
    Brokers replicas;
    Brokers isr;
    Brokers adding;
    Brokers removing;
    Brokers eligible;
    Brokers last_known;
    BrokerId leader;
    LeaderRecoveryState recovery;
};

struct Elected {
    BrokerId leader = no_broker;
    bool unclean = false;
};

// Done when the ISR, without those on their way out, holds every replica that shall stay.
void complete_reassignment(Target& target) {
    if (target.adding.empty() && target.removing.empty()) return;
    Brokers replicas;
    for (auto broker : target.replicas) {
        if (!holds(target.removing, broker)) replicas.push_back(broker);
    }
    Brokers isr;
    for (auto broker : target.isr) {
        if (!holds(target.removing, broker)) isr.push_back(broker);
    }
    for (auto broker : replicas) {
        if (!holds(isr, broker)) return;
    }
    target.replicas = std::move(replicas);
    target.isr = std::move(isr);
    target.adding.clear();
    target.removing.clear();
}

// Whether acks=all can be answered, and so the high watermark moves.
bool is_isr_enough(const Target& target, const PartitionSurroundings& around) {
    return target.isr.size() >=
           std::min<std::size_t>(static_cast<std::size_t>(around.min_insync_replicas),
                                 target.replicas.size());
}

// Who leaves the ISR while it is too small to move the high watermark still holds everything below
// it, unless its broker may have lost data (KIP-966).
void keep_eligible(Target& target, const PartitionRegistration& partition,
                   const PartitionChange& change, const PartitionSurroundings& around) {
    if (!around.eligible_leader_replicas || is_isr_enough(target, around)) {
        target.eligible.clear();
        return;
    }
    Brokers eligible;
    for (const auto* source : {&partition.eligible_leader_replicas, &partition.isr}) {
        for (auto broker : *source) {
            if (!holds(target.isr, broker) && !holds(eligible, broker) &&
                holds(target.replicas, broker) && !change.may_have_lost_data.contains(broker))
                eligible.push_back(broker);
        }
    }
    std::sort(eligible.begin(), eligible.end());
    target.eligible = std::move(eligible);
}

Elected elect(const Target& target, const PartitionRegistration& partition,
              const PartitionChange& change, const PartitionSurroundings& around) {
    auto may_lead = [&](BrokerId broker) {
        return broker != no_broker && around.may_lead(broker) &&
               (holds(target.isr, broker) || holds(target.eligible, broker));
    };
    if (change.election == Election::preferred && may_lead(target.replicas.front()))
        return {target.replicas.front(), false};
    if (may_lead(partition.leader) && holds(target.replicas, partition.leader))
        return {partition.leader, false};
    for (auto broker : target.replicas) {
        if (may_lead(broker)) return {broker, false};
    }
    // The whole ISR at the end: nobody knows more than it does.
    if (around.eligible_leader_replicas && target.isr.empty() && target.eligible.empty() &&
        partition.last_known_elr.size() == 1 && around.may_lead(partition.last_known_elr.front()) &&
        holds(target.replicas, partition.last_known_elr.front()))
        return {partition.last_known_elr.front(), true};
    if (change.election == Election::unclean) {
        for (auto broker : target.replicas) {
            if (around.may_lead(broker)) return {broker, true};
        }
    }
    return {};
}

void take_office(Target& target, Elected elected) {
    target.leader = elected.leader;
    if (elected.leader == no_broker || (!elected.unclean && holds(target.isr, elected.leader)))
        return;
    // Elected from outside the ISR: nobody else is known to hold what it holds.
    target.isr = {elected.leader};
    if (elected.unclean) {
        target.eligible.clear();
        target.recovery = LeaderRecoveryState::recovering;
    } else {
        std::erase(target.eligible, elected.leader);
    }
}

wire::PartitionChangeRecord difference(const TopicIdPartition& id,
                                       const PartitionRegistration& partition, const Target& target,
                                       const PartitionSurroundings& around) {
    wire::PartitionChangeRecord record;
    record.topic_id = id.topic_id;
    record.partition_id = id.partition.value;
    if (target.isr != partition.isr) record.isr = ids_of(target.isr);
    if (target.leader != partition.leader) record.leader = target.leader.value;
    if (target.replicas != partition.replicas) {
        record.replicas = ids_of(target.replicas);
        std::vector<Uuid> directories;
        for (auto broker : target.replicas) {
            const auto* known = partition.directory_of(broker);
            directories.push_back(known == nullptr ? around.default_directory(broker) : *known);
        }
        if (!partition.directories.empty()) record.directories = std::move(directories);
        // Fetches of a replica that was removed must not count any more: a new epoch fences them.
        const bool removed =
            std::any_of(partition.replicas.begin(), partition.replicas.end(),
                        [&](BrokerId broker) { return !holds(target.replicas, broker); });
        if (removed && record.leader == -2) record.leader = target.leader.value;
    }
    if (target.adding != partition.adding_replicas) record.adding_replicas = ids_of(target.adding);
    if (target.removing != partition.removing_replicas)
        record.removing_replicas = ids_of(target.removing);
    if (target.eligible != partition.eligible_leader_replicas)
        record.eligible_leader_replicas = ids_of(target.eligible);
    if (target.last_known != partition.last_known_elr)
        record.last_known_elr = ids_of(target.last_known);
    if (target.recovery != partition.leader_recovery_state)
        record.leader_recovery_state = static_cast<std::int8_t>(target.recovery);
    return record;
}

}  // namespace

std::optional<wire::PartitionChangeRecord> change_partition(const TopicIdPartition& id,
                                                            const PartitionRegistration& partition,
                                                            const PartitionChange& change,
                                                            const PartitionSurroundings& around) {
    KQ_CHECK(!partition.replicas.empty());
    Target target{partition.replicas,
                  change.isr.value_or(partition.isr),
                  partition.adding_replicas,
                  partition.removing_replicas,
                  partition.eligible_leader_replicas,
                  partition.last_known_elr,
                  partition.leader,
                  partition.leader_recovery_state};
    if (change.replicas) {
        target.replicas = *change.replicas;
        target.adding = change.adding;
        target.removing = change.removing;
    }
    if (change.set_recovery_state) target.recovery = change.recovery_state;
    std::erase_if(target.isr,
                  [&](BrokerId broker) { return change.may_have_lost_data.contains(broker); });

    complete_reassignment(target);
    keep_eligible(target, partition, change, around);
    take_office(target, elect(target, partition, change, around));
    if (is_isr_enough(target, around)) target.eligible.clear();
    // Without the memory of eligible replicas an empty ISR could never be left again.
    if (target.isr.empty() && !around.eligible_leader_replicas) target.isr = partition.isr;
    if (!around.eligible_leader_replicas) {
        target.last_known.clear();
    } else if (target.isr.empty()) {
        if (partition.has_leader()) target.last_known = {partition.leader};
    } else if (target.leader != no_broker) {
        target.last_known.clear();
    }

    auto record = difference(id, partition, target, around);
    wire::PartitionChangeRecord nothing;
    nothing.topic_id = record.topic_id;
    nothing.partition_id = record.partition_id;
    if (record == nothing) return std::nullopt;
    return record;
}

}  // namespace kq
