// SPDX-License-Identifier: Apache-2.0
//
// PartitionRouter: which data loop owns a partition, and how to reach it.
//
// owner    immutable once made; every loop may read it
#pragma once

#include <utility>
#include <vector>

#include "base/check.hpp"
#include "broker/partition_set.hpp"

namespace kq {

class PartitionRouter {
public:
    // In the order of the loops' indices; the sets outlive the router.
    explicit PartitionRouter(std::vector<PartitionSet*> sets) : sets_(std::move(sets)) {
        KQ_CHECK(!sets_.empty());
    }

    std::size_t size() const { return sets_.size(); }
    PartitionSet& at(std::size_t index) const { return *sets_[index]; }
    std::size_t owner_index(const TopicIdPartition& partition) const {
        return PartitionSet::owner_of(partition, sets_.size());
    }
    PartitionSet& owner(const TopicIdPartition& partition) const {
        return *sets_[owner_index(partition)];
    }

private:
    std::vector<PartitionSet*> sets_;
};

// Runs `task` on `loop`: at once when this is that loop, else as a message.
template <class F>
void run_on(Loop& loop, F task) {
    if (loop.is_here()) {
        task();
    } else {
        loop.post(std::move(task));
    }
}

}  // namespace kq
