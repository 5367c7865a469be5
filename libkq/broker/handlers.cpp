// SPDX-License-Identifier: Apache-2.0
#include "broker/handlers.hpp"

#include "broker/api/00_produce.hpp"
#include "broker/api/01_fetch.hpp"
#include "broker/api/02_list_offsets.hpp"
#include "broker/api/03_metadata.hpp"
#include "broker/api/10_find_coordinator.hpp"
#include "broker/api/18_api_versions.hpp"
#include "broker/api/19_create_topics.hpp"
#include "broker/api/20_delete_topics.hpp"
#include "broker/api/22_init_producer_id.hpp"
#include "broker/api/32_describe_configs.hpp"
#include "broker/api/35_describe_log_dirs.hpp"
#include "broker/api/60_describe_cluster.hpp"
#include "broker/api/75_describe_topic_partitions.hpp"
#include "metadata/features.hpp"

namespace kq {
namespace {

void serve_records(Dispatcher& dispatcher, const std::shared_ptr<HandlerNeeds>& needs) {
    dispatcher.serve_produce([needs](RequestContext& context, wire::ProduceRequest request,
                                     Reply<wire::ProduceResponse> reply) {
        handle_produce(context, std::move(request), needs->data.produces, std::move(reply));
    });
    dispatcher.serve<wire::FetchRequest, wire::FetchResponse>(
        [needs](RequestContext& context, wire::FetchRequest request,
                Reply<wire::FetchResponse> reply) {
            handle_fetch(context, std::move(request), needs->data.fetches, std::move(reply));
        });
    dispatcher.serve<wire::ListOffsetsRequest, wire::ListOffsetsResponse>(
        [needs](RequestContext& context, wire::ListOffsetsRequest request,
                Reply<wire::ListOffsetsResponse> reply) {
            handle_list_offsets(context, std::move(request), needs->router, std::move(reply));
        });
    dispatcher.serve<wire::InitProducerIdRequest, wire::InitProducerIdResponse>(
        [needs](RequestContext& context, wire::InitProducerIdRequest request,
                Reply<wire::InitProducerIdResponse> reply) {
            handle_init_producer_id(context, std::move(request), needs->data.producer_ids,
                                    std::move(reply));
        });
    dispatcher.serve<wire::DescribeLogDirsRequest, wire::DescribeLogDirsResponse>(
        [needs](RequestContext& context, wire::DescribeLogDirsRequest request,
                Reply<wire::DescribeLogDirsResponse> reply) {
            handle_describe_log_dirs(context, std::move(request), needs->router, needs->directories,
                                     needs->pool, std::move(reply));
        });
}

// Whoever asks for a topic that is not there may bring it into being.
Function<void(std::set<std::string>)> topic_creator(const HandlerNeeds& needs) {
    return [&control = needs.control, &metadata = needs.metadata](std::set<std::string> names) {
        control.post([&metadata, names = std::move(names)] { metadata.auto_create_topics(names); });
    };
}

void serve_metadata(Dispatcher& dispatcher, const std::shared_ptr<HandlerNeeds>& needs) {
    auto metadata = std::make_shared<MetadataNeeds>(
        MetadataNeeds{needs->broker, needs->cluster_id,
                      needs->config->boolean("auto.create.topics.enable"), topic_creator(*needs)});
    dispatcher.serve<wire::MetadataRequest, wire::MetadataResponse>(
        [metadata](RequestContext& context, const wire::MetadataRequest& request,
                   Reply<wire::MetadataResponse> reply) {
            handle_metadata(context, request, *metadata, std::move(reply));
        });
    auto coordinators = std::make_shared<CoordinatorNeeds>(CoordinatorNeeds{topic_creator(*needs)});
    dispatcher.serve<wire::FindCoordinatorRequest, wire::FindCoordinatorResponse>(
        [coordinators](RequestContext& context, const wire::FindCoordinatorRequest& request,
                       Reply<wire::FindCoordinatorResponse> reply) {
            handle_find_coordinator(context, request, *coordinators, std::move(reply));
        });
    dispatcher.serve<wire::DescribeClusterRequest, wire::DescribeClusterResponse>(
        [needs](RequestContext& context, const wire::DescribeClusterRequest& request,
                Reply<wire::DescribeClusterResponse> reply) {
            handle_describe_cluster(context, request, needs->broker, needs->cluster_id,
                                    std::move(reply));
        });
    dispatcher.serve<wire::DescribeConfigsRequest, wire::DescribeConfigsResponse>(
        [needs](RequestContext& context, const wire::DescribeConfigsRequest& request,
                Reply<wire::DescribeConfigsResponse> reply) {
            handle_describe_configs(context, request, needs->broker, *needs->config,
                                    std::move(reply));
        });
    auto partitions_max =
        static_cast<std::int32_t>(needs->config->integer("max.request.partition.size.limit"));
    dispatcher.serve<wire::DescribeTopicPartitionsRequest, wire::DescribeTopicPartitionsResponse>(
        [partitions_max](RequestContext& context,
                         const wire::DescribeTopicPartitionsRequest& request,
                         Reply<wire::DescribeTopicPartitionsResponse> reply) {
            handle_describe_topic_partitions(context, request, partitions_max, std::move(reply));
        });
}

void serve_topic_changes(Dispatcher& dispatcher, const std::shared_ptr<HandlerNeeds>& needs) {
    auto controller = std::make_shared<ControllerChannel>(needs->control, needs->metadata);
    dispatcher.serve<wire::CreateTopicsRequest, wire::CreateTopicsResponse>(
        [controller](RequestContext& context, wire::CreateTopicsRequest request,
                     Reply<wire::CreateTopicsResponse> reply) {
            handle_create_topics(context, std::move(request), *controller, std::move(reply));
        });
    const bool may_delete = needs->config->boolean("delete.topic.enable");
    dispatcher.serve<wire::DeleteTopicsRequest, wire::DeleteTopicsResponse>(
        [controller, may_delete](RequestContext& context, wire::DeleteTopicsRequest request,
                                 Reply<wire::DeleteTopicsResponse> reply) {
            handle_delete_topics(context, std::move(request), *controller, may_delete,
                                 std::move(reply));
        });
}

}  // namespace

void serve_all(Dispatcher& dispatcher, HandlerNeeds given) {
    auto needs = std::make_shared<HandlerNeeds>(std::move(given));
    serve_records(dispatcher, needs);
    serve_metadata(dispatcher, needs);
    serve_topic_changes(dispatcher, needs);
    dispatcher.serve<wire::ApiVersionsRequest, wire::ApiVersionsResponse>(
        [&dispatcher](RequestContext& context, const wire::ApiVersionsRequest& request,
                      Reply<wire::ApiVersionsResponse> reply) {
            handle_api_versions(context, request, dispatcher.advertised(), supported_features,
                                std::move(reply));
        });
}

}  // namespace kq
