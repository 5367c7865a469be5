// SPDX-License-Identifier: Apache-2.0
//
// Names of topics on the command line: exact ones, and quoted globs (* ? [a-z]).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "client/admin_types.hpp"

namespace kq {

bool is_glob(std::string_view name);
// Anchored at both ends.
bool matches_glob(std::string_view name, std::string_view glob);

// The known name that a misspelt one is near to, or "".
std::string nearest_topic(std::string_view name, const std::vector<std::string>& known);
// Why a name or glob stands for nothing: "there is no topic 'ordres'; is 'orders' meant?"
Error no_such_topic(std::string_view name, const std::vector<std::string>& known);

}  // namespace kq
