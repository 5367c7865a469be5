// SPDX-License-Identifier: Apache-2.0
//
// Quorum: one member's mind in KRaft, Kafka's Raft: who leads, what is committed. A pure machine:
// it reads no clock, no disk and no network; step() takes what happened and says what to do.
//
//   Unattached  -> Prospective          nobody was heard of for an election timeout
//   Prospective -> Candidate            a majority would vote for us (pre-vote, KIP-996)
//   Prospective -> Unattached           it would not
//   Candidate   -> Leader               a majority voted for us, our own vote being on disk
//   Candidate   -> Prospective          the election timed out or was lost
//   Leader      -> Resigned             a majority has not fetched for the fetch timeout; shutdown
//   Follower    -> Prospective          the leader was not heard of for the fetch timeout
//   Resigned    -> Prospective          after an election timeout, unless shut down
//   any         -> Follower             somebody leads our epoch, or a higher one
//   any         -> Unattached           a higher epoch without a known leader
//
// shape    the epoch and the vote are on disk before anything is said that rests on them (what goes
//          out waits inside); a record counts only once it is durable, its own leader's included;
//          a leader commits by counting from its own LeaderChange on only
// owner    a value with one driver (consensus/quorum_node, or a test)
// source   KIP-595, KIP-853, KIP-996; invariants I6, I22, I23
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <variant>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "consensus/log_outline.hpp"
#include "consensus/quorum_messages.hpp"

namespace kq {

// What quorum-state holds.
struct ElectionState {
    Epoch epoch{0};
    BrokerId leader = no_broker;
    std::optional<ReplicaKey> voted;
    friend bool operator==(const ElectionState&, const ElectionState&) = default;
};

// Kafka's controller.quorum.* timeouts, with its defaults.
struct QuorumTimings {
    std::chrono::nanoseconds election_timeout = 1s;
    std::chrono::nanoseconds fetch_timeout = 2s;
    std::chrono::nanoseconds election_backoff_max = 1s;
    std::chrono::nanoseconds request_timeout = 2s;
    std::chrono::nanoseconds fetch_max_wait = 500ms;
};

enum class QuorumRole { unattached, prospective, candidate, leader, follower, resigned };

// ---- what happened ----
struct QuorumTick {};  // time went on; also the first input
struct QuorumReceived {
    QuorumEnvelope envelope;
};
struct ElectionPersisted {};  // the oldest ElectionState not yet confirmed is on disk
struct LogAppended {          // records of `epoch` now reach to `end`
    Epoch epoch;
    Offset end;
};
struct LogSynced {  // everything below `end` is on disk
    Offset end;
};
struct SnapshotInstalled {  // the log was replaced by a fetched snapshot
    LogPosition position;
};
struct LogStartRaised {  // a snapshot of ours covers everything below
    LogPosition snapshot;
};
struct VotersChanged {  // a voter set was appended to the log, or cut from it
    VoterSet voters;
};
struct QuorumShutdown {};  // hand over and take no part any more
using QuorumInput =
    std::variant<QuorumTick, QuorumReceived, ElectionPersisted, LogAppended, LogSynced,
                 SnapshotInstalled, LogStartRaised, VotersChanged, QuorumShutdown>;

// ---- what to do about it, in this order. The answer to `append` and `leader_change` is the next
// input; a LogSynced tells only of what was appended after the last truncation. ----
struct LeaderChange {
    Epoch epoch;
    BrokerId leader;
    std::vector<BrokerId> voters;    // sorted
    std::vector<BrokerId> granting;  // sorted, ourselves included
};
struct FetchedEntries {
    Epoch epoch;  // of the leader that sent them
    Offset from;
    Bytes records;
};
struct QuorumOutputs {
    std::optional<ElectionState> persist;       // answer with ElectionPersisted, in order
    std::optional<Offset> truncate_to;          // done when step() returns to the driver
    std::optional<FetchedEntries> append;       // answer with LogAppended, then LogSynced
    std::optional<LeaderChange> leader_change;  // append it; answer the same way
    std::optional<LogPosition> fetch_snapshot;  // from leader(); answer with SnapshotInstalled
    std::optional<Offset> committed;            // the high watermark, when it moved
    bool role_changed = false;
    std::optional<Error> failure;  // a rule is broken that no member may break: stop the node
    std::vector<QuorumEnvelope> messages;
    // The next moment at which a QuorumTick is wanted.
    std::optional<MonoTime> deadline;
};

class Quorum {
public:
    Quorum(Random& random, ReplicaKey self, VoterSet voters, QuorumTimings timings,
           ElectionState state, LogOutline log);

    QuorumOutputs step(MonoTime now, QuorumInput input);

    QuorumRole role() const { return static_cast<QuorumRole>(role_.index()); }
    bool is_leader() const { return role() == QuorumRole::leader; }
    Epoch epoch() const { return state_.epoch; }
    // Of this epoch, as far as we know; ourselves only while we lead.
    BrokerId leader() const;
    const VoterSet& voters() const { return voters_; }
    const LogOutline& log() const { return log_; }
    // Everything below is in every later leader's log. Grows only.
    Offset high_watermark() const { return high_watermark_; }
    // Where our own epoch began, while we lead and have begun it.
    std::optional<Offset> epoch_start() const;
    bool is_only_voter() const;
    // Somebody but us fetched the log within the fetch timeout.
    bool has_fetchers(MonoTime now) const;

private:
    struct Unattached {
        MonoTime deadline;
    };
    struct Ballot {
        std::set<BrokerId> granted;
        std::set<BrokerId> rejected;
        std::map<BrokerId, std::uint64_t> asked;  // number of the request under way
        MonoTime ask_again;
        MonoTime deadline;
        std::optional<MonoTime> backoff_until;  // lost: not before then
    };
    struct Prospective : Ballot {};
    struct Candidate : Ballot {};
    struct Progress {
        std::optional<Offset> end;  // what it holds durably, once it fetched in this epoch
        std::optional<MonoTime> last_fetch;
        std::uint64_t begin_number = 0;
    };
    struct ParkedFetch {
        QuorumEnvelope request;
        MonoTime deadline;
        Offset known_high_watermark;
    };
    struct Leader {
        std::set<BrokerId> granting;
        bool has_begun = false;       // the LeaderChange was asked for
        std::optional<Offset> start;  // where our epoch begins in the log
        std::map<BrokerId, Progress> followers;
        std::map<ReplicaKey, Progress> observers;
        std::vector<ParkedFetch> parked;
        MonoTime since;
        MonoTime begin_again;
    };
    struct Follower {
        BrokerId leader;
        MonoTime deadline;            // then the leader counts as lost
        std::uint64_t in_flight = 0;  // number of the fetch under way, 0 none
        MonoTime fetch_again;
        bool waits_for_disk = false;  // for LogAppended and LogSynced of what was fetched
        bool fetches_snapshot = false;
        bool heard_of = false;  // the leader answered at least once
    };
    struct Resigned {
        MonoTime deadline;
        bool for_good = false;
    };

    void handle(const QuorumTick&);
    void handle(QuorumReceived& received);
    void handle(const ElectionPersisted&);
    void handle(const LogAppended& appended);
    void handle(const LogSynced& synced);
    void handle(const SnapshotInstalled& installed);
    void handle(const LogStartRaised& moved);
    void handle(const VotersChanged& changed);
    void handle(const QuorumShutdown&);

    void receive(const QuorumEnvelope& from, const QuorumVoteRequest& request);
    void receive(const QuorumEnvelope& from, const QuorumVoteResponse& response);
    void receive(const QuorumEnvelope& from, const QuorumBeginEpochRequest& request);
    void receive(const QuorumEnvelope& from, const QuorumBeginEpochResponse& response);
    void receive(const QuorumEnvelope& from, const QuorumEndEpochRequest& request);
    void receive(const QuorumEnvelope& from, const QuorumEndEpochResponse& response);
    void receive(const QuorumEnvelope& from, const QuorumFetchRequest& request);
    void receive(const QuorumEnvelope& from, QuorumFetchResponse& response);

    void become_unattached(Epoch epoch);
    void become_prospective();
    void become_candidate();
    void become_leader();
    void become_follower(Epoch epoch, BrokerId leader);
    void become_resigned(bool for_good);

    // Elections (quorum_election.cpp)
    bool follow_epoch(Epoch epoch, BrokerId leader);
    Errc check_epoch(Epoch epoch) const;
    bool may_grant(const QuorumVoteRequest& request) const;
    void ask_for_votes(Ballot& ballot, bool pre_vote);
    void count_votes();
    void lose_ballot(Ballot& ballot);
    bool is_voter() const;
    std::size_t majority() const { return voters_.size() / 2 + 1; }

    // Leading (quorum_leader.cpp)
    void tick_leader(Leader& leader);
    void announce(Leader& leader);
    void advance_high_watermark(Leader& leader);
    bool has_majority(const Leader& leader) const;
    std::optional<QuorumFetchResponse> answer_fetch(const QuorumFetchRequest& request,
                                                    Offset known_high_watermark, bool may_wait);
    void release_parked(Leader& leader);
    std::vector<ReplicaKey> successors(const Leader& leader) const;

    // Following (quorum_follower.cpp)
    void fetch(Follower& follower);
    void raise_high_watermark(Offset to);
    void lose_leader();
    void look_for_leader(Unattached& unattached);

    void persist();
    void send(BrokerId peer, std::uint64_t number, QuorumMessage message);
    std::uint64_t request(BrokerId peer, QuorumMessage message);
    std::chrono::nanoseconds random_between(std::chrono::nanoseconds least,
                                            std::chrono::nanoseconds most);
    MonoTime election_deadline();
    std::optional<MonoTime> next_deadline() const;

    Random& random_;
    const ReplicaKey self_;
    VoterSet voters_;
    const QuorumTimings timings_;
    ElectionState state_;
    LogOutline log_;
    Offset durable_end_;
    Offset high_watermark_{0};
    Offset last_known_leader_watermark_{0};  // a follower's: commits what it has of it

    std::variant<Unattached, Prospective, Candidate, Leader, Follower, Resigned> role_;
    int unconfirmed_persists_ = 0;
    std::vector<QuorumEnvelope> held_;  // until what they rest on is on disk
    std::uint64_t next_number_ = 1;
    std::uint32_t lost_elections_ = 0;  // in a row, for the back-off
    bool started_ = false;

    MonoTime now_;       // of the step under way
    QuorumOutputs out_;  // of the step under way
};

}  // namespace kq
