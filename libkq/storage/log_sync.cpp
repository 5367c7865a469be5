// SPDX-License-Identifier: Apache-2.0
//
// Log: durability, and the jobs of the I/O pool that make it.
#include <algorithm>
#include <set>
#include <utility>

#include "base/check.hpp"
#include "base/mutant.hpp"
#include "storage/file_names.hpp"
#include "storage/log.hpp"

namespace kq {

bool Log::needs_sync() const {
    // An epoch without records may be forgotten.
    return durable_end_ < log_end_ || names_changed_ || !small_files_.empty() ||
           !written_files_.empty();
}

void Log::flush_indexes() {
    if (!failed_ && recovery_point_ > active().base()) active().flush_indexes();
}

SyncJob Log::begin_sync() {
    KQ_CHECK(!syncing_ && !failed_);
    syncing_ = true;
    rolled_since_sync_ = false;

    SyncJob job;
    job.files_ = &files_;
    job.log_directory_ = place_.directory;
    job.ends_suspicion_ = suspect_;
    job.end_ = log_end_;
    // Dirty segments are the newest ones.
    for (auto at = segments_.size(); at > 0; --at) {
        auto& segment = *segments_[at - 1];
        if (segment.synced_bytes == segment.size_bytes()) {
            if (at < segments_.size()) break;
            continue;
        }
        bool give_back = at < segments_.size() && segment.allocated_bytes > segment.size_bytes();
        job.segments_.push_back({segment.file(), segment.base(), segment.size_bytes(), give_back});
    }
    std::reverse(job.segments_.begin(), job.segments_.end());

    job.epochs_version_ = epochs_version_;
    job.small_files_ = std::exchange(small_files_, {});
    job.snapshots_ = std::exchange(pending_snapshots_, {});
    if (epochs_version_ != epochs_synced_version_) {
        auto text = format_epoch_checkpoint(epochs_.entries());
        const auto path = place_.directory + '/' + std::string(epoch_file_name);
        // An older one may be left of a sync that found no room.
        std::erase_if(job.small_files_, [&](const auto& small) { return small.path == path; });
        job.small_files_.push_back({path, to_bytes(as_bytes(text)), {}});
    }
    job.written_files_ = std::exchange(written_files_, {});
    if (names_changed_ || !job.small_files_.empty()) {
        job.directories_.push_back(place_.directory);
        if (parent_changed_) job.directories_.push_back(parent_of(place_.directory));
    }
    names_changed_ = parent_changed_ = false;
    return job;
}

void Log::finish_sync(const SyncJob& job, const Status& result) {
    KQ_CHECK(syncing_);
    syncing_ = false;
    if (result.ok()) {
        for (const auto& synced : job.segments_) {
            auto& segment = *segments_[segment_index_of(synced.base)];
            if (segment.base() == synced.base && segment.file() == synced.file) {
                segment.synced_bytes = synced.size;
                if (synced.give_back) segment.allocated_bytes = synced.size;
            }
        }
        unload_cold_segments(active());
        epochs_synced_version_ = job.epochs_version_;
        snapshots_.insert(snapshots_.end(), job.snapshots_.begin(), job.snapshots_.end());
        std::sort(snapshots_.begin(), snapshots_.end());
        if (job.ends_suspicion_) suspect_ = false;
        durable_end_ = std::max(durable_end_, job.end());
        recovery_point_ = std::max(recovery_point_, job.end());
        return;
    }
    if (job.sync_failed_ || !is_shortage(result.code())) {
        // The kernel forgets what it could not write: a second sync would succeed without having
        // written it (I31).
        failed_ = true;
        place_.logger.error("sync failed",
                            {kv("directory", place_.directory), kv("error", result.error())});
        return;
    }
    // A small file found no room, or could not be opened. Nothing is lost by doing all of it again.
    full_ = full_ || result.code() == Errc::disk_full;
    small_files_.insert(small_files_.begin(), job.small_files_.begin(), job.small_files_.end());
    written_files_.insert(written_files_.begin(), job.written_files_.begin(),
                          job.written_files_.end());
    pending_snapshots_.insert(pending_snapshots_.begin(), job.snapshots_.begin(),
                              job.snapshots_.end());
    names_changed_ = true;
    parent_changed_ = parent_changed_ || job.directories_.size() > 1;
}

// ---- SyncJob

// The epoch file and the names come with the records: the recovery point must not pass anything
// that a scan would be needed to find out.
Status SyncJob::run() {
    for (auto& segment : segments_) {
        if (segment.give_back) KQ_TRY(segment.file->truncate(segment.size));
    }
    KQ_TRY(sync_segments());
    KQ_TRY(sync_written_files());
    for (const auto& small : small_files_) {  // as replace_file() does it
        KQ_LET(auto file, write_temporary(small));
        KQ_TRY(sync_file(*file));
    }
    KQ_TRY(rename_synced());
    KQ_TRY(sync_names());
    return end_suspicion();
}

Status SyncJob::sync_segments() {
    for (auto& segment : segments_)
        KQ_TRY(sync_file(*segment.file));
    return done();
}

Status SyncJob::sync_written_files() {
    for (const auto& path : written_files_) {
        auto file = files_->open(path, OpenMode::read_write);
        if (file.code() == Errc::not_found) continue;  // not every segment has every index
        if (!file.ok()) return file.error();
        KQ_TRY(sync_file(*file.value()));
    }
    return done();
}

// The directory once for all small files.
Status SyncJob::sync_names() {
    if (mutant(Mutant::skip_directory_sync)) return done();
    for (const auto& directory : directories_) {
        auto synced = files_->sync_dir(directory);
        if (!synced.ok()) {
            // Not one that could not even be opened for lack of descriptors: nothing was tried.
            if (!is_shortage(synced.code())) note_failure();
            return synced;
        }
    }
    return done();
}

// It may come back after a power cut, and then costs a needless rewrite.
Status SyncJob::end_suspicion() {
    if (!ends_suspicion_) return done();
    auto removed = files_->unlink(log_directory_ + '/' + std::string(sync_failed_name));
    if (!removed.ok() && removed.code() != Errc::not_found) return removed;
    return done();
}

Status SyncJob::sync_file(File& file) {
    auto synced = file.sync();
    if (!synced.ok() && mutant(Mutant::retry_failed_sync)) synced = file.sync();
    if (!synced.ok()) note_failure();
    return synced;
}

// What the kernel could not write it keeps in its cache and calls clean: the next process would
// read it there, and its syncs would succeed without writing it (I31). So the failure is noted for
// the next process. That note needs no sync: a power cut takes the cache with it.
void SyncJob::note_failure() {
    sync_failed_ = true;
    static_cast<void>(
        files_->open(log_directory_ + '/' + std::string(sync_failed_name), OpenMode::create).ok());
}

Result<std::shared_ptr<File>> SyncJob::write_temporary(const SmallFile& small) {
    KQ_LET(auto file, files_->open(small.path + ".tmp", OpenMode::create));
    KQ_TRY(file->truncate(0));
    KQ_TRY(file->pwrite(0, small.content));
    return file;
}

Status SyncJob::rename_synced() {
    for (const auto& small : small_files_)
        KQ_TRY(files_->rename(small.path + ".tmp", small.path));
    return done();
}

// ---- Many jobs

namespace {

// Below that many each syncs its own: syncing the disk writes what others left in its cache, too.
constexpr std::size_t together_min = 64;

}  // namespace

template <class Step>
void SyncJob::run_step(std::vector<SyncJob>& jobs, std::vector<Status>& results, Step step) {
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        if (results[i].ok()) results[i] = step(jobs[i]);
    }
}

Status SyncJob::write_unsynced() {
    for (auto& segment : segments_) {
        if (segment.give_back) KQ_TRY(segment.file->truncate(segment.size));
    }
    for (const auto& small : small_files_)
        KQ_TRY(write_temporary(small));
    return done();
}

// Nobody knows whose bytes a failure concerns: it is everybody's. `unsupported` and
// too_many_open_files: nothing was tried.
Status SyncJob::sync_together(FileSystem& files, std::vector<SyncJob>& jobs,
                              std::vector<Status>& results) {
    std::set<std::string> directories;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        if (!results[i].ok()) continue;
        directories.insert(jobs[i].log_directory_);
        directories.insert(jobs[i].directories_.begin(), jobs[i].directories_.end());
    }
    auto synced = files.sync_directories({directories.begin(), directories.end()});
    if (synced.ok() || synced.code() == Errc::unsupported ||
        synced.code() == Errc::too_many_open_files) {
        return synced;
    }
    run_step(jobs, results, [&](SyncJob& job) -> Status {
        job.note_failure();
        return synced;
    });
    return synced;
}

// The same order as run(): what a file holds is durable before it gets its name.
std::vector<Status> SyncJob::run_all(FileSystem& files, std::vector<SyncJob>& jobs) {
    std::vector<Status> results(jobs.size(), done());
    const auto run_each = [&] { run_step(jobs, results, [](SyncJob& job) { return job.run(); }); };
    if (jobs.size() < together_min) {
        run_each();
        return results;
    }
    run_step(jobs, results, [](SyncJob& job) { return job.write_unsynced(); });
    const auto contents = sync_together(files, jobs, results);
    if (!contents.ok()) {
        run_each();  // those that have not failed
        return results;
    }
    // Of records each file is asked itself whether all of it was written, which is cheap by now.
    run_step(jobs, results, [](SyncJob& job) -> Status {
        KQ_TRY(job.sync_segments());
        return job.rename_synced();
    });
    if (!mutant(Mutant::skip_directory_sync) && !sync_together(files, jobs, results).ok()) {
        run_step(jobs, results, [](SyncJob& job) { return job.sync_names(); });
    }
    run_step(jobs, results, [](SyncJob& job) { return job.end_suspicion(); });
    return results;
}

// ---- Space ahead

std::optional<AllocateJob> Log::wants_space() {
    auto ahead = options_.allocate_ahead_bytes;
    auto& segment = active();
    if (ahead == 0 || failed_ || full_ || segment.size_bytes() < ahead / 4) return std::nullopt;
    if (segment.allocated_bytes > segment.size_bytes() + ahead / 2) return std::nullopt;

    auto position = std::max(segment.allocated_bytes, segment.size_bytes());
    auto segment_max = static_cast<std::uint64_t>(options_.segment_bytes);
    if (position >= segment_max) return std::nullopt;
    AllocateJob job;
    job.file_ = segment.file();
    job.position_ = position;
    job.length_ = std::min(ahead, segment_max - position);
    segment.allocated_bytes = position + job.length_;
    return job;
}

void AllocateJob::run() {
    static_cast<void>(file_->allocate(position_, length_).ok());
}

}  // namespace kq
