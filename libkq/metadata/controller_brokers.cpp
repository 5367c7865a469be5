// SPDX-License-Identifier: Apache-2.0
//
// The controller's decisions on brokers: they come, are unfenced, give up what they hold, and go.
#include <algorithm>

#include "metadata/controller.hpp"
#include "metadata/features.hpp"
#include "metadata/image_configs.hpp"
#include "metadata/partition_change.hpp"

namespace kq {
namespace {

MetadataDecision<Status> registration_change(const MetadataState& state, BrokerId broker,
                                             std::int8_t fenced, bool shuts_down) {
    MetadataDecision<Status> decision{{}, done()};
    const auto* registration = state.broker(broker);
    if (registration == nullptr) {
        decision.response = Error(Errc::broker_id_not_registered,
                                  "broker " + std::to_string(broker.value) + " is not registered");
        return decision;
    }
    const bool changes = (fenced > 0 && !registration->fenced) ||
                         (fenced < 0 && registration->fenced) ||
                         (shuts_down && !registration->in_controlled_shutdown);
    if (!changes) return decision;
    wire::BrokerRegistrationChangeRecord record;
    record.broker_id = broker.value;
    record.broker_epoch = registration->epoch.value;
    record.fenced = fenced;
    record.in_controlled_shutdown = shuts_down ? 1 : 0;
    decision.records.emplace_back(std::move(record));
    return decision;
}

bool is_up(const MetadataState& state, BrokerId broker) {
    const auto* registration = state.broker(broker);
    return registration != nullptr && !registration->fenced &&
           !registration->in_controlled_shutdown;
}

// Asks `change_of` for every partition, and adds what comes of it, up to a step's size.
template <class ChangeOf>
void change_partitions(const MetadataState& state, const ControllerContext& context,
                       PartitionSurroundings around, MetadataDecision<Status>& decision,
                       ChangeOf&& change_of) {
    around.default_directory = [&](BrokerId broker) { return default_directory(state, broker); };
    around.eligible_leader_replicas = state.feature(feature_eligible_leader_replicas) > 0;
    for (const auto& [id, topic] : state.topics_by_id) {
        bool has_settings = false;
        bool unclean = false;
        for (const auto& [index, partition] : topic->partitions()) {
            std::optional<PartitionChange> change = change_of(*partition);
            if (!change) continue;
            if (!std::exchange(has_settings, true)) {
                around.min_insync_replicas =
                    min_insync_replicas(state, topic->name(), context.config);
                unclean = allows_unclean_election(state, topic->name(), context.config);
            }
            if (unclean) change->election = Election::unclean;
            auto record = change_partition({id, index}, *partition, *change, around);
            if (!record) continue;
            decision.records.emplace_back(std::move(*record));
            if (decision.records.size() == changes_per_step_max) return;
        }
    }
}

}  // namespace

Uuid default_directory(const MetadataState& state, BrokerId broker) {
    const auto* registration = state.broker(broker);
    if (registration == nullptr || registration->log_dirs.size() != 1) return Uuid{};
    return registration->log_dirs.front();
}

MetadataDecision<Result<BrokerEpoch>> register_broker(const MetadataState& state, BrokerId broker,
                                                      const BrokerStart& start, Offset next) {
    MetadataDecision<Result<BrokerEpoch>> decision{{}, BrokerEpoch{next.value}};
    auto refuse = [&](Errc code, std::string why) {
        decision.response = Error(code, std::move(why));
        return decision;
    };
    if (start.endpoints.empty())
        return refuse(Errc::invalid_registration, "a broker without listeners");
    if (start.log_dirs.empty())
        return refuse(Errc::invalid_registration, "a broker without log directories");
    for (const auto& [id, other] : state.brokers) {
        if (id == broker) continue;
        for (const auto& directory : start.log_dirs) {
            if (std::find(other->log_dirs.begin(), other->log_dirs.end(), directory) !=
                other->log_dirs.end()) {
                return refuse(Errc::duplicate_broker_registration,
                              "log directory " + directory.text() + " belongs to broker " +
                                  std::to_string(id.value));
            }
        }
    }
    if (const auto* known = state.broker(broker);
        known != nullptr && known->incarnation == start.incarnation) {
        decision.response = known->epoch;
        return decision;
    }

    wire::RegisterBrokerRecord record;
    record.broker_id = broker.value;
    record.incarnation_id = start.incarnation;
    record.broker_epoch = next.value;
    for (const auto& e : start.endpoints)
        record.end_points.push_back({e.listener, e.host, e.port, e.security_protocol});
    for (const auto& feature : supported_features)
        record.features.push_back({std::string(feature.name), feature.min, feature.max});
    record.rack = start.rack;
    record.fenced = true;
    record.log_dirs = start.log_dirs;
    std::sort(record.log_dirs.begin(), record.log_dirs.end());
    decision.records.emplace_back(std::move(record));
    return decision;
}

MetadataDecision<Status> begin_shutdown(const MetadataState& state, BrokerId broker) {
    return registration_change(state, broker, 0, true);
}

MetadataDecision<Status> fence_broker(const MetadataState& state, BrokerId broker) {
    return registration_change(state, broker, 1, false);
}

MetadataDecision<Status> give_up_partitions(const MetadataState& state, BrokerId broker,
                                            bool may_have_lost_data,
                                            const ControllerContext& context) {
    MetadataDecision<Status> decision{{}, done()};
    PartitionSurroundings around;
    around.may_lead = [&](BrokerId id) { return id != broker && is_up(state, id); };
    change_partitions(
        state, context, std::move(around), decision,
        [&](const PartitionRegistration& partition) -> std::optional<PartitionChange> {
            const bool concerned =
                partition.leader == broker || partition.is_in_isr(broker) ||
                (may_have_lost_data && holds(partition.eligible_leader_replicas, broker));
            if (!concerned) return std::nullopt;
            PartitionChange change;
            change.isr = partition.isr;
            std::erase(*change.isr, broker);
            if (may_have_lost_data) change.may_have_lost_data.insert(broker);
            return change;
        });
    return decision;
}

namespace {

void elect_leaders_of(const MetadataState& state, const ControllerContext& context,
                      std::function<bool(BrokerId)> may_lead, MetadataDecision<Status>& decision) {
    PartitionSurroundings around;
    around.may_lead = std::move(may_lead);
    change_partitions(state, context, std::move(around), decision,
                      [](const PartitionRegistration& partition) -> std::optional<PartitionChange> {
                          if (partition.has_leader()) return std::nullopt;
                          return PartitionChange{};
                      });
}

}  // namespace

MetadataDecision<Status> elect_leaders(const MetadataState& state,
                                       const ControllerContext& context) {
    MetadataDecision<Status> decision{{}, done()};
    elect_leaders_of(
        state, context, [&](BrokerId id) { return is_up(state, id); }, decision);
    return decision;
}

MetadataDecision<Status> mark_recovered(const MetadataState& state, BrokerId leader,
                                        const ControllerContext& context) {
    MetadataDecision<Status> decision{{}, done()};
    PartitionSurroundings around;
    around.may_lead = [&](BrokerId id) { return is_up(state, id); };
    change_partitions(
        state, context, std::move(around), decision,
        [&](const PartitionRegistration& partition) -> std::optional<PartitionChange> {
            if (partition.leader != leader ||
                partition.leader_recovery_state != LeaderRecoveryState::recovering) {
                return std::nullopt;
            }
            PartitionChange change;
            change.set_recovery_state = true;
            change.recovery_state = LeaderRecoveryState::recovered;
            return change;
        });
    return decision;
}

MetadataDecision<Status> unfence_broker(const MetadataState& state, BrokerId broker,
                                        const ControllerContext& context) {
    auto decision = registration_change(state, broker, -1, false);
    if (decision.records.empty()) return decision;
    elect_leaders_of(
        state, context, [&](BrokerId id) { return id == broker || is_up(state, id); }, decision);
    return decision;
}

}  // namespace kq
