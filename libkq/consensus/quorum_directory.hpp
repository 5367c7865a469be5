// SPDX-License-Identifier: Apache-2.0
//
// QuorumDirectory: the directory of the metadata log, __cluster_metadata-0, as it is found at
// start: election state, snapshots, log, and what its control records say of the voters.
//
// owner    these functions block: they run on the I/O pool, or before the loops do
// errors   corrupt_file, unsupported, io_error, not_found as their messages say. A node whose log
//          lacks something that was committed does not load, and nothing is changed: it would take
//          what is left for the cluster's (I22; consensus/log_survey.hpp)
// source   docs/formats.md, "Metadata log"; KIP-630, KIP-853
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/file_system.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "consensus/control_records.hpp"
#include "consensus/log_outline.hpp"
#include "consensus/quorum_state_file.hpp"
#include "storage/log.hpp"
#include "storage/snapshot_file.hpp"

namespace kq {

inline constexpr std::string_view metadata_log_directory = "__cluster_metadata-0";

// The newest snapshot of a directory, read.
struct LoadedSnapshot {
    SnapshotId id;
    std::unique_ptr<SnapshotReader> content;
    WallTime last_timestamp = no_timestamp;
    VoterHistory voters;
};

struct LoadedQuorum {
    std::optional<QuorumStateFile> state;
    std::optional<LoadedSnapshot> snapshot;
    std::unique_ptr<Log> log;
    VoterHistory voters;  // of snapshot and log, uncommitted ones included
    LogOutline outline;
    Offset committed_end{0};  // at least; as noted
};

// Opens the log, cuts what a crash tore, and syncs what is left. `directory` may be missing.
Result<LoadedQuorum> load_quorum(FileSystem& files, const Clock& clock, const Logger& logger,
                                 const std::string& directory, const LogOptions& options);

// Who votes, as a directory says.
struct QuorumMembers {
    VoterHistory in_log;  // of snapshot and log, uncommitted ones included
    std::optional<QuorumStateFile> state;
};
// The voters that count: those of the log since kraft.version 1; before that the configured ones,
// or what quorum-state remembers of them; `self` where nobody was ever named. `unsupported` where
// `self` is not one of them, or not alone: requests between voters are not built.
Result<VoterHistory> settle_voters(const QuorumMembers& members,
                                   const std::vector<BrokerId>& configured, const ReplicaKey& self);
std::string voter_names(const VoterSet& voters);  // "1, 2, 3"

// Calls back for every data record of a snapshot; control records are checked and skipped.
Status for_each_snapshot_record(const SnapshotReader& snapshot,
                                const std::function<Status(const RecordView&)>& visit);

// Reads snapshot and log files of a directory without changing anything, and calls back for every
// data record; refuses what load_quorum() would refuse. A torn end of the log is not an error. For
// checks before anything is opened.
Result<QuorumMembers> scan_metadata_records(FileSystem& files, const std::string& directory,
                                            const std::function<Status(const RecordView&)>& visit);

// Calls back for every whole batch at the front of `bytes`; returns how many bytes they are.
Result<std::size_t> for_each_batch(
    ByteView bytes, const std::function<Status(const BatchHeader&, ByteView)>& visit);

// A new voter's directory: 00000000000000000000-0000000000.checkpoint with the voter set that the
// quorum starts with, as Kafka's format step writes it. Durable when it returns.
Status write_first_voters(FileSystem& files, const std::string& directory, const VoterSet& voters,
                          WallTime now);

// Writes a snapshot file; durable when it returns. `write_values` calls its argument with the value
// of every record, in order.
struct SnapshotHead {
    Epoch epoch;
    WallTime last_timestamp;
    VoterHistory voters;  // written when kraft.version says so
};
Status write_snapshot(
    FileSystem& files, const std::string& path, const SnapshotHead& head, WallTime now,
    const std::function<Status(const std::function<Status(Bytes)>&)>& write_values);

// What may be kept of older snapshots and the log that follows them. -1: no limit.
struct MetadataRetention {
    std::int64_t bytes = -1;
    Millis age{-1};
};
// Removes old snapshots, the newest never, and returns the oldest that is left: the log may start
// there. `log_bytes` counts towards the limit.
Result<SnapshotId> clean_snapshots(FileSystem& files, const std::string& directory,
                                   const MetadataRetention& retention, std::uint64_t log_bytes,
                                   WallTime now);

}  // namespace kq
