// SPDX-License-Identifier: Apache-2.0
//
// Log: appending.
#include <algorithm>

#include "base/check.hpp"
#include "protocol/batch_validator.hpp"
#include "protocol/record_batch.hpp"
#include "storage/log.hpp"
#include "storage/producer_replay.hpp"

namespace kq {

namespace {

// What is appended at most before the disk is asked again how much room it has.
constexpr std::uint64_t unchecked_max = std::uint64_t{16} << 20;

}  // namespace

// ---- As leader

Result<AppendResult> Log::append_as_leader(LeaderBatch batch, Epoch epoch, AppendOrigin origin) {
    auto results = append_as_leader(std::span<const LeaderBatch>(&batch, 1), epoch, origin);
    return std::move(results[0]);
}

std::vector<Result<AppendResult>> Log::append_as_leader(std::span<const LeaderBatch> batches,
                                                        Epoch epoch, AppendOrigin origin) {
    KQ_CHECK(epoch >= epochs_.latest() && staged_.empty());
    std::uint64_t bytes = 0;
    for (const auto& batch : batches)
        bytes += batch.bytes.size();

    AppendResults results;
    results.reserve(batches.size());
    // Once the disk refuses one batch all later ones are refused, or they would overtake it.
    auto admitted = admit(bytes);
    for (std::size_t i = 0; i < batches.size(); ++i) {
        if (!admitted.ok()) {
            results.emplace_back(admitted.error());
            continue;
        }
        auto repeated = check_producer(batches[i], origin);
        if (!repeated.ok()) {
            results.emplace_back(repeated.error());
            continue;
        }
        if (repeated.value()) {
            const auto& known = *repeated.value();
            results.emplace_back(
                AppendResult{known.first_offset(), known.last_offset, true, known.timestamp});
            continue;
        }
        auto header = batches[i].validated->header;
        header.base_offset = next_offset();
        header.leader_epoch = epoch;
        admitted = make_place(header, &results);
        if (!admitted.ok()) {
            results.emplace_back(admitted.error());
            continue;
        }
        assign(batches[i].bytes, header.base_offset, epoch);
        results.push_back(stage_result(header, batches[i].bytes, i));
    }
    static_cast<void>(write_staged(&results).ok());  // the results tell
    active().flush_indexes_sometimes();
    return results;
}

// The stored batch that this one repeats, nothing when it may be appended, or why it may not.
Result<std::optional<ProducerBatch>> Log::check_producer(const LeaderBatch& batch,
                                                         AppendOrigin origin) const {
    const auto& header = batch.validated->header;
    KQ_CHECK(header.size_bytes == batch.bytes.size());
    if (header.size_bytes > static_cast<std::size_t>(options_.segment_bytes)) {
        return Error{Errc::record_list_too_large, "a batch of " +
                                                      std::to_string(header.size_bytes) +
                                                      " bytes does not fit a segment of " +
                                                      std::to_string(options_.segment_bytes)};
    }
    if (header.is_control()) {
        KQ_CHECK(origin == AppendOrigin::coordinator);
        KQ_LET(auto marker, parse_marker(header, batch.bytes));
        if (marker) KQ_TRY(producers_.check(*marker));
        return std::optional<ProducerBatch>{};
    }
    if (!header.has_producer() || origin == AppendOrigin::coordinator) {
        return std::optional<ProducerBatch>{};
    }
    return producers_.check(producer_append_of(header));
}

Result<AppendResult> Log::stage_result(const BatchHeader& header, ByteView bytes,
                                       std::size_t index) {
    KQ_TRY(stage(header, bytes, index));
    AppendResult result;
    result.first = header.base_offset;
    result.last = header.last_offset();
    if (header.timestamp_type() == TimestampType::log_append_time) {
        result.log_append_time = header.max_timestamp;
    }
    return result;
}

// ---- As follower, and as the writer of the metadata log

Status Log::append_as_follower(ByteView batches) {
    KQ_CHECK(staged_.empty());
    KQ_TRY(check_follower_batches(batches));
    KQ_TRY(admit(batches.size()));
    for (std::size_t at = 0; at < batches.size();) {
        auto header = BatchHeader::parse(batches.subspan(at)).value();
        KQ_TRY(make_place(header, nullptr));
        auto staged = stage(header, batches.subspan(at, header.size_bytes), 0);
        if (!staged.ok()) {
            undo_staged();
            return staged;
        }
        at += header.size_bytes;
    }
    KQ_TRY(write_staged(nullptr));
    active().flush_indexes_sometimes();
    return done();
}

// Nothing is appended of what is not sound as a whole (I28).
Status Log::check_follower_batches(ByteView batches) const {
    Offset next = log_end_;
    Epoch epoch = epochs_.latest();
    while (!batches.empty()) {
        KQ_LET(auto header, BatchHeader::parse(batches));
        if (header.size_bytes > batches.size()) {
            return Error{Errc::corrupt_message, "the last batch is cut"};
        }
        KQ_TRY(check_crc(batches.first(header.size_bytes)));
        if (header.base_offset < next || header.leader_epoch < epoch) {
            return Error{Errc::corrupt_message,
                         "offset " + std::to_string(header.base_offset.value) + " of epoch " +
                             std::to_string(header.leader_epoch.value) + " behind " +
                             std::to_string(next.value - 1) + " of epoch " +
                             std::to_string(epoch.value)};
        }
        next = header.next_offset();
        epoch = header.leader_epoch;
        batches = batches.subspan(header.size_bytes);
    }
    return done();
}

// ---- Both

Offset Log::next_offset() const {
    return staged_.empty() ? log_end_ : staged_.back().mark.last + 1;
}

Status Log::admit(std::uint64_t bytes) {
    if (failed_) return Error{Errc::kafka_storage_error, "the log failed before"};
    if (full_ || bytes > unchecked_bytes_) KQ_TRY(find_room(bytes));
    unchecked_bytes_ -= std::min(bytes, unchecked_bytes_);
    return done();
}

// Producers are refused before the disk is full, so that reads, deletions and the metadata log can
// go on; and until there is room again.
Status Log::find_room(std::uint64_t bytes) {
    unchecked_bytes_ = std::max(unchecked_max, bytes);
    if (options_.disk_reserve_bytes == 0 && !full_) return done();
    auto space = files_.free_space(place_.directory);
    if (!space.ok()) return note_failure(space.error());
    auto reserve = std::min(options_.disk_reserve_bytes, space.value().total_bytes / 20);
    bool was_full = full_;
    full_ = space.value().free_bytes < reserve + bytes;
    if (full_ != was_full) {
        place_.logger.warn(
            full_ ? "disk full: appends are refused" : "there is room again",
            {kv("directory", place_.directory), kv("free_bytes", space.value().free_bytes)});
    }
    if (full_) return Error{Errc::disk_full, "the disk of " + place_.directory + " is full"};
    // Other logs fill the same disk.
    auto room = space.value().free_bytes - reserve;
    unchecked_bytes_ = std::max(std::min(unchecked_max, room / 4), bytes);
    return done();
}

// Rolls if the batch must not go to the active segment.
Status Log::make_place(const BatchHeader& header, AppendResults* results) {
    Segment::Arrival arrival;
    arrival.last = header.last_offset();
    arrival.bytes = header.size_bytes;
    arrival.bytes_before = staged_bytes_;
    arrival.batches_before = staged_.size();
    arrival.max_timestamp = header.max_timestamp;
    arrival.now = clock_.wall();
    if (!active().must_roll_before(arrival, options_)) return done();
    KQ_TRY(write_staged(results));
    auto rolled = roll(header.base_offset);
    return rolled.ok() ? rolled : note_failure(rolled.error());
}

// The batch will be written by write_staged(). What it does to the producers is done at once, so
// that the next batch of the same producer is checked against it.
Status Log::stage(const BatchHeader& header, ByteView bytes, std::size_t index) {
    Staged staged;
    staged.index = index;
    staged.bytes = bytes;
    staged.mark = BatchMark::of(header);
    staged.epoch = header.leader_epoch;
    if (header.has_producer()) {
        staged.producer = header.producer_id;
        if (const auto* before = producers_.find(header.producer_id)) {
            staged.producer_before = *before;
        }
        KQ_LET(staged.aborted, replay(producers_, header, bytes, clock_.mono()));
    }
    staged_bytes_ += bytes.size();
    staged_.push_back(std::move(staged));
    return done();
}

Status Log::write_staged(AppendResults* results) {
    if (staged_.empty()) return done();
    pieces_.clear();
    for (const auto& staged : staged_)
        pieces_.push_back(staged.bytes);
    auto written = active().write(pieces_);
    if (!written.ok()) {
        auto error = note_failure(written.error());
        if (results != nullptr) {
            for (const auto& staged : staged_)
                (*results)[staged.index] = error;
        }
        undo_staged();
        return error;
    }
    for (const auto& staged : staged_) {
        // A replica of an old log may hold batches without an epoch.
        if (staged.epoch > epochs_.latest()) assign_epoch_start(staged.epoch, staged.mark.base);
        active().note(staged.mark, options_.index_interval_bytes);
        if (staged.aborted) active().note_aborted(*staged.aborted);
        log_end_ = staged.mark.last + 1;
    }
    changed_ = true;
    staged_.clear();
    staged_bytes_ = 0;
    return done();
}

void Log::undo_staged() {
    for (auto staged = staged_.rbegin(); staged != staged_.rend(); ++staged) {
        if (staged->producer != no_producer) {
            producers_.restore(staged->producer, staged->producer_before);
        }
    }
    staged_.clear();
    staged_bytes_ = 0;
}

// A full disk, or a new segment that could not be opened for lack of descriptors, leaves the log as
// it was before, behind whole batches. Anything else leaves it in a state that only the next open()
// can find out: it takes nothing more, and its directory goes offline.
Error Log::note_failure(const Error& error) {
    if (is_shortage(error.code)) {
        auto cut = active().file()->truncate(active().size_bytes());
        if (cut.ok()) {
            active().allocated_bytes = 0;
            full_ = full_ || error.code == Errc::disk_full;
            if (full_ || clock_.mono() >= quiet_until_) {
                quiet_until_ = clock_.mono() + std::chrono::minutes(1);
                place_.logger.warn(full_ ? "disk full: appends are refused"
                                         : "too many open files: appends are refused",
                                   {kv("directory", place_.directory)});
            }
            return error;
        }
    }
    failed_ = true;
    place_.logger.error("log failed", {kv("directory", place_.directory), kv("error", error)});
    return Error{Errc::kafka_storage_error, error.message};
}

}  // namespace kq
