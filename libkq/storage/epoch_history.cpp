// SPDX-License-Identifier: Apache-2.0
#include "storage/epoch_history.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace kq {

bool EpochHistory::assign(Epoch epoch, Offset start) {
    KQ_CHECK(epoch >= Epoch{0} && start >= Offset{0});
    if (!entries_.empty() && entries_.back().epoch == epoch) return false;

    // An epoch without records leaves its place to the one that begins at the same offset.
    while (!entries_.empty() &&
           (entries_.back().epoch >= epoch || entries_.back().start >= start)) {
        entries_.pop_back();
    }
    entries_.push_back({epoch, start});
    return true;
}

std::optional<EpochStart> EpochHistory::find(Epoch epoch) const {
    for (const auto& entry : entries_) {
        if (entry.epoch == epoch) return entry;
    }
    return std::nullopt;
}

Epoch EpochHistory::epoch_of(Offset offset) const {
    auto after =
        std::upper_bound(entries_.begin(), entries_.end(), offset,
                         [](Offset value, const EpochStart& entry) { return value < entry.start; });
    return after == entries_.begin() ? no_epoch : std::prev(after)->epoch;
}

EpochHistory::End EpochHistory::end_of(Epoch epoch, Offset log_end) const {
    if (epoch == no_epoch || entries_.empty() || epoch > latest()) return {};
    if (epoch == latest()) return {epoch, log_end};

    auto next =
        std::upper_bound(entries_.begin(), entries_.end(), epoch,
                         [](Epoch value, const EpochStart& entry) { return value < entry.epoch; });
    // Below all that is known: what was written then is gone, and ended where the first one began.
    if (next == entries_.begin()) return {epoch, next->start};
    return {std::prev(next)->epoch, next->start};
}

bool EpochHistory::truncate_from_end(Offset end) {
    auto size_before = entries_.size();
    while (!entries_.empty() && entries_.back().start >= end)
        entries_.pop_back();
    return entries_.size() != size_before;
}

bool EpochHistory::truncate_from_start(Offset start) {
    auto after =
        std::upper_bound(entries_.begin(), entries_.end(), start,
                         [](Offset value, const EpochStart& entry) { return value < entry.start; });
    if (after == entries_.begin()) return false;
    auto current = std::prev(after);  // its records go on beyond `start`
    bool changed = current != entries_.begin() || current->start != start;
    current->start = start;
    entries_.erase(entries_.begin(), current);
    return changed;
}

}  // namespace kq
