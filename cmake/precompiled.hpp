// SPDX-License-Identifier: Apache-2.0
//
// The standard headers that nearly every source file includes, compiled once for all targets
// (cmake/precompiled.cmake).
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>
