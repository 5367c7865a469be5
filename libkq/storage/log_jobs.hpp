// SPDX-License-Identifier: Apache-2.0
//
// Jobs: the work of a log that may wait for a disk. The log makes one on its loop, run() goes to
// the I/O pool, and the log's finish_…() takes it back on the loop.
//
// shape    a job holds copies and const things only; it never touches the Log, which may go on
//          appending, or be gone, while it runs
// errors   those of FileSystem; corrupt_file from searches that meet a damaged batch
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/file_system.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "storage/index_entries.hpp"

namespace kq {

// Makes what the log held when it was made durable: segment files, then the small files and index
// files that go with them, then names.
class SyncJob {
public:
    // Requires: runs once.
    Status run();

    Offset end() const { return end_; }  // the log end that a success covers
    std::uint64_t dirty_bytes() const { return dirty_bytes_; }

private:
    friend class Log;
    struct SegmentFile {
        std::shared_ptr<File> file;
        Offset base;
        std::uint64_t size;      // what finish_sync() may count as synced
        bool give_back = false;  // rolled: the space allocated ahead is returned
    };
    struct SmallFile {
        std::string path;
        Bytes content;
    };
    Status sync_segments();
    Status write_small_files();

    FileSystem* files_ = nullptr;
    Offset end_;
    std::uint64_t dirty_bytes_ = 0;
    std::vector<SegmentFile> segments_;
    std::vector<SmallFile> small_files_;
    std::vector<std::shared_ptr<File>> index_files_;
    std::vector<std::string> directories_;
    std::uint64_t epoch_file_version_ = 0;
    bool sync_failed_ = false;  // the kernel may have dropped what it could not write: never retry
};

// Unlinks the files of segments that left the log, oldest first, each step durable before the next,
// so that a crash leaves no hole.
class DeleteJob {
public:
    Status run();
    bool empty() const { return steps_.empty(); }
    Offset log_start() const { return log_start_; }  // after the deletion
    std::uint64_t bytes() const { return bytes_; }

private:
    friend class Log;
    FileSystem* files_ = nullptr;
    std::string directory_;
    std::vector<std::vector<std::string>> steps_;  // paths, a segment a step
    Offset log_start_;
    std::uint64_t bytes_ = 0;
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
    FileSystem* files_ = nullptr;
    std::string log_path_;
    Offset segment_base_;
    std::uint64_t segment_size_ = 0;
    std::int32_t index_interval_bytes_ = 4096;
    std::size_t flushed_entries_max_ = 0;  // of the active segment; closed ones: all
    Offset from_;
    bool rebuild_ = false;
    std::shared_ptr<File> file_;
    std::shared_ptr<const LoadedIndex> index_;
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
    struct Candidate {
        std::string path;  // of the .log
        Offset base;
        std::uint64_t size = 0;
        std::vector<OffsetEntry> offsets;  // not yet in the index files: the active segment's
        std::vector<TimeEntry> times;
        std::size_t flushed_offsets = 0;
        std::size_t flushed_times = 0;
        bool active = false;
    };
    Result<std::optional<TimestampOffset>> run_in(const Candidate& candidate) const;

    FileSystem* files_ = nullptr;
    std::optional<WallTime> at_least_;  // nothing: the record with the largest timestamp
    Offset from_;
    std::vector<Candidate> candidates_;
};

}  // namespace kq
