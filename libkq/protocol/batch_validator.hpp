// SPDX-License-Identifier: Apache-2.0
//
// BatchValidator: what a leader checks of a batch that a client sent, before it is appended; and
// the few rewritings that a topic may ask for. What passes can be read by every consumer.
//
// shape    a compressed batch is unpacked through a fixed window and walked, record by record;
//          nothing is allocated per record
// owner    one loop or thread
// errors   corrupt_message    crc, length or stream are wrong
//          invalid_record     not exactly one batch of magic 2; base offset, count, deltas, a
//          record
//                             or a producer field are inconsistent; a control batch; a record
//                             without key for a compacted topic (record_errors)
//          message_too_large  the batch, or what it unpacks to
//          invalid_timestamp  outside the window of the topic (record_errors)
//          unsupported_compression_type  zstd in Produce below version 7
// source   Kafka: LogValidator, ProduceRequest; RELIABILITY 2
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "protocol/compression.hpp"
#include "protocol/record_batch.hpp"

namespace kq {

// What the topic and the request ask for.
struct BatchRules {
    std::size_t max_message_bytes = 1048588;
    bool compacted = false;
    TimestampType timestamp_type = TimestampType::create_time;
    // message.timestamp.before.max.ms and .after.max.ms; unlimited where absent.
    std::optional<Millis> timestamp_before_max;
    std::optional<Millis> timestamp_after_max = std::chrono::hours(1);
    // compression.type; absent means `producer`: batches stay as they came.
    std::optional<Compression> compression;
    std::optional<int> compression_level;
    int produce_version = 13;
    // Unpacked records beyond the larger of this and max_message_bytes are refused.
    std::size_t unpacked_bytes_max = std::size_t{64} << 20;
};

struct RecordError {
    std::int32_t batch_index;  // of the record
    std::string message;
};

struct ValidatedBatch {
    BatchHeader header;  // as the batch came
    // What readers will take for the largest timestamp: of the records, or `now` with
    // LogAppendTime.
    WallTime max_timestamp;
    std::int32_t max_timestamp_delta = 0;  // the offset delta of the first record that has it
    TimestampType timestamp_type = TimestampType::create_time;
    Compression compression = Compression::none;  // that the log shall hold

    // Whether bytes under the crc must change before the batch is appended: LogAppendTime, a wrong
    // max timestamp or timestamp type, another codec.
    bool restamp = false;
    bool recompress = false;
};

class BatchValidator {
public:
    // `batch` is all that the request holds for a partition. On invalid_record and
    // invalid_timestamp `record_errors` (cleared first) names the records at fault, at most 100.
    Result<ValidatedBatch> validate(ByteView batch, const BatchRules& rules, WallTime now,
                                    std::vector<RecordError>& record_errors);

    // Makes the batch what the log shall hold. Without recompression that happens in place and the
    // result is `batch` itself; with it, the result is a view of a buffer that is valid until the
    // next call. `validated.header` is brought up to date. Does nothing where nothing must change.
    // Requires: `validated` came from validate(batch, rules, ...).
    Result<MutableBytes> rewrite(MutableBytes batch, ValidatedBatch& validated,
                                 const BatchRules& rules);

private:
    Decompressor decompressor_;
    Compressor compressor_;
    Bytes window_;
    Bytes rewritten_;
};

}  // namespace kq
