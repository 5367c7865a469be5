// SPDX-License-Identifier: Apache-2.0
//
// BatchBuilder: makes one record batch, record by record, in its final form; compresses and seals
// it at the end. Producers, the metadata log and control records are written with it.
//
// shape    records get the offset deltas 0, 1, 2, ...; the first one's timestamp is the base
// owner    one loop or thread
// source   Kafka protocol guide, "Record Batch"
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "protocol/compression.hpp"
#include "protocol/record_batch.hpp"

namespace kq {

struct BatchOptions {
    Compression compression = Compression::none;
    std::optional<int> level;  // the codec's default where absent
    Offset base_offset{0};
    Epoch leader_epoch = no_epoch;
    TimestampType timestamp_type = TimestampType::create_time;
    ProducerId producer_id = no_producer;
    ProducerEpoch producer_epoch{-1};
    Sequence base_sequence{-1};
    bool transactional = false;
    bool control = false;
    // Room to take with the first record: batch.size for a producer. The batch may grow beyond.
    std::size_t expected_bytes = 0;
};

// The bytes that a record takes in a batch, not compressed.
std::size_t record_size_bytes(std::int64_t timestamp_delta, std::int32_t offset_delta,
                              std::optional<ByteView> key, std::optional<ByteView> value,
                              std::span<const RecordHeaderView> headers);

class BatchBuilder {
public:
    explicit BatchBuilder(const BatchOptions& options) : options_(options) {}

    void append(WallTime timestamp, std::optional<ByteView> key, std::optional<ByteView> value,
                std::span<const RecordHeaderView> headers = {});

    // Room for a batch of this size, so that it need not move while it grows.
    void reserve(std::size_t bytes) { records_.reserve(bytes); }

    bool empty() const { return record_count_ == 0; }
    std::int32_t record_count() const { return record_count_; }
    // Of the batch if it were closed now, before compression.
    std::size_t size_bytes() const {
        return record_count_ == 0 ? batch_header_bytes : records_.size();
    }
    // Of the batch with one more record of these parts: an upper bound, exact but for varints.
    std::size_t size_bytes_with(std::optional<ByteView> key, std::optional<ByteView> value,
                                std::span<const RecordHeaderView> headers = {}) const;
    WallTime base_timestamp() const { return base_timestamp_; }
    WallTime max_timestamp() const { return max_timestamp_; }

    // A producer learns its id, epoch and sequence only when the batch is about to be sent.
    void set_producer(ProducerId id, ProducerEpoch epoch, Sequence base_sequence);

    // The batch, sealed. Compression needs `codecs`; without compression it may be null. The
    // builder is empty afterwards and takes records for another batch.
    // Requires: !empty(). Errors: only those of the codec's library.
    Result<Bytes> finish(Compressor* codecs = nullptr);

private:
    BatchOptions options_;
    Bytes records_;  // behind room for the header, once there is a record
    std::int32_t record_count_ = 0;
    WallTime base_timestamp_{};
    WallTime max_timestamp_{};
};

// One control record in a batch of its own. `value` is the value with its version in front.
Bytes make_control_batch(ControlType type, ByteView value, WallTime timestamp,
                         const BatchOptions& options);
// The marker that ends a transaction.
Bytes make_end_transaction_marker(bool commit, std::int32_t coordinator_epoch, WallTime timestamp,
                                  Offset base, Epoch leader_epoch, ProducerId producer_id,
                                  ProducerEpoch producer_epoch);
// A batch without records, of no producer and no time, that takes the offsets [base, last]: as
// Kafka's cleaner leaves it where all records of a batch went.
// Requires: base <= last, and they are less than 2^31 apart.
Bytes make_empty_batch(Offset base, Offset last, Epoch leader_epoch);

}  // namespace kq
