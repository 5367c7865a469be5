// SPDX-License-Identifier: Apache-2.0
#include "broker/api/60_describe_cluster.hpp"

#include "broker/topic_answers.hpp"

namespace kq {
namespace {

constexpr std::int8_t endpoint_brokers = 1;
constexpr std::int8_t endpoint_controllers = 2;

}  // namespace

void handle_describe_cluster(RequestContext& context, const wire::DescribeClusterRequest& request,
                             BrokerId self, const std::string& cluster_id,
                             Reply<wire::DescribeClusterResponse> reply) {
    wire::DescribeClusterResponse response;
    if (request.endpoint_type != endpoint_brokers) {
        // Controllers are described by controllers, on their own listener.
        bool known = request.endpoint_type == endpoint_controllers;
        response.error_code =
            wire_code(known ? Errc::mismatched_endpoint_type : Errc::unsupported_endpoint_type);
        response.error_message = known ? "this is a broker's listener: it describes brokers only"
                                       : "there is no such endpoint type";
        response.endpoint_type = endpoint_brokers;
        return std::move(reply).send(std::move(response));
    }
    const auto& image = *context.image;
    response.cluster_id = cluster_id;
    response.controller_id = named_controller(image, self).value;
    if (request.include_cluster_authorized_operations) {
        response.cluster_authorized_operations = cluster_operations_all;
    }
    for (const auto& [id, registration] : image.brokers) {
        if (registration->fenced && !request.include_fenced_brokers) continue;
        const auto* endpoint = registration->endpoint(context.listener);
        if (endpoint == nullptr) continue;
        response.brokers.push_back(
            {id.value, endpoint->host, endpoint->port, registration->rack, registration->fenced});
    }
    std::move(reply).send(std::move(response));
}

}  // namespace kq
