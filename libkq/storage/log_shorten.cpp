// SPDX-License-Identifier: Apache-2.0
//
// Log: getting shorter: at its end by truncation, at its start by retention.
//
// A crash must never leave a hole. At the end segments go newest first, at the start oldest first,
// and every step is durable before the next one.
#include <algorithm>

#include "base/check.hpp"
#include "storage/file_names.hpp"
#include "storage/log.hpp"
#include "storage/log_loader.hpp"

namespace kq {

// The snapshot of the producers at its base is not the segment's: it tells of what was before.
std::vector<std::string> Log::segment_files(const Segment& segment) const {
    std::vector<std::string> paths;
    for (auto suffix :
         {log_suffix, offset_index_suffix, time_index_suffix, transaction_index_suffix}) {
        paths.push_back(segment.path(suffix));
    }
    return paths;
}

// ---- At the end

Status Log::truncate_to(Offset end) {
    KQ_CHECK(!syncing_ && staged_.empty());
    if (failed_) return Error{Errc::kafka_storage_error, "the log failed before"};
    if (end >= log_end_) return done();
    if (end < log_start_) return truncate_fully_and_start_at(end);

    auto result = cut_at(end);
    if (!result.ok()) {
        failed_ = true;
        return result;
    }
    place_.logger.info("log truncated", {kv("directory", place_.directory), kv("end", log_end_)});
    return done();
}

Status Log::cut_at(Offset end) {
    changed_ = true;
    limit_ = {};
    auto index = segment_index_of(end);
    auto& segment = *segments_[index];
    if (segment.file() == nullptr) KQ_TRY(segment.open_file(OpenMode::read_write));
    // Batches are kept or dropped whole: the leader sends them so.
    HeaderWalk walk(*segment.file(), 0, segment.size_bytes(), MayWait::yes);
    BatchHeader header;
    std::uint64_t cut = segment.size_bytes();
    while (true) {
        KQ_LET(bool more, walk.next(header));
        if (!more) break;
        if (header.last_offset() < end) continue;
        cut = walk.position();
        if (header.base_offset < log_start_) return drop_all(log_start_);
        end = std::min(end, header.base_offset);
        break;
    }
    KQ_TRY(drop_segments_from(index + 1));
    if (cut == 0 || segment.base() == end) {
        // A file that readers may hold is not written to again: it gets a successor (L1).
        KQ_TRY(drop_segments_from(index));
    } else {
        KQ_TRY(shorten_segment(segment, cut));
    }
    log_end_ = end;
    durable_end_ = std::min(durable_end_, end);
    recovery_point_ = std::min(recovery_point_, end);
    if (epochs_.truncate_from_end(end)) ++epochs_version_;
    KQ_TRY(remove_snapshots_above(end));
    KQ_TRY(add_segment(end));
    LogLoader loader(*this);
    KQ_TRY(loader.load_producers(end));
    return sync_all();
}

Status Log::shorten_segment(Segment& segment, std::uint64_t bytes) {
    KQ_TRY(segment.file()->truncate(bytes));
    segment.set_size(bytes);
    segment.synced_bytes = 0;
    segment.allocated_bytes = 0;
    // Before its successor exists: a crash must not leave both with the same offsets.
    KQ_TRY(segment.file()->sync());
    LogLoader loader(*this);
    return loader.rebuild_indexes(segment);
}

Status Log::truncate_fully_and_start_at(Offset start) {
    KQ_CHECK(!syncing_ && staged_.empty());
    if (failed_) return Error{Errc::kafka_storage_error, "the log failed before"};
    auto result = drop_all(start);
    if (!result.ok()) failed_ = true;
    return result;
}

Status Log::drop_all(Offset start) {
    changed_ = true;
    limit_ = {};
    KQ_TRY(drop_segments_from(0));
    KQ_TRY(remove_snapshots_above(Offset{-1}));
    log_start_ = log_end_ = start;
    durable_end_ = recovery_point_ = start;
    epochs_.clear();
    ++epochs_version_;
    producers_.clear();
    KQ_TRY(add_segment(start));
    return sync_all();
}

// Blocks, like everything here.
Status Log::sync_all() {
    auto job = begin_sync();
    auto result = job.run();
    finish_sync(job, result);
    return result;
}

Status Log::drop_segments_from(std::size_t first) {
    while (segments_.size() > first) {
        for (const auto& path : segment_files(*segments_.back())) {
            auto removed = files_.unlink(path);
            if (!removed.ok() && removed.code() != Errc::not_found) return removed;
        }
        KQ_TRY(files_.sync_dir(place_.directory));
        segments_.pop_back();
    }
    return done();
}

Status Log::remove_snapshots_above(Offset offset) {
    std::erase_if(small_files_, [&](const auto& small) { return small.snapshot > offset; });
    std::erase_if(pending_snapshots_, [&](Offset at) { return at > offset; });
    std::erase_if(snapshots_, [&](Offset at) { return at > offset; });
    KQ_LET(auto names, files_.list(place_.directory));
    for (const auto& name : names) {
        auto at = offset_in_name(name, producer_snapshot_suffix);
        if (!at) at = offset_in_earlier_batches_name(name);
        if (!at || *at <= offset) continue;
        KQ_TRY(files_.unlink(place_.directory + '/' + name));
        names_changed_ = true;
    }
    return done();
}

// ---- At the start

void Log::advance_log_start(Offset start) {
    KQ_CHECK(start <= log_end_);
    if (start <= log_start_) return;
    log_start_ = start;
    changed_ = true;
    if (epochs_.truncate_from_start(start)) ++epochs_version_;
}

Offset Log::start_after_retention(WallTime now, Offset high_watermark) {
    if (failed_) return log_start_;
    auto count = count_old_segments(now, high_watermark);
    // The end of the log, and what is known about producers, must outlive its records.
    if (count > 0 && count == segments_.size() && !roll(log_end_).ok()) --count;
    while (count > 0 && producers_.size() > 0 &&
           !std::binary_search(snapshots_.begin(), snapshots_.end(), segments_[count]->base())) {
        --count;  // until the next sync has brought out the snapshot
    }
    return segments_[count]->base();
}

DeleteJob Log::delete_segments_before(Offset start) {
    KQ_CHECK(start <= log_end_);
    DeleteJob job;
    job.files_ = &files_;
    job.directory_ = place_.directory;
    if (!failed_) {
        std::size_t count = 0;
        while (count + 1 < segments_.size() && segments_[count + 1]->base() <= start)
            ++count;
        drop_segments_before(count, job);
        advance_log_start(start);
    }
    job.log_start_ = log_start_;
    return job;
}

std::size_t Log::count_old_segments(WallTime now, Offset high_watermark) const {
    auto excess = options_.delete_old && options_.retention_bytes >= 0
                      ? static_cast<std::int64_t>(size_bytes()) - options_.retention_bytes
                      : std::int64_t{0};
    std::size_t count = 0;
    for (; count < segments_.size(); ++count) {
        const auto& segment = *segments_[count];
        bool is_active = count + 1 == segments_.size();
        if (segment_end(count) > high_watermark) break;
        if (is_active && segment.size_bytes() == 0) break;
        auto bytes = static_cast<std::int64_t>(segment.size_bytes());
        bool below_start = !is_active && segments_[count + 1]->base() <= log_start_;
        bool too_much = options_.retention_bytes >= 0 && excess >= bytes && bytes > 0;
        bool goes = below_start || (options_.delete_old && (too_much || is_too_old(segment, now)));
        if (!goes) break;
        excess -= bytes;
    }
    return count;
}

bool Log::is_too_old(const Segment& segment, WallTime now) const {
    return segment.is_timestamp_sure() && seems_too_old(segment, now);
}

std::optional<AgeJob> Log::wants_ages(WallTime now) const {
    if (failed_ || !options_.delete_old) return std::nullopt;
    AgeJob job;
    job.files_ = &files_;
    for (const auto& segment : segments_) {
        if (!seems_too_old(*segment, now)) break;
        if (segment->is_timestamp_sure()) continue;
        job.items_.push_back({.base = segment->base(),
                              .path = segment->path(log_suffix),
                              .size = segment->size_bytes()});
    }
    if (job.items_.empty()) return std::nullopt;
    return job;
}

Status AgeJob::run() {
    for (auto& item : items_)
        KQ_TRY(look_at(item));
    return done();
}

Status AgeJob::look_at(Item& item) {
    KQ_LET(auto file, files_->open(item.path, OpenMode::read));
    HeaderWalk walk(*file, 0, item.size, MayWait::yes);
    BatchHeader header;
    while (true) {
        auto more = walk.next(header);
        if (!more.ok()) return Error{more.code(), item.path + ": " + more.error().message};
        if (!more.value()) break;
        if (header.max_timestamp <= item.youngest) continue;
        item.youngest = header.max_timestamp;
        item.youngest_at = header.last_offset();
    }
    item.known = true;
    return done();
}

void Log::finish_ages(const AgeJob& job) {
    for (const auto& item : job.items_) {
        auto& segment = *segments_[segment_index_of(item.base)];
        // It may be gone, or have been cut, meanwhile.
        if (!item.known || segment.base() != item.base) continue;
        if (segment.size_bytes() != item.size) continue;
        segment.set_max_timestamp(item.youngest, item.youngest_at);
        segment.set_timestamp_sure(true);
    }
}

bool Log::seems_too_old(const Segment& segment, WallTime now) const {
    if (options_.retention_ms < Millis{0}) return false;
    auto youngest = segment.youngest();
    return youngest.ok() && now - youngest.value() > options_.retention_ms;
}

void Log::drop_segments_before(std::size_t count, DeleteJob& job) {
    for (std::size_t i = 0; i < count; ++i) {
        auto paths = segment_files(*segments_[i]);
        paths.push_back(segments_[i]->path(producer_snapshot_suffix));
        paths.push_back(earlier_batches_path(place_.directory, segments_[i]->base()));
        job.steps_.push_back(std::move(paths));
        job.bytes_ += segments_[i]->size_bytes();
    }
    segments_.erase(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(count));
    if (count > 0) {
        auto first = segments_.front()->base();
        std::erase_if(snapshots_, [&](Offset at) { return at < first; });
        advance_log_start(std::max(log_start_, first));
        changed_ = true;
        place_.logger.info("segments deleted", {kv("directory", place_.directory),
                                                kv("count", count), kv("log_start", log_start_)});
    }
}

Status DeleteJob::run() {
    for (const auto& step : steps_) {
        for (const auto& path : step)
            KQ_TRY(unlink_if_there(path));
        KQ_TRY(files_->sync_dir(directory_));
    }
    return done();
}

Status DeleteJob::set_aside() {
    for (const auto& step : steps_) {
        for (const auto& path : step) {
            auto renamed = files_->rename(path, path + std::string(deleted_suffix));
            if (!renamed.ok() && renamed.code() != Errc::not_found) return renamed;
        }
        KQ_TRY(files_->sync_dir(directory_));
    }
    return done();
}

// Not synced: the next start removes what comes back.
Status DeleteJob::unlink_set_aside() {
    for (const auto& step : steps_) {
        for (const auto& path : step)
            KQ_TRY(unlink_if_there(path + std::string(deleted_suffix)));
    }
    return done();
}

Status DeleteJob::unlink_if_there(const std::string& path) {
    auto removed = files_->unlink(path);
    return removed.code() == Errc::not_found ? done() : removed;
}

}  // namespace kq
