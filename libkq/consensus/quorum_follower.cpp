// SPDX-License-Identifier: Apache-2.0
//
// Quorum, following: the log is fetched from the leader, cut where it differs, and synced before
// the next fetch says that we hold it.
#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.hpp"
#include "consensus/quorum.hpp"

namespace kq {

void Quorum::fetch(Follower& follower) {
    if (follower.waits_for_disk || follower.fetches_snapshot) return;
    KQ_CHECK(durable_end_ == log_.end());
    follower.fetch_again = now_ + timings_.request_timeout;
    follower.in_flight =
        request(follower.leader, QuorumFetchRequest{state_.epoch, self_, log_.last()});
}

void Quorum::lose_leader() {
    if (is_voter()) {
        become_prospective();
        return;
    }
    role_ = Unattached{now_};
    look_for_leader(std::get<Unattached>(role_));
}

// An observer asks any voter: whoever does not lead names the leader.
void Quorum::look_for_leader(Unattached& unattached) {
    unattached.deadline = now_ + timings_.request_timeout;
    std::vector<BrokerId> others;
    for (const auto& [id, voter] : voters_) {
        if (id != self_.id) others.push_back(id);
    }
    if (others.empty()) return;
    const auto chosen = others[random_.below(others.size())];
    request(chosen, QuorumFetchRequest{state_.epoch, self_, log_.last()});
}

void Quorum::receive(const QuorumEnvelope& from, QuorumFetchResponse& response) {
    if (response.epoch < state_.epoch) return;
    auto* follower = std::get_if<Follower>(&role_);
    const bool expected = follower != nullptr && follower->in_flight == from.number &&
                          from.number != 0 && response.epoch == state_.epoch;
    if (!expected) {
        const bool observer_asked = std::holds_alternative<Unattached>(role_) && !is_voter() &&
                                    response.leader != no_broker;
        const bool contradicts = response.epoch == state_.epoch && state_.leader != no_broker &&
                                 state_.leader != response.leader;
        if (observer_asked && response.leader != self_.id && !contradicts) {
            become_follower(response.epoch, response.leader);
        } else if (response.epoch > state_.epoch) {
            follow_epoch(response.epoch, response.leader);
        }
        return;
    }
    follower->in_flight = 0;
    if (response.error != Errc::none) {
        // It leads no more, or not yet: asked again after a while, until the deadline passes.
        follower->fetch_again = now_ + std::min(timings_.request_timeout, timings_.fetch_max_wait);
        return;
    }
    follower->deadline = now_ + timings_.fetch_timeout;
    follower->heard_of = true;
    last_known_leader_watermark_ = std::max(last_known_leader_watermark_, response.high_watermark);
    if (response.snapshot) {
        follower->fetches_snapshot = true;
        out_.fetch_snapshot = response.snapshot;
        return;
    }
    if (response.diverging) {
        // Ours beyond the common end was never committed: the leader would have it (I8, I22).
        const auto ours = log_.end_of(response.diverging->epoch);
        const Offset end = std::min(response.diverging->offset, ours.offset);
        if (end < high_watermark_) {
            out_.failure = Error(Errc::corrupt_file,
                                 "the leader of the metadata quorum lacks committed records");
            return;
        }
        if (end < log_.end()) {
            log_.truncate(end);
            durable_end_ = std::min(durable_end_, end);
            out_.truncate_to = end;
        }
        fetch(*follower);
        return;
    }
    if (response.records_from && !response.records.empty()) {
        if (*response.records_from != log_.end()) return;  // not what was asked for
        follower->waits_for_disk = true;
        out_.append =
            FetchedEntries{state_.epoch, *response.records_from, std::move(response.records)};
        return;
    }
    raise_high_watermark(response.high_watermark);
    fetch(*follower);
}

// What the leader committed and we hold on disk is committed here.
void Quorum::raise_high_watermark(Offset to) {
    if (is_leader()) return;
    high_watermark_ = std::max(high_watermark_, std::min(to, durable_end_));
}

}  // namespace kq
