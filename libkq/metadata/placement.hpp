// SPDX-License-Identifier: Apache-2.0
//
// Placement: which brokers get the replicas of new partitions: spread over racks, then over
// brokers; leaders on brokers that are up.
//
// shape    brokers of a rack are striped from a random start, racks likewise, so that neither the
//          first broker nor the first rack gets more than its share
// owner    pure but for the dice
// errors   invalid_replication_factor  more replicas than brokers; broker_not_available  all fenced
// source   KIP-36 (racks); Kafka places new topics in the same spirit
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.hpp"
#include "base/result.hpp"
#include "metadata/metadata_state.hpp"

namespace kq {

// Replicas of `partitions` new partitions, preferred leader first.
Result<std::vector<std::vector<BrokerId>>> place_replicas(const MetadataState& state,
                                                          Random& random, std::int32_t partitions,
                                                          std::int16_t replication_factor);

}  // namespace kq
