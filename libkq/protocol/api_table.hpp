// SPDX-License-Identifier: Apache-2.0
//
// The APIs whose schema kq knows. Which of them a listener serves, the broker's own table says.
#pragma once

#include <span>

#include "protocol/codec.hpp"

namespace kq::wire {

// In the order of their keys.
std::span<const ApiInfo> all_apis();

// Null when the key is not known.
const ApiInfo* find_api(std::int16_t key);

}  // namespace kq::wire
