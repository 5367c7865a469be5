// SPDX-License-Identifier: Apache-2.0
#include "metadata/cow_map.hpp"

#include <map>
#include <string>

#include <catch2/catch.hpp>

#include "base/random.hpp"

using namespace kq;

TEST_CASE("a CowMap is a sorted map, and its copies do not feel later changes", "[metadata]") {
    const auto seed = GENERATE(range(1, 20));
    CAPTURE(seed);
    SeededRandom random(static_cast<std::uint64_t>(seed));
    CowMap<int, std::string> map;
    std::map<int, std::string> model;
    std::vector<std::pair<CowMap<int, std::string>, std::map<int, std::string>>> kept;
    for (int session = 0; session < 30; ++session) {
        EditSession edit;
        for (int i = 0; i < 60; ++i) {
            const int key = static_cast<int>(random.below(700));
            if (random.chance(0.3)) {
                CHECK(map.erase(edit, key) == (model.erase(key) > 0));
            } else {
                const auto value = std::to_string(random.u64());
                map.put(edit, key, value);
                model[key] = value;
            }
        }
        kept.emplace_back(map, model);
    }
    for (const auto& [copy, expected] : kept) {
        REQUIRE(copy.size() == expected.size());
        REQUIRE(std::equal(copy.begin(), copy.end(), expected.begin(),
                           [](const auto& a, const auto& b) {
                               return a.first == b.first && a.second == b.second;
                           }));
        for (int key = -1; key <= 700; key += 7) {
            const auto found = expected.find(key);
            const auto* value = copy.find(key);
            REQUIRE((value == nullptr) == (found == expected.end()));
            const auto bound = expected.lower_bound(key);
            const auto at = copy.lower_bound(key);
            REQUIRE((at == copy.end()) == (bound == expected.end()));
            if (bound != expected.end()) REQUIRE(at->first == bound->first);
        }
    }
}

TEST_CASE("an empty CowMap has no entries to find, erase or visit", "[metadata]") {
    CowMap<int, int> map;
    EditSession edit;
    CHECK(map.empty());
    CHECK(map.begin() == map.end());
    CHECK(map.find(1) == nullptr);
    CHECK_FALSE(map.erase(edit, 1));
    map.put(edit, 1, 2);
    CHECK(map.erase(edit, 1));
    CHECK(map.empty());
    map.put(edit, 3, 4);
    CHECK(map.begin()->first == 3);
}
