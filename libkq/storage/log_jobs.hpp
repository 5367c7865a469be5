// SPDX-License-Identifier: Apache-2.0
//
// Jobs: the work of a log that may wait for a disk. The log makes one on its loop, run() goes to
// the I/O pool, and the log's finish_…() takes it back on the loop.
//
// shape    a job holds copies and const things only; it never touches the Log, which may go on
//          appending, or be gone, while it runs
// errors   those of FileSystem; corrupt_file from searches that meet a damaged batch
#pragma once

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/file_system.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "storage/batch_walk.hpp"
#include "storage/index_entries.hpp"

namespace kq {

// Makes what the log held when it was made durable: segment files, then the small files and index
// files that go with them, then names.
class SyncJob {
public:
    // Requires: runs once.
    Status run();
    // Runs jobs of many logs; with enough of them the disk is synced twice for all, in place of
    // several times for each. What became of each, in order.
    static std::vector<Status> run_all(FileSystem& files, std::vector<SyncJob>& jobs);

    Offset end() const { return end_; }  // the log end that a success covers

private:
    friend class Log;
    struct SegmentFile {
        std::shared_ptr<File> file;
        Offset base;
        std::uint64_t size = 0;  // what finish_sync() may count as synced
        bool give_back = false;  // rolled: the space reserved ahead is returned
    };
    struct SmallFile {
        std::string path;
        Bytes content;
        Offset snapshot = no_offset;  // of the producers, which this belongs to
    };
    Status sync_segments();
    Status sync_written_files();
    Status sync_names();
    Status end_suspicion();
    Status sync_file(File& file);
    Result<std::shared_ptr<File>> write_temporary(const SmallFile& small);
    Status write_unsynced();
    Status rename_synced();
    void note_failure();
    template <class Step>
    static void run_step(std::vector<SyncJob>& jobs, std::vector<Status>& results, Step step);
    static Status sync_together(FileSystem& files, std::vector<SyncJob>& jobs,
                                std::vector<Status>& results);

    FileSystem* files_ = nullptr;
    std::string log_directory_;
    bool ends_suspicion_ = false;  // of an earlier process's failed sync
    Offset end_;
    std::vector<SegmentFile> segments_;
    std::vector<std::string> written_files_;  // index files and such, written but not synced
    std::vector<SmallFile> small_files_;      // to be written
    std::vector<std::string> directories_;
    std::vector<Offset> snapshots_;
    std::uint64_t epochs_version_ = 0;
    bool sync_failed_ = false;  // the kernel may have dropped what it could not write: never retry
};

// Removes the files of segments that left the log, oldest first, each step durable before the next,
// so that a crash leaves no hole. At once, or as Kafka does it: under their names with ".deleted"
// behind them for a while, for whoever still looks for them.
class DeleteJob {
public:
    Status run();
    // Renames them. Whatever is there under these names when a log is opened is unlinked.
    Status set_aside();
    // Requires: set_aside() was done.
    Status unlink_set_aside();

    bool empty() const { return steps_.empty(); }
    Offset log_start() const { return log_start_; }  // after the deletion
    std::uint64_t bytes() const { return bytes_; }

private:
    friend class Log;
    Status unlink_if_there(const std::string& path);

    FileSystem* files_ = nullptr;
    std::string directory_;
    std::vector<std::vector<std::string>> steps_;  // paths, a segment a step
    Offset log_start_;
    std::uint64_t bytes_ = 0;
};

// Finds out from the batches how young the youngest record of a segment is, before the segment is
// deleted for its age.
class AgeJob {
public:
    // corrupt_file: a batch cannot be read, so nobody can tell.
    Status run();

private:
    friend class Log;
    struct Item {
        Offset base;
        std::string path;
        std::uint64_t size = 0;
        WallTime youngest = no_timestamp;
        Offset youngest_at = no_offset;
        bool known = false;
    };
    Status look_at(Item& item);

    FileSystem* files_ = nullptr;
    std::vector<Item> items_;
};

// Reserves disk space ahead of the end of the active segment. A failure is of no consequence.
class AllocateJob {
public:
    void run();

private:
    friend class Log;
    std::shared_ptr<File> file_;
    std::uint64_t position_ = 0;
    std::uint64_t length_ = 0;
};

// Reads what a read() that answered would_block was missing: the segment's file and index, and the
// batch headers on the way. Rebuilds an index that is missing or damaged.
class WarmUpJob {
public:
    Status run();

private:
    friend class Log;
    Status load_index();
    Status rebuild_index();
    Status find_batch();

    FileSystem* files_ = nullptr;
    std::string log_path_;
    std::string index_path_;
    Offset base_;
    std::uint64_t size_ = 0;
    std::int32_t index_interval_bytes_ = 0;
    Offset from_;
    bool closed_ = false;
    bool rebuild_ = false;
    std::shared_ptr<File> file_;
    std::shared_ptr<const std::vector<OffsetEntry>> offsets_;
    std::optional<BatchRef> hint_;
};

struct TimestampOffset {
    WallTime timestamp = no_timestamp;
    Offset offset = no_offset;
    Epoch leader_epoch = no_epoch;
    friend bool operator==(const TimestampOffset&, const TimestampOffset&) = default;
};

// Looks for a record by its timestamp: ListOffsets.
class TimestampSearch {
public:
    // Nothing when no record of the log qualifies.
    Result<std::optional<TimestampOffset>> run() const;

private:
    friend class Log;
    struct Candidate {  // a segment that may hold the record
        std::string log_path;
        std::string offset_index_path;
        std::string time_index_path;
        Offset base;
        std::uint64_t size = 0;
        WallTime max_timestamp;
        // Of the active segment: how many entries of its index files count, and those that are not
        // there yet.
        std::size_t offsets_in_file = std::numeric_limits<std::size_t>::max();
        std::size_t times_in_file = std::numeric_limits<std::size_t>::max();
        std::vector<OffsetEntry> offsets;
        std::vector<TimeEntry> times;
    };
    Result<std::optional<TimestampOffset>> first_at_least(WallTime timestamp) const;
    Result<std::optional<TimestampOffset>> largest() const;
    Result<std::optional<TimestampOffset>> search(const Candidate& candidate,
                                                  WallTime timestamp) const;
    Result<std::uint64_t> start_position(const Candidate& candidate, WallTime timestamp) const;

    FileSystem* files_ = nullptr;
    std::optional<WallTime> at_least_;  // nothing: the record with the largest timestamp
    Offset from_;
    std::vector<Candidate> candidates_;  // in the order of the log
};

}  // namespace kq
