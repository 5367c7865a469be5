// SPDX-License-Identifier: Apache-2.0
#include "consensus/quorum.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"

namespace kq {

Quorum::Quorum(Random& random, ReplicaKey self, VoterSet voters, QuorumTimings timings,
               ElectionState state, LogOutline log)
    : random_(random),
      self_(self),
      voters_(std::move(voters)),
      timings_(timings),
      state_(std::move(state)),
      log_(std::move(log)),
      durable_end_(log_.end()),
      high_watermark_(log_.start()) {
    // The log was synced when it was opened: what is in it counts. Its epoch may be ahead of the
    // election state only if that file was lost.
    state_.epoch = std::max(state_.epoch, log_.last().epoch);
}

QuorumOutputs Quorum::step(MonoTime now, QuorumInput input) {
    now_ = now;
    out_ = QuorumOutputs{};
    const Offset committed_before = high_watermark_;
    const auto role_before = role_.index();
    const Epoch epoch_before = state_.epoch;
    const BrokerId leader_before = leader();

    if (!started_) {
        started_ = true;
        if (is_voter() && state_.leader != no_broker && state_.leader != self_.id) {
            become_follower(state_.epoch, state_.leader);
        } else if (is_only_voter()) {
            become_candidate();
        } else if (state_.leader == self_.id) {
            become_resigned(false);  // we led this epoch once and may not append to it again
        } else {
            role_ = Unattached{election_deadline()};
        }
    }
    std::visit([this](auto& what) { handle(what); }, input);

    KQ_CHECK(high_watermark_ >= committed_before);
    if (high_watermark_ > committed_before) out_.committed = high_watermark_;
    out_.role_changed =
        role_.index() != role_before || state_.epoch != epoch_before || leader() != leader_before;
    if (unconfirmed_persists_ == 0 && !out_.persist) {
        out_.messages.insert(out_.messages.begin(), std::make_move_iterator(held_.begin()),
                             std::make_move_iterator(held_.end()));
        held_.clear();
    } else {
        std::move(out_.messages.begin(), out_.messages.end(), std::back_inserter(held_));
        out_.messages.clear();
    }
    if (out_.persist) ++unconfirmed_persists_;
    out_.deadline = next_deadline();
    return std::exchange(out_, {});
}

BrokerId Quorum::leader() const {
    if (is_leader()) return self_.id;
    if (const auto* follower = std::get_if<Follower>(&role_)) return follower->leader;
    return state_.leader == self_.id ? no_broker : state_.leader;
}

std::optional<Offset> Quorum::epoch_start() const {
    const auto* leader = std::get_if<Leader>(&role_);
    return leader == nullptr ? std::nullopt : leader->start;
}

bool Quorum::is_voter() const {
    auto found = voters_.find(self_.id);
    return found != voters_.end() && found->second.key.matches(self_);
}

bool Quorum::is_only_voter() const {
    return voters_.size() == 1 && is_voter();
}

bool Quorum::has_fetchers(MonoTime now) const {
    const auto* leader = std::get_if<Leader>(&role_);
    if (leader == nullptr) return false;
    auto is_recent = [&](const auto& entry) {
        return entry.second.last_fetch && now - *entry.second.last_fetch < timings_.fetch_timeout;
    };
    return std::any_of(leader->followers.begin(), leader->followers.end(), is_recent) ||
           std::any_of(leader->observers.begin(), leader->observers.end(), is_recent);
}

void Quorum::handle(const QuorumTick&) {
    if (auto* unattached = std::get_if<Unattached>(&role_)) {
        if (now_ < unattached->deadline) return;
        if (is_voter()) {
            become_prospective();
        } else {
            look_for_leader(*unattached);
        }
    } else if (auto* prospective = std::get_if<Prospective>(&role_)) {
        if (now_ >= prospective->deadline) {
            lose_ballot(*prospective);
        } else if (now_ >= prospective->ask_again) {
            ask_for_votes(*prospective, true);
        }
    } else if (auto* candidate = std::get_if<Candidate>(&role_)) {
        if (now_ >= candidate->deadline ||
            (candidate->backoff_until && now_ >= *candidate->backoff_until)) {
            become_prospective();
        } else if (now_ >= candidate->ask_again) {
            ask_for_votes(*candidate, false);
        }
    } else if (auto* leader = std::get_if<Leader>(&role_)) {
        tick_leader(*leader);
    } else if (auto* follower = std::get_if<Follower>(&role_)) {
        if (now_ >= follower->deadline) {
            lose_leader();
        } else if (now_ >= follower->fetch_again) {
            fetch(*follower);
        }
    } else if (auto* resigned = std::get_if<Resigned>(&role_)) {
        if (!resigned->for_good && now_ >= resigned->deadline) become_prospective();
    }
}

void Quorum::handle(QuorumReceived& received) {
    auto& envelope = received.envelope;
    std::visit([&](auto& message) { receive(envelope, message); }, envelope.message);
}

void Quorum::handle(const ElectionPersisted&) {
    KQ_CHECK(unconfirmed_persists_ > 0);
    if (--unconfirmed_persists_ > 0) return;
    // Our own vote is on disk now, and so is the epoch that we lead.
    count_votes();
    auto* leader = std::get_if<Leader>(&role_);
    if (leader == nullptr || leader->has_begun || out_.persist) return;
    leader->has_begun = true;
    LeaderChange change{state_.epoch, self_.id, {}, {}};
    for (const auto& [id, voter] : voters_)
        change.voters.push_back(id);
    change.granting.assign(leader->granting.begin(), leader->granting.end());
    out_.leader_change = std::move(change);
}

void Quorum::handle(const LogAppended& appended) {
    auto* leader = std::get_if<Leader>(&role_);
    if (leader != nullptr) {
        KQ_CHECK(appended.epoch == state_.epoch);
        KQ_CHECK(leader->has_begun);
        if (!leader->start) leader->start = log_.end();
    }
    log_.append(appended.epoch, appended.end);
    if (leader != nullptr) release_parked(*leader);
}

void Quorum::handle(const LogSynced& synced) {
    durable_end_ = std::max(durable_end_, std::min(synced.end, log_.end()));
    if (auto* leader = std::get_if<Leader>(&role_)) {
        advance_high_watermark(*leader);
        return;
    }
    raise_high_watermark(last_known_leader_watermark_);
    auto* follower = std::get_if<Follower>(&role_);
    if (follower == nullptr || !follower->waits_for_disk || durable_end_ < log_.end()) return;
    follower->waits_for_disk = false;
    fetch(*follower);
}

void Quorum::handle(const SnapshotInstalled& installed) {
    log_.restart_at(installed.position);
    durable_end_ = installed.position.offset;
    high_watermark_ = std::max(high_watermark_, installed.position.offset);
    auto* follower = std::get_if<Follower>(&role_);
    if (follower == nullptr) return;
    follower->fetches_snapshot = false;
    fetch(*follower);
}

void Quorum::handle(const LogStartRaised& moved) {
    KQ_CHECK(moved.snapshot.offset <= high_watermark_);
    log_.start_at(moved.snapshot);
}

void Quorum::handle(const VotersChanged& changed) {
    voters_ = changed.voters;
    auto* leader = std::get_if<Leader>(&role_);
    if (leader == nullptr) return;
    std::map<BrokerId, Progress> followers;
    for (const auto& [id, voter] : voters_) {
        if (id != self_.id) followers.emplace(id, leader->followers[id]);
    }
    leader->followers = std::move(followers);
    advance_high_watermark(*leader);
}

void Quorum::handle(const QuorumShutdown&) {
    if (auto* leader = std::get_if<Leader>(&role_)) {
        QuorumEndEpochRequest end{state_.epoch, self_.id, successors(*leader)};
        for (const auto& [id, progress] : leader->followers)
            request(id, end);
    }
    become_resigned(true);
}

void Quorum::persist() {
    // Several changes in one step are one write: only the last of them can be acted upon.
    out_.persist = state_;
}

void Quorum::send(BrokerId peer, std::uint64_t number, QuorumMessage message) {
    out_.messages.push_back({peer, number, std::move(message)});
}

std::uint64_t Quorum::request(BrokerId peer, QuorumMessage message) {
    const std::uint64_t number = next_number_++;
    send(peer, number, std::move(message));
    return number;
}

std::chrono::nanoseconds Quorum::random_between(std::chrono::nanoseconds least,
                                                std::chrono::nanoseconds most) {
    KQ_CHECK(least <= most);
    const auto span = static_cast<std::uint64_t>((most - least).count()) + 1;
    return least + std::chrono::nanoseconds(static_cast<std::int64_t>(random_.below(span)));
}

MonoTime Quorum::election_deadline() {
    return now_ + random_between(timings_.election_timeout, 2 * timings_.election_timeout);
}

std::optional<MonoTime> Quorum::next_deadline() const {
    if (const auto* unattached = std::get_if<Unattached>(&role_)) return unattached->deadline;
    if (const auto* prospective = std::get_if<Prospective>(&role_)) {
        return std::min(prospective->deadline, prospective->ask_again);
    }
    if (const auto* candidate = std::get_if<Candidate>(&role_)) {
        const auto soonest = std::min(candidate->deadline, candidate->ask_again);
        return candidate->backoff_until ? std::min(soonest, *candidate->backoff_until) : soonest;
    }
    if (const auto* leader = std::get_if<Leader>(&role_)) {
        std::optional<MonoTime> soonest;
        if (!leader->followers.empty()) soonest = leader->begin_again;
        for (const auto& parked : leader->parked)
            soonest = std::min(soonest.value_or(parked.deadline), parked.deadline);
        return soonest;
    }
    if (const auto* follower = std::get_if<Follower>(&role_)) {
        const bool fetches = !follower->waits_for_disk && !follower->fetches_snapshot;
        return fetches ? std::min(follower->deadline, follower->fetch_again) : follower->deadline;
    }
    const auto& resigned = std::get<Resigned>(role_);
    return resigned.for_good ? std::nullopt : std::optional(resigned.deadline);
}

}  // namespace kq
