// SPDX-License-Identifier: Apache-2.0
#include "client/fetched_records.hpp"

#include <algorithm>
#include <set>

#include "protocol/record_batch.hpp"

namespace kq {

std::vector<ConsumedHeader> ConsumedRecord::headers() const {
    std::vector<ConsumedHeader> list;
    list.reserve(static_cast<std::size_t>(header_count));
    auto rest = raw_headers;
    for (std::int32_t i = 0; i < header_count; ++i) {
        auto header = RecordView::next_header(rest);
        list.push_back({as_text(header.key), header.value});
    }
    return list;
}

struct FetchedRecords::Cursor {
    Limits limits;
    ByteView rest;                         // batches not yet begun
    std::vector<AbortedProducer> aborted;  // by first offset, the first one last
    std::set<ProducerId> aborting;         // their records are dropped until their marker

    BatchHeader header;
    std::optional<RecordReader> records;  // of the batch under way
    Bytes unpacked;
    std::unique_ptr<Decompressor> decompressor;
    ConsumedRecord record;
    std::optional<Error> failed;

    Result<bool> next_batch();
    bool is_dropped(ByteView batch);
    Result<ByteView> plain(ByteView batch);
};

FetchedRecords::FetchedRecords(std::shared_ptr<const TopicPartition> partition, SharedBytes records,
                               std::vector<AbortedProducer> aborted, Limits limits)
    : partition_(std::move(partition)),
      records_(std::move(records)),
      next_offset_(limits.from),
      cursor_(std::make_unique<Cursor>()) {
    std::sort(aborted.begin(), aborted.end(),
              [](const auto& a, const auto& b) { return a.first_offset > b.first_offset; });
    cursor_->limits = limits;
    cursor_->rest = records_.view();
    cursor_->aborted = std::move(aborted);

    // Whole batches only: an answer may end in the middle of one.
    auto rest = records_.view();
    std::size_t whole = 0;
    while (true) {
        auto header = BatchHeader::parse(rest);
        if (!header.ok()) {
            // A cut header is the cut tail; a bad one is told when next() reaches it.
            if (rest.size() >= batch_header_bytes) whole = records_.size();
            break;
        }
        auto size = header.value().size_bytes;
        if (size > rest.size()) break;
        whole += size;
        rest = rest.subspan(size);
        next_offset_ = std::max(next_offset_, header.value().next_offset());
        if (limits.stop != no_offset && next_offset_ >= limits.stop) {
            next_offset_ = limits.stop;
            break;
        }
    }
    cursor_->rest = cursor_->rest.first(whole);
}

FetchedRecords::~FetchedRecords() = default;
FetchedRecords::FetchedRecords(FetchedRecords&&) noexcept = default;
FetchedRecords& FetchedRecords::operator=(FetchedRecords&&) noexcept = default;

// A batch of an aborted transaction, or a marker. Batches come in order of offsets, so what begins
// at or before this one's last offset has begun; a marker of ABORT ends it (protocol guide,
// "Fetch", read_committed).
bool FetchedRecords::Cursor::is_dropped(ByteView batch) {
    if (!limits.read_committed) return header.is_control();
    while (!aborted.empty() && aborted.back().first_offset <= header.last_offset()) {
        aborting.insert(aborted.back().producer);
        aborted.pop_back();
    }
    if (header.is_control()) {
        RecordReader marker(header, batch.subspan(batch_header_bytes));
        RecordView view;
        auto more = marker.next(view);
        if (more.ok() && more.value()) {
            auto type = control_type(view);
            if (type.ok() && type.value() == ControlType::abort) aborting.erase(header.producer_id);
        }
        return true;
    }
    return header.is_transactional() && aborting.contains(header.producer_id);
}

Result<ByteView> FetchedRecords::Cursor::plain(ByteView batch) {
    if (!header.is_compressed()) return batch.subspan(batch_header_bytes);
    if (decompressor == nullptr) decompressor = std::make_unique<Decompressor>();
    return plain_records(header, batch, *decompressor, unpacked, limits.unpacked_batch_bytes_max);
}

// Opens the next batch that has something to give. False when there is none.
Result<bool> FetchedRecords::Cursor::next_batch() {
    records.reset();
    while (!rest.empty()) {
        KQ_LET(header, BatchHeader::parse(rest));
        auto batch = rest.first(std::min(header.size_bytes, rest.size()));
        rest = rest.subspan(batch.size());
        if (limits.stop != no_offset && header.base_offset >= limits.stop) {
            rest = {};
            return false;
        }
        if (header.last_offset() < limits.from || header.record_count == 0) {
            if (limits.read_committed) is_dropped(batch);  // markers count all the same
            continue;
        }
        if (limits.check_crcs) KQ_TRY(check_crc(batch));
        if (is_dropped(batch)) continue;
        KQ_LET(auto bytes, plain(batch));
        records.emplace(header, bytes);
        return true;
    }
    return false;
}

Result<const ConsumedRecord*> FetchedRecords::next() {
    auto& at = *cursor_;
    if (at.failed) return *at.failed;
    auto fail = [&](const Error& why) {
        at.failed = Error{Errc::bad_data,
                          "'" + partition_->topic + "' partition " +
                              std::to_string(partition_->partition.value) + ", batch at offset " +
                              std::to_string(at.header.base_offset.value) + ": " + why.message};
        return *at.failed;
    };
    RecordView view;
    while (true) {
        if (!at.records) {
            auto more = at.next_batch();
            if (!more.ok()) return fail(more.error());
            if (!more.value()) return nullptr;
        }
        auto more = at.records->next(view);
        if (!more.ok()) return fail(more.error());
        if (!more.value()) {
            at.records.reset();
            continue;
        }
        if (view.offset < at.limits.from) continue;
        if (at.limits.stop != no_offset && view.offset >= at.limits.stop) {
            at.records.reset();
            at.rest = {};
            return nullptr;
        }
        at.record = {
            .offset = view.offset,
            .timestamp = view.timestamp,
            .log_append_time = at.header.timestamp_type() == TimestampType::log_append_time,
            .leader_epoch = at.header.leader_epoch,
            .key = view.key,
            .value = view.value,
            .raw_headers = view.header_bytes,
            .header_count = view.header_count};
        return &at.record;
    }
}

}  // namespace kq
