// SPDX-License-Identifier: Apache-2.0
#include "protocol/batch_builder.hpp"

#include <algorithm>
#include <limits>

#include "protocol/varint.hpp"

namespace kq {
namespace {

std::size_t bytes_size(std::optional<ByteView> bytes) {
    if (!bytes.has_value()) return varint_size(-1);
    return varint_size(static_cast<std::int32_t>(bytes->size())) + bytes->size();
}

// Of what the length of a record counts.
std::size_t body_size(std::int64_t timestamp_delta, std::int32_t offset_delta,
                      std::optional<ByteView> key, std::optional<ByteView> value,
                      std::span<const RecordHeaderView> headers) {
    std::size_t size = 1 + varlong_size(timestamp_delta) + varint_size(offset_delta) +
                       bytes_size(key) + bytes_size(value) +
                       varint_size(static_cast<std::int32_t>(headers.size()));
    for (const auto& header : headers)
        size += bytes_size(header.key) + bytes_size(header.value);
    return size;
}

std::uint8_t* put_bytes(std::uint8_t* at, std::optional<ByteView> bytes) {
    if (!bytes.has_value()) return put_varint(at, -1);
    at = put_varint(at, static_cast<std::int32_t>(bytes->size()));
    if (!bytes->empty()) std::memcpy(at, bytes->data(), bytes->size());
    return at + bytes->size();
}

std::int16_t attributes_of(const BatchOptions& options) {
    int attributes = static_cast<int>(options.compression);
    if (options.timestamp_type == TimestampType::log_append_time) {
        attributes |= BatchBit::log_append_time;
    }
    if (options.transactional) attributes |= BatchBit::transactional;
    if (options.control) attributes |= BatchBit::control;
    return static_cast<std::int16_t>(attributes);
}

}  // namespace

std::size_t record_size_bytes(std::int64_t timestamp_delta, std::int32_t offset_delta,
                              std::optional<ByteView> key, std::optional<ByteView> value,
                              std::span<const RecordHeaderView> headers) {
    auto body = body_size(timestamp_delta, offset_delta, key, value, headers);
    return varint_size(static_cast<std::int32_t>(body)) + body;
}

void BatchBuilder::append(WallTime timestamp, std::optional<ByteView> key,
                          std::optional<ByteView> value,
                          std::span<const RecordHeaderView> headers) {
    if (record_count_ == 0) {
        base_timestamp_ = max_timestamp_ = timestamp;
        records_.reserve(std::max(options_.expected_bytes, batch_header_bytes));
        records_.resize(batch_header_bytes);
    }
    max_timestamp_ = std::max(max_timestamp_, timestamp);
    std::int64_t timestamp_delta = to_ms(timestamp) - to_ms(base_timestamp_);
    auto body = body_size(timestamp_delta, record_count_, key, value, headers);
    auto length = static_cast<std::int32_t>(body);
    auto at = records_.size();
    grow_to(records_, at + varint_size(length) + body);

    std::uint8_t* place = put_varint(records_.data() + at, length);
    *place++ = 0;  // attributes: none are in use
    place = put_varlong(place, timestamp_delta);
    place = put_varint(place, record_count_);
    place = put_bytes(place, key);
    place = put_bytes(place, value);
    place = put_varint(place, static_cast<std::int32_t>(headers.size()));
    for (const auto& header : headers) {
        place = put_bytes(place, header.key);
        place = put_bytes(place, header.value);
    }
    KQ_CHECK(place == records_.data() + records_.size());
    ++record_count_;
}

std::size_t BatchBuilder::size_bytes_with(std::optional<ByteView> key,
                                          std::optional<ByteView> value,
                                          std::span<const RecordHeaderView> headers) const {
    constexpr std::int64_t largest_delta = std::numeric_limits<std::int64_t>::max();
    return size_bytes() + record_size_bytes(largest_delta, record_count_, key, value, headers);
}

void BatchBuilder::set_producer(ProducerId id, ProducerEpoch epoch, Sequence base_sequence) {
    options_.producer_id = id;
    options_.producer_epoch = epoch;
    options_.base_sequence = base_sequence;
}

Result<Bytes> BatchBuilder::finish(Compressor* codecs) {
    KQ_CHECK(!empty());
    Bytes batch;
    if (options_.compression == Compression::none) {
        batch = std::move(records_);
    } else {
        KQ_CHECK(codecs != nullptr);
        batch.resize(batch_header_bytes);
        KQ_TRY(codecs->compress(options_.compression,
                                options_.level.value_or(default_level(options_.compression)),
                                ByteView(records_).subspan(batch_header_bytes), batch));
    }
    std::uint8_t* at = batch.data();
    store_be(at + BatchAt::base_offset, options_.base_offset.value);
    store_be(at + BatchAt::length, static_cast<std::int32_t>(batch.size() - batch_prefix_bytes));
    store_be(at + BatchAt::leader_epoch, options_.leader_epoch.value);
    store_be(at + BatchAt::magic, batch_magic);
    store_be(at + BatchAt::attributes, attributes_of(options_));
    store_be(at + BatchAt::last_offset_delta, record_count_ - 1);
    store_be(at + BatchAt::base_timestamp, to_ms(base_timestamp_));
    store_be(at + BatchAt::max_timestamp, to_ms(max_timestamp_));
    store_be(at + BatchAt::producer_id, options_.producer_id.value);
    store_be(at + BatchAt::producer_epoch, options_.producer_epoch.value);
    store_be(at + BatchAt::base_sequence, options_.base_sequence.value);
    store_be(at + BatchAt::record_count, record_count_);
    seal(batch);
    records_.clear();
    record_count_ = 0;
    return batch;
}

Bytes make_control_batch(ControlType type, ByteView value, WallTime timestamp,
                         const BatchOptions& options) {
    Bytes key;
    append_be(key, std::int16_t{0});
    append_be(key, static_cast<std::int16_t>(type));
    BatchOptions control = options;
    control.control = true;
    control.compression = Compression::none;
    BatchBuilder builder(control);
    builder.append(timestamp, ByteView(key), value);
    return builder.finish().value();  // without compression nothing can fail
}

Bytes make_end_transaction_marker(bool commit, std::int32_t coordinator_epoch, WallTime timestamp,
                                  Offset base, Epoch leader_epoch, ProducerId producer_id,
                                  ProducerEpoch producer_epoch) {
    Bytes value;
    append_be(value, std::int16_t{0});
    append_be(value, coordinator_epoch);
    BatchOptions options{.base_offset = base,
                         .leader_epoch = leader_epoch,
                         .producer_id = producer_id,
                         .producer_epoch = producer_epoch,
                         .transactional = true};
    return make_control_batch(commit ? ControlType::commit : ControlType::abort, value, timestamp,
                              options);
}

Bytes make_empty_batch(Offset base, Offset last, Epoch leader_epoch) {
    KQ_CHECK(base <= last && last - base <= std::numeric_limits<std::int32_t>::max());
    Bytes batch(batch_header_bytes);
    std::uint8_t* at = batch.data();
    store_be(at + BatchAt::base_offset, base.value);
    store_be(at + BatchAt::length, static_cast<std::int32_t>(batch.size() - batch_prefix_bytes));
    store_be(at + BatchAt::leader_epoch, leader_epoch.value);
    store_be(at + BatchAt::magic, batch_magic);
    store_be(at + BatchAt::attributes, std::int16_t{0});
    store_be(at + BatchAt::last_offset_delta, static_cast<std::int32_t>(last - base));
    store_be(at + BatchAt::base_timestamp, to_ms(no_timestamp));
    store_be(at + BatchAt::max_timestamp, to_ms(no_timestamp));
    store_be(at + BatchAt::producer_id, no_producer.value);
    store_be(at + BatchAt::producer_epoch, std::int16_t{-1});
    store_be(at + BatchAt::base_sequence, std::int32_t{-1});
    store_be(at + BatchAt::record_count, std::int32_t{0});
    seal(batch);
    return batch;
}

}  // namespace kq
