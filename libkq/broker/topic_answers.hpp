// SPDX-License-Identifier: Apache-2.0
//
// What several answers say of brokers and partitions, as a client on one listener may see it.
//
// owner    pure functions of an image
// source   Kafka protocol guide, "Metadata API (Key: 3)"
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "metadata/metadata_state.hpp"

namespace kq {

// Every operation that the kind of resource knows, as bits: nobody is refused anything yet.
inline constexpr std::int32_t topic_operations_all = 0b1101'1111'1000;
inline constexpr std::int32_t cluster_operations_all = 0b1'1111'1010'0000;

// The address under which clients of `listener` reach a broker that is up; null: there is none.
const ListenerEndpoint* reachable(const MetadataState& image, BrokerId broker,
                                  std::string_view listener);

struct PartitionLeader {
    Errc code = Errc::none;  // leader_not_available, listener_not_found
    BrokerId id = no_broker;
};
PartitionLeader leader_of(const MetadataState& image, const PartitionRegistration& partition,
                          std::string_view listener);

// Replicas whose broker is not up.
std::vector<std::int32_t> offline_replicas(const MetadataState& image,
                                           const PartitionRegistration& partition);
std::vector<std::int32_t> numbers(const std::vector<BrokerId>& brokers);

// Whom a client takes for the controller: any broker that is up passes requests on; `self` before
// others.
BrokerId named_controller(const MetadataState& image, BrokerId self);

}  // namespace kq
