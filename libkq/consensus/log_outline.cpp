// SPDX-License-Identifier: Apache-2.0
#include "consensus/log_outline.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"

namespace kq {

LogOutline::LogOutline(EpochHistory epochs, LogPosition before, Offset end)
    : epochs_(std::move(epochs)), before_(before), end_(end) {
    KQ_CHECK(before_.offset <= end_);
}

LogPosition LogOutline::last() const {
    return {std::max(epochs_.latest(), before_.epoch), end_};
}

void LogOutline::append(Epoch epoch, Offset end) {
    KQ_CHECK(epoch >= last().epoch);
    KQ_CHECK(end > end_);
    epochs_.assign(epoch, end_);
    end_ = end;
}

void LogOutline::truncate(Offset end) {
    KQ_CHECK(end >= before_.offset);
    if (end >= end_) return;
    epochs_.truncate_from_end(end);
    end_ = end;
}

void LogOutline::start_at(LogPosition snapshot) {
    KQ_CHECK(before_.offset <= snapshot.offset && snapshot.offset <= end_);
    if (snapshot.offset == end_) {
        epochs_.clear();
    } else {
        epochs_.truncate_from_start(snapshot.offset);
    }
    before_ = snapshot;
}

void LogOutline::restart_at(LogPosition snapshot) {
    epochs_.clear();
    before_ = snapshot;
    end_ = snapshot.offset;
}

LogPosition LogOutline::end_of(Epoch epoch) const {
    const auto known = epochs_.end_of(epoch, end_);
    if (known.epoch == no_epoch) return {std::min(before_.epoch, epoch), before_.offset};
    return {known.epoch, known.end};
}

}  // namespace kq
