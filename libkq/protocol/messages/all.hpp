// SPDX-License-Identifier: Apache-2.0
//
// Every message, for the few who need them all: the table of APIs, tests, fuzzers, kq's decoders.
//
// KQ_WIRE_FOR_EACH_API(X) expands X(ApiInfo, request, response) for every pair.
#pragma once

#include "protocol/messages/00_produce.hpp"
#include "protocol/messages/01_fetch.hpp"
#include "protocol/messages/02_list_offsets.hpp"
#include "protocol/messages/03_metadata.hpp"
#include "protocol/messages/10_find_coordinator.hpp"
#include "protocol/messages/18_api_versions.hpp"
#include "protocol/messages/19_create_topics.hpp"
#include "protocol/messages/20_delete_topics.hpp"
#include "protocol/messages/22_init_producer_id.hpp"
#include "protocol/messages/32_describe_configs.hpp"
#include "protocol/messages/35_describe_log_dirs.hpp"
#include "protocol/messages/52_vote.hpp"
#include "protocol/messages/53_begin_quorum_epoch.hpp"
#include "protocol/messages/54_end_quorum_epoch.hpp"
#include "protocol/messages/56_alter_partition.hpp"
#include "protocol/messages/60_describe_cluster.hpp"
#include "protocol/messages/62_broker_registration.hpp"
#include "protocol/messages/63_broker_heartbeat.hpp"
#include "protocol/messages/67_allocate_producer_ids.hpp"
#include "protocol/messages/75_describe_topic_partitions.hpp"

#define KQ_WIRE_FOR_EACH_API(X)                                                           \
    X(produce_api, ProduceRequest, ProduceResponse)                                       \
    X(fetch_api, FetchRequest, FetchResponse)                                             \
    X(list_offsets_api, ListOffsetsRequest, ListOffsetsResponse)                          \
    X(metadata_api, MetadataRequest, MetadataResponse)                                    \
    X(find_coordinator_api, FindCoordinatorRequest, FindCoordinatorResponse)              \
    X(api_versions_api, ApiVersionsRequest, ApiVersionsResponse)                          \
    X(create_topics_api, CreateTopicsRequest, CreateTopicsResponse)                       \
    X(delete_topics_api, DeleteTopicsRequest, DeleteTopicsResponse)                       \
    X(init_producer_id_api, InitProducerIdRequest, InitProducerIdResponse)                \
    X(describe_configs_api, DescribeConfigsRequest, DescribeConfigsResponse)              \
    X(describe_log_dirs_api, DescribeLogDirsRequest, DescribeLogDirsResponse)             \
    X(vote_api, VoteRequest, VoteResponse)                                                \
    X(begin_quorum_epoch_api, BeginQuorumEpochRequest, BeginQuorumEpochResponse)          \
    X(end_quorum_epoch_api, EndQuorumEpochRequest, EndQuorumEpochResponse)                \
    X(alter_partition_api, AlterPartitionRequest, AlterPartitionResponse)                 \
    X(describe_cluster_api, DescribeClusterRequest, DescribeClusterResponse)              \
    X(broker_registration_api, BrokerRegistrationRequest, BrokerRegistrationResponse)     \
    X(broker_heartbeat_api, BrokerHeartbeatRequest, BrokerHeartbeatResponse)              \
    X(allocate_producer_ids_api, AllocateProducerIdsRequest, AllocateProducerIdsResponse) \
    X(describe_topic_partitions_api, DescribeTopicPartitionsRequest,                      \
      DescribeTopicPartitionsResponse)
