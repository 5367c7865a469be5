// SPDX-License-Identifier: Apache-2.0
//
// LogLoader: brings a Log up from what lies in its directory; after an unclean stop, from what is
// sound of it.
//
// shape    clean: sizes, the last entries of indexes, the last batches, a snapshot; nothing is read
//          whole. Unclean: every segment from the one of the recovery point on is scanned. What
//          cannot be believed among indexes, epochs and snapshots is made again from the segments.
//          Damage, and records that are missing, are told in the log: one error line for all
// owner    the thread that opens the log
// errors   corrupt_file is repaired, never passed on; io_error, unsupported are passed on, and
//          nothing was changed on their account
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "storage/log.hpp"
#include "storage/segment_scan.hpp"

namespace kq {

class LogLoader {
public:
    explicit LogLoader(Log& log)
        : log_(log),
          now_(log.clock_.mono()),
          told_(log.report_.findings.size()),
          told_missing_(log.report_.records_missing) {}

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

    Status open_closed(Segment& segment, Offset next_base, const OpenHints& hints);
    Status rebuild_closed(Segment& segment);
    Status check_join(Segment& segment, const std::optional<OffsetEntry>& last_entry,
                      Offset next_base, const OpenHints& hints);
    Result<Offset> walk_to_end(const Segment& segment, const std::optional<OffsetEntry>& last_entry,
                               Offset limit);
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
    Status settle_ends(const OpenHints& hints);
    Offset gaps_below(const OpenHints& hints) const;

    // log_repair.cpp
    Result<Offset> cut_behind(std::size_t index, Offset next, const OpenHints& hints,
                              const std::string& why);
    Result<std::optional<Offset>> find_lost_end(std::size_t index, Offset next,
                                                const OpenHints& hints);
    Status reach_recovery_point(const OpenHints& hints);
    Status begin_filling(Offset from);
    Status fill(Segment& segment, Offset from, Offset end);
    Status sync(File& file);

    Status list_snapshots();
    Status load_snapshot(Offset at_most, ProducerTable& table, Offset& from);
    Status read_snapshot(Offset at, ProducerTable& table);
    Status walk_producers(Offset from, Offset end, ProducerTable& table,
                          std::vector<AbortedTransaction>* aborted);
    Status settle_snapshots(bool durable);

    void find(std::string what);
    void miss(Offset from, Offset end, const OpenHints& hints, std::string why);
    void tell();
    Status unlink_quietly(const std::string& path);

    Log& log_;
    MonoTime now_;
    Found found_;
    Offset scanned_from_{0};
    bool snapshots_listed_ = false;
    bool epochs_lost_ = false;
    std::optional<Offset> empty_from_;  // the batches that were scanned last are empty, from here
    // What was found is told at once, or with the rest of what load() finds.
    bool loading_ = false;
    bool fills_ = false;
    std::size_t told_;  // of the findings
    bool told_missing_;
    std::string why_missing_;
};

}  // namespace kq
