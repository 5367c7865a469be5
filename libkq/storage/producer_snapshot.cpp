// SPDX-License-Identifier: Apache-2.0
#include "storage/producer_snapshot.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "protocol/crc32c.hpp"
#include "storage/kq_file.hpp"

namespace kq {

namespace {

constexpr std::int16_t snapshot_version = 1;
constexpr std::size_t snapshot_crc_at = 2;
constexpr std::size_t count_at = 6;
constexpr std::size_t entries_at = 10;
constexpr std::size_t entry_bytes = 46;

constexpr KqFileKind earlier_batches_kind{"prod", 1};
constexpr std::size_t earlier_head_bytes = 8 + 2 + 8 + 1;
constexpr std::size_t earlier_batch_bytes = 4 + 8 + 4 + 8;

// One producer of Kafka's snapshot; false when it makes no sense.
bool decode_entry(const std::uint8_t* place, MonoTime now, ProducerTable& table) {
    ProducerId producer{load_be<std::int64_t>(place)};
    ProducerEntry entry;
    entry.epoch = ProducerEpoch{load_be<std::int16_t>(place + 8)};
    ProducerBatch last{Sequence{load_be<std::int32_t>(place + 10)},
                       Offset{load_be<std::int64_t>(place + 14)}, load_be<std::int32_t>(place + 22),
                       wall_time(load_be<std::int64_t>(place + 26))};
    entry.coordinator_epoch = load_be<std::int32_t>(place + 34);
    entry.transaction_start = Offset{load_be<std::int64_t>(place + 38)};
    entry.last_timestamp = last.timestamp;
    entry.last_seen = now;
    if (producer.value < 0 || last.offset_delta < 0 || table.find(producer) != nullptr) {
        return false;
    }
    // A producer of whom only a marker is known has no batch.
    if (last.last_offset.value >= 0) entry.add(last);
    table.restore(producer, entry);
    return true;
}

// Reads fixed-size numbers off a view.
class Cursor {
public:
    explicit Cursor(ByteView bytes) : bytes_(bytes) {}
    bool has(std::size_t n) const { return bytes_.size() >= n; }
    bool at_end() const { return bytes_.empty(); }
    template <class Integer>
    Integer take() {
        auto value = load_be<Integer>(bytes_.data());
        bytes_ = bytes_.subspan(sizeof(Integer));
        return value;
    }

private:
    ByteView bytes_;
};

}  // namespace

Bytes encode_snapshot(const ProducerTable& table) {
    Bytes file;
    file.reserve(entries_at + table.size() * entry_bytes);
    append_be(file, snapshot_version);
    append_be(file, std::uint32_t{0});
    append_be(file, static_cast<std::int32_t>(table.size()));
    for (auto producer : table.producers()) {
        const auto& entry = *table.find(producer);
        auto last = entry.has_batches() ? entry.batches().back() : ProducerBatch{};
        append_be(file, producer.value);
        append_be(file, entry.epoch.value);
        append_be(file, last.last_sequence.value);
        append_be(file, last.last_offset.value);
        append_be(file, last.offset_delta);
        append_be(file, to_ms(entry.last_timestamp));
        append_be(file, entry.coordinator_epoch);
        append_be(file, entry.transaction_start.value);
    }
    store_be(file.data() + snapshot_crc_at, crc32c(ByteView(file).subspan(count_at)));
    return file;
}

Status decode_snapshot(ByteView file, MonoTime now, ProducerTable& table) {
    if (file.size() < entries_at) return Error{Errc::corrupt_file, "shorter than its head"};
    auto version = load_be<std::int16_t>(file.data());
    auto count = load_be<std::int32_t>(file.data() + count_at);
    bool sound =
        count >= 0 && file.size() == entries_at + static_cast<std::size_t>(count) * entry_bytes &&
        load_be<std::uint32_t>(file.data() + snapshot_crc_at) == crc32c(file.subspan(count_at));
    // The checksum does not cover the version: what is sound but for it is ours with a damaged
    // version, not a newer format that happens to have our shape.
    if (version > snapshot_version && !sound) {
        return Error{Errc::unsupported, "the snapshot is of version " + std::to_string(version)};
    }
    if (version != snapshot_version || !sound) {
        return Error{Errc::corrupt_file, "the snapshot is cut or damaged"};
    }
    for (std::int32_t i = 0; i < count; ++i) {
        const auto* place = file.data() + entries_at + static_cast<std::size_t>(i) * entry_bytes;
        if (!decode_entry(place, now, table)) {
            table.clear();
            return Error{Errc::corrupt_file, "entry " + std::to_string(i) + " makes no sense"};
        }
    }
    return done();
}

Bytes encode_earlier_batches(const ProducerTable& table, ByteView snapshot, MonoTime now) {
    Bytes content;
    append_be(content, load_be<std::uint32_t>(snapshot.data() + snapshot_crc_at));
    append_be(content, static_cast<std::uint32_t>(table.size()));
    for (auto producer : table.producers()) {
        const auto& entry = *table.find(producer);
        auto batches = entry.batches();
        auto earlier = batches.empty() ? batches : batches.first(batches.size() - 1);
        append_be(content, producer.value);
        append_be(content, entry.epoch.value);
        auto silence = std::chrono::duration_cast<Millis>(now - entry.last_seen);
        append_be(content, static_cast<std::int64_t>(silence.count()));
        content.push_back(static_cast<std::uint8_t>(earlier.size()));
        for (const auto& batch : earlier) {
            append_be(content, batch.last_sequence.value);
            append_be(content, batch.last_offset.value);
            append_be(content, batch.offset_delta);
            append_be(content, to_ms(batch.timestamp));
        }
    }
    return wrap_kq_file(earlier_batches_kind, content);
}

Status decode_earlier_batches(ByteView file, ByteView snapshot, MonoTime now,
                              ProducerTable& table) {
    KQ_LET(auto opened, unwrap_kq_file(earlier_batches_kind, file));
    Cursor in(opened.content);
    auto malformed = Error{Errc::corrupt_file, "the list of earlier batches makes no sense"};
    if (!in.has(8) || snapshot.size() < entries_at) return malformed;
    if (in.take<std::uint32_t>() != load_be<std::uint32_t>(snapshot.data() + snapshot_crc_at)) {
        return Error{Errc::corrupt_file, "it belongs to another snapshot"};
    }

    std::vector<std::pair<ProducerId, ProducerEntry>> completed;
    for (auto left = in.take<std::uint32_t>(); left > 0; --left) {
        if (!in.has(earlier_head_bytes)) return malformed;
        ProducerId producer{in.take<std::int64_t>()};
        ProducerEpoch epoch{in.take<std::int16_t>()};
        auto silence_ms = in.take<std::int64_t>();
        std::size_t count = in.take<std::uint8_t>();
        if (silence_ms < 0 || count >= ProducerEntry::batches_max ||
            !in.has(count * earlier_batch_bytes)) {
            return malformed;
        }
        const auto* known = table.find(producer);
        bool fits = known != nullptr && known->epoch == epoch;
        ProducerEntry entry = fits ? *known : ProducerEntry{};
        auto newest = fits && known->has_batches() ? known->batches().back() : ProducerBatch{};
        entry.clear_batches();
        entry.last_seen = now - std::min(Millis{silence_ms}, Millis{std::chrono::hours{24 * 3650}});
        for (; count > 0; --count) {
            ProducerBatch batch;
            batch.last_sequence = Sequence{in.take<std::int32_t>()};
            batch.last_offset = Offset{in.take<std::int64_t>()};
            batch.offset_delta = in.take<std::int32_t>();
            batch.timestamp = wall_time(in.take<std::int64_t>());
            if (batch.offset_delta < 0) return malformed;
            if (batch.last_offset < newest.last_offset) entry.add(batch);
        }
        if (!fits) continue;
        if (known->has_batches()) entry.add(newest);
        completed.emplace_back(producer, entry);
    }
    if (!in.at_end()) return malformed;
    for (const auto& [producer, entry] : completed)
        table.restore(producer, entry);
    return done();
}

}  // namespace kq
