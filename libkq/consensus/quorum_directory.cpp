// SPDX-License-Identifier: Apache-2.0
#include "consensus/quorum_directory.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "protocol/compression.hpp"
#include "storage/kq_file.hpp"

namespace kq {
namespace {

// A batch of metadata is never larger than Kafka's limit of 8 MiB; unpacked it may be more.
constexpr std::size_t control_batch_bytes_max = std::size_t{64} << 20;
constexpr std::uint32_t read_bytes = 1 << 20;
constexpr std::size_t snapshot_batch_bytes = std::size_t{4} << 20;

constexpr KqFileKind committed_end_kind{"mend", 1};
constexpr std::size_t committed_end_file_max = 4096;

std::string committed_end_path(const std::string& directory) {
    return directory + "/kq.committed-end";
}

// 0 where nothing is known: the node never stopped cleanly, or the note is damaged.
Result<Offset> read_committed_end(FileSystem& files, const Logger& logger,
                                  const std::string& directory) {
    const auto path = committed_end_path(directory);
    const auto content = read_file(files, path, committed_end_file_max);
    if (content.code() == Errc::not_found) return Offset{0};
    if (!content.ok()) return content.error();
    const auto opened = unwrap_kq_file(committed_end_kind, content.value());
    if (opened.code() == Errc::unsupported)
        return Error(Errc::unsupported, path + ": " + opened.error().message);
    if (!opened.ok() || opened.value().content.size() != sizeof(std::int64_t)) {
        logger.warn("the note of the committed end is ignored", {kv("path", path)});
        return Offset{0};
    }
    return Offset{load_be<std::int64_t>(opened.value().content.data())};
}

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
                     ": put its .log files back, or move the log directories away and start anew");
}

Status check_committed_end(const std::string& directory, Offset end, Offset committed_end) {
    if (end >= committed_end) return done();
    return Error(Errc::corrupt_file,
                 "the metadata log in " + directory + " ends at " + std::to_string(end.value) +
                     ", and was committed up to " + std::to_string(committed_end.value) +
                     " when this node stopped: put the missing part back, or move the log "
                     "directories away and start anew");
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

Status write_committed_end(FileSystem& files, const std::string& directory, Offset end) {
    Bytes content;
    append_be(content, end.value);
    return replace_file(files, committed_end_path(directory),
                        wrap_kq_file(committed_end_kind, content));
}

Result<LoadedQuorum> load_quorum(FileSystem& files, const Clock& clock, const Logger& logger,
                                 const std::string& directory, const LogOptions& options) {
    KQ_TRY(files.mkdir(directory));
    LoadedQuorum loaded;
    KQ_LET(loaded.state, read_quorum_state(files, directory + "/quorum-state"));
    KQ_TRY(check_log_is_there(files, directory, loaded.state));
    KQ_LET(const auto committed_end, read_committed_end(files, logger, directory));
    KQ_TRY(remove_unfinished_snapshots(files, directory));
    KQ_LET(loaded.snapshot, load_newest_snapshot(files, directory));

    OpenHints hints;
    if (loaded.snapshot) {
        hints.log_start = loaded.snapshot->id.end;
        loaded.voters = loaded.snapshot->voters;
    }
    // Everything is scanned: the log is short, and nothing may be believed of a torn one.
    KQ_LET(loaded.log,
           Log::open(files, clock, {directory, metadata_topic_id, logger}, options, hints));
    Log& log = *loaded.log;
    if (log.log_start() > hints.log_start) {
        return Error(Errc::corrupt_file, "the metadata log in " + directory + " starts at " +
                                             std::to_string(log.log_start().value) +
                                             " and no snapshot there reaches so far");
    }
    KQ_TRY(check_committed_end(directory, std::max(log.log_end(), hints.log_start), committed_end));
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

Status scan_metadata_records(FileSystem& files, const std::string& directory,
                             const std::function<Status(const RecordView&)>& visit) {
    if (!files.exists(directory)) return done();
    KQ_LET(const auto state, read_quorum_state(files, directory + "/quorum-state"));
    KQ_TRY(check_log_is_there(files, directory, state));
    KQ_LET(const auto committed_end, read_committed_end(files, Logger(), directory));
    KQ_LET(const auto snapshot, load_newest_snapshot(files, directory));
    Offset from{0};
    if (snapshot) {
        from = snapshot->id.end;
        KQ_TRY(for_each_snapshot_record(*snapshot->content, visit));
    }
    KQ_LET(const auto names, files.list(directory));
    Offset end = from;
    VoterHistory voters;
    for (const auto& name : names) {
        if (!name.ends_with(".log")) continue;
        KQ_LET(const auto content, read_file(files, directory + '/' + name, std::size_t{4} << 30));
        const auto walked =
            for_each_batch(content, [&](const BatchHeader& header, ByteView batch) -> Status {
                // The torn end of the log: whoever opens it cuts it there.
                if (!check_crc(batch).ok()) return Error(Errc::corrupt_message);
                end = std::max(end, header.next_offset());
                if (header.next_offset() <= from) return done();
                return visit_records(header, batch, [&](const RecordView& record) {
                    return header.is_control() ? apply_control_record(voters, record, false)
                                               : visit(record);
                });
            });
        if (!walked.ok() && walked.code() != Errc::corrupt_message) return walked.error();
    }
    return check_committed_end(directory, end, committed_end);
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
