// SPDX-License-Identifier: Apache-2.0
#include "broker/api/03_metadata.hpp"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "broker/topic_answers.hpp"
#include "metadata/topic_names.hpp"

namespace kq {
namespace {

using wire::MetadataRequest;
using wire::MetadataResponse;
using ResponseTopic = MetadataResponse::MetadataResponseTopic;

struct Asked {
    const RequestContext& context;
    const MetadataState& image;
    int version;
    bool with_operations;
};

ResponseTopic refused(const MetadataRequest::MetadataRequestTopic& asked, Errc code) {
    ResponseTopic topic;
    topic.error_code = wire_code(code);
    topic.name = asked.name;
    topic.topic_id = asked.topic_id;
    return topic;
}

ResponseTopic described(const Asked& asked, const TopicImage& topic) {
    ResponseTopic out;
    out.name = topic.name();
    out.topic_id = topic.id();
    out.is_internal = is_internal_topic(topic.name());
    if (asked.with_operations) out.topic_authorized_operations = topic_operations_all;
    out.partitions.reserve(static_cast<std::size_t>(topic.partition_count()));
    for (std::int32_t i = 0; i < topic.partition_count(); ++i) {
        const auto& partition = *topic.partition(PartitionIndex{i});
        auto leader = leader_of(asked.image, partition, asked.context.listener);
        // Clients before version 6 do not know the difference.
        if (leader.code == Errc::listener_not_found && asked.version < 6) {
            leader.code = Errc::leader_not_available;
        }
        auto& row = out.partitions.emplace_back();
        row.error_code = wire_code(leader.code);
        row.partition_index = i;
        row.leader_id = leader.id.value;
        row.leader_epoch = partition.leader_epoch.value;
        row.replica_nodes = numbers(partition.replicas);
        row.isr_nodes = numbers(partition.isr);
        row.offline_replicas = offline_replicas(asked.image, partition);
    }
    return out;
}

// A topic asked for by its id is unknown_topic_id and nameless where it is not there; one asked for
// by a legal name may come into being.
ResponseTopic answer_one(const Asked& asked, const MetadataRequest::MetadataRequestTopic& wanted,
                         std::set<std::string>& missing) {
    bool by_id = asked.version >= 12 && !wanted.topic_id.is_zero();
    if (by_id) {
        const auto* topic = asked.image.topic(wanted.topic_id);
        if (topic != nullptr) return described(asked, *topic);
        auto unknown = refused(wanted, Errc::unknown_topic_id);
        unknown.name = std::nullopt;
        return unknown;
    }
    // Only a request by id may leave the name out.
    if (!wanted.name) return refused(wanted, Errc::invalid_request);
    if (!check_topic_name(*wanted.name).ok()) {
        return refused(wanted, Errc::invalid_topic_exception);
    }
    if (const auto* topic = asked.image.topic(*wanted.name)) return described(asked, *topic);
    missing.insert(*wanted.name);
    return refused(wanted, Errc::unknown_topic_or_partition);
}

// Versions 10 and 11 have a field for ids, and no meaning for it: Kafka refuses the whole request
// with the code on every topic, and says nothing else.
bool asks_by_id_too_early(const MetadataRequest& request, int version) {
    if (version >= 12 || !request.topics) return false;
    return std::any_of(request.topics->begin(), request.topics->end(), [](const auto& wanted) {
        return !wanted.name || !wanted.topic_id.is_zero();
    });
}

MetadataResponse all_refused(const MetadataRequest& request) {
    MetadataResponse response;
    for (const auto& wanted : *request.topics) {
        auto& topic = response.topics.emplace_back(refused(wanted, Errc::invalid_request));
        topic.name = wanted.name.value_or("");
    }
    return response;
}

}  // namespace

void handle_metadata(RequestContext& context, const wire::MetadataRequest& request,
                     MetadataNeeds& needs, Reply<wire::MetadataResponse> reply) {
    if (asks_by_id_too_early(request, context.api_version)) {
        std::move(reply).send(all_refused(request));
        return;
    }
    const auto& image = *context.image;
    Asked asked{context, image, context.api_version, request.include_topic_authorized_operations};
    MetadataResponse response;
    response.cluster_id = needs.cluster_id;
    response.controller_id = named_controller(image, needs.broker).value;
    if (request.include_cluster_authorized_operations) {
        response.cluster_authorized_operations = cluster_operations_all;
    }
    for (const auto& [id, registration] : image.brokers) {
        const auto* endpoint = reachable(image, id, context.listener);
        if (endpoint == nullptr) continue;
        response.brokers.push_back({id.value, endpoint->host, endpoint->port, registration->rack});
    }
    // Version 0 says "all" with an empty list, later ones with none.
    bool all = !request.topics || (context.api_version == 0 && request.topics->empty());
    std::set<std::string> missing;
    if (all) {
        for (const auto& [name, topic] : image.topics_by_name) {
            response.topics.push_back(described(asked, *topic));
        }
    } else {
        // Named twice, a topic is answered once: a small request cannot ask for a huge answer.
        std::set<std::pair<Uuid, std::string_view>> answered;
        for (const auto& wanted : *request.topics) {
            const auto* topic = wanted.topic_id.is_zero() ? nullptr : image.topic(wanted.topic_id);
            const std::string_view name = topic != nullptr ? std::string_view(topic->name())
                                          : wanted.name    ? std::string_view(*wanted.name)
                                                           : std::string_view();
            if (!answered.emplace(topic != nullptr ? Uuid{} : wanted.topic_id, name).second)
                continue;
            response.topics.push_back(answer_one(asked, wanted, missing));
        }
    }
    bool may_create = needs.auto_create && request.allow_auto_topic_creation;
    if (may_create && !missing.empty()) needs.create_topics(std::move(missing));
    std::move(reply).send(std::move(response));
}

}  // namespace kq
