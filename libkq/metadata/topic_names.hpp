// SPDX-License-Identifier: Apache-2.0
//
// Names of topics: which are legal, which stand in each other's way, which are Kafka's own.
//
// errors   invalid_topic_exception, with the reason
// source   Kafka's Topic rules: 1 to 249 of [a-zA-Z0-9._-], not "." or ".."; names that differ only
//          by '.' and '_' would share the names of metrics
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace kq {

inline constexpr std::string_view consumer_offsets_topic = "__consumer_offsets";
inline constexpr std::string_view transaction_state_topic = "__transaction_state";
inline constexpr std::string_view share_group_state_topic = "__share_group_state";
inline constexpr std::string_view cluster_metadata_topic = "__cluster_metadata";

Status check_topic_name(std::string_view name);

// Two topics whose keys are equal may not both exist.
std::string topic_collision_key(std::string_view name);

// Topics that brokers write themselves: clients may not produce to them.
bool is_internal_topic(std::string_view name);

}  // namespace kq
