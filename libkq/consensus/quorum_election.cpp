// SPDX-License-Identifier: Apache-2.0
//
// Quorum, elections: roles change, votes are asked for, given and counted.
#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "consensus/quorum.hpp"

namespace kq {

void Quorum::become_unattached(Epoch epoch) {
    KQ_CHECK(epoch > state_.epoch);
    state_ = ElectionState{epoch, no_broker, std::nullopt};
    persist();
    role_ = Unattached{election_deadline()};
}

// Asks first whether a majority would vote for us, without raising the epoch: a node that was cut
// off for a while does not depose a leader whom the others still hear (KIP-996).
void Quorum::become_prospective() {
    Prospective prospective;
    prospective.deadline = election_deadline();
    prospective.granted.insert(self_.id);
    role_ = std::move(prospective);
    ask_for_votes(std::get<Prospective>(role_), true);
    count_votes();
}

void Quorum::become_candidate() {
    KQ_CHECK(is_voter());
    state_ = ElectionState{state_.epoch + 1, no_broker, self_};
    Candidate candidate;
    candidate.deadline = election_deadline();
    candidate.granted.insert(self_.id);
    role_ = std::move(candidate);
    // Nobody else is asked, so vote and victory are one write; nothing is led before it is done.
    if (is_only_voter()) return become_leader();
    persist();
    ask_for_votes(std::get<Candidate>(role_), false);
}

void Quorum::become_leader() {
    Leader leader;
    leader.granting = std::get<Candidate>(role_).granted;
    for (const auto& [id, voter] : voters_) {
        if (id != self_.id) leader.followers.emplace(id, Progress{});
    }
    leader.since = now_;
    leader.begin_again = now_ + timings_.fetch_timeout / 2;
    lost_elections_ = 0;
    // Two voters remember whom they voted for; a lone one has nobody to contradict.
    if (voters_.size() == 1) state_.voted.reset();
    state_.leader = self_.id;
    persist();
    role_ = std::move(leader);
    announce(std::get<Leader>(role_));
}

void Quorum::become_follower(Epoch epoch, BrokerId leader) {
    KQ_CHECK(epoch >= state_.epoch);
    KQ_CHECK(leader != self_.id);
    if (epoch > state_.epoch) {
        state_ = ElectionState{epoch, leader, std::nullopt};
        persist();
    } else if (state_.leader != leader) {
        KQ_CHECK(state_.leader == no_broker);  // one leader an epoch (I6)
        state_.leader = leader;
        persist();
    }
    lost_elections_ = 0;
    Follower follower;
    follower.leader = leader;
    follower.deadline = now_ + timings_.fetch_timeout;
    // Records of an earlier leader may still be on their way to the disk.
    follower.waits_for_disk = durable_end_ < log_.end();
    role_ = std::move(follower);
    if (!std::get<Follower>(role_).waits_for_disk) fetch(std::get<Follower>(role_));
}

void Quorum::become_resigned(bool for_good) {
    role_ = Resigned{election_deadline(), for_good};
}

// What every message says of the epoch: a higher one is joined, and its leader followed. True if
// the message speaks of the epoch that is ours (by now).
bool Quorum::follow_epoch(Epoch epoch, BrokerId leader) {
    if (epoch < state_.epoch) return false;
    if (const auto* resigned = std::get_if<Resigned>(&role_); resigned && resigned->for_good) {
        return false;
    }
    if (epoch > state_.epoch) {
        if (leader != no_broker && leader != self_.id) {
            become_follower(epoch, leader);
        } else {
            become_unattached(epoch);
        }
        return true;
    }
    const bool known = is_leader() || std::holds_alternative<Follower>(role_);
    // A leader we gave up on is followed again when a ballot against it is lost.
    if (!known && leader != no_broker && leader != self_.id && state_.leader == no_broker) {
        become_follower(epoch, leader);
    }
    return true;
}

Errc Quorum::check_epoch(Epoch epoch) const {
    if (epoch < state_.epoch) return Errc::fenced_leader_epoch;
    if (epoch > state_.epoch) return Errc::unknown_leader_epoch;
    return Errc::none;
}

bool Quorum::may_grant(const QuorumVoteRequest& request) const {
    const auto* resigned = std::get_if<Resigned>(&role_);
    if (resigned != nullptr && resigned->for_good) return false;
    if (request.log_end < log_.last()) return false;
    if (request.pre_vote) {
        // Whoever hears a leader wants no election; a leader wants none either.
        if (is_leader()) return false;
        const auto* follower = std::get_if<Follower>(&role_);
        return follower == nullptr || !follower->heard_of;
    }
    if (state_.leader != no_broker) return false;
    return !state_.voted || *state_.voted == request.candidate;
}

void Quorum::receive(const QuorumEnvelope& from, const QuorumVoteRequest& request) {
    QuorumVoteResponse response;
    if (!request.voter.matches(self_)) {
        // Meant for the directory that this node had before: that one's vote is lost.
        response.error = Errc::invalid_voter_key;
    } else if (request.epoch < state_.epoch) {
        response.error = Errc::fenced_leader_epoch;
    } else {
        follow_epoch(request.epoch, no_broker);
        response.granted = may_grant(request);
        if (response.granted && !request.pre_vote) {
            if (!state_.voted) {
                state_.voted = request.candidate;
                persist();
            }
            role_ = Unattached{election_deadline()};
        }
    }
    response.epoch = state_.epoch;
    response.leader = leader();
    send(from.peer, from.number, response);
}

void Quorum::receive(const QuorumEnvelope& from, const QuorumVoteResponse& response) {
    if (response.epoch > state_.epoch || response.leader != no_broker) {
        follow_epoch(response.epoch, response.leader);
    }
    Ballot* ballot = std::get_if<Prospective>(&role_);
    if (ballot == nullptr) ballot = std::get_if<Candidate>(&role_);
    if (ballot == nullptr) return;
    auto asked = ballot->asked.find(from.peer);
    // An answer to an older ballot says nothing about this one.
    if (asked == ballot->asked.end() || asked->second != from.number) return;
    if (response.error == Errc::none && response.epoch != state_.epoch) return;
    ballot->asked.erase(asked);
    (response.granted ? ballot->granted : ballot->rejected).insert(from.peer);
    count_votes();
}

void Quorum::ask_for_votes(Ballot& ballot, bool pre_vote) {
    ballot.ask_again = now_ + timings_.request_timeout;
    for (const auto& [id, voter] : voters_) {
        if (id == self_.id || ballot.granted.contains(id) || ballot.rejected.contains(id)) continue;
        ballot.asked[id] =
            request(id, QuorumVoteRequest{state_.epoch, self_, voter.key, log_.last(), pre_vote});
    }
}

void Quorum::count_votes() {
    if (auto* prospective = std::get_if<Prospective>(&role_)) {
        if (prospective->granted.size() >= majority()) {
            become_candidate();
        } else if (prospective->rejected.size() > voters_.size() - majority()) {
            lose_ballot(*prospective);
        }
        return;
    }
    auto* candidate = std::get_if<Candidate>(&role_);
    if (candidate == nullptr) return;
    // Our own vote counts from when it is on disk. Votes of others were asked for after that.
    const bool own_vote_counts = unconfirmed_persists_ == 0 && !out_.persist;
    if (own_vote_counts && candidate->granted.size() >= majority()) {
        become_leader();
    } else if (candidate->rejected.size() > voters_.size() - majority()) {
        lose_ballot(*candidate);
    }
}

// Waits a random time that doubles with every loss, so that candidates do not split votes for ever.
void Quorum::lose_ballot(Ballot& ballot) {
    const auto shift = std::min<std::uint32_t>(lost_elections_++, 10);
    const auto most =
        std::min<std::chrono::nanoseconds>(50ms * (1 << shift), timings_.election_backoff_max);
    const auto until = now_ + random_between(most / 2, most);
    if (std::holds_alternative<Candidate>(role_)) {
        ballot.backoff_until = until;
    } else if (state_.leader != no_broker && state_.leader != self_.id) {
        become_follower(state_.epoch, state_.leader);  // the others still hear it
    } else {
        role_ = Unattached{std::max(until, now_ + timings_.election_timeout)};
    }
}

void Quorum::receive(const QuorumEnvelope& from, const QuorumBeginEpochRequest& request) {
    QuorumBeginEpochResponse response;
    if (!request.voter.matches(self_)) {
        response.error = Errc::invalid_voter_key;
    } else if (request.epoch < state_.epoch) {
        response.error = Errc::fenced_leader_epoch;
    } else if (request.leader == self_.id || request.leader == no_broker ||
               (request.epoch == state_.epoch && state_.leader != no_broker &&
                state_.leader != request.leader)) {
        response.error = Errc::invalid_request;  // an epoch has one leader (I6)
    } else if (follow_epoch(request.epoch, request.leader) &&
               !std::holds_alternative<Follower>(role_)) {
        become_follower(request.epoch, request.leader);
    }
    response.epoch = state_.epoch;
    response.leader = leader();
    send(from.peer, from.number, response);
}

void Quorum::receive(const QuorumEnvelope&, const QuorumBeginEpochResponse& response) {
    if (response.epoch > state_.epoch) follow_epoch(response.epoch, response.leader);
}

// The leader goes. Those with the best logs try to succeed it at once, one after the other.
void Quorum::receive(const QuorumEnvelope& from, const QuorumEndEpochRequest& request) {
    QuorumEndEpochResponse response;
    if (request.epoch < state_.epoch) {
        response.error = Errc::fenced_leader_epoch;
    } else if (follow_epoch(request.epoch, request.leader)) {
        const auto* follower = std::get_if<Follower>(&role_);
        if (follower != nullptr && follower->leader == request.leader && is_voter()) {
            auto place = std::find_if(request.successors.begin(), request.successors.end(),
                                      [&](const ReplicaKey& key) { return key.matches(self_); });
            const auto rank = place - request.successors.begin();
            role_ = Unattached{
                now_ + std::min<std::chrono::nanoseconds>(rank * timings_.election_timeout / 2,
                                                          timings_.election_backoff_max)};
            if (rank == 0 && place != request.successors.end()) become_prospective();
        }
    }
    response.epoch = state_.epoch;
    response.leader = leader();
    send(from.peer, from.number, response);
}

void Quorum::receive(const QuorumEnvelope&, const QuorumEndEpochResponse& response) {
    if (response.epoch > state_.epoch) follow_epoch(response.epoch, response.leader);
}

}  // namespace kq
