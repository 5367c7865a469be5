// SPDX-License-Identifier: Apache-2.0
//
// LogLoader: brings a Log up from what lies in its directory; after an unclean stop, from what is
// sound of it.
//
// shape    clean: sizes, the last entries of indexes, the last batches, a snapshot; nothing is read
//          whole. Unclean: every segment from the one of the recovery point on is scanned. What
//          cannot be believed among indexes, epochs and snapshots is made again from the segments
// owner    the thread that opens the log
// errors   corrupt_file is repaired, never passed on; io_error, unsupported are passed on, and
//          nothing was changed on their account
#pragma once

#include <string>
#include <vector>

#include "storage/log.hpp"
#include "storage/segment_scan.hpp"

namespace kq {

class LogLoader {
public:
    explicit LogLoader(Log& log) : log_(log), now_(log.clock_.mono()) {}

    Status create(Offset start);
    Status load(const OpenHints& hints, const OpenProgress& progress);

    // ---- Pieces that truncation needs as well

    // Makes both indexes of a closed segment again, from its headers.
    Status rebuild_indexes(Segment& segment);
    // The producer table as of `end`: the newest snapshot that can be read, then the log.
    Status load_producers(Offset end);

private:
    struct Found {  // in the directory
        std::vector<Offset> logs;
        std::vector<Offset> transaction_indexes;
        std::vector<Offset> snapshots;
        std::vector<Offset> earlier;  // kq.<offset>.producers
        bool has_epoch_file = false;
        bool has_metadata = false;
        bool has_failed_sync = false;
    };

    Status list_directory();
    Status remove_orphans(const std::vector<std::string>& names);
    Status write_metadata();
    Status make_segments(const OpenHints& hints);
    Status add_first_segment(Offset base);
    Status load_epochs();
    Status rebuild_epochs(std::size_t count);

    Status open_closed(Segment& segment);
    Result<bool> open_active(Segment& segment);
    Result<bool> find_end(Segment& segment);
    Result<std::optional<OffsetEntry>> last_offset_entry(const Segment& segment,
                                                         std::size_t& count);
    Result<std::optional<TimeEntry>> last_time_entry(const Segment& segment, std::size_t& count);
    Result<bool> begins_with_timestamp(const Segment& segment);
    Status load_transactions(Segment& segment);
    Status rebuild_transactions(Segment& segment);

    Status recover_from(std::size_t first, const OpenHints& hints, const OpenProgress& progress);
    Result<std::size_t> scan_from(std::size_t first, const OpenHints& hints,
                                  const OpenProgress& progress);
    Status close_scanned(std::size_t first);
    Status drop_front(std::size_t count);
    Result<ScanResult> scan(Segment& segment, const ScanStart& start);
    Status write_again(Segment& segment);
    void add_missing_snapshot(Offset at);
    Status cut_behind(std::size_t index, std::uint64_t sound_bytes, Offset next,
                      const OpenHints& hints);
    Status keep_behind(std::size_t index, std::uint64_t sound_bytes, Offset next,
                       const OpenHints& hints);
    Status settle_ends(const OpenHints& hints);

    Status list_snapshots();
    Status load_snapshot(Offset at_most, ProducerTable& table, Offset& from);
    Status read_snapshot(Offset at, ProducerTable& table);
    Status walk_producers(Offset from, Offset end, ProducerTable& table,
                          std::vector<AbortedTransaction>* aborted);
    Status settle_snapshots(bool durable);

    void find(std::string what);
    void miss(std::string what);
    void note(std::string what);
    Status unlink_quietly(const std::string& path);

    Log& log_;
    MonoTime now_;
    Found found_;
    Offset scanned_from_{0};
    bool snapshots_listed_ = false;
    bool epochs_lost_ = false;
};

}  // namespace kq
