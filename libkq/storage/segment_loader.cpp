// SPDX-License-Identifier: Apache-2.0
//
// LogLoader: opening single segments after a clean stop, with as few reads as possible.
#include <algorithm>
#include <limits>

#include "storage/file_names.hpp"
#include "storage/log_loader.hpp"

namespace kq {

namespace {

// The last `n` bytes of a file, and its size; fewer when it is shorter.
struct Tail {
    std::uint64_t file_bytes = 0;
    Bytes bytes;
};
Result<Tail> read_tail(FileSystem& files, const std::string& path, std::size_t n) {
    KQ_LET(auto file, files.open(path, OpenMode::read));
    Tail tail;
    tail.file_bytes = file->size();
    auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(n, tail.file_bytes));
    tail.bytes.resize(wanted);
    KQ_LET(auto got, file->pread(tail.file_bytes - wanted, tail.bytes));
    tail.bytes.resize(got);
    return tail;
}

}  // namespace

// The last entry of an index file and how many there are. Errors: corrupt_file, not_found: the file
// is to be made again.
Result<std::optional<OffsetEntry>> LogLoader::last_offset_entry(const Segment& segment,
                                                                std::size_t& count) {
    KQ_LET(auto tail,
           read_tail(log_.files_, segment.path(offset_index_suffix), OffsetEntry::bytes));
    count = static_cast<std::size_t>(tail.file_bytes / OffsetEntry::bytes);
    if (tail.file_bytes == 0) return std::optional<OffsetEntry>{};
    if (tail.file_bytes % OffsetEntry::bytes != 0 || tail.bytes.size() != OffsetEntry::bytes) {
        return Error{Errc::corrupt_file, "not whole entries"};
    }
    OffsetEntry entry{load_be<std::int32_t>(tail.bytes.data()),
                      load_be<std::int32_t>(tail.bytes.data() + 4)};
    if (entry.relative_offset < 0 || entry.position <= 0 ||
        static_cast<std::uint64_t>(entry.position) >= segment.size_bytes()) {
        return Error{Errc::corrupt_file, "its last entry points nowhere"};
    }
    return std::optional<OffsetEntry>{entry};
}

Result<bool> LogLoader::begins_with_timestamp(const Segment& segment) {
    if (segment.size_bytes() == 0) return false;
    KQ_LET(auto file, log_.files_.open(segment.path(log_suffix), OpenMode::read));
    HeaderWalk walk(*file, 0, segment.size_bytes(), MayWait::yes);
    BatchHeader header;
    KQ_LET(bool some, walk.next(header));
    return some && header.max_timestamp > no_timestamp;
}

Result<std::optional<TimeEntry>> LogLoader::last_time_entry(const Segment& segment,
                                                            std::size_t& count) {
    // Two entries: one of zeros alone may be a record of 1970, behind another it is Kafka's
    // reserve.
    KQ_LET(auto tail,
           read_tail(log_.files_, segment.path(time_index_suffix), 2 * TimeEntry::bytes));
    count = static_cast<std::size_t>(tail.file_bytes / TimeEntry::bytes);
    if (tail.file_bytes == 0) {
        // A stop leaves at least one entry, if there is a timestamp to put into it.
        KQ_LET(bool expected, begins_with_timestamp(segment));
        if (expected) return Error{Errc::corrupt_file, "the time index is empty"};
        return std::optional<TimeEntry>{};
    }
    if (tail.file_bytes % TimeEntry::bytes != 0) {
        return Error{Errc::corrupt_file, "not whole entries"};
    }
    KQ_LET(auto entries, parse_time_index(tail.bytes));
    if (entries.size() * TimeEntry::bytes != tail.bytes.size()) {
        return Error{Errc::corrupt_file, "zeros at its end"};
    }
    return std::optional<TimeEntry>{entries.back()};
}

// ---- Closed segments

Status LogLoader::open_closed(Segment& segment, Offset next_base, const OpenHints& hints) {
    KQ_LET(auto info, log_.files_.info(segment.path(log_suffix)));
    segment.set_size(info.size);
    segment.synced_bytes = info.size;
    segment.mark_closed();

    std::size_t offsets = 0;
    std::size_t times = 0;
    auto last_offset = last_offset_entry(segment, offsets);
    auto last_time = last_time_entry(segment, times);
    for (auto code : {last_offset.code(), last_time.code()}) {
        if (code == Errc::none) continue;
        if (code != Errc::corrupt_file && code != Errc::not_found) {
            return Error{code, segment.path(log_suffix) + ": its indexes cannot be read"};
        }
        find(segment.path(log_suffix) + ": its indexes are missing or damaged");
        KQ_TRY(rebuild_closed(segment));
        KQ_TRY(check_join(segment, segment.offset_index().last(), next_base, hints));
        return load_transactions(segment);
    }
    segment.set_timestamp_sure(false);
    if (last_time.value()) {
        segment.set_max_timestamp(wall_time(last_time.value()->timestamp_ms),
                                  segment.base() + last_time.value()->relative_offset);
    }
    KQ_TRY(check_join(segment, last_offset.value(), next_base, hints));
    return load_transactions(segment);
}

Status LogLoader::rebuild_closed(Segment& segment) {
    KQ_TRY(segment.open_file(OpenMode::read_write));
    KQ_TRY(rebuild_indexes(segment));
    segment.synced_bytes = segment.size_bytes();
    segment.unload();
    return done();
}

// Segments join: what is missing between two of them was lost, if it did not go by compaction.
Status LogLoader::check_join(Segment& segment, const std::optional<OffsetEntry>& last_entry,
                             Offset next_base, const OpenHints& hints) {
    if (next_base <= hints.log_start) return done();  // it waits for its deletion
    auto end = walk_to_end(segment, last_entry, next_base);
    if (end.code() == Errc::corrupt_file) {
        find(segment.path(offset_index_suffix) + ": its last entry leads nowhere");
        KQ_TRY(rebuild_closed(segment));
        end = walk_to_end(segment, std::nullopt, next_base);
    }
    if (!end.ok()) return end.error();
    if (end.value() == next_base || next_base < gaps_below(hints)) return done();
    miss(end.value(), next_base, hints,
         segment.path(log_suffix) + ": its batches end at " + std::to_string(end.value().value) +
             ", and the next segment begins at " + std::to_string(next_base.value));
    return done();
}

// Where the batches of a closed segment end, which are all below `limit`: from its last index entry
// on. corrupt_file: that does not lead to its batch.
Result<Offset> LogLoader::walk_to_end(const Segment& segment,
                                      const std::optional<OffsetEntry>& last_entry, Offset limit) {
    Offset next = segment.base();
    if (segment.size_bytes() == 0) return next;
    const auto path = segment.path(log_suffix);
    const auto start =
        last_entry ? static_cast<std::uint64_t>(last_entry->position) : std::uint64_t{0};
    KQ_LET(const auto file, log_.files_.open(path, OpenMode::read));
    HeaderWalk walk(*file, start, segment.size_bytes(), MayWait::yes);
    BatchHeader header;
    for (bool first = true;; first = false) {
        auto more = walk.next(header);
        if (!more.ok() && more.code() != Errc::corrupt_file) {
            return Error{more.code(), path + ": " + more.error().message};
        }
        if (more.ok() && !more.value()) return next;
        const bool fits = more.ok() && header.base_offset >= next && header.next_offset() <= limit;
        const bool leads_there =
            fits &&
            (!last_entry || header.base_offset <= segment.base() + last_entry->relative_offset);
        if (first && last_entry && !leads_there) return Error{Errc::corrupt_file, "no batch there"};
        if (!fits) {
            find(path + ": " +
                 (more.ok() ? "at " + std::to_string(walk.position()) + ": offset " +
                                  std::to_string(header.base_offset.value)
                            : more.error().message));
            return next;
        }
        next = header.next_offset();
    }
}

// A batch that cannot be read ends the index, not the segment: readers will be told.
Status LogLoader::rebuild_indexes(Segment& segment) {
    auto bytes = segment.size_bytes();
    auto aborted = segment.aborted();
    segment.restart_indexes();
    HeaderWalk walk(*segment.file(), 0, bytes, MayWait::yes);
    BatchHeader header;
    while (true) {
        auto more = walk.next(header);
        if (more.code() == Errc::corrupt_file) {
            find(segment.path(log_suffix) + ": " + more.error().message);
            break;
        }
        if (!more.ok()) return more.error();
        if (!more.value()) break;
        if (header.base_offset < segment.base() ||
            header.last_offset() - segment.base() > std::numeric_limits<std::int32_t>::max()) {
            break;
        }
        segment.note(BatchMark::of(header), log_.options_.index_interval_bytes);
    }
    segment.set_size(bytes);
    segment.set_aborted(std::move(aborted));
    segment.close_indexes();
    for (auto suffix : {offset_index_suffix, time_index_suffix}) {
        log_.written_files_.push_back(segment.path(suffix));
    }
    log_.names_changed_ = true;
    log_.changed_ = true;
    ++log_.report_.rebuilt_indexes;
    return done();
}

// ---- The active segment

// False when it must be scanned after all.
Result<bool> LogLoader::open_active(Segment& segment) {
    if (segment.file() == nullptr) KQ_TRY(segment.open_file(OpenMode::read_write));
    segment.synced_bytes = segment.size_bytes();
    segment.set_created(log_.clock_.wall());
    log_.log_end_ = segment.base();
    if (segment.size_bytes() == 0) {
        // What index files there are hold nothing that will be kept.
        return true;
    }
    auto sound = find_end(segment);
    if (sound.ok() && sound.value()) {
        KQ_TRY(load_transactions(segment));
        return true;
    }
    if (!sound.ok() && sound.code() != Errc::corrupt_file && sound.code() != Errc::not_found) {
        return sound.error();
    }
    find(segment.path(log_suffix) + ": " +
         (sound.ok() ? std::string("its index leads nowhere") : sound.error().message));
    ++log_.report_.rebuilt_indexes;
    return false;
}

// From the last index entry on, batch by batch, to the end of the file.
Result<bool> LogLoader::find_end(Segment& segment) {
    std::size_t offsets = 0;
    std::size_t times = 0;
    KQ_LET(auto last_offset, last_offset_entry(segment, offsets));
    KQ_LET(auto last_time, last_time_entry(segment, times));

    BatchHeader header;
    HeaderWalk first(*segment.file(), 0, segment.size_bytes(), MayWait::yes);
    KQ_LET(bool some, first.next(header));
    if (!some || header.base_offset < segment.base()) return false;
    segment.set_first_timestamp(header.max_timestamp);

    auto start = last_offset ? static_cast<std::uint64_t>(last_offset->position) : std::uint64_t{0};
    HeaderWalk walk(*segment.file(), start, segment.size_bytes(), MayWait::yes);
    Offset next = segment.base();
    while (true) {
        KQ_LET(bool more, walk.next(header));
        if (!more) break;
        bool at_entry = last_offset && walk.position() == start;
        if (at_entry && header.base_offset > segment.base() + last_offset->relative_offset) {
            return false;
        }
        if (header.base_offset < next) return false;
        next = header.next_offset();
    }
    segment.continue_indexes(offsets, times, last_time, segment.size_bytes() - start);
    log_.log_end_ = next;
    return true;
}

// ---- Aborted transactions

Status LogLoader::load_transactions(Segment& segment) {
    const auto& known = found_.transaction_indexes;
    if (std::find(known.begin(), known.end(), segment.base()) == known.end()) return done();
    auto path = segment.path(transaction_index_suffix);
    auto content = read_file(log_.files_, path, index_file_bytes_max);
    if (!content.ok() && content.code() != Errc::corrupt_file) return content.error();
    auto parsed = content.ok() ? parse_transaction_index(content.value())
                               : Result<std::vector<AbortedTransaction>>(content.error());
    if (parsed.ok()) {
        segment.set_aborted(std::move(parsed).value());
        return done();
    }
    if (parsed.code() != Errc::corrupt_file) {
        return Error{parsed.code(), path + ": " + parsed.error().message};
    }
    find(path + ": " + parsed.error().message);
    return rebuild_transactions(segment);
}

// Which transactions are aborted here depends on what was open before the segment began.
Status LogLoader::rebuild_transactions(Segment& segment) {
    ProducerTable table(log_.options_.producers_max);
    Offset from;
    KQ_TRY(load_snapshot(segment.base(), table, from));
    KQ_TRY(walk_producers(from, segment.base(), table, nullptr));
    std::vector<AbortedTransaction> aborted;
    auto index = log_.segment_index_of(segment.base());
    auto end =
        index + 1 < log_.segments_.size() ? log_.segments_[index + 1]->base() : log_.log_end_;
    KQ_TRY(walk_producers(segment.base(), end, table, &aborted));

    Bytes bytes;
    for (const auto& entry : aborted)
        append_entry(bytes, entry);
    KQ_TRY(replace_file(log_.files_, segment.path(transaction_index_suffix), bytes));
    segment.set_aborted(std::move(aborted));
    ++log_.report_.rebuilt_indexes;
    return done();
}

}  // namespace kq
