// SPDX-License-Identifier: Apache-2.0
//
// LogOutline: where a log starts and ends, and at which offset each of its epochs began: enough to
// find where two logs part, without the log.
//
// owner    a value
// source   KIP-101, KIP-595
#pragma once

#include <vector>

#include "base/ids.hpp"
#include "consensus/quorum_messages.hpp"
#include "storage/epoch_history.hpp"

namespace kq {

class LogOutline {
public:
    LogOutline() = default;
    // A log [before.offset, end) that follows a snapshot of epoch `before.epoch`.
    LogOutline(EpochHistory epochs, LogPosition before, Offset end);

    Offset start() const { return before_.offset; }
    Offset end() const { return end_; }
    // The snapshot that the log follows; zero where it follows none.
    const LogPosition& before() const { return before_; }
    // The end, with the epoch of the last record: of the log, else of the snapshot below it.
    LogPosition last() const;

    // Records of `epoch` reach to `end` now. Requires: neither goes back.
    void append(Epoch epoch, Offset end);
    // Forgets what lies at `end` and beyond. Requires: end >= start().
    void truncate(Offset end);
    // A snapshot covers everything below its position. Requires: it lies in the log.
    void start_at(LogPosition snapshot);
    // The log is empty now, and follows a snapshot.
    void restart_at(LogPosition snapshot);

    // Of the largest known epoch that is not above `epoch`: itself, and where it ends. Below all
    // of them: the start of the log.
    LogPosition end_of(Epoch epoch) const;

    const EpochHistory& epochs() const { return epochs_; }

private:
    EpochHistory epochs_;
    LogPosition before_;
    Offset end_{0};
};

}  // namespace kq
