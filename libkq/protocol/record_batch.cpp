// SPDX-License-Identifier: Apache-2.0
#include "protocol/record_batch.hpp"

#include <algorithm>
#include <limits>

#include "protocol/crc32c.hpp"
#include "protocol/varint.hpp"

namespace kq {
namespace {

Error corrupt(const char* why) {
    return {Errc::corrupt_message, why};
}
Error invalid(const char* why) {
    return {Errc::invalid_record, why};
}

// A delta may be anything: it wraps, as Java's does.
WallTime timestamp_of(const BatchHeader& header, std::int64_t delta) {
    if (header.timestamp_type() == TimestampType::log_append_time) return header.max_timestamp;
    return wall_time(
        static_cast<std::int64_t>(static_cast<std::uint64_t>(to_ms(header.base_timestamp)) +
                                  static_cast<std::uint64_t>(delta)));
}

// Key or value: a length of -1 is null, and nothing below it is a length.
std::optional<ByteView> nullable_bytes(VarintReader& reader) {
    std::int32_t length = reader.varint();
    if (length == -1) return std::nullopt;
    if (length < 0) {
        reader.fail();
        return std::nullopt;
    }
    return reader.bytes(static_cast<std::size_t>(length));
}

// What is wrong with a record, or null. `body` is what its length counts.
const char* parse_record(const BatchHeader& header, ByteView body, RecordView& out) {
    constexpr const char* wrong_length = "a record is longer than its parts, or shorter";
    VarintReader reader(body);
    reader.byte();  // attributes: none are in use
    out.timestamp = timestamp_of(header, reader.varlong());
    out.offset_delta = reader.varint();
    if (out.offset_delta < 0 || out.offset_delta > header.last_offset_delta) {
        return "a record lies outside of its batch";
    }
    out.offset = header.base_offset + out.offset_delta;
    out.key = nullable_bytes(reader);
    out.value = nullable_bytes(reader);
    out.header_count = reader.varint();
    if (!reader.ok()) return wrong_length;
    // A header takes at least two bytes.
    if (out.header_count < 0 || static_cast<std::size_t>(out.header_count) > reader.left() / 2) {
        return "a record has an impossible number of headers";
    }
    out.header_bytes = reader.rest();
    for (std::int32_t i = 0; i < out.header_count && reader.ok(); ++i) {
        std::int32_t length = reader.varint();
        if (length < 0) return "a record header has no key";
        reader.bytes(static_cast<std::size_t>(length));
        nullable_bytes(reader);
    }
    return reader.ok() && reader.left() == 0 ? nullptr : wrong_length;
}

}  // namespace

Sequence sequence_after(Sequence sequence, std::int32_t count) {
    constexpr auto max = std::numeric_limits<std::int32_t>::max();
    return sequence.value > max - count ? Sequence(count - (max - sequence.value) - 1)
                                        : Sequence(sequence.value + count);
}

Result<std::size_t> batch_size_bytes(ByteView bytes) {
    if (bytes.size() < batch_prefix_bytes) return corrupt("the header of a batch is cut");
    auto length = load_be<std::int32_t>(bytes.data() + BatchAt::length);
    constexpr auto length_min = static_cast<std::int32_t>(batch_header_bytes - batch_prefix_bytes);
    if (length < length_min) return corrupt("a batch is shorter than its header");
    return batch_prefix_bytes + static_cast<std::size_t>(length);
}

Result<BatchHeader> BatchHeader::parse(ByteView bytes) {
    KQ_LET(auto size, batch_size_bytes(bytes));
    if (bytes.size() < batch_header_bytes) return corrupt("the header of a batch is cut");
    const std::uint8_t* at = bytes.data();
    if (load_be<std::int8_t>(at + BatchAt::magic) != batch_magic) {
        return corrupt("a batch has a magic other than 2");
    }
    BatchHeader header;
    header.base_offset = Offset(load_be<std::int64_t>(at + BatchAt::base_offset));
    header.size_bytes = size;
    header.leader_epoch = Epoch(load_be<std::int32_t>(at + BatchAt::leader_epoch));
    header.crc = load_be<std::uint32_t>(at + BatchAt::crc);
    header.attributes = load_be<std::int16_t>(at + BatchAt::attributes);
    header.last_offset_delta = load_be<std::int32_t>(at + BatchAt::last_offset_delta);
    header.base_timestamp = wall_time(load_be<std::int64_t>(at + BatchAt::base_timestamp));
    header.max_timestamp = wall_time(load_be<std::int64_t>(at + BatchAt::max_timestamp));
    header.producer_id = ProducerId(load_be<std::int64_t>(at + BatchAt::producer_id));
    header.producer_epoch = ProducerEpoch(load_be<std::int16_t>(at + BatchAt::producer_epoch));
    header.base_sequence = Sequence(load_be<std::int32_t>(at + BatchAt::base_sequence));
    header.record_count = load_be<std::int32_t>(at + BatchAt::record_count);
    if (header.base_offset < Offset(0)) return corrupt("a batch has a negative base offset");
    if (header.last_offset_delta < 0 ||
        header.base_offset.value >
            std::numeric_limits<std::int64_t>::max() - header.last_offset_delta - 1) {
        return corrupt("a batch ends before it starts");
    }
    return header;
}

Sequence BatchHeader::last_sequence() const {
    return base_sequence.value < 0 ? base_sequence
                                   : sequence_after(base_sequence, last_offset_delta);
}

Result<Compression> BatchHeader::compression() const {
    return compression_from_wire(attributes & BatchBit::compression);
}

std::optional<WallTime> BatchHeader::delete_horizon() const {
    if ((attributes & BatchBit::delete_horizon) == 0) return std::nullopt;
    return base_timestamp;
}

Status check_crc(ByteView batch) {
    KQ_CHECK(batch.size() >= batch_header_bytes);
    auto stored = load_be<std::uint32_t>(batch.data() + BatchAt::crc);
    if (stored != crc32c(batch.subspan(BatchAt::attributes))) {
        return corrupt("the checksum of a batch is wrong");
    }
    return done();
}

void seal(MutableBytes batch) {
    KQ_CHECK(batch.size() >= batch_header_bytes);
    store_be(batch.data() + BatchAt::crc, crc32c(batch.subspan(BatchAt::attributes)));
}

void assign(MutableBytes batch, Offset base, Epoch epoch) {
    KQ_CHECK(batch.size() >= batch_header_bytes);
    store_be(batch.data() + BatchAt::base_offset, base.value);
    store_be(batch.data() + BatchAt::leader_epoch, epoch.value);
}

RecordHeaderView RecordView::next_header(ByteView& rest) {
    VarintReader reader(rest);
    RecordHeaderView header;
    header.key = reader.bytes(static_cast<std::size_t>(reader.varint()));
    header.value = nullable_bytes(reader);
    KQ_CHECK(reader.ok());
    rest = reader.rest();
    return header;
}

Result<bool> RecordReader::next(RecordView& out) {
    if (header_.record_count < 0) return invalid("a batch has a negative number of records");
    if (seen_ == header_.record_count) {
        if (!rest_.empty()) return invalid("a batch holds more than its records");
        return false;
    }
    VarintReader reader(rest_);
    std::int32_t length = reader.varint();
    if (length < 0) return invalid("a record has a negative length");
    ByteView body = reader.bytes(static_cast<std::size_t>(length));
    if (!reader.ok()) return invalid("a batch holds fewer records than it says");
    const char* wrong = parse_record(header_, body, out);
    if (wrong != nullptr) return invalid(wrong);
    out.size_bytes = rest_.size() - reader.left();
    rest_ = reader.rest();
    ++seen_;
    return true;
}

Result<ByteView> plain_records(const BatchHeader& header, ByteView batch, Decompressor& codecs,
                               Bytes& unpacked, std::size_t limit_bytes) {
    KQ_CHECK(batch.size() == header.size_bytes);
    ByteView records = batch.subspan(BatchAt::records);
    KQ_LET(auto codec, header.compression());
    if (codec == Compression::none) return records;
    KQ_LET(unpacked, codecs.decompress(codec, records, limit_bytes));
    return ByteView(unpacked);
}

Result<RecordStream> RecordStream::open(const BatchHeader& header, ByteView batch,
                                        Decompressor& codecs, std::size_t limit_bytes) {
    KQ_CHECK(batch.size() == header.size_bytes);
    if (header.record_count < 0) return invalid("a batch has a negative number of records");
    ByteView records = batch.subspan(BatchAt::records);
    KQ_LET(auto codec, header.compression());
    if (codec == Compression::none) return RecordStream(header, records, nullptr);
    // A compacted batch may hold no records, and then no stream either.
    if (records.empty() && header.record_count == 0) return RecordStream(header, {}, nullptr);
    KQ_TRY(codecs.begin(codec, records, limit_bytes));
    return RecordStream(header, {}, &codecs);
}

// Whether `wanted` bytes are in rest_, unpacking more where they are not. The window grows with
// what comes out of the stream, not with what a record claims.
Result<bool> RecordStream::fill(std::size_t wanted) {
    constexpr std::size_t window_bytes = std::size_t{64} * 1024;
    while (rest_.size() < wanted && codecs_ != nullptr) {
        std::size_t kept = rest_.size();
        if (kept > 0) std::memmove(window_.data(), rest_.data(), kept);
        if (kept == window_.size()) grow_to(window_, std::max(window_bytes, kept * 2));
        KQ_LET(std::size_t count, codecs_->read(MutableBytes(window_).subspan(kept)));
        rest_ = ByteView(window_).first(kept + count);
        if (rest_.size() < window_.size()) codecs_ = nullptr;
    }
    return rest_.size() >= wanted;
}

Result<bool> RecordStream::next(RecordView& out) {
    if (seen_ == header_.record_count) {
        KQ_LET(bool more, fill(1));
        if (more) return invalid("a batch holds more than its records");
        return false;
    }
    constexpr std::size_t varint_bytes_max = 5;
    if (rest_.size() < varint_bytes_max) {
        KQ_TRY(fill(varint_bytes_max));
    }
    VarintReader reader(rest_);
    std::int32_t length = reader.varint();
    if (!reader.ok()) return invalid("a batch holds fewer records than it says");
    if (length < 0) return invalid("a record has a negative length");
    std::size_t length_bytes = rest_.size() - reader.left();
    std::size_t size = length_bytes + static_cast<std::size_t>(length);
    if (rest_.size() < size) {
        KQ_LET(bool there, fill(size));
        if (!there) return invalid("a batch holds fewer records than it says");
    }
    const char* wrong =
        parse_record(header_, rest_.subspan(length_bytes, size - length_bytes), out);
    if (wrong != nullptr) return invalid(wrong);
    out.size_bytes = size;
    rest_ = rest_.subspan(size);
    ++seen_;
    return true;
}

Result<ControlType> control_type(const RecordView& record) {
    if (!record.key.has_value() || record.key->size() < 4) {
        return invalid("a control record has no type");
    }
    return static_cast<ControlType>(load_be<std::int16_t>(record.key->data() + 2));
}

}  // namespace kq
