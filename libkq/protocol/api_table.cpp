// SPDX-License-Identifier: Apache-2.0
#include "protocol/api_table.hpp"

#include <algorithm>
#include <array>

#include "protocol/messages/all.hpp"

namespace kq::wire {
namespace {

#define KQ_ROW(api, request, response) api,
constexpr std::array table = {KQ_WIRE_FOR_EACH_API(KQ_ROW)};
#undef KQ_ROW

constexpr bool ascending(const ApiInfo& a, const ApiInfo& b) {
    return a.key < b.key;
}
static_assert(std::is_sorted(table.begin(), table.end(), ascending));

}  // namespace

std::span<const ApiInfo> all_apis() {
    return table;
}

const ApiInfo* find_api(std::int16_t key) {
    auto found = std::lower_bound(table.begin(), table.end(), key,
                                  [](const ApiInfo& api, std::int16_t k) { return api.key < k; });
    return found != table.end() && found->key == key ? &*found : nullptr;
}

}  // namespace kq::wire
