// SPDX-License-Identifier: Apache-2.0
//
// The controller's decisions: pure functions from what the cluster is, and what somebody asks for,
// to the records that change it and the answer. MetadataNode runs them.
//
// shape    a decision without records changes nothing. What may concern every partition of a broker
//          comes in steps of a bounded size: asked again until there are no records left
// owner    pure; dice through ControllerContext::random only
// errors   in the responses, per topic
// source   KIP-631, KIP-455, KIP-966; Kafka protocol guide, CreateTopics, DeleteTopics
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/config.hpp"
#include "base/random.hpp"
#include "consensus/state_machine.hpp"
#include "metadata/metadata_node.hpp"
#include "metadata/metadata_replay.hpp"
#include "metadata/metadata_state.hpp"
#include "protocol/messages/19_create_topics.hpp"
#include "protocol/messages/20_delete_topics.hpp"
#include "protocol/records/metadata_record.hpp"

namespace kq {

template <class Response>
using MetadataDecision = Decision<wire::MetadataRecord, Response>;

// What decisions rest on beside the metadata.
struct ControllerContext {
    Random& random;
    const ConfigSet& config;  // the controller's file
    PartitionRoom room;
};

// What the metadata's StateMachine runs: MetadataReplay over metadata records.
struct ControllerMachine {
    using State = MetadataReplay;
    using Record = wire::MetadataRecord;
    static LogRecord encode(const State& state, Record& record);
    static void apply(State& state, std::span<const Record> records, Offset first);
};

// The directory of a new replica, where its broker has only one; else zero: the broker says later.
Uuid default_directory(const MetadataState& state, BrokerId broker);

// ---- topics (controller_topics.cpp) ----

// Partitions that one request may create; more is POLICY_VIOLATION.
inline constexpr std::int32_t partitions_per_request_max = 10'000;

MetadataDecision<wire::CreateTopicsResponse> create_topics(const MetadataState& state,
                                                           const wire::CreateTopicsRequest& request,
                                                           const ControllerContext& context);
MetadataDecision<wire::DeleteTopicsResponse> delete_topics(
    const MetadataState& state, const wire::DeleteTopicsRequest& request);
// The request that makes topics which were only named: with the broker's defaults, or as their
// coordinators need them. Names that exist or are illegal are left out.
wire::CreateTopicsRequest automatic_topics(const MetadataState& state,
                                           const std::set<std::string>& names,
                                           const ControllerContext& context);

// ---- brokers (controller_brokers.cpp) ----

// Partition changes in one decision, so that no turn of the loop takes long; the next one goes on
// where it stopped.
inline constexpr std::size_t changes_per_step_max = 2'000;

// `next` is the offset of the record, and so the epoch of the broker. The same incarnation again
// gets the epoch it has.
MetadataDecision<Result<BrokerEpoch>> register_broker(const MetadataState& state, BrokerId broker,
                                                      const BrokerStart& start, Offset next);
// With it, the first step of elect_leaders(), in which the broker may lead already.
MetadataDecision<Status> unfence_broker(const MetadataState& state, BrokerId broker,
                                        const ControllerContext& context);
MetadataDecision<Status> begin_shutdown(const MetadataState& state, BrokerId broker);
MetadataDecision<Status> fence_broker(const MetadataState& state, BrokerId broker);

// A broker leads nothing and is in no ISR any more; after losing data it is not eligible either.
// One step; without records: all done.
MetadataDecision<Status> give_up_partitions(const MetadataState& state, BrokerId broker,
                                            bool may_have_lost_data,
                                            const ControllerContext& context);
// What a leader says of itself by AlterPartition once it leads with its log checked and open: an
// election from outside the ISR is got over (KIP-704). One step, as above.
MetadataDecision<Status> mark_recovered(const MetadataState& state, BrokerId leader,
                                        const ControllerContext& context);
// Partitions without a leader get one where a replica may lead. One step, as above.
MetadataDecision<Status> elect_leaders(const MetadataState& state,
                                       const ControllerContext& context);

// ---- the controller itself (controller_start.cpp) ----

inline constexpr std::int32_t producer_id_block_size = 1000;
MetadataDecision<Result<ProducerIdBlock>> allocate_producer_ids(const MetadataState& state,
                                                                BrokerId broker);

// The first records of a cluster, as one transaction: `features` as bootstrap.checkpoint says.
MetadataDecision<Status> bootstrap(const std::vector<wire::MetadataRecord>& features,
                                   const ControllerContext& context);
// What bootstrap.checkpoint holds when this build makes it.
std::vector<wire::MetadataRecord> first_features();
MetadataDecision<Status> register_controller(BrokerId id, const Uuid& incarnation,
                                             const ListenerEndpoint& endpoint);

}  // namespace kq
