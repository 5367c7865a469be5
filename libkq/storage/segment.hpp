// SPDX-License-Identifier: Apache-2.0
//
// Segment: one file of consecutive record batches with its indexes, the unit that is rolled and
// deleted. The last one of a log is active; the others are closed and never change.
//
// shape    <base offset>.log holds whole batches in offset order; base() <= every offset in it. An
//          index entry is due for the first batch after more than index.interval.bytes. Of a closed
//          segment only sizes and the largest timestamp are kept, until somebody reads it
// units    positions and sizes count bytes, and stay below 2^31
// owner    its Log
// errors   would_block  the file or its index must be read first: WarmUpJob
//          those of FileSystem
// source   docs/formats.md, "Segments" and "Indexes"
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/file_system.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "storage/batch_walk.hpp"
#include "storage/index_entries.hpp"
#include "storage/index_file.hpp"
#include "storage/log_options.hpp"

namespace kq {

// What a segment notes of a batch that it holds.
struct BatchMark {
    Offset base;
    Offset last;
    std::uint32_t size_bytes = 0;
    WallTime max_timestamp = no_timestamp;

    static BatchMark of(const BatchHeader& header) {
        return {header.base_offset, header.last_offset(),
                static_cast<std::uint32_t>(header.size_bytes), header.max_timestamp};
    }
};

using OffsetEntries = std::vector<OffsetEntry>;

class Segment {
public:
    Segment(FileSystem& files, std::string directory, Offset base);

    // ---- Making and opening (LogLoader, Log::roll)

    // A new, empty file.
    Status create(WallTime now);
    // The file that is there; `wait` for nothing else to be read.
    Status open_file(OpenMode mode);
    // Continues an active segment whose index files hold so many entries.
    void continue_indexes(std::size_t offset_entries, std::size_t time_entries,
                          const std::optional<TimeEntry>& last_time,
                          std::uint64_t bytes_since_entry);
    void mark_closed() { closed_ = true; }
    // Forgets all entries: note() will make them again.
    void restart_indexes();

    Offset base() const { return base_; }
    std::uint64_t size_bytes() const { return size_; }
    const std::shared_ptr<File>& file() const { return file_; }
    std::string path(std::string_view suffix) const;
    void set_size(std::uint64_t size) { size_ = size; }

    // ---- Appending (active)

    struct Arrival {
        Offset last;  // of the batch
        std::uint64_t bytes = 0;
        std::uint64_t bytes_before = 0;  // of what will be written in front of it
        std::size_t batches_before = 0;
        WallTime max_timestamp = no_timestamp;
        WallTime now;
    };
    bool must_roll_before(const Arrival& arrival, const LogOptions& options) const;
    // Writes at the end. The size stays as it was until note(); what an error left behind the end
    // must be cut off.
    Status write(std::span<const ByteView> pieces);
    // The batch stands at the end: indexes, timestamps and size take it in.
    void note(const BatchMark& mark, std::int32_t index_interval_bytes);
    void note_aborted(const AbortedTransaction& aborted);
    // Puts entries into the index files if many are waiting. A full disk only postpones that.
    void flush_indexes_sometimes();
    // Whoever recovers by a recovery point inside this segment looks for its index files: Kafka
    // complains where there are none. Writes what they lack.
    void flush_indexes();
    // No more appends: the largest timestamp is put into the time index, index files are written
    // whole. Index files that cannot be are removed, for they can be rebuilt.
    void close_indexes();

    // ---- Reading

    // The batch that contains `from`, or the first one behind it; nothing at the end.
    Result<std::optional<BatchRef>> locate(Offset from);
    // Where whole batches from `first` on end that take at most `max_bytes`, not beyond `limit`, a
    // position at which a batch ends. `bound` is given where the end is not the limit.
    struct SliceEnd {
        std::uint64_t position = 0;
        std::optional<Offset> bound;  // no record before `position` is at or beyond it
    };
    Result<SliceEnd> slice_end(const BatchRef& first, std::uint64_t max_bytes, std::uint64_t limit);

    // Closed, or with old entries in its file only: what a WarmUpJob brought.
    void adopt(std::shared_ptr<File> file, std::shared_ptr<const OffsetEntries> offsets,
               const std::optional<BatchRef>& hint);
    // Lets go of the file and of the index, which can be loaded again. Requires: closed.
    void unload();
    bool is_loaded() const { return loaded_ != nullptr; }
    bool is_index_suspect() const { return index_suspect_; }

    // ---- What it knows

    WallTime max_timestamp() const { return max_timestamp_; }
    void set_max_timestamp(WallTime timestamp, Offset offset) {
        max_timestamp_ = timestamp;
        max_timestamp_offset_ = offset;
    }
    // The time index is a cache, and has no checksum: nothing is deleted on its word alone (I29).
    bool is_timestamp_sure() const { return timestamp_is_sure_; }
    void set_timestamp_sure(bool sure) { timestamp_is_sure_ = sure; }
    // For segments without timestamps: when the file was last written.
    Result<WallTime> youngest() const;
    void set_first_timestamp(WallTime timestamp) { first_timestamp_ = timestamp; }
    void set_created(WallTime created) { created_ = created; }

    const IndexFile<OffsetEntry>& offset_index() const { return offset_index_; }
    const IndexFile<TimeEntry>& time_index() const { return time_index_; }
    const std::vector<AbortedTransaction>& aborted() const { return aborted_; }
    void set_aborted(std::vector<AbortedTransaction> aborted) {
        aborted_ = std::move(aborted);
        aborted_in_file_ = aborted_.size();
    }

    // Sync bookkeeping of the Log.
    std::uint64_t synced_bytes = 0;
    std::uint64_t allocated_bytes = 0;  // reserved on disk from the start of the file
    std::uint64_t loaded_at = 0;        // counts loads, for the least recently used

private:
    std::int32_t relative(Offset offset) const { return static_cast<std::int32_t>(offset - base_); }
    bool has_entries_in_file_only() const;
    bool has_loaded_enough() const;
    std::optional<std::uint64_t> start_position(Offset from) const;
    std::optional<const OffsetEntry*> entry_before(std::uint64_t position) const;
    void push_time_entry();
    Status flush_all();
    Status flush_aborted();

    FileSystem& files_;
    std::string directory_;
    Offset base_;
    std::shared_ptr<File> file_;
    std::uint64_t size_ = 0;

    IndexFile<OffsetEntry> offset_index_;
    IndexFile<TimeEntry> time_index_;
    std::vector<AbortedTransaction> aborted_;
    std::size_t aborted_in_file_ = 0;
    std::uint64_t bytes_since_entry_ = 0;
    WallTime max_timestamp_ = no_timestamp;
    Offset max_timestamp_offset_ = no_offset;
    bool timestamp_is_sure_ = true;
    std::optional<WallTime> first_timestamp_;  // of the first batch; age is counted from it
    WallTime created_;

    std::shared_ptr<const OffsetEntries> loaded_;  // the entries of the index file
    std::optional<BatchRef> hint_;                 // a batch that was looked for on the pool
    std::vector<BatchRef> recent_;                 // the newest batches, oldest first
    bool index_suspect_ = false;    // an entry led nowhere: the index is to be rebuilt
    bool has_index_files_ = false;  // that we wrote
    bool index_damaged_ = false;    // the index files cannot be continued
    bool closed_ = false;
};

}  // namespace kq
