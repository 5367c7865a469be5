// SPDX-License-Identifier: Apache-2.0
//
// What the members of a quorum say to one another: Kafka's quorum requests without their wire
// form, and the keys and positions they speak of.
//
// shape    a response bears the number of its request; a number is never used twice by one sender
// source   KIP-595 (quorum), KIP-853 (directory ids), KIP-996 (pre-vote); Kafka protocol guide,
//          Vote, BeginQuorumEpoch, EndQuorumEpoch, Fetch
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"

namespace kq {

// A node together with the directory that holds its log: a node that lost its disk is another
// voter. A zero directory is one that is not known (kraft.version 0).
struct ReplicaKey {
    BrokerId id;
    Uuid directory;
    friend auto operator<=>(const ReplicaKey&, const ReplicaKey&) = default;
    // The same node, and not known to be another directory.
    bool matches(const ReplicaKey& other) const {
        return id == other.id &&
               (directory.is_zero() || other.directory.is_zero() || directory == other.directory);
    }
};

struct VoterEndpoint {
    std::string listener;
    std::string host;
    std::uint16_t port = 0;
    friend bool operator==(const VoterEndpoint&, const VoterEndpoint&) = default;
};

struct Voter {
    ReplicaKey key;
    std::vector<VoterEndpoint> endpoints;
    std::int16_t kraft_version_min = 0;
    std::int16_t kraft_version_max = 0;
    friend bool operator==(const Voter&, const Voter&) = default;
};
using VoterSet = std::map<BrokerId, Voter>;

// Where a log ends: one past its last record, and that record's epoch. Ordered as elections order
// logs: the epoch counts first.
struct LogPosition {
    Epoch epoch{0};
    Offset offset{0};
    friend auto operator<=>(const LogPosition&, const LogPosition&) = default;
};

struct QuorumVoteRequest {
    Epoch epoch;  // the candidate's; of a pre-vote: the one it has, not the one it would have
    ReplicaKey candidate;
    ReplicaKey voter;
    LogPosition log_end;
    bool pre_vote = false;
};
struct QuorumVoteResponse {
    Errc error = Errc::none;
    Epoch epoch;
    BrokerId leader = no_broker;
    bool granted = false;
};

struct QuorumBeginEpochRequest {
    Epoch epoch;
    BrokerId leader;
    ReplicaKey voter;
};
struct QuorumBeginEpochResponse {
    Errc error = Errc::none;
    Epoch epoch;
    BrokerId leader = no_broker;
};

struct QuorumEndEpochRequest {
    Epoch epoch;
    BrokerId leader;
    std::vector<ReplicaKey> successors;  // best log first
};
struct QuorumEndEpochResponse {
    Errc error = Errc::none;
    Epoch epoch;
    BrokerId leader = no_broker;
};

struct QuorumFetchRequest {
    Epoch epoch;
    ReplicaKey replica;
    LogPosition from;  // the fetcher holds everything below, durably; `from.epoch` is its last
};
struct QuorumFetchResponse {
    Errc error = Errc::none;
    Epoch epoch;
    BrokerId leader = no_broker;
    Offset high_watermark{0};
    std::optional<LogPosition> diverging;  // the fetcher's log is not a prefix: its last common end
    std::optional<LogPosition> snapshot;   // what was asked for is gone: start from here
    // Whole batches from `records_from` on. The quorum says where, its driver reads them.
    std::optional<Offset> records_from;
    Bytes records;
};

using QuorumMessage = std::variant<QuorumVoteRequest, QuorumVoteResponse, QuorumBeginEpochRequest,
                                   QuorumBeginEpochResponse, QuorumEndEpochRequest,
                                   QuorumEndEpochResponse, QuorumFetchRequest, QuorumFetchResponse>;

struct QuorumEnvelope {
    BrokerId peer;             // the receiver of what goes out, the sender of what comes in
    std::uint64_t number = 0;  // of the request, chosen by who asks
    QuorumMessage message;
};

}  // namespace kq
