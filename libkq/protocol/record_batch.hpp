// SPDX-License-Identifier: Apache-2.0
//
// Record batches of magic 2, the unit in which records are sent, stored and replicated: their
// header in place, and the records inside.
//
// shape    0 base_offset 8 | 8 batch_length 4 | 12 leader_epoch 4 | 16 magic 1 | 17 crc 4 |
//          21 attributes 2 | 23 last_offset_delta 4 | 27 base_timestamp 8 | 35 max_timestamp 8 |
//          43 producer_id 8 | 51 producer_epoch 2 | 53 base_sequence 4 | 57 record_count 4 |
//          61 records, plain or one compressed stream. The crc (CRC-32C) covers all from byte 21.
// units    batch_length counts what follows it; size_bytes is the whole batch
// errors   corrupt_message  the bytes are no batch of magic 2, or the crc is wrong
//          invalid_record   a record does not follow its form, or the count is wrong
//          message_too_large, unsupported_compression_type  as compression.hpp says
// source   Kafka protocol guide, "Record Batch"; KIP-98
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "protocol/compression.hpp"

namespace kq {

enum class TimestampType : std::int8_t { create_time = 0, log_append_time = 1 };

// Where the fields of a batch stand.
struct BatchAt {
    static constexpr std::size_t base_offset = 0;
    static constexpr std::size_t length = 8;
    static constexpr std::size_t leader_epoch = 12;
    static constexpr std::size_t magic = 16;
    static constexpr std::size_t crc = 17;
    static constexpr std::size_t attributes = 21;
    static constexpr std::size_t last_offset_delta = 23;
    static constexpr std::size_t base_timestamp = 27;
    static constexpr std::size_t max_timestamp = 35;
    static constexpr std::size_t producer_id = 43;
    static constexpr std::size_t producer_epoch = 51;
    static constexpr std::size_t base_sequence = 53;
    static constexpr std::size_t record_count = 57;
    static constexpr std::size_t records = 61;
};

inline constexpr std::size_t batch_header_bytes = BatchAt::records;
inline constexpr std::size_t batch_prefix_bytes = 12;  // base offset and length: enough to walk on
inline constexpr std::int8_t batch_magic = 2;

// The bits of its attributes.
struct BatchBit {
    static constexpr std::int16_t compression = 0x07;
    static constexpr std::int16_t log_append_time = 0x08;
    static constexpr std::int16_t transactional = 0x10;
    static constexpr std::int16_t control = 0x20;
    static constexpr std::int16_t delete_horizon = 0x40;
};

// The sequence `count` records after `sequence`: 2147483647 is followed by 0.
Sequence sequence_after(Sequence sequence, std::int32_t count);

struct BatchHeader {
    Offset base_offset;
    std::size_t size_bytes = 0;  // of the whole batch
    Epoch leader_epoch;
    std::uint32_t crc = 0;
    std::int16_t attributes = 0;
    std::int32_t last_offset_delta = 0;
    WallTime base_timestamp;
    WallTime max_timestamp;
    ProducerId producer_id = no_producer;
    ProducerEpoch producer_epoch{-1};
    Sequence base_sequence{-1};
    std::int32_t record_count = 0;

    // Reads the header at the front of `bytes`; the rest of the batch need not be there yet.
    // Errors: corrupt_message when the header is cut, the magic is not 2, the length is below a
    // header's, or the offsets are negative or run backwards.
    static Result<BatchHeader> parse(ByteView bytes);

    Offset last_offset() const { return base_offset + last_offset_delta; }
    Offset next_offset() const { return last_offset() + 1; }
    bool has_producer() const { return producer_id > no_producer; }
    Sequence last_sequence() const;  // -1 without a sequence
    Result<Compression> compression() const;
    bool is_compressed() const { return (attributes & BatchBit::compression) != 0; }
    TimestampType timestamp_type() const {
        return (attributes & BatchBit::log_append_time) != 0 ? TimestampType::log_append_time
                                                             : TimestampType::create_time;
    }
    bool is_transactional() const { return (attributes & BatchBit::transactional) != 0; }
    bool is_control() const { return (attributes & BatchBit::control) != 0; }
    // After compaction: from when on tombstones may go. Stands where base_timestamp stood.
    std::optional<WallTime> delete_horizon() const;
};

// The size of the batch whose first 12 bytes are at the front of `bytes`.
// Errors: corrupt_message when fewer are there, or the length is below a header's.
Result<std::size_t> batch_size_bytes(ByteView bytes);

// Requires: `batch` is one whole batch.
Status check_crc(ByteView batch);
// Computes the crc anew and stores it. Requires: the same.
void seal(MutableBytes batch);
// Gives the batch its place in the log. Both fields lie outside the crc. Requires: the same.
void assign(MutableBytes batch, Offset base, Epoch epoch);

struct RecordHeaderView {
    ByteView key;
    std::optional<ByteView> value;
};

// One record, borrowed from the bytes it was read from.
struct RecordView {
    Offset offset;
    std::int32_t offset_delta = 0;
    WallTime timestamp;  // the batch's, with LogAppendTime
    std::optional<ByteView> key;
    std::optional<ByteView> value;
    std::int32_t header_count = 0;
    ByteView header_bytes;       // header_count of them, checked when the record was read
    std::size_t size_bytes = 0;  // on disk, unpacked

    // Takes the next header off the front of `rest`, which starts as header_bytes. Requires: one is
    // left.
    static RecordHeaderView next_header(ByteView& rest);
};

// RecordReader: walks the plain records of a batch, one after the other, without copying.
class RecordReader {
public:
    // `plain` holds the records of the batch, unpacked, and outlives the views.
    RecordReader(const BatchHeader& header, ByteView plain) : header_(header), rest_(plain) {}

    // False at the end, after record_count records with nothing left over.
    Result<bool> next(RecordView& out);

private:
    BatchHeader header_;
    ByteView rest_;
    std::int32_t seen_ = 0;
};

// The records of a batch, unpacked if they are compressed: a view into `batch`, or of `unpacked`,
// which is used as the buffer and must live as long as the view.
// Requires: `batch` is one whole batch that `header` was parsed from.
Result<ByteView> plain_records(const BatchHeader& header, ByteView batch, Decompressor& codecs,
                               Bytes& unpacked, std::size_t limit_bytes);

// Calls visit(const RecordView&) -> Status for every record. Compressed batches go through a buffer
// that holds the record at hand and little more. A view is valid during its call.
template <class Visit>
Status for_each_record(const BatchHeader& header, ByteView batch, Decompressor& codecs,
                       std::size_t limit_bytes, Visit&& visit);

// What a control record says: its key is int16 version, int16 type.
enum class ControlType : std::int16_t {
    abort = 0,
    commit = 1,
    leader_change = 2,
    snapshot_header = 3,
    snapshot_footer = 4,
    kraft_version = 5,
    kraft_voters = 6,
};
// Unknown types are given as they are: readers skip them.
Result<ControlType> control_type(const RecordView& record);

// RecordStream: the records of one batch, compressed or not, one at a time through a buffer that
// holds the record at hand and little more. for_each_record is made of it.
class RecordStream {
public:
    // Requires: `batch` is one whole batch that `header` was parsed from; both arguments outlive
    // the stream.
    static Result<RecordStream> open(const BatchHeader& header, ByteView batch,
                                     Decompressor& codecs, std::size_t limit_bytes);
    // False at the end. The view is valid until the next call.
    Result<bool> next(RecordView& out);

private:
    RecordStream(const BatchHeader& header, ByteView plain, Decompressor* codecs)
        : header_(header), rest_(plain), codecs_(codecs) {}
    Result<bool> fill(std::size_t wanted);

    BatchHeader header_;
    ByteView rest_;         // unpacked and not yet read: a part of window_, or of the batch itself
    Decompressor* codecs_;  // null when the batch is not compressed, or at the end of the stream
    Bytes window_;
    std::int32_t seen_ = 0;
};

template <class Visit>
Status for_each_record(const BatchHeader& header, ByteView batch, Decompressor& codecs,
                       std::size_t limit_bytes, Visit&& visit) {
    KQ_LET(auto stream, RecordStream::open(header, batch, codecs, limit_bytes));
    RecordView record;
    while (true) {
        KQ_LET(bool more, stream.next(record));
        if (!more) return done();
        KQ_TRY(visit(static_cast<const RecordView&>(record)));
    }
}

}  // namespace kq
