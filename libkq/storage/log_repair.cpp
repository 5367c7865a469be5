// SPDX-License-Identifier: Apache-2.0
//
// LogLoader: what becomes of damage. A log ends before its first damage, as in Kafka. What is cut
// off is dropped where it can be the torn end of what was not synced; where it cannot, it is kept
// beside the log, and the offsets that its records had are not given again (docs/formats.md,
// "Segments"; docs/decisions/0011-offsets-of-lost-records.md).
#include <algorithm>
#include <limits>
#include <utility>

#include "base/mutant.hpp"
#include "protocol/batch_builder.hpp"
#include "storage/damaged_files.hpp"
#include "storage/file_names.hpp"
#include "storage/log_loader.hpp"

namespace kq {

namespace {

constexpr auto int32_max = std::numeric_limits<std::int32_t>::max();
// A recovery point that is further beyond the end of its log is not believed: the checkpoint file
// has no checksum.
constexpr std::int64_t fill_max = std::int64_t{64} * int32_max;

// The offsets that a segment can hold end here.
Offset reach_of(const Segment& segment) {
    return segment.base() + int32_max + 1;
}

bool has_room_for_empty_batch(const Segment& segment) {
    return segment.size_bytes() + batch_header_bytes <= std::uint64_t{int32_max};
}

bool must_fill(const OpenHints& hints) {
    return hints.fill_lost_offsets && !mutant(Mutant::give_lost_offsets_again);
}

std::string text_of(const std::vector<MissingRecords>& missing) {
    constexpr std::size_t told_max = 8;
    std::string text;
    for (std::size_t i = 0; i < std::min(missing.size(), told_max); ++i) {
        if (i > 0) text += ", ";
        text +=
            std::to_string(missing[i].from.value) + ".." + std::to_string(missing[i].end.value - 1);
    }
    return missing.size() > told_max ? text + ", ..." : text;
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const auto& word : words)
        text += (text.empty() ? "" : ", ") + word;
    return text;
}

}  // namespace

// ---- The first damage

// Cuts the log behind the sound bytes of a segment, at `next`. Gives where it ends then: beyond
// `next` where lost offsets are filled.
//
// Every step is durable before the next, and a start that dies between two of them leaves what the
// next one makes the same of: a copy is kept; an empty batch stands where the damage was, before
// the later segments go that tell how far it must reach; the segment is cut last.
Result<Offset> LogLoader::cut_behind(std::size_t index, Offset next, const OpenHints& hints,
                                     const std::string& why) {
    auto& segments = log_.segments_;
    auto& segment = *segments[index];
    const auto sound_bytes = segment.size_bytes();
    KQ_LET(const auto lost_end, find_lost_end(index, next, hints));
    const bool fills = lost_end && *lost_end > next && must_fill(hints);
    if (fills && (*lost_end > reach_of(segment) || !has_room_for_empty_batch(segment))) {
        return Error{Errc::corrupt_file, why + "; offsets were given up to " +
                                             std::to_string(lost_end->value - 1) +
                                             ", too far to begin behind them in this segment"};
    }
    std::vector<std::pair<std::string, std::string>> renamed;
    for (std::size_t i = index + 1; i < segments.size(); ++i) {
        auto path = segments[i]->path(log_suffix);
        KQ_LET(auto info, log_.files_.info(path));
        log_.report_.cut_bytes += info.size;
        if (!lost_end || info.size == 0) continue;
        renamed.emplace_back(path, name_to_keep(log_.files_, path));
    }
    if (lost_end) {
        auto& kept = log_.report_.kept;
        if (segment.file()->size() > sound_bytes) {
            KQ_LET(auto copy,
                   keep_tail(log_.files_, segment.path(log_suffix), *segment.file(), sound_bytes));
            kept.push_back(std::move(copy));
        }
        for (const auto& [path, name] : renamed)
            kept.push_back(name);
        // A start that died behind the filling has left empty batches at the end.
        miss(empty_from_ && *lost_end == next ? *empty_from_ : next, *lost_end, hints, why);
    }
    if (fills) {
        KQ_TRY(begin_filling(next));
        KQ_TRY(fill(segment, next, *lost_end));
        next = *lost_end;
    }
    // An empty batch that an earlier process wrote there may be in the kernel's cache only.
    if (!fills && !renamed.empty()) KQ_TRY(sync(*segment.file()));
    for (const auto& [path, name] : renamed)
        KQ_TRY(keep_whole(log_.files_, path, name));
    log_.report_.removed_segments += static_cast<std::uint32_t>(segments.size() - (index + 1));
    // Newest before older: a crash in between finds the same damage again.
    KQ_TRY(log_.drop_segments_from(index + 1));
    if (segment.file()->size() > segment.size_bytes()) {
        KQ_TRY(segment.file()->truncate(segment.size_bytes()));
        // At once: the next start may find a later segment behind this one, and not look at it.
        KQ_TRY(sync(*segment.file()));
    }
    return next;
}

// A crash tears the end of what was not synced. What does not look like that was damaged in another
// way, and may be all that is left of records that were acknowledged: where their offsets end, as
// far as anything tells; nothing for a torn end.
Result<std::optional<Offset>> LogLoader::find_lost_end(std::size_t index, Offset next,
                                                       const OpenHints& hints) {
    const auto& segment = *log_.segments_[index];
    const File& file = *segment.file();
    const auto reach = reach_of(segment);
    std::optional<Offset> end;
    auto reaches = [&](Offset offset) { end = std::max(end.value_or(next), offset); };

    if (next < hints.recovery_point) {
        // Beyond its reach it is another segment's (reach_recovery_point).
        reaches(hints.recovery_point <= reach ? hints.recovery_point : next);
    }
    auto from = segment.size_bytes();
    KQ_LET(const auto misplaced, sound_batch_at(file, from));
    if (misplaced && misplaced->base_offset >= next &&
        next + misplaced->last_offset_delta < reach) {
        // Its offset or epoch is wrong, which its checksum does not cover; its length is not.
        reaches(next + misplaced->last_offset_delta + 1);
        from += misplaced->size_bytes;
    } else {
        ++from;
    }
    KQ_LET(const auto behind, sound_end(file, from, next, reach));
    if (behind) reaches(*behind);

    std::optional<std::size_t> last;
    for (auto i = index + 1; i < log_.segments_.size(); ++i) {
        KQ_LET(auto info, log_.files_.info(log_.segments_[i]->path(log_suffix)));
        if (info.size > 0) last = i;
    }
    if (!last) return end;
    const auto& later = *log_.segments_[*last];
    KQ_LET(const auto later_file, log_.files_.open(later.path(log_suffix), OpenMode::read));
    KQ_LET(const auto inside, sound_end(*later_file, 0, later.base(), reach_of(later)));
    reaches(inside.value_or(later.base()));
    reaches(log_.segments_.back()->base());
    return end;
}

// ---- Offsets that are not given again

// The log may end below its recovery point without damage: a part of its last segment is gone, or
// all of it and more.
Status LogLoader::reach_recovery_point(const OpenHints& hints) {
    const auto from = log_.log_end_;
    const auto end = hints.recovery_point;
    if (from >= end || end <= hints.log_start) return done();
    if (end - from > fill_max) {
        find("the recovery point " + std::to_string(end.value) +
             " is far beyond the log's end at " + std::to_string(from.value) +
             ", and not believed");
        return done();
    }
    const auto& missing = log_.report_.missing;
    if (missing.empty() || missing.back().end < end) {
        miss(from, end, hints,
             "the log ends at " + std::to_string(from.value) + ", but was on disk up to " +
                 std::to_string(end.value));
    }
    if (!must_fill(hints)) return done();
    KQ_TRY(begin_filling(from));
    while (log_.log_end_ < end) {
        const auto reach = std::min(end, reach_of(log_.active()));
        if (log_.log_end_ < reach && has_room_for_empty_batch(log_.active())) {
            KQ_TRY(fill(log_.active(), log_.log_end_, reach));
            log_.log_end_ = reach;
            continue;
        }
        KQ_TRY(log_.roll(log_.log_end_));
        KQ_TRY(log_.files_.sync_dir(log_.place_.directory));
    }
    return done();
}

// What is known of the offsets from `from` on, or what producers did there, must not be believed of
// an empty batch. The snapshots are gone before it is there, for good: the next start would take
// them for those of a log that reaches so far.
Status LogLoader::begin_filling(Offset from) {
    fills_ = true;
    tell();
    if (log_.epochs_.truncate_from_end(from)) ++log_.epochs_version_;
    auto beyond = [from](Offset at) { return at > from; };
    std::erase_if(found_.snapshots, beyond);
    std::erase_if(found_.earlier, beyond);
    KQ_TRY(log_.remove_snapshots_above(from));
    return log_.files_.sync_dir(log_.place_.directory);
}

// With an empty batch behind the sound bytes: durable when it returns.
Status LogLoader::fill(Segment& segment, Offset from, Offset end) {
    const auto batch = make_empty_batch(from, end - 1, log_.epochs_.latest());
    KQ_LET(const auto header, BatchHeader::parse(batch));
    KQ_TRY(segment.file()->pwrite(segment.size_bytes(), batch));
    KQ_TRY(sync(*segment.file()));
    segment.note(BatchMark::of(header), log_.options_.index_interval_bytes);
    return done();
}

// As SyncJob does it: what the kernel could not write it keeps, and calls clean (I31).
Status LogLoader::sync(File& file) {
    auto synced = file.sync();
    if (synced.ok()) return synced;
    const auto path = log_.place_.directory + '/' + std::string(sync_failed_name);
    static_cast<void>(log_.files_.open(path, OpenMode::create).ok());
    return synced;
}

// ---- Telling

void LogLoader::find(std::string what) {
    constexpr std::size_t findings_max = 100;
    auto& findings = log_.report_.findings;
    if (findings.size() < findings_max) findings.push_back(std::move(what));
    if (!loading_) tell();
}

// Records that were promised are not there.
void LogLoader::miss(Offset from, Offset end, const OpenHints& hints, std::string why) {
    from = std::max(from, hints.log_start);
    auto& missing = log_.report_.missing;
    const MissingRecords lost{from, end};
    const bool is_known = std::find(missing.begin(), missing.end(), lost) != missing.end();
    if (from < end && !is_known) missing.push_back(lost);
    if (from >= end && log_.report_.kept.empty()) return;
    log_.report_.records_missing = true;
    if (why_missing_.empty()) why_missing_ = std::move(why);
}

// Before anything is changed on its account, or at the end: a start that fails tells its error
// only.
void LogLoader::tell() {
    const auto& report = log_.report_;
    for (; told_ < report.findings.size(); ++told_)
        log_.place_.logger.warn("damage found", {kv("what", report.findings[told_])});
    if (!report.records_missing || std::exchange(told_missing_, true)) return;
    log_.place_.logger.error(
        "records are missing",
        {kv("directory", log_.place_.directory), kv("offsets", text_of(report.missing)),
         kv("why", why_missing_), kv("kept", joined(report.kept)),
         kv("advice", fills_ ? "the rest is served, and appends go on behind these offsets"
                             : "the rest is served; a segment that was taken away can be put "
                               "back while the broker is stopped")});
}

}  // namespace kq
