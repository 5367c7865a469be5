// SPDX-License-Identifier: Apache-2.0
//
// The controller's decisions on topics.
#include <algorithm>
#include <map>
#include <optional>

#include "metadata/controller.hpp"
#include "metadata/image_configs.hpp"
#include "metadata/placement.hpp"
#include "metadata/topic_names.hpp"

namespace kq {
namespace {

using Creatable = wire::CreateTopicsRequest::CreatableTopic;
using Created = wire::CreateTopicsResponse::CreatableTopicResult;
using Assignment = std::vector<std::vector<BrokerId>>;  // replicas by partition

// Of the names and values of one topic's settings, looked at before they are parsed: as many bytes
// as a request may have take seconds on the loop, and several times their size.
constexpr std::size_t config_bytes_max = std::size_t{1} << 20;

Created refused(const std::string& name, const Error& why) {
    Created result;
    result.name = name;
    result.error_code = wire_code(why.code);
    result.error_message = why.message.empty() ? std::string(sentence_of(why.code)) : why.message;
    return result;
}

// A topic that is there already and shares its metric names with `name`.
std::optional<std::string> colliding_topic(const MetadataState& state, const std::string& name) {
    if (name.find_first_of("._") == std::string::npos) return std::nullopt;
    const auto key = topic_collision_key(name);
    for (const auto& [other, topic] : state.topics_by_name) {
        if (other.size() == name.size() && topic_collision_key(other) == key) return other;
    }
    return std::nullopt;
}

Status check_new_name(const MetadataState& state, const std::string& name) {
    KQ_TRY(check_topic_name(name));
    if (name == cluster_metadata_topic)
        return Error(Errc::invalid_request, "the metadata log is not made by request");
    if (state.topic(name) != nullptr)
        return Error(Errc::topic_already_exists, "topic '" + name + "' already exists");
    if (auto other = colliding_topic(state, name)) {
        return Error(Errc::invalid_topic_exception,
                     "topic '" + name + "' collides with existing topic '" + *other + "'");
    }
    return done();
}

Result<ConfigSet> check_configs(const Creatable& topic) {
    ConfigSet configs(ConfigScope::topic);
    std::size_t bytes = 0;
    for (const auto& [name, value] : topic.configs) {
        bytes += name.size() + value.value_or("").size();
        if (bytes > config_bytes_max)
            return Error(Errc::invalid_config, "the settings of a topic are longer than 1 MiB");
        if (!value)
            return Error(Errc::invalid_config, "setting '" + name + "' of a topic cannot be null");
        KQ_TRY(configs.set(name, *value));
    }
    if (configs.boolean("remote.storage.enable"))
        return Error(Errc::invalid_config, "remote.storage.enable: tiered storage is not offered");
    if (configs.integer("min.compaction.lag.ms") > configs.integer("max.compaction.lag.ms")) {
        return Error(Errc::invalid_config,
                     "min.compaction.lag.ms is larger than max.compaction.lag.ms");
    }
    return configs;
}

Result<std::vector<BrokerId>> check_replicas(const MetadataState& state,
                                             const std::vector<std::int32_t>& ids) {
    if (ids.empty())
        return Error(Errc::invalid_replica_assignment, "a partition was given no replicas");
    std::vector<BrokerId> replicas;
    bool any_up = false;
    for (auto id : ids) {
        const BrokerId broker{id};
        if (std::find(replicas.begin(), replicas.end(), broker) != replicas.end()) {
            return Error(Errc::invalid_replica_assignment,
                         "broker " + std::to_string(id) + " is named twice for a partition");
        }
        const auto* registration = state.broker(broker);
        if (registration == nullptr) {
            return Error(Errc::invalid_replica_assignment,
                         "there is no broker " + std::to_string(id));
        }
        any_up |= !registration->fenced && !registration->in_controlled_shutdown;
        replicas.push_back(broker);
    }
    if (!any_up) return Error(Errc::invalid_replica_assignment, "no broker of a partition is up");
    return replicas;
}

Result<Assignment> manual_assignment(const MetadataState& state, const Creatable& topic) {
    if (topic.replication_factor != -1 || topic.num_partitions != -1) {
        return Error(Errc::invalid_request,
                     "with assignments, partitions and replication factor must be -1");
    }
    std::map<std::int32_t, std::vector<BrokerId>> by_partition;
    for (const auto& assignment : topic.assignments) {
        KQ_LET(auto replicas, check_replicas(state, assignment.broker_ids));
        if (!by_partition.emplace(assignment.partition_index, std::move(replicas)).second) {
            return Error(
                Errc::invalid_replica_assignment,
                "partition " + std::to_string(assignment.partition_index) + " is assigned twice");
        }
    }
    Assignment result;
    for (auto& [partition, replicas] : by_partition) {
        if (partition != static_cast<std::int32_t>(result.size())) {
            return Error(Errc::invalid_replica_assignment,
                         "partitions must be numbered from 0 without gaps");
        }
        if (!result.empty() && replicas.size() != result.front().size()) {
            return Error(Errc::invalid_replica_assignment,
                         "all partitions must have as many replicas as the first");
        }
        result.push_back(std::move(replicas));
    }
    return result;
}

Result<Assignment> assignment_of(const MetadataState& state, const Creatable& topic,
                                 const ControllerContext& context) {
    if (!topic.assignments.empty()) return manual_assignment(state, topic);
    if (topic.replication_factor < -1 || topic.replication_factor == 0) {
        return Error(Errc::invalid_replication_factor,
                     "a replication factor is at least 1, or -1 for the default");
    }
    if (topic.num_partitions < -1 || topic.num_partitions == 0) {
        return Error(Errc::invalid_partitions,
                     "a topic has at least 1 partition; -1 asks for the default");
    }
    const auto partitions =
        topic.num_partitions == -1
            ? static_cast<std::int32_t>(context.config.integer("num.partitions"))
            : topic.num_partitions;
    const auto replicas =
        topic.replication_factor == -1
            ? static_cast<std::int16_t>(context.config.integer("default.replication.factor"))
            : topic.replication_factor;
    if (partitions > partitions_per_request_max) {
        return Error(Errc::policy_violation, "more than " +
                                                 std::to_string(partitions_per_request_max) +
                                                 " partitions in one request");
    }
    return place_replicas(state, context.random, partitions, replicas);
}

wire::PartitionRecord new_partition(const MetadataState& state, const Uuid& topic,
                                    std::int32_t index, const std::vector<BrokerId>& replicas) {
    wire::PartitionRecord record;
    record.topic_id = topic;
    record.partition_id = index;
    for (auto broker : replicas) {
        const auto& registration = *state.broker(broker);
        record.replicas.push_back(broker.value);
        record.directories.push_back(default_directory(state, broker));
        if (!registration.fenced && !registration.in_controlled_shutdown)
            record.isr.push_back(broker.value);
    }
    record.leader = record.isr.front();
    record.leader_epoch = 0;
    record.partition_epoch = 0;
    return record;
}

std::vector<wire::CreateTopicsResponse::CreatableTopicConfigs> described(
    const ConfigSet& topic, const BrokerConfigs& broker) {
    std::vector<wire::CreateTopicsResponse::CreatableTopicConfigs> result;
    const auto effective = effective_topic_config(topic, broker);
    for (const auto& def : topic_config_defs()) {
        if (def.internal) continue;
        wire::CreateTopicsResponse::CreatableTopicConfigs config;
        config.name = std::string(def.name);
        config.value = std::nullopt;
        if (!def.is_sensitive()) config.value = effective.optional_text(def.name);
        config.config_source =
            static_cast<std::int8_t>(topic_config_origins(def.name, topic, broker).front().source);
        config.is_sensitive = def.is_sensitive();
        result.push_back(std::move(config));
    }
    return result;
}

std::int64_t partition_count(const MetadataState& state) {
    std::int64_t count = 0;
    for (const auto& [name, topic] : state.topics_by_name)
        count += topic->partition_count();
    return count;
}

// Every partition costs its brokers memory and descriptors for as long as it is there.
Status check_room(std::int64_t there, std::size_t wanted, const ControllerContext& context) {
    const auto limit = context.config.integer("kq.partitions.max");
    const auto all = there + static_cast<std::int64_t>(wanted);
    if (all > context.room.partitions_max && context.room.partitions_max < limit) {
        return Error(Errc::policy_violation,
                     "with " + std::to_string(context.room.open_files_max) +
                         " open files allowed (ulimit -n) there is room for " +
                         std::to_string(context.room.partitions_max) + " partitions, and these " +
                         "would make it " + std::to_string(all));
    }
    if (all <= limit) return done();
    return Error(Errc::policy_violation,
                 "all topics together have at most " + std::to_string(limit) +
                     " partitions (kq.partitions.max); there are " + std::to_string(there));
}

// Adds the records of one new topic. `there`: the partitions of all others.
Result<Created> create_one(const MetadataState& state, const Creatable& topic, std::int64_t there,
                           const ControllerContext& context,
                           std::vector<wire::MetadataRecord>& records) {
    KQ_TRY(check_new_name(state, topic.name));
    KQ_LET(const auto configs, check_configs(topic));
    KQ_LET(const auto assignment, assignment_of(state, topic, context));
    KQ_TRY(check_room(there, assignment.size(), context));

    Uuid id = context.random.uuid();
    while (state.topic(id) != nullptr)
        id = context.random.uuid();
    records.emplace_back(wire::TopicRecord{topic.name, id});
    for (const auto& [name, value] : configs.values()) {
        records.emplace_back(wire::ConfigRecord{static_cast<std::int8_t>(ConfigResourceType::topic),
                                                topic.name, name, value});
    }
    for (std::size_t i = 0; i < assignment.size(); ++i) {
        records.emplace_back(new_partition(state, id, static_cast<std::int32_t>(i), assignment[i]));
    }
    Created result;
    result.name = topic.name;
    result.topic_id = id;
    result.error_message = std::nullopt;
    result.num_partitions = static_cast<std::int32_t>(assignment.size());
    result.replication_factor = static_cast<std::int16_t>(assignment.front().size());
    result.configs = described(configs, broker_configs(state, no_broker, context.config));
    return result;
}

std::int32_t partitions_asked(const Creatable& topic, const ControllerContext& context) {
    if (!topic.assignments.empty()) return static_cast<std::int32_t>(topic.assignments.size());
    if (topic.num_partitions > 0) return topic.num_partitions;
    return static_cast<std::int32_t>(context.config.integer("num.partitions"));
}

}  // namespace

MetadataDecision<wire::CreateTopicsResponse> create_topics(const MetadataState& state,
                                                           const wire::CreateTopicsRequest& request,
                                                           const ControllerContext& context) {
    MetadataDecision<wire::CreateTopicsResponse> decision;
    std::map<std::string, int> times_named;
    for (const auto& topic : request.topics)
        ++times_named[topic.name];
    std::map<std::string, std::string> new_keys;  // collision key -> name, of this request
    std::int64_t partitions = 0;
    std::int64_t there = partition_count(state);
    for (const auto& topic : request.topics) {
        // Named twice, it is answered once.
        auto& times = times_named[topic.name];
        if (times == 0) continue;
        if (times > 1) {
            times = 0;
            decision.response.topics.push_back(
                refused(topic.name,
                        Error(Errc::invalid_request, "topic '" + topic.name + "' is named twice")));
            continue;
        }
        partitions += partitions_asked(topic, context);
        auto [place, is_new] = new_keys.try_emplace(topic_collision_key(topic.name), topic.name);
        std::vector<wire::MetadataRecord> records;
        Result<Created> created =
            partitions > partitions_per_request_max
                ? Result<Created>(Error(Errc::policy_violation,
                                        "more than " + std::to_string(partitions_per_request_max) +
                                            " partitions in one request"))
            : !is_new ? Result<Created>(Error(Errc::invalid_topic_exception,
                                              "topic '" + topic.name + "' collides with topic '" +
                                                  place->second + "' of the same request"))
                      : create_one(state, topic, there, context, records);
        if (!created.ok()) {
            if (is_new) new_keys.erase(place);
            decision.response.topics.push_back(refused(topic.name, created.error()));
            continue;
        }
        there += created.value().num_partitions;
        if (request.validate_only) {
            created.value().topic_id = Uuid{};
        } else {
            std::move(records.begin(), records.end(), std::back_inserter(decision.records));
        }
        decision.response.topics.push_back(std::move(created).value());
    }
    return decision;
}

wire::CreateTopicsRequest automatic_topics(const MetadataState& state,
                                           const std::set<std::string>& names,
                                           const ControllerContext& context) {
    wire::CreateTopicsRequest request;
    std::int64_t brokers = 0;
    for (const auto& [id, broker] : state.brokers)
        brokers += broker->fenced ? 0 : 1;
    const auto& config = context.config;
    // A small cluster has fewer replicas of its internal topics, rather than none of the topics.
    auto internal = [&](Creatable& topic, std::int64_t partitions, std::int64_t replicas) {
        topic.num_partitions = static_cast<std::int32_t>(partitions);
        topic.replication_factor =
            static_cast<std::int16_t>(std::max<std::int64_t>(1, std::min(replicas, brokers)));
        topic.configs.push_back({"cleanup.policy", "compact"});
    };
    for (const auto& name : names) {
        if (state.topic(name) != nullptr || !check_topic_name(name).ok()) continue;
        Creatable topic;
        topic.name = name;
        topic.num_partitions = -1;
        topic.replication_factor = -1;
        if (name == consumer_offsets_topic) {
            internal(topic, config.integer("offsets.topic.num.partitions"),
                     config.integer("offsets.topic.replication.factor"));
            topic.configs.push_back({"compression.type", "producer"});
            topic.configs.push_back({"segment.bytes", config.text("offsets.topic.segment.bytes")});
        } else if (name == transaction_state_topic) {
            internal(topic, config.integer("transaction.state.log.num.partitions"),
                     config.integer("transaction.state.log.replication.factor"));
            const auto min_insync = std::min<std::int64_t>(
                config.integer("transaction.state.log.min.isr"), topic.replication_factor);
            topic.configs.push_back({"compression.type", "uncompressed"});
            topic.configs.push_back({"min.insync.replicas", std::to_string(min_insync)});
            topic.configs.push_back(
                {"segment.bytes", config.text("transaction.state.log.segment.bytes")});
            topic.configs.push_back({"unclean.leader.election.enable", "false"});
        }
        request.topics.push_back(std::move(topic));
    }
    return request;
}

// ---- deleting ----

MetadataDecision<wire::DeleteTopicsResponse> delete_topics(
    const MetadataState& state, const wire::DeleteTopicsRequest& request) {
    using Asked = wire::DeleteTopicsRequest::DeleteTopicState;
    std::vector<Asked> asked = request.topics;
    for (const auto& name : request.topic_names)
        asked.push_back({name, Uuid{}});

    MetadataDecision<wire::DeleteTopicsResponse> decision;
    std::map<Uuid, int> times_meant;
    std::map<std::pair<std::optional<std::string>, Uuid>, int> times_named;
    for (const auto& topic : asked)
        ++times_named[{topic.name, topic.topic_id}];
    auto find = [&](const Asked& topic) {
        return topic.name ? state.topic(*topic.name) : state.topic(topic.topic_id);
    };
    for (const auto& topic : asked) {
        if (const auto* found = find(topic)) ++times_meant[found->id()];
    }
    for (const auto& topic : asked) {
        int& times = times_named[{topic.name, topic.topic_id}];
        if (times == 0) continue;  // named before, and answered once, as Kafka does
        const bool is_repeated = std::exchange(times, 0) > 1;
        wire::DeleteTopicsResponse::DeletableTopicResult result;
        result.name = topic.name;
        result.topic_id = topic.topic_id;
        auto refuse = [&](Errc code, std::string why) {
            result.error_code = wire_code(code);
            result.error_message = std::move(why);
        };
        const auto* found = find(topic);
        if (topic.name && !topic.topic_id.is_zero()) {
            refuse(Errc::invalid_request, "a topic is named by its name or by its id, not both");
        } else if (!topic.name && topic.topic_id.is_zero()) {
            refuse(Errc::invalid_request, "a topic without name and id");
        } else if (is_repeated) {
            refuse(Errc::invalid_request, "the topic is named twice");
        } else if (found == nullptr) {
            const Errc code =
                topic.name ? Errc::unknown_topic_or_partition : Errc::unknown_topic_id;
            refuse(code, "there is no such topic");
        } else if (times_meant[found->id()] > 1) {
            refuse(Errc::invalid_request, "topic '" + found->name() + "' is named twice");
        } else {
            result.name = found->name();
            result.topic_id = found->id();
            decision.records.emplace_back(wire::RemoveTopicRecord{found->id()});
        }
        decision.response.responses.push_back(std::move(result));
    }
    return decision;
}

}  // namespace kq
