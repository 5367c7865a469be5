// SPDX-License-Identifier: Apache-2.0
//
// Quorum, leading: who holds what, what is committed, and when to let go.
#include <algorithm>
#include <functional>
#include <utility>

#include "base/check.hpp"
#include "consensus/quorum.hpp"

namespace kq {

void Quorum::tick_leader(Leader& leader) {
    if (!has_majority(leader)) {
        become_resigned(false);
        return;
    }
    if (now_ >= leader.begin_again) announce(leader);
    std::erase_if(leader.observers, [&](const auto& observer) {
        return now_ - observer.second.last_fetch.value_or(leader.since) > std::chrono::minutes(5);
    });
    auto parked = std::exchange(leader.parked, {});
    for (auto& fetch : parked) {
        if (now_ < fetch.deadline) {
            leader.parked.push_back(std::move(fetch));
            continue;
        }
        const auto& request = std::get<QuorumFetchRequest>(fetch.request.message);
        send(fetch.request.peer, fetch.request.number,
             *answer_fetch(request, fetch.known_high_watermark, false));
    }
}

// Tells voters who have not fetched in this epoch that it has begun.
void Quorum::announce(Leader& leader) {
    leader.begin_again = now_ + timings_.fetch_timeout / 2;
    for (auto& [id, progress] : leader.followers) {
        if (progress.end) continue;
        progress.begin_number =
            request(id, QuorumBeginEpochRequest{state_.epoch, self_.id, voters_.at(id).key});
    }
}

// A leader that a majority no longer asks for records may have been replaced without knowing.
bool Quorum::has_majority(const Leader& leader) const {
    std::size_t heard = is_voter() ? 1 : 0;
    for (const auto& [id, progress] : leader.followers) {
        const MonoTime last = progress.last_fetch.value_or(leader.since);
        if (now_ - last < timings_.fetch_timeout * 3 / 2) ++heard;
    }
    return heard >= majority();
}

// The largest offset that a majority holds on disk. Records of earlier epochs count only together
// with the first one of ours: before that a later leader could still lack them (Raft, 5.4.2).
void Quorum::advance_high_watermark(Leader& leader) {
    std::vector<Offset> ends;
    if (is_voter()) ends.push_back(durable_end_);
    for (const auto& [id, progress] : leader.followers)
        ends.push_back(progress.end.value_or(Offset{0}));
    if (ends.size() < majority()) return;
    std::sort(ends.begin(), ends.end(), std::greater<>());
    const Offset held = ends[majority() - 1];
    if (!leader.start || held <= *leader.start || held <= high_watermark_) return;
    high_watermark_ = held;
    release_parked(leader);
}

void Quorum::receive(const QuorumEnvelope& from, const QuorumFetchRequest& request) {
    if (request.epoch > state_.epoch) follow_epoch(request.epoch, no_broker);
    auto* leader = std::get_if<Leader>(&role_);
    if (leader == nullptr || request.epoch != state_.epoch) {
        QuorumFetchResponse response;
        response.error = check_epoch(request.epoch);
        if (response.error == Errc::none) response.error = Errc::not_leader_or_follower;
        response.epoch = state_.epoch;
        response.leader = this->leader();
        send(from.peer, from.number, std::move(response));
        return;
    }
    auto response = answer_fetch(request, high_watermark_, true);
    // Only a log that is a prefix of ours says what its owner holds.
    const bool is_prefix = !response || (!response->diverging && !response->snapshot);
    auto voter = voters_.find(request.replica.id);
    const bool votes = voter != voters_.end() && voter->second.key.matches(request.replica) &&
                       request.replica.id != self_.id;
    Progress& progress =
        votes ? leader->followers[request.replica.id] : leader->observers[request.replica];
    progress.last_fetch = now_;
    const Offset known_high_watermark = high_watermark_;
    if (is_prefix) {
        progress.end = std::max(progress.end.value_or(Offset{0}), request.from.offset);
        if (votes) advance_high_watermark(*leader);
    }
    // A fetch that waits is answered with news of the high watermark too, so that followers commit.
    if (!response && high_watermark_ > known_high_watermark) {
        response = answer_fetch(request, known_high_watermark, false);
    }
    if (!response) {
        std::erase_if(leader->parked, [&](const ParkedFetch& parked) {
            return parked.request.peer == from.peer;  // given up by who asked
        });
        leader->parked.push_back({from, now_ + timings_.fetch_max_wait, high_watermark_});
        return;
    }
    response->high_watermark = high_watermark_;
    send(from.peer, from.number, std::move(*response));
}

// Nothing when there is nothing to say and the fetch may wait.
std::optional<QuorumFetchResponse> Quorum::answer_fetch(const QuorumFetchRequest& request,
                                                        Offset known_high_watermark,
                                                        bool may_wait) {
    QuorumFetchResponse response;
    response.epoch = state_.epoch;
    response.leader = self_.id;
    response.high_watermark = high_watermark_;
    const auto& start = log_.before();
    const bool is_gone = request.from.offset < start.offset ||
                         (request.from.offset == start.offset && request.from.epoch != start.epoch);
    if (is_gone && start.offset > Offset{0}) {
        response.snapshot = start;
        return response;
    }
    const auto common = log_.end_of(request.from.epoch);
    if (request.from.offset > start.offset &&
        (common.epoch != request.from.epoch || common.offset < request.from.offset)) {
        response.diverging = common;
        return response;
    }
    if (request.from.offset < log_.end()) {
        response.records_from = request.from.offset;
        return response;
    }
    if (may_wait && high_watermark_ <= known_high_watermark) return std::nullopt;
    return response;
}

void Quorum::release_parked(Leader& leader) {
    auto parked = std::exchange(leader.parked, {});
    for (auto& fetch : parked) {
        const auto& request = std::get<QuorumFetchRequest>(fetch.request.message);
        auto response = answer_fetch(request, fetch.known_high_watermark, true);
        if (response) {
            send(fetch.request.peer, fetch.request.number, std::move(*response));
        } else {
            leader.parked.push_back(std::move(fetch));
        }
    }
}

std::vector<ReplicaKey> Quorum::successors(const Leader& leader) const {
    std::vector<std::pair<Offset, BrokerId>> ranked;
    for (const auto& [id, progress] : leader.followers)
        ranked.emplace_back(progress.end.value_or(no_offset), id);
    std::stable_sort(ranked.begin(), ranked.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    std::vector<ReplicaKey> keys;
    for (const auto& [end, id] : ranked)
        keys.push_back(voters_.at(id).key);
    return keys;
}

}  // namespace kq
