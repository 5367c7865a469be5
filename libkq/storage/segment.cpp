// SPDX-License-Identifier: Apache-2.0
#include "storage/segment.hpp"

#include <algorithm>
#include <limits>

#include "base/check.hpp"
#include "storage/file_names.hpp"

namespace kq {

namespace {

constexpr std::size_t recent_max = 32;
// Index entries that wait in memory before they are written, and that stay there afterwards: those
// of the last hundreds of megabytes, where nearly all readers are. Mostly it is the checkpoint that
// writes them (flush_indexes): on the way of an append each of these files costs four system calls.
constexpr std::size_t flush_at = 4096;
constexpr std::size_t keep_max = 8192;

constexpr auto int32_max = std::numeric_limits<std::int32_t>::max();

}  // namespace

Segment::Segment(FileSystem& files, std::string directory, Offset base)
    : files_(files),
      directory_(std::move(directory)),
      base_(base),
      offset_index_(segment_path(directory_, base, offset_index_suffix)),
      time_index_(segment_path(directory_, base, time_index_suffix)) {}

std::string Segment::path(std::string_view suffix) const {
    return segment_path(directory_, base_, suffix);
}

Status Segment::create(WallTime now) {
    KQ_LET(file_, files_.open(path(log_suffix), OpenMode::create_new));
    created_ = now;
    return done();
}

Status Segment::open_file(OpenMode mode) {
    KQ_LET(file_, files_.open(path(log_suffix), mode));
    size_ = file_->size();
    return done();
}

void Segment::continue_indexes(std::size_t offset_entries, std::size_t time_entries,
                               const std::optional<TimeEntry>& last_time,
                               std::uint64_t bytes_since_entry) {
    bytes_since_entry_ = bytes_since_entry;
    offset_index_.start_behind(offset_entries, std::nullopt);
    time_index_.start_behind(time_entries, last_time);
    if (last_time) {
        max_timestamp_ = wall_time(last_time->timestamp_ms);
        max_timestamp_offset_ = base_ + last_time->relative_offset;
    }
}

void Segment::restart_indexes() {
    offset_index_.start_empty();
    time_index_.start_empty();
    aborted_.clear();
    aborted_in_file_ = 0;
    bytes_since_entry_ = 0;
    max_timestamp_ = no_timestamp;
    max_timestamp_offset_ = no_offset;
    first_timestamp_.reset();
    recent_.clear();
    loaded_.reset();
    hint_.reset();
    size_ = 0;
    closed_ = false;
}

bool Segment::must_roll_before(const Arrival& arrival, const LogOptions& options) const {
    auto bytes_max = std::min<std::int64_t>(options.segment_bytes, int32_max);
    auto bytes_before = size_ + arrival.bytes_before;
    if (arrival.last - base_ > int32_max) return true;
    if (bytes_before == 0) return false;
    if (bytes_before + arrival.bytes > static_cast<std::uint64_t>(bytes_max)) return true;

    auto index_bytes_max = static_cast<std::size_t>(options.segment_index_bytes);
    auto entries = offset_index_.count() + arrival.batches_before;
    if (entries >= index_bytes_max / OffsetEntry::bytes) return true;
    // One place is kept for the entry that closing the segment adds.
    auto time_entries = time_index_.count() + arrival.batches_before;
    if (time_entries + 1 >= index_bytes_max / TimeEntry::bytes) return true;
    if (size_ == 0) return false;

    // Age is the records', where they have timestamps, so that a replayed log rolls like the first.
    auto waited = first_timestamp_ && *first_timestamp_ >= WallTime{}
                      ? arrival.max_timestamp - *first_timestamp_
                      : arrival.now - created_;
    return waited > options.segment_ms - options.segment_jitter_ms;
}

Status Segment::write(std::span<const ByteView> pieces) {
    return file_->pwritev(size_, pieces);
}

void Segment::note(const BatchMark& mark, std::int32_t index_interval_bytes) {
    KQ_CHECK(!closed_ && mark.base >= base_ && mark.last - base_ <= int32_max);
    if (size_ == 0) first_timestamp_ = mark.max_timestamp;
    if (mark.max_timestamp > max_timestamp_) {
        max_timestamp_ = mark.max_timestamp;
        max_timestamp_offset_ = mark.last;
    }
    if (bytes_since_entry_ > static_cast<std::uint64_t>(index_interval_bytes)) {
        offset_index_.push({relative(mark.last), static_cast<std::int32_t>(size_)});
        push_time_entry();
        bytes_since_entry_ = 0;
    }
    if (recent_.size() == recent_max) {
        recent_.erase(recent_.begin(), recent_.begin() + recent_max / 2);
    }
    recent_.push_back({mark.base, mark.last, size_, mark.size_bytes});
    bytes_since_entry_ += mark.size_bytes;
    size_ += mark.size_bytes;
}

// An entry (t, o) says that no record up to o is younger than t. It is written only when the
// largest timestamp has grown, so both columns ascend though records' timestamps need not.
void Segment::push_time_entry() {
    auto last_ms = time_index_.last() ? time_index_.last()->timestamp_ms : -1;
    if (to_ms(max_timestamp_) <= last_ms) return;
    time_index_.push({to_ms(max_timestamp_), relative(max_timestamp_offset_)});
}

void Segment::note_aborted(const AbortedTransaction& aborted) {
    aborted_.push_back(aborted);
}

Status Segment::flush_aborted() {
    if (aborted_in_file_ == aborted_.size()) return done();
    Bytes bytes;
    for (auto i = aborted_in_file_; i < aborted_.size(); ++i)
        append_entry(bytes, aborted_[i]);
    KQ_LET(auto file, files_.open(path(transaction_index_suffix), OpenMode::create));
    auto position = std::uint64_t{aborted_in_file_} * AbortedTransaction::bytes;
    if (file->size() > position) KQ_TRY(file->truncate(position));
    KQ_TRY(file->pwrite(position, bytes));
    aborted_in_file_ = aborted_.size();
    return done();
}

Status Segment::flush_all() {
    KQ_TRY(offset_index_.flush(files_));
    KQ_TRY(time_index_.flush(files_));
    return flush_aborted();
}

void Segment::flush_indexes_sometimes() {
    if (offset_index_.unflushed() >= flush_at) flush_indexes();
}

void Segment::flush_indexes() {
    bool lacks_nothing = has_index_files_ && offset_index_.unflushed() == 0;
    if (lacks_nothing || index_damaged_ || index_suspect_ || closed_) return;
    auto flushed = flush_all();
    if (!flushed.ok()) {
        if (!is_shortage(flushed.code())) index_damaged_ = true;
        return;  // they stay in memory
    }
    has_index_files_ = true;
    offset_index_.forget_flushed(keep_max);
    time_index_.forget_flushed(0);
}

void Segment::close_indexes() {
    if (max_timestamp_ > no_timestamp) push_time_entry();
    closed_ = true;
    if (index_damaged_ || index_suspect_ || !flush_all().ok()) {
        // A short index would be believed at the next start. A missing one is rebuilt.
        for (auto suffix : {offset_index_suffix, time_index_suffix}) {
            auto removed = files_.unlink(path(suffix));
            static_cast<void>(removed.ok());
        }
    }
    if (offset_index_.in_memory_from() == 0) {
        loaded_ = std::make_shared<const OffsetEntries>(offset_index_.take());
    } else {
        offset_index_.forget_flushed(0);
    }
    time_index_.forget_flushed(0);
    recent_ = {};
}

// The position to look from for the batch that contains `from`: that of an index entry at or before
// it, or the start of the file. Nothing when the entries are not in memory.
std::optional<std::uint64_t> Segment::start_position(Offset from) const {
    auto wanted = static_cast<std::int32_t>(std::min<std::int64_t>(from - base_, int32_max));
    const auto* entry = find_offset(offset_index_.in_memory(), wanted);
    if (entry == nullptr && has_entries_in_file_only()) {
        if (!has_loaded_enough()) return std::nullopt;
        entry = find_offset(*loaded_, wanted);
    }
    return entry == nullptr ? 0 : static_cast<std::uint64_t>(entry->position);
}

bool Segment::has_entries_in_file_only() const {
    return closed_ || offset_index_.in_memory_from() > 0;
}

bool Segment::has_loaded_enough() const {
    if (loaded_ == nullptr) return false;
    return closed_ || loaded_->size() >= offset_index_.in_memory_from();
}

Result<std::optional<BatchRef>> Segment::locate(Offset from) {
    if (hint_ && hint_->base <= from && from <= hint_->last) return hint_;
    auto recent =
        std::lower_bound(recent_.begin(), recent_.end(), from,
                         [](const BatchRef& batch, Offset value) { return batch.last < value; });
    if (recent != recent_.end() && (recent != recent_.begin() || recent->base <= from)) {
        return std::optional<BatchRef>{*recent};
    }
    auto start = start_position(from);
    if (!start || file_ == nullptr || index_suspect_) {
        return Error{Errc::would_block, "the index is not loaded"};
    }

    HeaderWalk walk(*file_, *start, size_, MayWait::no);
    BatchHeader header;
    bool first = true;
    while (true) {
        auto more = walk.next(header);
        // The first step goes where the index points. No batch there, or one that begins too late:
        // the index lies, the segment need not.
        bool lost = !more.ok() ? more.code() == Errc::corrupt_file
                               : more.value() && first && *start > 0 && header.base_offset > from;
        if (lost && first && *start > 0) {
            index_suspect_ = true;
            loaded_.reset();
            return Error{Errc::would_block, "the index is damaged"};
        }
        if (!more.ok()) return more.error();
        if (!more.value()) return std::optional<BatchRef>{};
        if (header.last_offset() >= from) {
            return std::optional<BatchRef>{BatchRef{header.base_offset, header.last_offset(),
                                                    walk.position(), header.size_bytes}};
        }
        first = false;
    }
}

// The last index entry whose batch begins at or before `position`; null when there is none, nothing
// when the entries are not in memory.
std::optional<const OffsetEntry*> Segment::entry_before(std::uint64_t position) const {
    auto wanted = static_cast<std::int64_t>(position);
    const auto* entry = find_position(offset_index_.in_memory(), wanted);
    if (entry != nullptr || !has_entries_in_file_only()) return entry;
    if (!has_loaded_enough()) return std::nullopt;
    return find_position(*loaded_, wanted);
}

Result<Segment::SliceEnd> Segment::slice_end(const BatchRef& first, std::uint64_t max_bytes,
                                             std::uint64_t limit) {
    if (limit - first.position <= max_bytes) return SliceEnd{limit, std::nullopt};
    if (first.size_bytes >= max_bytes) return SliceEnd{first.end(), first.last + 1};

    // An index entry points at the beginning of a batch, which is the end of the one before. One
    // that is damaged may point into `first`, which always goes out whole.
    auto found = entry_before(first.position + max_bytes);
    if (found && *found != nullptr) {
        auto position = static_cast<std::uint64_t>((*found)->position);
        if (position >= first.end()) {
            return SliceEnd{position, base_ + (*found)->relative_offset};
        }
    }
    SliceEnd end{first.end(), first.last + 1};
    HeaderWalk walk(*file_, end.position, limit, MayWait::no);
    BatchHeader header;
    while (true) {
        auto more = walk.next(header);
        // What is here is enough; whoever asks for the rest learns what is wrong with it.
        if (!more.ok() || !more.value()) return end;
        if (walk.next_position() - first.position > max_bytes) return end;
        end = {walk.next_position(), header.next_offset()};
    }
}

void Segment::adopt(std::shared_ptr<File> file, std::shared_ptr<const OffsetEntries> offsets,
                    const std::optional<BatchRef>& hint) {
    if (file_ == nullptr) file_ = std::move(file);
    // What was rebuilt for an active segment is not in its index file.
    if (index_suspect_ && !closed_) index_damaged_ = true;
    loaded_ = std::move(offsets);
    hint_ = hint;
    index_suspect_ = false;
}

void Segment::unload() {
    KQ_CHECK(closed_);
    file_.reset();
    loaded_.reset();
    hint_.reset();
}

Result<WallTime> Segment::youngest() const {
    if (max_timestamp_ >= WallTime{}) return max_timestamp_;
    KQ_LET(auto info, files_.info(path(log_suffix)));
    return info.modified;
}

}  // namespace kq
