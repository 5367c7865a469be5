// SPDX-License-Identifier: Apache-2.0
//
// The features this build knows, with the levels it can run at: what brokers and controllers
// register with, what ApiVersions announces, what a first start finalizes.
//
// shape    sorted by name. A feature that stands in nobody's table is finalized by nobody
// source   KIP-584, KIP-1022; Kafka 4.3's feature levels
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "metadata/metadata_state.hpp"

namespace kq {

struct SupportedFeature {
    std::string_view name;
    std::int16_t min;
    std::int16_t max;
    std::int16_t at_first_start;  // 0: not finalized then
};

// Levels of metadata.version: 3.3-IV3 to 4.3-IV0.
inline constexpr FeatureRange supported_metadata_versions{7, 30};

inline constexpr std::array<SupportedFeature, 3> supported_features{{
    {feature_eligible_leader_replicas, 0, 1, 1},
    {"kraft.version", 0, 1, 0},  // stands in the quorum's own records, not among the finalized
    {feature_metadata_version, supported_metadata_versions.min, supported_metadata_versions.max,
     supported_metadata_versions.max},
}};

}  // namespace kq
