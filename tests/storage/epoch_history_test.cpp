// SPDX-License-Identifier: Apache-2.0
#include "storage/epoch_history.hpp"

#include <catch2/catch.hpp>

using namespace kq;

namespace {

EpochHistory history(std::vector<std::pair<int, int>> rows) {
    std::vector<EpochStart> entries;
    for (auto [epoch, start] : rows)
        entries.push_back({Epoch{epoch}, Offset{start}});
    return EpochHistory(std::move(entries));
}

}  // namespace

TEST_CASE("where an epoch ends", "[storage][epochs]") {
    // The rows of OffsetForLeaderEpoch, of a log that ends at 90.
    auto epochs = history({{2, 10}, {4, 20}, {7, 50}});
    struct Row {
        int asked;
        int epoch;
        int end;
    };
    for (auto row : {Row{-1, -1, -1}, Row{1, 1, 10}, Row{2, 2, 20}, Row{3, 2, 20}, Row{4, 4, 50},
                     Row{6, 4, 50}, Row{7, 7, 90}, Row{8, -1, -1}}) {
        CAPTURE(row.asked);
        auto found = epochs.end_of(Epoch{row.asked}, Offset{90});
        CHECK(found.epoch == Epoch{row.epoch});
        CHECK(found.end == Offset{row.end});
    }
    CHECK(EpochHistory{}.end_of(Epoch{0}, Offset{5}).epoch == no_epoch);
}

TEST_CASE("a new epoch pushes out what contradicts it", "[storage][epochs]") {
    auto epochs = history({{2, 10}, {4, 20}});
    CHECK_FALSE(epochs.assign(Epoch{4}, Offset{25}));  // known: it keeps its start
    CHECK(epochs.assign(Epoch{5}, Offset{20}));        // epoch 4 had no records
    CHECK(epochs.entries() == history({{2, 10}, {5, 20}}).entries());
    CHECK(epochs.assign(Epoch{6}, Offset{15}));
    CHECK(epochs.entries() == history({{2, 10}, {6, 15}}).entries());
    CHECK(epochs.assign(Epoch{3}, Offset{30}));
    CHECK(epochs.entries() == history({{2, 10}, {3, 30}}).entries());
    CHECK(epochs.latest() == Epoch{3});
}

TEST_CASE("which epoch a record was written in", "[storage][epochs]") {
    auto epochs = history({{2, 10}, {4, 20}});
    CHECK(epochs.epoch_of(Offset{9}) == no_epoch);
    CHECK(epochs.epoch_of(Offset{10}) == Epoch{2});
    CHECK(epochs.epoch_of(Offset{19}) == Epoch{2});
    CHECK(epochs.epoch_of(Offset{20}) == Epoch{4});
    CHECK(epochs.find(Epoch{4})->start == Offset{20});
    CHECK_FALSE(epochs.find(Epoch{3}).has_value());
}

TEST_CASE("epochs are cut with the log", "[storage][epochs]") {
    auto epochs = history({{2, 10}, {4, 20}, {7, 50}});
    CHECK_FALSE(epochs.truncate_from_end(Offset{51}));
    CHECK(epochs.truncate_from_end(Offset{50}));
    CHECK(epochs.latest() == Epoch{4});

    CHECK_FALSE(epochs.truncate_from_start(Offset{5}));
    CHECK_FALSE(epochs.truncate_from_start(Offset{10}));
    CHECK(epochs.truncate_from_start(Offset{15}));
    CHECK(epochs.entries() == history({{2, 15}, {4, 20}}).entries());
    CHECK(epochs.truncate_from_start(Offset{30}));
    CHECK(epochs.entries() == history({{4, 30}}).entries());
}
