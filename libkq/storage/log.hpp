// SPDX-License-Identifier: Apache-2.0
//
// Log: the records of one partition, in segments, with everything that is derived from them:
// indexes, leader epochs, producers, transactions.
//
// shape    log_start() <= every offset that can be read < log_end(); recovery_point() <=
//          durable_end() <= log_end(). A byte of a segment file never changes once written; files
//          only grow, or are cut once (L1; open() may put an empty batch over damage). Offsets
//          ascend, leader epochs never fall (L2)
// units    offsets count records, sizes and positions count bytes
// owner    the loop of the partition; no locks inside. open(), create(), close_clean() and the
//          truncate functions wait for the disk: they run on the I/O pool while nobody else uses
//          the log. What else would wait is a job (storage/log_jobs.hpp)
// errors   kafka_storage_error  a write or sync failed before: only a new open() knows what is
// there
//          disk_full            nothing was appended; the log goes on when there is room
//          would_block          read(): run warm_up() on the pool, then try again
//          corrupt_file, corrupt_message, io_error
// source   docs/formats.md; docs/architecture.md, "The log"
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/file_system.hpp"
#include "base/ids.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "storage/epoch_history.hpp"
#include "storage/log_jobs.hpp"
#include "storage/log_options.hpp"
#include "storage/producer_table.hpp"
#include "storage/segment.hpp"

namespace kq {

struct ValidatedBatch;  // protocol/batch_validator.hpp

// Which directory, whose records.
struct LogPlace {
    std::string directory;  // path of <topic>-<partition>
    Uuid topic_id;          // written to partition.metadata; zero = leave that file alone
    Logger logger;
};

// One batch of a client, as the validator passed it.
struct LeaderBatch {
    MutableBytes bytes;  // offset and epoch are written into it
    const ValidatedBatch* validated = nullptr;
};

enum class AppendOrigin {
    client,       // producer ids and sequences are checked
    coordinator,  // records and markers that the broker itself writes
};

struct AppendResult {
    Offset first = no_offset;
    Offset last = no_offset;
    bool duplicate = false;  // nothing was written: the offsets are those of the first time
    // The batch's timestamp where the broker set it, or where the batch is a duplicate.
    WallTime log_append_time = no_timestamp;
};

struct ReadResult {
    FileSlice slice;           // whole batches; empty when there is nothing to read
    Offset first = no_offset;  // base offset of the first batch: may be below what was asked for
    Offset bound = no_offset;  // no record of the slice is at or beyond it
};

struct EpochEnd {
    Epoch epoch = no_epoch;
    Offset end = no_offset;
    friend bool operator==(const EpochEnd&, const EpochEnd&) = default;
};

// Offsets that records had which are no longer there.
struct MissingRecords {
    Offset from;
    Offset end;  // one past the last
    friend bool operator==(const MissingRecords&, const MissingRecords&) = default;
};

// What open() had to do; it is in the log already.
struct OpenReport {
    std::uint64_t scanned_bytes = 0;
    std::uint64_t cut_bytes = 0;
    std::uint32_t removed_segments = 0;
    std::uint32_t rebuilt_indexes = 0;
    std::vector<std::string> findings;    // one sentence each: what was damaged
    bool records_missing = false;         // that were promised
    std::vector<MissingRecords> missing;  // which, as far as that is known
    std::vector<std::string> kept;        // files beside the segments: what was cut off
    bool changed() const { return cut_bytes > 0 || removed_segments > 0; }
};

// Told how many bytes of the log were checked so far, on the thread that runs open().
using OpenProgress = std::function<void(std::uint64_t bytes)>;

class Log {
public:
    // Only create() and open() have one.
    class Key {
        friend class Log;
        Key() {}
    };
    Log(Key, FileSystem& files, const Clock& clock, LogPlace place, const LogOptions& options);

    // Makes the directory and an empty log that begins at `start`. Blocks; it is the first sync
    // that makes the directory's own name durable.
    static Result<std::unique_ptr<Log>> create(FileSystem& files, const Clock& clock,
                                               LogPlace place, const LogOptions& options,
                                               Offset start = Offset{0});
    // Opens what is there; an empty directory becomes an empty log at hints.log_start. After an
    // unclean stop everything from the segment of the recovery point on is scanned and cut at the
    // first batch that is not whole, in order and undamaged; of what cannot be the torn end of what
    // was not synced the rest is kept, and its offsets are filled (OpenHints). Blocks.
    static Result<std::unique_ptr<Log>> open(FileSystem& files, const Clock& clock, LogPlace place,
                                             const LogOptions& options, const OpenHints& hints,
                                             const OpenProgress& progress = nullptr);
    ~Log();
    Log(const Log&) = delete;
    Log& operator=(const Log&) = delete;

    // ---- Appending

    // Checks producers, gives offsets and epoch to the batches in place, and writes them in one
    // system call. One result per batch; a refused batch does not keep the others out.
    // Requires: epoch >= latest_epoch(); each batch was validated as it is.
    std::vector<Result<AppendResult>> append_as_leader(std::span<const LeaderBatch> batches,
                                                       Epoch epoch,
                                                       AppendOrigin origin = AppendOrigin::client);
    Result<AppendResult> append_as_leader(LeaderBatch batch, Epoch epoch,
                                          AppendOrigin origin = AppendOrigin::client);
    // Appends whole batches with the offsets and epochs they bear: what a leader sent, or what the
    // quorum wrote. Checksums, order and epochs are checked first; one bad batch refuses all.
    Status append_as_follower(ByteView batches);

    // The epoch's first record will be at `start`. Held in memory until the next sync, which writes
    // the epoch file before it counts any record; recovery finds later ones in the batches.
    void assign_epoch_start(Epoch epoch, Offset start);

    // ---- Reading

    // Whole batches from the one that contains `from`, up to `max_bytes`, none at or beyond
    // `upper_bound`. The first batch comes whatever its size if `at_least_one`.
    // Requires: upper_bound is log_end() or an offset at which a batch begins.
    // Errors: offset_out_of_range below log_start() or above log_end().
    Result<ReadResult> read(Offset from, std::uint32_t max_bytes, Offset upper_bound,
                            bool at_least_one);
    // Aborted transactions that overlap [from, bound), by first offset: for the range of a read().
    std::vector<AbortedTransaction> aborted_transactions(Offset from, Offset bound) const;
    WarmUpJob warm_up(Offset from) const;
    void finish_warm_up(WarmUpJob job);

    // The first record at or after `timestamp`, and the record with the largest timestamp.
    TimestampSearch search_timestamp(WallTime timestamp) const;
    TimestampSearch search_max_timestamp() const;

    // ---- What it knows

    Offset log_start() const { return log_start_; }
    Offset log_end() const { return log_end_; }
    Offset durable_end() const { return durable_end_; }
    // Before recovery_point() goes to the checkpoint file: what Kafka expects of a segment that it
    // is to trust up to there.
    void flush_indexes();
    // Where the scan after an unclean stop begins; goes to the checkpoint file.
    Offset recovery_point() const { return recovery_point_; }
    Epoch latest_epoch() const { return epochs_.latest(); }
    std::optional<EpochStart> epoch_entry(Epoch epoch) const { return epochs_.find(epoch); }
    // OffsetForLeaderEpoch and divergence checks (docs/formats.md; KIP-320).
    EpochEnd end_offset_of_epoch(Epoch epoch) const;
    Epoch epoch_of(Offset offset) const { return epochs_.epoch_of(offset); }
    // The high watermark, or the first offset that an undecided transaction holds back.
    Offset last_stable_offset(Offset high_watermark) const;
    void advance_high_watermark(Offset high_watermark);
    const ProducerTable& producers() const { return producers_; }
    std::uint64_t size_bytes() const;
    std::size_t segment_count() const;
    // Of the oldest segment; where log_start() differs, log-start-offset-checkpoint says so.
    Offset first_segment_base() const;
    const std::string& directory() const { return place_.directory; }
    const Uuid& topic_id() const { return place_.topic_id; }
    const OpenReport& opened() const { return report_; }
    // A write or a sync failed: the log directory must go offline.
    bool failed() const { return failed_; }
    bool is_full() const { return full_; }

    // ---- Durability

    // Something is not durable yet: records, a new segment, epochs, snapshots of the producers.
    bool needs_sync() const;
    // A segment was rolled since the last sync: a good moment for one even if nobody waits.
    bool wants_sync() const { return rolled_since_sync_; }
    // One at a time.
    SyncJob begin_sync();
    // Moves durable_end() and the recovery point. A failed sync fails the log for good (I31); one
    // that only found no room for a small file may be begun again.
    void finish_sync(const SyncJob& job, const Status& result);

    // Space to reserve ahead of the active segment, when it is worth it.
    std::optional<AllocateJob> wants_space();

    // ---- Getting shorter

    // Blocks. Drops everything at or beyond `end`, and what of a batch that `end` cuts lies before
    // it; the next append goes to a new segment.
    // Requires: the caller lowers the recovery point in the checkpoint file to `end` first, and to
    // recovery_point() afterwards: a crash must not leave new records below a recovery point that
    // never covered them.
    Status truncate_to(Offset end);
    // Blocks. Drops everything. Requires: the same, with `start`.
    Status truncate_fully_and_start_at(Offset start);
    // Records below `start` can no longer be read. Requires: start <= log_end().
    void advance_log_start(Offset start);
    // Retention. Where the log would begin without the segments that are wholly below the high
    // watermark and too old (by their youngest record), too much (retention.bytes), or below the
    // log start; log_start() or below when there is none. The caller guards against a clock that
    // jumped.
    Offset start_after_retention(WallTime now, Offset high_watermark);
    // The segments that would be too old if their time indexes can be believed, and that nobody
    // has looked at yet: start_after_retention() leaves them until the job has.
    std::optional<AgeJob> wants_ages(WallTime now) const;
    void finish_ages(const AgeJob& job);
    // Takes out the segments below `start`, which becomes the log start. The caller has persisted
    // it (LogDirectory::write_log_starts), or a power cut may bring back what readers saw go.
    DeleteJob delete_segments_before(Offset start);
    // Both, where what persists the log start is no affair of the log directory's.
    DeleteJob delete_old_segments(WallTime now, Offset high_watermark) {
        return delete_segments_before(start_after_retention(now, high_watermark));
    }
    std::size_t expire_producers();
    void set_options(const LogOptions& options) { options_ = options; }

    // ---- Going away

    // Blocks. Leaves what Kafka expects after a clean stop: indexes cut, a snapshot of the
    // producers at the end, everything synced. Nothing may be called afterwards.
    Status close_clean();
    // The same for several at once, which is much cheaper for many than one after the other. What
    // became of each, in order.
    static std::vector<Status> close_clean(FileSystem& files, const std::vector<Log*>& logs);

private:
    friend class LogLoader;
    // A batch that is about to be written, and what undoes it if the disk has no room.
    struct Staged {
        std::size_t index = 0;  // of the caller's batch
        ByteView bytes;
        BatchMark mark;
        Epoch epoch = no_epoch;
        ProducerId producer = no_producer;
        std::optional<ProducerEntry> producer_before;
        std::optional<AbortedTransaction> aborted;
    };
    using AppendResults = std::vector<Result<AppendResult>>;

    Segment& active() const { return *segments_.back(); }
    Offset next_offset() const;  // behind what is staged
    Status admit(std::uint64_t bytes);
    Status find_room(std::uint64_t bytes);
    Result<std::optional<ProducerBatch>> check_producer(const LeaderBatch& batch,
                                                        AppendOrigin origin) const;
    Status check_follower_batches(ByteView batches) const;
    Status make_place(const BatchHeader& header, AppendResults* results);
    Status stage(const BatchHeader& header, ByteView bytes, std::size_t index);
    Result<AppendResult> stage_result(const BatchHeader& header, ByteView bytes, std::size_t index);
    Status write_staged(AppendResults* results);
    void undo_staged();
    Error note_failure(const Error& error);
    Status roll(Offset base);
    void close_active();
    Status add_segment(Offset base);
    void add_producer_snapshot(Offset offset);
    bool has_snapshot(Offset offset) const;

    std::size_t segment_index_of(Offset offset) const;
    Offset segment_end(std::size_t index) const;  // where the next one begins, or the log ends
    Result<std::uint64_t> limit_position(std::size_t index, Offset upper_bound);
    void unload_cold_segments(const Segment& keep);
    TimestampSearch make_search(std::optional<WallTime> at_least) const;

    std::vector<std::string> segment_files(const Segment& segment) const;
    Status cut_at(Offset end);
    Status drop_all(Offset start);
    Status drop_segments_from(std::size_t first);
    Status shorten_segment(Segment& segment, std::uint64_t bytes);
    Status sync_all();
    Status remove_snapshots_above(Offset offset);
    std::size_t count_old_segments(WallTime now, Offset high_watermark) const;
    bool seems_too_old(const Segment& segment, WallTime now) const;
    bool is_too_old(const Segment& segment, WallTime now) const;
    void drop_segments_before(std::size_t count, DeleteJob& job);

    FileSystem& files_;
    const Clock& clock_;
    LogPlace place_;
    LogOptions options_;
    EpochHistory epochs_;
    ProducerTable producers_;
    OpenReport report_;
    std::vector<std::unique_ptr<Segment>> segments_;  // by base offset; the last one is active
    Offset log_start_{0};
    Offset gaps_below_{0};  // an earlier run compacted up to here
    Offset log_end_{0};
    Offset durable_end_{0};
    Offset recovery_point_{0};

    bool suspect_ = false;  // an earlier process had a failed sync here, none of ours succeeded yet
    bool failed_ = false;   // what is on disk is known again only after the next open
    bool full_ = false;
    MonoTime quiet_until_{};             // about descriptors, each of which a new segment needs
    std::uint64_t unchecked_bytes_ = 0;  // may be appended before the disk is asked for its room

    // What the next sync has to do beside the segments.
    bool rolled_since_sync_ = false;
    bool names_changed_ = false;
    bool parent_changed_ = false;
    std::uint64_t epochs_version_ = 0;
    std::uint64_t epochs_synced_version_ = 0;
    std::vector<std::string> written_files_;
    std::vector<SyncJob::SmallFile> small_files_;
    bool syncing_ = false;
    std::vector<Offset> snapshots_;          // of the producers, on disk and durable; ascending
    std::vector<Offset> pending_snapshots_;  // will be with the next sync
    bool changed_ = false;  // since it was opened, so that close_clean() has something to do

    std::vector<Staged> staged_;
    std::uint64_t staged_bytes_ = 0;
    std::vector<ByteView> pieces_;
    struct Limit {  // where an upper bound of readers lies, for the next reader
        Offset bound = no_offset;
        Offset segment = no_offset;
        std::uint64_t position = 0;
    };
    Limit limit_;
    std::uint64_t loads_ = 0;
};

}  // namespace kq
