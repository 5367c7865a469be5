// SPDX-License-Identifier: Apache-2.0
//
// EpochHistory: which leader epoch begins at which offset; the content of leader-epoch-checkpoint.
//
// shape    epochs and start offsets both strictly ascend
// owner    its Log
// source   KIP-101, KIP-279, KIP-320
#pragma once

#include <optional>
#include <vector>

#include "base/ids.hpp"
#include "storage/checkpoints.hpp"

namespace kq {

class EpochHistory {
public:
    EpochHistory() = default;
    // Requires: ascending, as parse_epoch_checkpoint() gives them.
    explicit EpochHistory(std::vector<EpochStart> entries) : entries_(std::move(entries)) {}

    // The epoch begins at `start`. Entries that contradict it (a later epoch, or a start at or
    // beyond this one) go. An epoch that is known already keeps its start. True if it changed.
    bool assign(Epoch epoch, Offset start);

    Epoch latest() const { return entries_.empty() ? no_epoch : entries_.back().epoch; }
    std::optional<EpochStart> find(Epoch epoch) const;
    // The epoch that the record at `offset` was written in.
    Epoch epoch_of(Offset offset) const;

    struct End {
        Epoch epoch = no_epoch;
        Offset end = no_offset;
    };
    // The largest known epoch <= `epoch`, and where it ends; (-1, -1) when there is no telling.
    End end_of(Epoch epoch, Offset log_end) const;

    // The log now ends, or begins, there. True if it changed.
    bool truncate_from_end(Offset end);
    bool truncate_from_start(Offset start);
    void clear() { entries_.clear(); }

    const std::vector<EpochStart>& entries() const { return entries_; }

private:
    std::vector<EpochStart> entries_;
};

}  // namespace kq
