// SPDX-License-Identifier: Apache-2.0
#include "consensus/control_records.hpp"

#include "protocol/batch_builder.hpp"
#include "protocol/records/control.hpp"

namespace kq {
namespace {

template <class M>
Bytes value_of(const M& message) {
    Bytes value;
    wire::encode(message, message.version, value);
    return value;
}

// The version stands in the first field of the value, and again says how to read it.
template <class M>
Result<M> read_value(const RecordView& record) {
    if (!record.value || record.value->size() < 2)
        return Error(Errc::corrupt_file, "a control record without a value");
    const auto version = load_be<std::int16_t>(record.value->data());
    auto message = wire::decode<M>(*record.value, version);
    if (!message.ok()) {
        return Error(Errc::corrupt_file, std::string(M::info.name) + " version " +
                                             std::to_string(version) + ": " +
                                             message.error().message);
    }
    return message;
}

VoterSet voters_of(const wire::VotersRecord& record) {
    VoterSet voters;
    for (const auto& v : record.voters) {
        Voter voter;
        voter.key = {BrokerId{v.voter_id}, v.voter_directory_id};
        for (const auto& e : v.endpoints)
            voter.endpoints.push_back({e.name, e.host, e.port});
        voter.kraft_version_min = v.k_raft_version_feature.min_supported_version;
        voter.kraft_version_max = v.k_raft_version_feature.max_supported_version;
        voters[voter.key.id] = std::move(voter);
    }
    return voters;
}

}  // namespace

Status apply_control_record(VoterHistory& history, const RecordView& record, bool in_snapshot) {
    KQ_LET(const auto type, control_type(record));
    if (type == ControlType::kraft_version) {
        KQ_LET(const auto version, read_value<wire::KRaftVersionRecord>(record));
        if (version.k_raft_version < 0 || version.k_raft_version > kraft_version_max) {
            return Error(Errc::unsupported, "kraft.version " +
                                                std::to_string(version.k_raft_version) +
                                                " is newer than this build");
        }
        history.kraft_version = version.k_raft_version;
    } else if (type == ControlType::kraft_voters) {
        KQ_LET(const auto voters, read_value<wire::VotersRecord>(record));
        history.voters = voters_of(voters);
        history.written = in_snapshot ? std::nullopt : std::optional(record.offset);
    }
    return done();
}

void ControlBatch::add_leader_change(const LeaderChange& change) {
    // Version 0 under every kraft.version, as Kafka writes it.
    wire::LeaderChangeMessage message;
    message.leader_id = change.leader.value;
    for (auto id : change.voters)
        message.voters.push_back({id.value, {}});
    for (auto id : change.granting)
        message.granting_voters.push_back({id.value, {}});
    records_.emplace_back(ControlType::leader_change, value_of(message));
}

void ControlBatch::add_snapshot_header(WallTime last_timestamp) {
    wire::SnapshotHeaderRecord message;
    message.last_contained_log_timestamp = to_ms(last_timestamp);
    records_.emplace_back(ControlType::snapshot_header, value_of(message));
}

void ControlBatch::add_snapshot_footer() {
    records_.emplace_back(ControlType::snapshot_footer, value_of(wire::SnapshotFooterRecord{}));
}

void ControlBatch::add_kraft_version(std::int16_t version) {
    wire::KRaftVersionRecord message;
    message.k_raft_version = version;
    records_.emplace_back(ControlType::kraft_version, value_of(message));
}

void ControlBatch::add_voters(const VoterSet& voters) {
    wire::VotersRecord message;
    for (const auto& [id, voter] : voters) {
        wire::VotersRecord::Voter v;
        v.voter_id = id.value;
        v.voter_directory_id = voter.key.directory;
        for (const auto& e : voter.endpoints)
            v.endpoints.push_back({e.listener, e.host, e.port});
        v.k_raft_version_feature = {voter.kraft_version_min, voter.kraft_version_max};
        message.voters.push_back(std::move(v));
    }
    records_.emplace_back(ControlType::kraft_voters, value_of(message));
}

Bytes ControlBatch::finish(Offset base, Epoch epoch, WallTime now) const {
    BatchOptions options;
    options.base_offset = base;
    options.leader_epoch = epoch;
    options.control = true;
    BatchBuilder builder(options);
    for (const auto& [type, value] : records_) {
        Bytes key;
        append_be(key, std::int16_t{0});
        append_be(key, static_cast<std::int16_t>(type));
        builder.append(now, ByteView(key), ByteView(value));
    }
    return builder.finish().value();  // nothing is compressed: nothing can fail
}

Result<Bytes> make_data_batch(std::span<const Bytes> values, Offset base, Epoch epoch,
                              WallTime now) {
    BatchOptions options;
    options.base_offset = base;
    options.leader_epoch = epoch;
    BatchBuilder builder(options);
    for (const auto& value : values)
        builder.append(now, std::nullopt, ByteView(value));
    return builder.finish();
}

}  // namespace kq
