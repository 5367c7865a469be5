// SPDX-License-Identifier: Apache-2.0
#include "replication/watch.hpp"

#include <algorithm>
#include <utility>

namespace kq {

void call_all(std::vector<FiredWatch> fired) {
    for (auto& watch : fired)
        watch.callback(watch.status);
}

WatchId WatchSet::add(WatchKind kind, Offset threshold, WatchCallback callback) {
    KQ_CHECK(callback != nullptr);
    const auto id = WatchId{++last_id_};
    watches_.push_back({id, kind, threshold, std::move(callback)});
    count(1);
    return id;
}

bool WatchSet::cancel(WatchId id) {
    const auto found = std::find_if(watches_.begin(), watches_.end(),
                                    [id](const Watch& watch) { return watch.id == id; });
    if (found == watches_.end()) return false;
    watches_.erase(found);
    count(-1);
    return true;
}

template <class Predicate>
void WatchSet::fire_if(Predicate due, const Status& status, std::vector<FiredWatch>& fired) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < watches_.size(); ++i) {
        Watch& watch = watches_[i];
        if (due(watch)) {
            fired.push_back({watch.id, std::move(watch.callback), status});
        } else if (kept++ != i) {
            watches_[kept - 1] = std::move(watch);
        }
    }
    count(static_cast<std::int64_t>(kept) - static_cast<std::int64_t>(watches_.size()));
    watches_.erase(watches_.begin() + static_cast<std::ptrdiff_t>(kept), watches_.end());
}

void WatchSet::reached(WatchKind kind, Offset value, std::vector<FiredWatch>& fired) {
    if (watches_.empty()) return;
    fire_if([kind,
             value](const Watch& watch) { return watch.kind == kind && watch.threshold <= value; },
            done(), fired);
}

void WatchSet::changed(std::vector<FiredWatch>& fired) {
    if (watches_.empty()) return;
    fire_if([](const Watch& watch) { return watch.kind == WatchKind::any_change; }, done(), fired);
}

void WatchSet::fail(WatchKind kind, const Error& error, std::vector<FiredWatch>& fired) {
    fire_if([kind](const Watch& watch) { return watch.kind == kind; }, error, fired);
}

void WatchSet::fail_all(const Error& error, std::vector<FiredWatch>& fired) {
    if (watches_.empty()) return;
    fire_if([](const Watch&) { return true; }, error, fired);
}

}  // namespace kq
