// SPDX-License-Identifier: Apache-2.0
//
// The handler of Metadata: who the brokers are, which topics there are, who leads their partitions.
//
// source   Kafka protocol guide, "Metadata API (Key: 3)"
#pragma once

#include <set>

#include "base/function.hpp"
#include "broker/reply.hpp"
#include "broker/request_context.hpp"
#include "metadata/metadata_state.hpp"
#include "protocol/messages/03_metadata.hpp"

namespace kq {

struct MetadataNeeds {
    BrokerId broker;
    std::string cluster_id;
    bool auto_create = true;  // auto.create.topics.enable
    // Asks the controller for topics; nobody waits for it.
    Function<void(std::set<std::string>)> create_topics;
};

void handle_metadata(RequestContext& context, const wire::MetadataRequest& request,
                     MetadataNeeds& needs, Reply<wire::MetadataResponse> reply);

}  // namespace kq
