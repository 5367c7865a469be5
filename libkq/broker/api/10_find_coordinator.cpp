// SPDX-License-Identifier: Apache-2.0
#include "broker/api/10_find_coordinator.hpp"

#include "broker/topic_answers.hpp"
#include "metadata/metadata_state.hpp"
#include "metadata/topic_names.hpp"
#include "protocol/murmur2.hpp"

namespace kq {
namespace {

using Coordinator = wire::FindCoordinatorResponse::Coordinator;

constexpr std::int8_t key_group = 0;
constexpr std::int8_t key_transaction = 1;
constexpr std::int8_t key_share = 2;

Coordinator nobody(const std::string& key, Errc code, std::string why) {
    return {key, -1, "", -1, wire_code(code), std::move(why)};
}

Coordinator find(const RequestContext& context, std::int8_t key_type, const std::string& key,
                 std::set<std::string>& missing) {
    std::string_view topic_name;
    switch (key_type) {
        case key_group:
            topic_name = consumer_offsets_topic;
            break;
        case key_transaction:
            topic_name = transaction_state_topic;
            break;
        case key_share:
            // The feature share.version that these keys need is not offered.
            return nobody(key, Errc::invalid_request, "share groups are not served");
        default:
            return nobody(key, Errc::invalid_request, "there is no such key type");
    }
    const auto* topic = context.image->topic(topic_name);
    if (topic == nullptr) {
        missing.insert(std::string(topic_name));
        return nobody(key, Errc::coordinator_not_available, "the internal topic is being made");
    }
    PartitionIndex index{coordinator_partition(key, topic->partition_count())};
    const auto* partition = topic->partition(index);
    auto leader = leader_of(*context.image, *partition, context.listener);
    if (leader.code != Errc::none) {
        return nobody(key, Errc::coordinator_not_available, "the coordinator's broker is not up");
    }
    const auto* endpoint = reachable(*context.image, leader.id, context.listener);
    return {key, leader.id.value, endpoint->host, endpoint->port, 0, std::nullopt};
}

}  // namespace

void handle_find_coordinator(RequestContext& context, const wire::FindCoordinatorRequest& request,
                             CoordinatorNeeds& needs, Reply<wire::FindCoordinatorResponse> reply) {
    wire::FindCoordinatorResponse response;
    std::set<std::string> missing;
    if (context.api_version >= 4) {
        for (const auto& key : request.coordinator_keys) {
            auto found = find(context, request.key_type, key, missing);
            if (!found.error_message) found.error_message = "";
            response.coordinators.push_back(std::move(found));
        }
    } else {
        auto found = find(context, request.key_type, request.key, missing);
        response.error_code = found.error_code;
        response.error_message = found.error_message.value_or("NONE");  // as Kafka
        response.node_id = found.node_id;
        response.host = found.host;
        response.port = found.port;
    }
    if (!missing.empty()) needs.create_topics(std::move(missing));
    std::move(reply).send(std::move(response));
}

}  // namespace kq
