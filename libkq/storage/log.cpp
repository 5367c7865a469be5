// SPDX-License-Identifier: Apache-2.0
//
// Log: making, closing, and what it knows. Appending is log_append.cpp, reading log_read.cpp,
// durability log_sync.cpp, getting shorter log_shorten.cpp, opening log_loader.cpp.
#include "storage/log.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "storage/file_names.hpp"
#include "storage/log_loader.hpp"
#include "storage/producer_snapshot.hpp"

namespace kq {

Log::Log(Key, FileSystem& files, const Clock& clock, LogPlace place, const LogOptions& options)
    : files_(files),
      clock_(clock),
      place_(std::move(place)),
      options_(options),
      producers_(options.producers_max, options.producer_room) {}

Log::~Log() = default;

Result<std::unique_ptr<Log>> Log::create(FileSystem& files, const Clock& clock, LogPlace place,
                                         const LogOptions& options, Offset start) {
    auto log = std::make_unique<Log>(Key(), files, clock, std::move(place), options);
    LogLoader loader(*log);
    KQ_TRY(loader.create(start));
    return log;
}

Result<std::unique_ptr<Log>> Log::open(FileSystem& files, const Clock& clock, LogPlace place,
                                       const LogOptions& options, const OpenHints& hints,
                                       const OpenProgress& progress) {
    auto log = std::make_unique<Log>(Key(), files, clock, std::move(place), options);
    LogLoader loader(*log);
    KQ_TRY(loader.load(hints, progress));
    return log;
}

Status Log::close_clean() {
    return close_clean(files_, {this}).front();
}

std::vector<Status> Log::close_clean(FileSystem& files, const std::vector<Log*>& logs) {
    std::vector<Status> results;
    std::vector<SyncJob> jobs;
    std::vector<std::size_t> whose;
    for (auto* log : logs) {
        KQ_CHECK(!log->syncing_ && log->staged_.empty());
        results.push_back(log->failed_ ? Error{Errc::kafka_storage_error, "the log failed before"}
                                       : done());
        if (log->failed_ || (!log->changed_ && !log->needs_sync())) continue;
        log->close_active();
        log->add_producer_snapshot(log->log_end_);
        jobs.push_back(log->begin_sync());
        whose.push_back(results.size() - 1);
    }
    const auto synced = SyncJob::run_all(files, jobs);
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        logs[whose[i]]->finish_sync(jobs[i], synced[i]);
        results[whose[i]] = synced[i];
    }
    return results;
}

// ---- What it knows

std::uint64_t Log::size_bytes() const {
    std::uint64_t bytes = 0;
    for (const auto& segment : segments_)
        bytes += segment->size_bytes();
    return bytes;
}

std::size_t Log::segment_count() const {
    return segments_.size();
}

Offset Log::first_segment_base() const {
    return segments_.front()->base();
}

void Log::assign_epoch_start(Epoch epoch, Offset start) {
    if (epochs_.assign(epoch, start)) ++epochs_version_;
}

EpochEnd Log::end_offset_of_epoch(Epoch epoch) const {
    auto found = epochs_.end_of(epoch, log_end_);
    return {found.epoch, found.end};
}

Offset Log::last_stable_offset(Offset high_watermark) const {
    auto unstable = producers_.first_unstable(high_watermark);
    return unstable ? std::min(*unstable, high_watermark) : high_watermark;
}

void Log::advance_high_watermark(Offset high_watermark) {
    producers_.advance_high_watermark(high_watermark);
}

std::size_t Log::expire_producers() {
    auto expired = producers_.expire(clock_.mono(), options_.producer_id_expiration_ms);
    if (expired > 0) changed_ = true;
    return expired;
}

// ---- Segments

std::size_t Log::segment_index_of(Offset offset) const {
    auto after = std::upper_bound(segments_.begin(), segments_.end(), offset,
                                  [](Offset value, const std::unique_ptr<Segment>& segment) {
                                      return value < segment->base();
                                  });
    return after == segments_.begin() ? 0 : static_cast<std::size_t>(after - segments_.begin()) - 1;
}

Offset Log::segment_end(std::size_t index) const {
    return index + 1 < segments_.size() ? segments_[index + 1]->base() : log_end_;
}

Status Log::add_segment(Offset base) {
    auto segment = std::make_unique<Segment>(files_, place_.directory, base);
    KQ_TRY(segment->create(clock_.wall()));
    segments_.push_back(std::move(segment));
    names_changed_ = true;
    changed_ = true;
    return done();
}

void Log::close_active() {
    active().close_indexes();
    for (auto suffix : {offset_index_suffix, time_index_suffix, transaction_index_suffix}) {
        written_files_.push_back(active().path(suffix));
    }
    names_changed_ = true;
}

// The file first: if there is no room for it, nothing has changed.
Status Log::roll(Offset base) {
    auto segment = std::make_unique<Segment>(files_, place_.directory, base);
    KQ_TRY(segment->create(clock_.wall()));
    close_active();
    active().loaded_at = ++loads_;
    segments_.push_back(std::move(segment));
    unload_cold_segments(active());
    add_producer_snapshot(base);
    rolled_since_sync_ = true;
    changed_ = true;
    place_.logger.info("segment rolled", {kv("directory", place_.directory), kv("base", base)});
    return done();
}

bool Log::has_snapshot(Offset offset) const {
    return std::binary_search(snapshots_.begin(), snapshots_.end(), offset) ||
           std::find(pending_snapshots_.begin(), pending_snapshots_.end(), offset) !=
               pending_snapshots_.end();
}

// Kafka's snapshot, and our file beside it. Without either a restart reads the log instead.
void Log::add_producer_snapshot(Offset offset) {
    if (offset == Offset{0} || has_snapshot(offset)) return;
    auto snapshot = encode_snapshot(producers_);
    if (producers_.size() > 0) {
        small_files_.push_back({earlier_batches_path(place_.directory, offset),
                                encode_earlier_batches(producers_, snapshot, clock_.mono()),
                                offset});
    }
    small_files_.push_back({segment_path(place_.directory, offset, producer_snapshot_suffix),
                            std::move(snapshot), offset});
    pending_snapshots_.push_back(offset);
}

}  // namespace kq
