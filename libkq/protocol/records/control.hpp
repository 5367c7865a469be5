// SPDX-License-Identifier: Apache-2.0
//
// Values of control records: what the quorum and the transaction coordinators write into logs.
//
// shape    the key of such a record is int16 version (0), int16 type; the schema version of the
//          value is not on the wire for itself: it is the `version` field in front, except that
//          EndTxnMarker has its int16 before the body
// v1       LeaderChange: directory ids of the voters (KIP-853)
// source   Kafka protocol guide, "Control Batches"; KIP-595, KIP-630, KIP-853
#pragma once

#include "protocol/codec.hpp"

namespace kq::wire {

inline constexpr RecordInfo end_txn_marker_record{
    .type = 0, .name = "EndTxnMarker", .versions = {0, 0}, .flexible_from = never};

// The end of a transaction; whether it is an abort or a commit says the key.
struct EndTxnMarker {
    static constexpr const auto& info = end_txn_marker_record;

    std::int32_t coordinator_epoch = 0;

    template <class Walker>
    void walk(Walker& w) {
        w.field("coordinatorEpoch", coordinator_epoch);
        w.tags();
    }
    bool operator==(const EndTxnMarker&) const = default;
};

inline constexpr RecordInfo leader_change_record{
    .type = 2, .name = "LeaderChangeMessage", .versions = {0, 1}};

// The first record of every epoch of the quorum.
struct LeaderChangeMessage {
    static constexpr const auto& info = leader_change_record;

    struct Voter {
        std::int32_t voter_id = 0;
        Uuid voter_directory_id;

        template <class Walker>
        void walk(Walker& w) {
            w.field("voterId", voter_id);
            w.field("voterDirectoryId", voter_directory_id, since(1));
            w.tags();
        }
        bool operator==(const Voter&) const = default;
    };

    std::int16_t version = 0;
    std::int32_t leader_id = 0;
    std::vector<Voter> voters;
    std::vector<Voter> granting_voters;

    template <class Walker>
    void walk(Walker& w) {
        w.field("version", version);
        w.field("leaderId", leader_id);
        w.field("voters", voters);
        w.field("grantingVoters", granting_voters);
        w.tags();
    }
    bool operator==(const LeaderChangeMessage&) const = default;
};

inline constexpr RecordInfo snapshot_header_record{
    .type = 3, .name = "SnapshotHeaderRecord", .versions = {0, 0}};

// The first record of a snapshot.
struct SnapshotHeaderRecord {
    static constexpr const auto& info = snapshot_header_record;

    std::int16_t version = 0;
    std::int64_t last_contained_log_timestamp = 0;

    template <class Walker>
    void walk(Walker& w) {
        w.field("version", version);
        w.field("lastContainedLogTimestamp", last_contained_log_timestamp);
        w.tags();
    }
    bool operator==(const SnapshotHeaderRecord&) const = default;
};

inline constexpr RecordInfo snapshot_footer_record{
    .type = 4, .name = "SnapshotFooterRecord", .versions = {0, 0}};

// The last record of a snapshot.
struct SnapshotFooterRecord {
    static constexpr const auto& info = snapshot_footer_record;

    std::int16_t version = 0;

    template <class Walker>
    void walk(Walker& w) {
        w.field("version", version);
        w.tags();
    }
    bool operator==(const SnapshotFooterRecord&) const = default;
};

inline constexpr RecordInfo kraft_version_record{
    .type = 5, .name = "KRaftVersionRecord", .versions = {0, 0}};

// The level of kraft.version; from 1 on the voters stand in the log.
struct KRaftVersionRecord {
    static constexpr const auto& info = kraft_version_record;

    std::int16_t version = 0;
    std::int16_t k_raft_version = 0;

    template <class Walker>
    void walk(Walker& w) {
        w.field("version", version);
        w.field("kRaftVersion", k_raft_version);
        w.tags();
    }
    bool operator==(const KRaftVersionRecord&) const = default;
};

inline constexpr RecordInfo voters_record{.type = 6, .name = "VotersRecord", .versions = {0, 0}};

// The voters of the quorum, with their directories and endpoints.
struct VotersRecord {
    static constexpr const auto& info = voters_record;

    struct Endpoint {
        std::string name;
        std::string host;
        std::uint16_t port = 0;

        template <class Walker>
        void walk(Walker& w) {
            w.field("name", name);
            w.field("host", host);
            w.field("port", port);
            w.tags();
        }
        bool operator==(const Endpoint&) const = default;
    };

    struct KRaftVersionFeature {
        std::int16_t min_supported_version = 0;
        std::int16_t max_supported_version = 0;

        template <class Walker>
        void walk(Walker& w) {
            w.field("minSupportedVersion", min_supported_version);
            w.field("maxSupportedVersion", max_supported_version);
            w.tags();
        }
        bool operator==(const KRaftVersionFeature&) const = default;
    };

    struct Voter {
        std::int32_t voter_id = 0;
        Uuid voter_directory_id;
        std::vector<Endpoint> endpoints;
        KRaftVersionFeature k_raft_version_feature;

        template <class Walker>
        void walk(Walker& w) {
            w.field("voterId", voter_id);
            w.field("voterDirectoryId", voter_directory_id);
            w.field("endpoints", endpoints);
            w.field("kRaftVersionFeature", k_raft_version_feature);
            w.tags();
        }
        bool operator==(const Voter&) const = default;
    };

    std::int16_t version = 0;
    std::vector<Voter> voters;

    template <class Walker>
    void walk(Walker& w) {
        w.field("version", version);
        w.field("voters", voters);
        w.tags();
    }
    bool operator==(const VotersRecord&) const = default;
};

}  // namespace kq::wire
