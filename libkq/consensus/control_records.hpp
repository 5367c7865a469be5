// SPDX-License-Identifier: Apache-2.0
//
// Control records of the metadata log and its snapshots: who leads, who votes, where a snapshot
// begins and ends; and batches of them.
//
// shape    key: int16 version (0), int16 type; value: starts with its own version
// errors   corrupt_file  a control record that cannot be read; unsupported  kraft.version above 1
// source   KIP-595, KIP-630, KIP-853; docs/formats.md, "Metadata log"
#pragma once

#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "consensus/quorum.hpp"
#include "consensus/quorum_messages.hpp"
#include "protocol/record_batch.hpp"

namespace kq {

// Versions of the quorum's own format: 0 has static voters, 1 keeps them in the log.
inline constexpr std::int16_t kraft_version_max = 1;

// What control records have said so far.
struct VoterHistory {
    std::int16_t kraft_version = 0;
    VoterSet voters;                // empty: never said
    std::optional<Offset> written;  // where the log itself names the voters; not so in snapshots
    friend bool operator==(const VoterHistory&, const VoterHistory&) = default;
};

// Takes up one control record; types that do not concern voters change nothing.
Status apply_control_record(VoterHistory& history, const RecordView& record, bool in_snapshot);

// One control batch of several records.
class ControlBatch {
public:
    void add_leader_change(const LeaderChange& change);
    void add_snapshot_header(WallTime last_timestamp);
    void add_snapshot_footer();
    void add_kraft_version(std::int16_t version);
    void add_voters(const VoterSet& voters);

    std::int32_t size() const { return static_cast<std::int32_t>(records_.size()); }
    Bytes finish(Offset base, Epoch epoch, WallTime now) const;

private:
    std::vector<std::pair<ControlType, Bytes>> records_;
};

// The size and number of records of a batch of null-key records, and the batch itself.
Result<Bytes> make_data_batch(std::span<const Bytes> values, Offset base, Epoch epoch,
                              WallTime now);

}  // namespace kq
