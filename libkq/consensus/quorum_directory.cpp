// SPDX-License-Identifier: Apache-2.0
#include "consensus/quorum_directory.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "consensus/committed_end.hpp"
#include "consensus/log_survey.hpp"
#include "protocol/compression.hpp"

namespace kq {
namespace {

// A batch of metadata is never larger than Kafka's limit of 8 MiB; unpacked it may be more.
constexpr std::size_t control_batch_bytes_max = std::size_t{64} << 20;
constexpr std::uint32_t read_bytes = 1 << 20;
constexpr std::size_t snapshot_batch_bytes = std::size_t{4} << 20;

// A log is made, durably, before the first vote is; so where there was a vote there is a log.
Status check_log_is_there(FileSystem& files, const std::string& directory,
                          const std::optional<QuorumStateFile>& state) {
    if (!state || state->election.epoch <= Epoch{0}) return done();
    KQ_LET(const auto names, files.list(directory));
    const bool any = std::any_of(names.begin(), names.end(),
                                 [](const auto& name) { return name.ends_with(".log"); });
    if (any) return done();
    return Error(Errc::corrupt_file,
                 "the metadata log in " + directory +
                     " is gone, and quorum-state there is of epoch " +
                     std::to_string(state->election.epoch.value) +
                     ": put its .log files back from a copy, or move the log directories away and "
                     "start anew");
}

Status visit_records(const BatchHeader& header, ByteView batch,
                     const std::function<Status(const RecordView&)>& visit) {
    Decompressor codecs;
    return for_each_record(header, batch, codecs, control_batch_bytes_max, visit);
}

Result<WallTime> header_timestamp(const RecordView& record) {
    if (!record.value || record.value->size() < 10)
        return Error(Errc::corrupt_file, "a snapshot header that is cut");
    return wall_time(load_be<std::int64_t>(record.value->data() + 2));
}

Result<std::optional<LoadedSnapshot>> load_newest_snapshot(FileSystem& files,
                                                           const std::string& directory) {
    KQ_LET(const auto ids, list_snapshots(files, directory));
    if (ids.empty()) return std::optional<LoadedSnapshot>();
    LoadedSnapshot loaded;
    loaded.id = ids.back();
    KQ_LET(auto reader, SnapshotReader::open(files, directory + '/' + loaded.id.file_name()));
    for (const auto batch : reader.batches()) {
        KQ_LET(const auto header, BatchHeader::parse(batch));
        if (!header.is_control()) continue;
        KQ_TRY(visit_records(header, batch, [&](const RecordView& record) -> Status {
            KQ_LET(const auto type, control_type(record));
            if (type == ControlType::snapshot_header) {
                KQ_LET(loaded.last_timestamp, header_timestamp(record));
            }
            return apply_control_record(loaded.voters, record, true);
        }));
    }
    loaded.content = std::make_unique<SnapshotReader>(std::move(reader));
    return std::optional<LoadedSnapshot>(std::move(loaded));
}

// What lies in a directory beside the log.
struct Surroundings {
    std::optional<QuorumStateFile> state;
    std::optional<LoadedSnapshot> snapshot;
    LogEvidence evidence;
};

// Changes nothing. Whoever opens the log does so only after survey_log() has found that what is
// evident here is there.
Result<Surroundings> read_surroundings(FileSystem& files, const Logger& logger,
                                       const std::string& directory) {
    Surroundings found;
    KQ_LET(found.state, read_quorum_state(files, directory + "/quorum-state"));
    KQ_TRY(check_log_is_there(files, directory, found.state));
    KQ_LET(found.evidence.committed_end, read_committed_end(files, logger, directory));
    KQ_LET(found.snapshot, load_newest_snapshot(files, directory));
    if (found.snapshot) found.evidence.snapshot_end = found.snapshot->id.end;
    return found;
}

// Takes up the epochs of the log, and the voters that it names, up to its very end: a voter set
// counts as soon as it is in the log (KIP-853).
Status read_outline(Log& log, LogOutline& outline, VoterHistory& voters) {
    Offset next = outline.end();
    Bytes chunk;
    while (next < log.log_end()) {
        auto read = log.read(next, read_bytes, log.log_end(), true);
        if (!read.ok() && read.code() == Errc::would_block) {
            auto job = log.warm_up(next);
            KQ_TRY(job.run());
            log.finish_warm_up(std::move(job));
            continue;
        }
        if (!read.ok()) return read.error();
        const auto& slice = read.value().slice;
        chunk.resize(slice.length);
        KQ_LET(const auto got, slice.file->pread(slice.position, chunk));
        if (got != chunk.size()) return Error(Errc::corrupt_file, "the metadata log is cut");
        const Offset before = next;
        KQ_LET(const auto used,
               for_each_batch(chunk, [&](const BatchHeader& header, ByteView batch) -> Status {
                   if (header.next_offset() <= next) return done();
                   next = header.next_offset();
                   outline.append(header.leader_epoch, next);
                   if (!header.is_control()) return done();
                   return visit_records(header, batch, [&](const RecordView& record) {
                       return apply_control_record(voters, record, false);
                   });
               }));
        if (used == 0 || next <= before)
            return Error(Errc::corrupt_file, "the metadata log holds no whole batch where one is");
    }
    return done();
}

// What the last process wrote and did not sync is on disk before anything counts on it.
Status sync_all(Log& log) {
    if (!log.needs_sync()) return done();
    auto job = log.begin_sync();
    auto result = job.run();
    log.finish_sync(job, result);
    return result;
}

}  // namespace

std::string voter_names(const VoterSet& voters) {
    std::string text;
    for (const auto& [id, voter] : voters)
        text += (text.empty() ? "" : ", ") + std::to_string(id.value);
    return text;
}

Result<std::size_t> for_each_batch(
    ByteView bytes, const std::function<Status(const BatchHeader&, ByteView)>& visit) {
    std::size_t at = 0;
    while (bytes.size() - at >= batch_header_bytes) {
        KQ_LET(const auto header, BatchHeader::parse(bytes.subspan(at)));
        if (header.size_bytes > bytes.size() - at) break;
        KQ_TRY(visit(header, bytes.subspan(at, header.size_bytes)));
        at += header.size_bytes;
    }
    return at;
}

Result<LoadedQuorum> load_quorum(FileSystem& files, const Clock& clock, const Logger& logger,
                                 const std::string& directory, const LogOptions& options) {
    KQ_TRY(files.mkdir(directory));
    KQ_LET(auto found, read_surroundings(files, logger, directory));
    KQ_TRY(survey_log(files, directory, found.evidence, nullptr));
    LoadedQuorum loaded;
    loaded.state = std::move(found.state);
    loaded.snapshot = std::move(found.snapshot);
    loaded.committed_end = found.evidence.committed_end;
    KQ_TRY(remove_unfinished_snapshots(files, directory));

    OpenHints hints;
    if (loaded.snapshot) {
        hints.log_start = loaded.snapshot->id.end;
        loaded.voters = loaded.snapshot->voters;
    }
    // Everything is scanned: the log is short, and nothing may be believed of a torn one.
    KQ_LET(loaded.log,
           Log::open(files, clock, {directory, metadata_topic_id, logger}, options, hints));
    Log& log = *loaded.log;
    if (log.log_start() > hints.log_start ||
        std::max(log.log_end(), hints.log_start) < found.evidence.committed_end) {
        return Error(Errc::corrupt_file,
                     "the metadata log in " + directory + " changed while it was opened");
    }
    if (log.log_end() < hints.log_start) {
        // A snapshot was fetched, and the log had not followed it yet.
        KQ_TRY(log.truncate_fully_and_start_at(hints.log_start));
    } else if (log.log_start() < hints.log_start) {
        log.advance_log_start(hints.log_start);
    }
    KQ_TRY(sync_all(log));
    LogPosition before;
    if (loaded.snapshot) before = {loaded.snapshot->id.epoch, loaded.snapshot->id.end};
    loaded.outline = LogOutline({}, before, before.offset);
    KQ_TRY(read_outline(log, loaded.outline, loaded.voters));
    return loaded;
}

Status for_each_snapshot_record(const SnapshotReader& snapshot,
                                const std::function<Status(const RecordView&)>& visit) {
    for (const auto batch : snapshot.batches()) {
        KQ_LET(const auto header, BatchHeader::parse(batch));
        if (!header.is_control()) KQ_TRY(visit_records(header, batch, visit));
    }
    return done();
}

Result<QuorumMembers> scan_metadata_records(FileSystem& files, const std::string& directory,
                                            const std::function<Status(const RecordView&)>& visit) {
    QuorumMembers members;
    if (!files.exists(directory)) return members;
    KQ_LET(auto found, read_surroundings(files, Logger(), directory));
    if (found.snapshot) {
        KQ_TRY(for_each_snapshot_record(*found.snapshot->content, visit));
        members.in_log = std::move(found.snapshot->voters);
    }
    members.state = std::move(found.state);
    KQ_TRY(survey_log(
        files, directory, found.evidence, [&](const BatchHeader& header, ByteView batch) {
            return visit_records(header, batch, [&](const RecordView& record) {
                return header.is_control() ? apply_control_record(members.in_log, record, false)
                                           : visit(record);
            });
        }));
    return members;
}

Result<VoterHistory> settle_voters(const QuorumMembers& members,
                                   const std::vector<BrokerId>& configured,
                                   const ReplicaKey& self) {
    VoterHistory settled = members.in_log;
    if (settled.voters.empty()) {
        auto ids = configured;
        if (ids.empty() && members.state) ids = members.state->current_voters;
        if (ids.empty()) ids.push_back(self.id);
        for (auto id : ids)
            settled.voters[id].key.id = id;
    }
    const auto names = voter_names(settled.voters);
    const auto known = settled.voters.find(self.id);
    if (known == settled.voters.end()) {
        return Error(Errc::unsupported, "node " + std::to_string(self.id.value) +
                                            " is not in the metadata quorum of this directory (" +
                                            names + ")");
    }
    if (!known->second.key.matches(self)) {
        return Error(Errc::unsupported, "the metadata quorum knows node " +
                                            std::to_string(self.id.value) + " by directory " +
                                            known->second.key.directory.text() + ", and this is " +
                                            self.directory.text());
    }
    if (settled.voters.size() > 1) {
        return Error(Errc::unsupported, "the metadata quorum of this directory has the voters " +
                                            names + "; only quorums of one are built so far");
    }
    return settled;
}

Status write_first_voters(FileSystem& files, const std::string& directory, const VoterSet& voters,
                          WallTime now) {
    KQ_TRY(files.mkdir(directory));
    return write_snapshot(files, directory + '/' + SnapshotId{Offset{0}, Epoch{0}}.file_name(),
                          {Epoch{0}, now, {kraft_version_max, voters, {}}}, now,
                          [](const auto&) { return done(); });
}

Status write_snapshot(
    FileSystem& files, const std::string& path, const SnapshotHead& start, WallTime now,
    const std::function<Status(const std::function<Status(Bytes)>&)>& write_values) {
    KQ_LET(auto writer, SnapshotWriter::create(files, path));
    Offset next{0};
    ControlBatch head;
    head.add_snapshot_header(start.last_timestamp);
    if (start.voters.kraft_version > 0) {
        head.add_kraft_version(start.voters.kraft_version);
        head.add_voters(start.voters.voters);
    }
    KQ_TRY(writer.append(head.finish(next, start.epoch, now)));
    next = next + head.size();

    std::vector<Bytes> values;
    std::size_t bytes = 0;
    auto flush = [&]() -> Status {
        if (values.empty()) return done();
        KQ_LET(const auto batch, make_data_batch(values, next, start.epoch, now));
        next = next + static_cast<std::int64_t>(values.size());
        values.clear();
        bytes = 0;
        return writer.append(batch);
    };
    auto add = [&](Bytes value) -> Status {
        if (bytes + value.size() > snapshot_batch_bytes) KQ_TRY(flush());
        bytes += value.size();
        values.push_back(std::move(value));
        return done();
    };
    KQ_TRY(write_values(add));
    KQ_TRY(flush());

    ControlBatch foot;
    foot.add_snapshot_footer();
    KQ_TRY(writer.append(foot.finish(next, start.epoch, now)));
    return writer.finish();
}

Result<SnapshotId> clean_snapshots(FileSystem& files, const std::string& directory,
                                   const MetadataRetention& retention, std::uint64_t log_bytes,
                                   WallTime now) {
    KQ_LET(const auto ids, list_snapshots(files, directory));
    KQ_CHECK(!ids.empty());
    std::vector<FileInfo> infos;
    std::uint64_t total = log_bytes;
    for (const auto& id : ids) {
        KQ_LET(infos.emplace_back(), files.info(directory + '/' + id.file_name()));
        total += infos.back().size;
    }
    std::size_t first = 0;
    for (; first + 1 < ids.size(); ++first) {
        const bool too_much =
            retention.bytes >= 0 && total > static_cast<std::uint64_t>(retention.bytes);
        const bool too_old =
            retention.age >= Millis{0} && now - infos[first].modified > retention.age;
        // The one of the format step stands for nothing once there is another.
        if (!too_much && !too_old && ids[first].end > Offset{0}) break;
        KQ_TRY(files.unlink(directory + '/' + ids[first].file_name()));
        total -= infos[first].size;
    }
    KQ_TRY(files.sync_dir(directory));
    return ids[first];
}

}  // namespace kq
