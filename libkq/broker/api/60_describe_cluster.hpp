// SPDX-License-Identifier: Apache-2.0
//
// The handler of DescribeCluster: the cluster's id and its brokers.
//
// source   Kafka protocol guide, "DescribeCluster API (Key: 60)"; KIP-919, KIP-1073
#pragma once

#include <string>

#include "broker/reply.hpp"
#include "broker/request_context.hpp"
#include "metadata/metadata_state.hpp"
#include "protocol/messages/60_describe_cluster.hpp"

namespace kq {

void handle_describe_cluster(RequestContext& context, const wire::DescribeClusterRequest& request,
                             BrokerId self, const std::string& cluster_id,
                             Reply<wire::DescribeClusterResponse> reply);

}  // namespace kq
