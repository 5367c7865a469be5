// SPDX-License-Identifier: Apache-2.0
//
// Log: reading, and the jobs that readers need.
#include <algorithm>

#include "base/check.hpp"
#include "protocol/compression.hpp"
#include "storage/file_names.hpp"
#include "storage/log.hpp"

namespace kq {

namespace {

constexpr std::size_t loaded_max = 4;  // closed segments of a log that keep file and index
constexpr std::size_t unpacked_max = std::size_t{1} << 30;  // a batch was checked when it came

}  // namespace

// ---- Records by offset

Result<ReadResult> Log::read(Offset from, std::uint32_t max_bytes, Offset upper_bound,
                             bool at_least_one) {
    if (failed_) return Error{Errc::kafka_storage_error, "the log failed before"};
    if (from < log_start_ || from > log_end_) {
        return Error{Errc::offset_out_of_range, "offset " + std::to_string(from.value) +
                                                    " is not in [" +
                                                    std::to_string(log_start_.value) + ", " +
                                                    std::to_string(log_end_.value) + ")"};
    }
    ReadResult nothing{{}, from, from};
    upper_bound = std::min(upper_bound, log_end_);
    for (auto i = segment_index_of(from); i < segments_.size() && from < upper_bound; ++i) {
        auto& segment = *segments_[i];
        KQ_LET(auto first, segment.locate(from));
        // Only compaction leaves gaps. Elsewhere the offset of a batch, which its checksum does not
        // cover, is damaged, and a reader would wait for ever (I28).
        if ((!first || first->base > from) && !options_.compact && from >= gaps_below_) {
            return Error{Errc::corrupt_file, segment.path(log_suffix) + ": no batch holds offset " +
                                                 std::to_string(from.value)};
        }
        if (!first) continue;  // compaction left nothing behind `from` here
        if (first->base >= upper_bound) return nothing;
        if (first->size_bytes > max_bytes && !at_least_one) return nothing;
        KQ_LET(auto limit, limit_position(i, upper_bound));
        KQ_LET(auto end, segment.slice_end(*first, max_bytes, limit));
        return ReadResult{
            {segment.file(), first->position, end.position - first->position},
            first->base,
            end.bound ? std::min(*end.bound, upper_bound) : std::min(segment_end(i), upper_bound)};
    }
    return nothing;
}

// Where readers that may see up to `upper_bound` stop in this segment.
Result<std::uint64_t> Log::limit_position(std::size_t index, Offset upper_bound) {
    auto& segment = *segments_[index];
    if (upper_bound >= segment_end(index)) return segment.size_bytes();
    if (limit_.bound == upper_bound && limit_.segment == segment.base()) return limit_.position;
    KQ_LET(auto beyond, segment.locate(upper_bound));
    auto position = beyond ? beyond->position : segment.size_bytes();
    limit_ = {upper_bound, segment.base(), position};
    return position;
}

WarmUpJob Log::warm_up(Offset from) const {
    auto index = segment_index_of(from);
    // Where nothing is left behind `from` in one segment, read() goes on to the next, which is
    // cold.
    for (; index + 1 < segments_.size(); ++index) {
        auto found = segments_[index]->locate(from);
        if (!found.ok() || found.value()) break;
    }
    const auto& segment = *segments_[index];
    WarmUpJob job;
    job.files_ = &files_;
    job.log_path_ = segment.path(log_suffix);
    job.index_path_ = segment.path(offset_index_suffix);
    job.base_ = segment.base();
    job.size_ = segment.size_bytes();
    job.index_interval_bytes_ = options_.index_interval_bytes;
    job.from_ = std::max(from, segment.base());
    job.closed_ = index + 1 < segments_.size();
    job.rebuild_ = segment.is_index_suspect();
    job.file_ = segment.file();
    return job;
}

void Log::finish_warm_up(WarmUpJob job) {
    auto index = segment_index_of(job.base_);
    auto& segment = *segments_[index];
    // The segment may have been deleted, or cut and made anew, while the job ran.
    if (segment.base() != job.base_ || job.offsets_ == nullptr) return;
    if (segment.size_bytes() < job.size_) return;
    segment.adopt(std::move(job.file_), std::move(job.offsets_), job.hint_);
    segment.loaded_at = ++loads_;
    unload_cold_segments(segment);
}

// Closed segments keep their file open as long as it is not synced, and the few that were read last
// keep it with their index.
void Log::unload_cold_segments(const Segment& keep) {
    std::size_t loaded = 0;
    Segment* oldest = nullptr;
    for (std::size_t i = 0; i + 1 < segments_.size(); ++i) {
        auto& segment = *segments_[i];
        if (segment.file() == nullptr || segment.synced_bytes != segment.size_bytes()) continue;
        if (!segment.is_loaded()) {
            segment.unload();
            continue;
        }
        ++loaded;
        if (&segment == &keep) continue;
        if (oldest == nullptr || segment.loaded_at < oldest->loaded_at) oldest = &segment;
    }
    if (loaded > loaded_max && oldest != nullptr) oldest->unload();
}

Status WarmUpJob::run() {
    if (file_ == nullptr) {
        KQ_LET(file_, files_->open(log_path_, OpenMode::read));
    }
    auto loaded = rebuild_ ? Status(Error{Errc::corrupt_file}) : load_index();
    if (!loaded.ok()) {
        if (loaded.code() != Errc::corrupt_file && loaded.code() != Errc::not_found) return loaded;
        KQ_TRY(rebuild_index());
    }
    return find_batch();
}

Status WarmUpJob::load_index() {
    KQ_LET(auto bytes, read_file(*files_, index_path_, index_file_bytes_max));
    KQ_LET(auto entries, parse_offset_index(bytes, size_));
    offsets_ = std::make_shared<const OffsetEntries>(std::move(entries));
    return done();
}

Status WarmUpJob::rebuild_index() {
    OffsetEntries entries;
    HeaderWalk walk(*file_, 0, size_, MayWait::yes);
    BatchHeader header;
    std::uint64_t since_entry = 0;
    while (true) {
        KQ_LET(bool more, walk.next(header));
        if (!more) break;
        if (since_entry > static_cast<std::uint64_t>(index_interval_bytes_)) {
            entries.push_back({static_cast<std::int32_t>(header.last_offset() - base_),
                               static_cast<std::int32_t>(walk.position())});
            since_entry = 0;
        }
        since_entry += header.size_bytes;
    }
    // The index file of an active segment is its owner's to write.
    if (closed_) {
        Bytes bytes;
        for (const auto& entry : entries)
            append_entry(bytes, entry);
        KQ_TRY(replace_file(*files_, index_path_, bytes));
    }
    offsets_ = std::make_shared<const OffsetEntries>(std::move(entries));
    return done();
}

// Reads the headers on the way, so that they are in the page cache; and remembers the batch, in
// case they do not stay there.
Status WarmUpJob::find_batch() {
    auto wanted = static_cast<std::int32_t>(from_ - base_);
    const auto* entry = find_offset(*offsets_, wanted);
    auto start = entry == nullptr ? 0 : static_cast<std::uint64_t>(entry->position);
    HeaderWalk walk(*file_, start, size_, MayWait::yes);
    BatchHeader header;
    bool first = true;
    while (true) {
        auto more = walk.next(header);
        bool lost = !more.ok() ? more.code() == Errc::corrupt_file
                               : more.value() && first && start > 0 && header.base_offset > from_;
        if (lost && first && start > 0 && !rebuild_) {
            rebuild_ = true;
            KQ_TRY(rebuild_index());
            return find_batch();
        }
        if (!more.ok()) return more.error();
        if (!more.value()) return done();
        if (header.last_offset() >= from_) {
            hint_ = BatchRef{header.base_offset, header.last_offset(), walk.position(),
                             header.size_bytes};
            return done();
        }
        first = false;
    }
}

// ---- Transactions

std::vector<AbortedTransaction> Log::aborted_transactions(Offset from, Offset bound) const {
    std::vector<AbortedTransaction> found;
    // A transaction may end in a later segment than the one its records are in.
    for (auto i = segment_index_of(from); i < segments_.size(); ++i) {
        bool complete = false;
        for (const auto& entry : segments_[i]->aborted()) {
            if (entry.last >= from && entry.first < bound) found.push_back(entry);
            if (entry.last_stable >= bound) complete = true;  // nothing later reaches back
        }
        if (complete) break;
    }
    std::sort(found.begin(), found.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    return found;
}

// ---- Records by timestamp

TimestampSearch Log::search_timestamp(WallTime timestamp) const {
    return make_search(timestamp);
}

TimestampSearch Log::search_max_timestamp() const {
    return make_search(std::nullopt);
}

TimestampSearch Log::make_search(std::optional<WallTime> at_least) const {
    TimestampSearch search;
    search.files_ = &files_;
    search.at_least_ = at_least;
    search.from_ = log_start_;
    for (auto i = segment_index_of(log_start_); i < segments_.size(); ++i) {
        const auto& segment = *segments_[i];
        if (segment.size_bytes() == 0 || segment.max_timestamp() < WallTime{}) continue;
        if (at_least && segment.max_timestamp() < *at_least) continue;
        TimestampSearch::Candidate candidate;
        candidate.log_path = segment.path(log_suffix);
        candidate.offset_index_path = segment.offset_index().path();
        candidate.time_index_path = segment.time_index().path();
        candidate.base = segment.base();
        candidate.size = segment.size_bytes();
        candidate.max_timestamp = segment.max_timestamp();
        if (i + 1 == segments_.size()) {
            auto offsets = segment.offset_index().not_flushed();
            auto times = segment.time_index().not_flushed();
            candidate.offsets.assign(offsets.begin(), offsets.end());
            candidate.times.assign(times.begin(), times.end());
            candidate.offsets_in_file = segment.offset_index().flushed();
            candidate.times_in_file = segment.time_index().flushed();
        }
        search.candidates_.push_back(std::move(candidate));
    }
    return search;
}

Result<std::optional<TimestampOffset>> TimestampSearch::run() const {
    return at_least_ ? first_at_least(*at_least_) : largest();
}

Result<std::optional<TimestampOffset>> TimestampSearch::first_at_least(WallTime timestamp) const {
    for (const auto& candidate : candidates_) {
        KQ_LET(auto found, search(candidate, timestamp));
        if (found) return found;
    }
    return std::optional<TimestampOffset>{};
}

// The largest timestamp of a segment is known; of one that is partly below the log start it may be
// that of a deleted record, and then its batches are looked at.
Result<std::optional<TimestampOffset>> TimestampSearch::largest() const {
    std::optional<WallTime> best;
    for (const auto& candidate : candidates_) {
        auto timestamp = candidate.max_timestamp;
        if (candidate.base < from_) {
            timestamp = no_timestamp;
            KQ_LET(auto file, files_->open(candidate.log_path, OpenMode::read));
            HeaderWalk walk(*file, 0, candidate.size, MayWait::yes);
            BatchHeader header;
            while (true) {
                KQ_LET(bool more, walk.next(header));
                if (!more) break;
                if (header.last_offset() < from_) continue;
                timestamp = std::max(timestamp, header.max_timestamp);
            }
        }
        if (timestamp >= WallTime{} && (!best || timestamp > *best)) best = timestamp;
    }
    if (!best) return std::optional<TimestampOffset>{};
    return first_at_least(*best);
}

Result<std::optional<TimestampOffset>> TimestampSearch::search(const Candidate& candidate,
                                                               WallTime timestamp) const {
    KQ_LET(auto file, files_->open(candidate.log_path, OpenMode::read));
    KQ_LET(auto start, start_position(candidate, timestamp));
    HeaderWalk walk(*file, start, candidate.size, MayWait::yes);
    BatchHeader header;
    Decompressor codecs;
    while (true) {
        KQ_LET(bool more, walk.next(header));
        if (!more) return std::optional<TimestampOffset>{};
        if (header.max_timestamp < timestamp || header.last_offset() < from_) continue;

        KQ_LET(auto batch, read_batch(*file, walk.position(), header));
        KQ_TRY(check_crc(batch));
        KQ_LET(auto records, RecordStream::open(header, batch, codecs, unpacked_max));
        RecordView record;
        while (true) {
            KQ_LET(bool another, records.next(record));
            if (!another) break;
            if (record.timestamp >= timestamp && record.offset >= from_) {
                return std::optional<TimestampOffset>{
                    TimestampOffset{record.timestamp, record.offset, header.leader_epoch}};
            }
        }
    }
}

// Where to begin: behind the records of which the time index says that they are all too old. An
// index that cannot be read means the start of the segment.
Result<std::uint64_t> TimestampSearch::start_position(const Candidate& candidate,
                                                      WallTime timestamp) const {
    std::vector<TimeEntry> times;
    std::vector<OffsetEntry> offsets;
    auto time_file = read_file(*files_, candidate.time_index_path, index_file_bytes_max);
    auto offset_file = read_file(*files_, candidate.offset_index_path, index_file_bytes_max);
    for (auto code : {time_file.code(), offset_file.code()}) {
        if (code != Errc::none && code != Errc::not_found && code != Errc::corrupt_file) {
            return Error{code, candidate.log_path + ": its index cannot be read"};
        }
    }
    if (time_file.ok() && offset_file.ok()) {
        auto parsed_times = parse_time_index(time_file.value());
        auto parsed_offsets = parse_offset_index(offset_file.value(), candidate.size);
        if (parsed_times.ok() && parsed_offsets.ok()) {
            times = std::move(parsed_times).value();
            offsets = std::move(parsed_offsets).value();
            times.resize(std::min(times.size(), candidate.times_in_file));
            offsets.resize(std::min(offsets.size(), candidate.offsets_in_file));
        }
    }
    auto from = static_cast<std::int32_t>(std::max<std::int64_t>(from_ - candidate.base, 0));
    const auto* time = find_timestamp(candidate.times, to_ms(timestamp) - 1);
    if (time == nullptr) time = find_timestamp(times, to_ms(timestamp) - 1);
    if (time != nullptr) from = std::max(from, time->relative_offset);
    const auto* offset = find_offset(candidate.offsets, from);
    if (offset == nullptr) offset = find_offset(offsets, from);
    return offset == nullptr ? std::uint64_t{0} : static_cast<std::uint64_t>(offset->position);
}

}  // namespace kq
