// SPDX-License-Identifier: Apache-2.0
#include "broker/repeated_partitions.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace kq {

std::vector<std::size_t> last_places(const std::vector<NamedPartition>& named) {
    std::vector<std::size_t> places(named.size());
    std::iota(places.begin(), places.end(), std::size_t{0});
    if (named.size() < 2) return places;
    const auto key = [&named](std::size_t place) {
        const NamedPartition& one = named[place];
        return std::tie(one.partition, one.topic, one.topic_id);
    };
    std::vector<std::size_t> sorted = places;
    std::stable_sort(sorted.begin(), sorted.end(),
                     [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
    std::size_t first = 0;
    for (std::size_t i = 1; i < sorted.size(); ++i) {
        if (key(sorted[i]) != key(sorted[first])) {
            first = i;
            continue;
        }
        places[sorted[first]] = sorted[i];
        places[sorted[i]] = named_before;
    }
    return places;
}

}  // namespace kq
