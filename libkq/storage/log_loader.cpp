// SPDX-License-Identifier: Apache-2.0
//
// LogLoader: the order of things, and recovery. Opening single segments is segment_loader.cpp,
// what becomes of damage log_repair.cpp, producers are producer_loader.cpp.
#include "storage/log_loader.hpp"

#include <algorithm>
#include <limits>

#include "base/check.hpp"
#include "storage/file_names.hpp"
#include "storage/producer_replay.hpp"
#include "storage/swap_files.hpp"

namespace kq {

namespace {

constexpr std::size_t loaded_file_max = std::size_t{16} << 20;

}  // namespace

Status LogLoader::create(Offset start) {
    KQ_TRY(log_.files_.mkdir(log_.place_.directory));
    KQ_TRY(write_metadata());
    log_.log_start_ = log_.log_end_ = start;
    log_.durable_end_ = log_.recovery_point_ = start;
    log_.parent_changed_ = true;
    return add_first_segment(start);
}

// Its name is durable before there is a second one: a crash must not leave the log without its
// beginning. (Without its whole directory it may.)
Status LogLoader::add_first_segment(Offset base) {
    KQ_TRY(log_.add_segment(base));
    return log_.files_.sync_dir(log_.place_.directory);
}

// Not synced: a partition that was never synced holds nothing that was promised.
Status LogLoader::write_metadata() {
    if (log_.place_.topic_id.is_zero()) return done();
    auto path = log_.place_.directory + '/' + std::string(partition_metadata_name);
    KQ_LET(auto file, log_.files_.open(path, OpenMode::create));
    KQ_TRY(file->truncate(0));
    KQ_TRY(file->pwrite(0, as_bytes(format_partition_metadata(log_.place_.topic_id))));
    log_.written_files_.push_back(path);
    log_.names_changed_ = true;
    return done();
}

Status LogLoader::load(const OpenHints& hints, const OpenProgress& progress) {
    loading_ = true;
    KQ_TRY(log_.files_.mkdir(log_.place_.directory));
    KQ_TRY(list_directory());
    if (!found_.has_metadata) KQ_TRY(write_metadata());
    KQ_TRY(make_segments(hints));
    KQ_TRY(load_epochs());

    bool clean = hints.last_stop == LastStop::clean;
    auto& segments = log_.segments_;
    // The segment before the recovery point, too, where that is the base of one: when it was taken
    // the roll, which writes index files, had not happened yet.
    auto first_scanned =
        clean ? segments.size() - 1 : log_.segment_index_of(hints.recovery_point - 1);
    for (std::size_t i = 0; i < first_scanned; ++i)
        KQ_TRY(open_closed(*segments[i], segments[i + 1]->base(), hints));
    bool scan_needed = !clean;
    if (clean) {
        KQ_LET(bool sound, open_active(log_.active()));
        // What was synced is not all there: the marker says nothing of this log any more.
        scan_needed = !sound || log_.log_end_ < hints.recovery_point;
    }
    if (scan_needed) {
        KQ_TRY(recover_from(first_scanned, hints, progress));
    } else if (epochs_lost_ && log_.log_end_ > segments.front()->base()) {
        KQ_TRY(rebuild_epochs(segments.size()));
    }
    KQ_TRY(reach_recovery_point(hints));
    KQ_TRY(settle_ends(hints));
    // The scan knew the producers from a snapshot before its first segment. A newer one may know
    // more: of records that were deleted since.
    bool has_newer = std::any_of(found_.snapshots.begin(), found_.snapshots.end(), [&](Offset at) {
        return at > scanned_from_ && at <= log_.log_end_;
    });
    if (!scan_needed || has_newer) KQ_TRY(load_producers(log_.log_end_));
    KQ_TRY(settle_snapshots(!scan_needed));

    log_.recovery_point_ = scan_needed
                               ? std::clamp(hints.recovery_point, log_.log_start_, log_.log_end_)
                               : log_.log_end_;
    log_.durable_end_ = log_.recovery_point_;
    if (scan_needed) log_.names_changed_ = log_.parent_changed_ = log_.changed_ = true;
    log_.suspect_ = found_.has_failed_sync;
    log_.gaps_below_ = hints.cleaned_end;
    tell();
    return done();
}

// ---- The directory

Status LogLoader::list_directory() {
    auto& files = log_.files_;
    KQ_LET(auto names, files.list(log_.place_.directory));
    KQ_LET(bool settled, settle_temporary_files(files, log_.place_.directory, names));
    if (settled) {
        KQ_LET(names, files.list(log_.place_.directory));
        log_.names_changed_ = true;
    }
    for (const auto& name : names) {
        if (auto base = offset_in_name(name, log_suffix)) found_.logs.push_back(*base);
        if (auto base = offset_in_name(name, transaction_index_suffix)) {
            found_.transaction_indexes.push_back(*base);
        }
        if (auto offset = offset_in_name(name, producer_snapshot_suffix)) {
            found_.snapshots.push_back(*offset);
        }
        if (auto offset = offset_in_earlier_batches_name(name)) found_.earlier.push_back(*offset);
        if (name == epoch_file_name) found_.has_epoch_file = true;
        if (name == partition_metadata_name) found_.has_metadata = true;
        if (name == sync_failed_name) found_.has_failed_sync = true;
    }
    snapshots_listed_ = true;
    std::sort(found_.logs.begin(), found_.logs.end());
    std::sort(found_.snapshots.begin(), found_.snapshots.end());
    return remove_orphans(names);
}

// Index files whose segment is gone: its deletion was interrupted.
Status LogLoader::remove_orphans(const std::vector<std::string>& names) {
    for (const auto& name : names) {
        for (auto suffix : {offset_index_suffix, time_index_suffix, transaction_index_suffix}) {
            auto base = offset_in_name(name, suffix);
            if (!base || std::binary_search(found_.logs.begin(), found_.logs.end(), *base)) {
                continue;
            }
            KQ_TRY(log_.files_.unlink(log_.place_.directory + '/' + name));
            log_.names_changed_ = true;
        }
    }
    return done();
}

// Where all segments are gone, offsets that were given once are not given again; unless another
// replica has them.
Status LogLoader::make_segments(const OpenHints& hints) {
    for (auto base : found_.logs) {
        log_.segments_.push_back(
            std::make_unique<Segment>(log_.files_, log_.place_.directory, base));
    }
    if (!log_.segments_.empty()) return done();
    miss(hints.log_start, hints.recovery_point, hints, "there is no segment");
    return add_first_segment(hints.fill_lost_offsets
                                 ? std::max(hints.log_start, hints.recovery_point)
                                 : hints.log_start);
}

// ---- Epochs

Status LogLoader::load_epochs() {
    // Without the file, and without records, there is nothing to know.
    epochs_lost_ = true;
    if (!found_.has_epoch_file) return done();
    auto path = log_.place_.directory + '/' + std::string(epoch_file_name);
    auto content = read_file(log_.files_, path, loaded_file_max);
    if (!content.ok() && content.code() != Errc::corrupt_file) return content.error();
    auto epochs = content.ok() ? parse_epoch_checkpoint(as_text(content.value()))
                               : Result<std::vector<EpochStart>>(content.error());
    if (epochs.code() == Errc::unsupported) {
        return Error{Errc::unsupported, path + ": " + epochs.error().message};
    }
    if (!epochs.ok()) {
        find(path + ": " + epochs.error().message);
        return done();
    }
    epochs_lost_ = epochs.value().empty();
    log_.epochs_ = EpochHistory(std::move(epochs).value());
    return done();
}

// From the first `count` segments.
Status LogLoader::rebuild_epochs(std::size_t count) {
    log_.epochs_.clear();
    for (std::size_t i = 0; i < count; ++i) {
        const auto& segment = log_.segments_[i];
        if (segment->size_bytes() == 0) continue;
        KQ_LET(auto file, log_.files_.open(segment->path(log_suffix), OpenMode::read));
        HeaderWalk walk(*file, 0, segment->size_bytes(), MayWait::yes);
        BatchHeader header;
        while (true) {
            auto more = walk.next(header);
            if (more.code() == Errc::corrupt_file) {
                find(segment->path(log_suffix) + ": " + more.error().message);
                break;
            }
            if (!more.ok()) return more.error();
            if (!more.value()) break;
            if (header.leader_epoch > log_.epochs_.latest()) {
                log_.epochs_.assign(header.leader_epoch, header.base_offset);
            }
        }
    }
    ++log_.epochs_version_;
    log_.changed_ = true;
    return done();
}

// ---- Recovery

Status LogLoader::recover_from(std::size_t first, const OpenHints& hints,
                               const OpenProgress& progress) {
    if (epochs_lost_) KQ_TRY(rebuild_epochs(first));
    while (true) {
        scanned_from_ = log_.segments_[first]->base();
        KQ_TRY(load_producers(scanned_from_));
        KQ_LET(auto expendable, scan_from(first, hints, progress));
        if (expendable == 0) break;
        KQ_TRY(drop_front(expendable));
        first = 0;
    }
    return close_scanned(first);
}

// Scans to the end, or to the first damage, behind which everything goes. Segments that lie wholly
// below the log start were being deleted, and may have holes or torn ends: how many of them are to
// be dropped before the scan begins anew, or 0.
Result<std::size_t> LogLoader::scan_from(std::size_t first, const OpenHints& hints,
                                         const OpenProgress& progress) {
    auto& segments = log_.segments_;
    auto is_expendable_before = [&](std::size_t i) {
        return i < segments.size() && segments[i]->base() <= hints.log_start;
    };
    ScanStart start;
    start.next_expected = segments[first]->base();
    // What lies below the recovery point was synced, so that a gap there is no lost write either.
    start.gaps_below = std::max(gaps_below(hints), hints.recovery_point);
    for (std::size_t i = first; i < segments.size(); ++i) {
        auto& segment = *segments[i];
        // Compaction leaves gaps. Elsewhere a gap means that the tail of the segment before was
        // lost, and what follows is no continuation of it; but not where it had been synced.
        bool gap = segment.base() > start.next_expected && segment.base() >= gaps_below(hints);
        if (i > first && (gap || segment.base() < start.next_expected)) {
            auto why = segment.path(log_suffix) + ": the log ends at " +
                       std::to_string(start.next_expected.value) + " before it";
            if (is_expendable_before(i)) {
                find(std::move(why));
                return i;
            }
            if (!gap || segment.base() > hints.recovery_point) {
                find(why);
                KQ_LET(start.next_expected,
                       cut_behind(i - 1, start.next_expected, hints, std::move(why)));
                break;
            }
            miss(start.next_expected, segment.base(), hints, std::move(why));
        }
        if (i > first) add_missing_snapshot(segment.base());
        start.base = segment.base();
        start.next_expected = std::max(start.next_expected, segment.base());
        if (i + 1 < segments.size()) start.limit = segments[i + 1]->base();
        KQ_LET(auto result, scan(segment, start));
        start.limit = Offset{std::numeric_limits<std::int64_t>::max()};
        start.next_expected = result.next;
        start.epoch_floor = result.last_epoch;
        log_.report_.scanned_bytes += result.sound_bytes;
        if (progress) progress(log_.report_.scanned_bytes);
        if (result.damage) {
            auto why = segment.path(log_suffix) + ": at " + std::to_string(result.sound_bytes) +
                       ": " + *result.damage;
            find(why);
            if (is_expendable_before(i + 1)) return i + 1;
            KQ_LET(start.next_expected, cut_behind(i, result.next, hints, std::move(why)));
            break;
        }
    }
    log_.log_end_ = start.next_expected;
    return std::size_t{0};
}

// All but the last are closed; their indexes count once the next sync has brought them out.
Status LogLoader::close_scanned(std::size_t first) {
    for (std::size_t i = first; i + 1 < log_.segments_.size(); ++i) {
        auto& segment = *log_.segments_[i];
        segment.close_indexes();
        for (auto suffix : {offset_index_suffix, time_index_suffix, transaction_index_suffix}) {
            log_.written_files_.push_back(segment.path(suffix));
        }
    }
    log_.active().flush_indexes_sometimes();
    return done();
}

Status LogLoader::drop_front(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        for (auto suffix :
             {log_suffix, offset_index_suffix, time_index_suffix, transaction_index_suffix}) {
            KQ_TRY(unlink_quietly(log_.segments_.front()->path(suffix)));
        }
        log_.segments_.erase(log_.segments_.begin());
        ++log_.report_.removed_segments;
    }
    return log_.files_.sync_dir(log_.place_.directory);
}

// What retention will need to let go of the segments before.
void LogLoader::add_missing_snapshot(Offset at) {
    const auto& known = found_.snapshots;
    if (!std::binary_search(known.begin(), known.end(), at)) log_.add_producer_snapshot(at);
}

Result<ScanResult> LogLoader::scan(Segment& segment, const ScanStart& start) {
    KQ_TRY(segment.open_file(OpenMode::read_write));
    auto file_bytes = segment.size_bytes();
    segment.restart_indexes();
    segment.set_created(log_.clock_.wall());
    KQ_TRY(unlink_quietly(segment.path(transaction_index_suffix)));

    auto result = scan_segment(
        *segment.file(), start,
        [&](const BatchHeader& header, std::uint64_t, ByteView batch) -> Status {
            segment.note(BatchMark::of(header), log_.options_.index_interval_bytes);
            if (header.record_count != 0) empty_from_.reset();
            if (header.record_count == 0 && !empty_from_) empty_from_ = header.base_offset;
            if (header.leader_epoch > log_.epochs_.latest()) {
                log_.assign_epoch_start(header.leader_epoch, header.base_offset);
            }
            auto aborted = replay(log_.producers_, header, batch, now_);
            if (!aborted.ok()) {
                find(segment.path(log_suffix) + ": offset " +
                     std::to_string(header.base_offset.value) + ": " + aborted.error().message);
            } else if (aborted.value()) {
                segment.note_aborted(*aborted.value());
            }
            return done();
        });
    if (result.code() == Errc::unsupported) {
        return Error{Errc::unsupported, segment.path(log_suffix) + ": " + result.error().message};
    }
    if (result.ok()) {
        KQ_CHECK(segment.size_bytes() == result.value().sound_bytes);
        if (found_.has_failed_sync) KQ_TRY(write_again(segment));
        log_.report_.cut_bytes += file_bytes - result.value().sound_bytes;
    }
    return result;
}

// An earlier process had a failed sync: what is read here may be in the kernel's cache only, and
// marked as written (SyncJob::note_failure). Written once more, it goes out with the next sync.
Status LogLoader::write_again(Segment& segment) {
    constexpr std::size_t piece_bytes = 1 << 20;
    Bytes buffer;
    for (std::uint64_t at = 0; at < segment.size_bytes();) {
        buffer.resize(std::min<std::uint64_t>(piece_bytes, segment.size_bytes() - at));
        KQ_LET(auto count, segment.file()->pread(at, buffer));
        if (count == 0) return Error{Errc::io_error, segment.path(log_suffix) + " became shorter"};
        KQ_TRY(segment.file()->pwrite(at, ByteView(buffer).first(count)));
        at += count;
    }
    return done();
}

// Where the log begins and ends is known now; what lies outside goes.
Status LogLoader::settle_ends(const OpenHints& hints) {
    auto& segments = log_.segments_;
    log_.log_start_ = std::max(hints.log_start, segments.front()->base());
    if (log_.log_start_ > log_.log_end_) {
        // The records that were left behind the log start were lost.
        find("the log ends at " + std::to_string(log_.log_end_.value) + ", before its start at " +
             std::to_string(log_.log_start_.value));
        KQ_TRY(log_.drop_segments_from(0));
        log_.log_end_ = log_.log_start_;
        log_.producers_.clear();
        KQ_TRY(log_.remove_snapshots_above(Offset{-1}));
        found_.snapshots.clear();
        found_.earlier.clear();
        KQ_TRY(add_first_segment(log_.log_start_));
    }
    bool from_end = log_.epochs_.truncate_from_end(log_.log_end_);
    bool from_start = log_.epochs_.truncate_from_start(log_.log_start_);
    // An epoch that had no records is not worth a write.
    if ((from_end && log_.report_.changed()) || from_start) ++log_.epochs_version_;
    return done();
}

// Of compaction: below it, and everywhere in a log that is compacted.
Offset LogLoader::gaps_below(const OpenHints& hints) const {
    return log_.options_.compact ? Offset{std::numeric_limits<std::int64_t>::max()}
                                 : hints.cleaned_end;
}

Status LogLoader::unlink_quietly(const std::string& path) {
    auto removed = log_.files_.unlink(path);
    if (removed.ok()) log_.names_changed_ = true;
    return removed.code() == Errc::not_found ? done() : removed;
}

}  // namespace kq
