// SPDX-License-Identifier: Apache-2.0
//
// The controller's decisions on itself and the cluster as a whole.
#include <limits>

#include "base/check.hpp"
#include "metadata/controller.hpp"
#include "metadata/features.hpp"

namespace kq {

LogRecord ControllerMachine::encode(const State& state, Record& record) {
    const auto version = fit_to_level(record, state.state().metadata_version());
    return {std::nullopt, wire::encode_metadata_record(record, version)};
}

void ControllerMachine::apply(State& state, std::span<const Record> records, Offset) {
    const auto applied = state.apply(records);
    KQ_CHECK_MSG(applied.ok(), applied.ok() ? "" : applied.error().message.c_str());
}

MetadataDecision<Result<ProducerIdBlock>> allocate_producer_ids(const MetadataState& state,
                                                                BrokerId broker) {
    MetadataDecision<Result<ProducerIdBlock>> decision{{}, ProducerIdBlock{}};
    const auto* registration = state.broker(broker);
    if (registration == nullptr) {
        decision.response = Error(Errc::broker_id_not_registered);
        return decision;
    }
    const std::int64_t first = state.next_producer_id.value_or(0);
    if (first > std::numeric_limits<std::int64_t>::max() - producer_id_block_size) {
        decision.response = Error(Errc::unknown_server_error, "all producer ids are used up");
        return decision;
    }
    decision.records.emplace_back(wire::ProducerIdsRecord{broker.value, registration->epoch.value,
                                                          first + producer_id_block_size});
    decision.response = ProducerIdBlock{ProducerId{first}, producer_id_block_size};
    return decision;
}

std::vector<wire::MetadataRecord> first_features() {
    std::vector<wire::MetadataRecord> records;
    records.emplace_back(wire::FeatureLevelRecord{std::string(feature_metadata_version),
                                                  supported_metadata_versions.max});
    for (const auto& feature : supported_features) {
        if (feature.name != feature_metadata_version && feature.at_first_start > 0) {
            records.emplace_back(
                wire::FeatureLevelRecord{std::string(feature.name), feature.at_first_start});
        }
    }
    return records;
}

MetadataDecision<Status> bootstrap(const std::vector<wire::MetadataRecord>& features,
                                   const ControllerContext& context) {
    MetadataDecision<Status> decision{{}, done()};
    decision.records.emplace_back(wire::BeginTransactionRecord{"Bootstrap records"});
    bool eligible_replicas = false;
    bool min_insync_given = false;
    for (const auto& record : features) {
        decision.records.push_back(record);
        if (const auto* level = std::get_if<wire::FeatureLevelRecord>(&record)) {
            eligible_replicas |=
                level->name == feature_eligible_leader_replicas && level->feature_level > 0;
        } else if (const auto* config = std::get_if<wire::ConfigRecord>(&record)) {
            min_insync_given |=
                config->resource_name.empty() && config->name == "min.insync.replicas";
        }
    }
    // With eligible replicas the controller itself counts in-sync ones: one number for the whole
    // cluster, whatever the files of single brokers say (KIP-966).
    if (eligible_replicas && !min_insync_given) {
        decision.records.emplace_back(
            wire::ConfigRecord{static_cast<std::int8_t>(ConfigResourceType::broker), "",
                               "min.insync.replicas", context.config.text("min.insync.replicas")});
    }
    decision.records.emplace_back(wire::EndTransactionRecord{});
    return decision;
}

MetadataDecision<Status> register_controller(BrokerId id, const Uuid& incarnation,
                                             const ListenerEndpoint& endpoint) {
    MetadataDecision<Status> decision{{}, done()};
    wire::RegisterControllerRecord record;
    record.controller_id = id.value;
    record.incarnation_id = incarnation;
    record.end_points.push_back(
        {endpoint.listener, endpoint.host, endpoint.port, endpoint.security_protocol});
    for (const auto& feature : supported_features)
        record.features.push_back({std::string(feature.name), feature.min, feature.max});
    decision.records.emplace_back(std::move(record));
    return decision;
}

}  // namespace kq
