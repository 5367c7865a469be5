// SPDX-License-Identifier: Apache-2.0
//
// What a producer takes and tells: records to send, reports of what became of them, counts.
//
// owner    ProducerRecord borrows everything it shows for the length of the call; a BatchReport is
//          valid during the callback only
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace kq {

struct HeaderView {
    std::string_view key;
    std::optional<ByteView> value;
};

struct ProducerRecord {
    std::string_view topic;
    std::optional<PartitionIndex> partition;  // none: by the key, or sticky without one
    std::optional<ByteView> key;
    std::optional<ByteView> value;  // none: a tombstone
    std::span<const HeaderView> headers;
    std::optional<WallTime> timestamp;  // none: now
};

// What became of one batch: told once for every batch, when its fate is known.
struct BatchReport {
    std::string_view topic;
    PartitionIndex partition;
    std::uint32_t record_count = 0;
    std::uint64_t first_record = 0;  // number of its first record among all sent to this partition
    Offset base_offset = no_offset;  // of the first record; no_offset with acks=0 or on failure
    WallTime log_append_time = no_timestamp;  // set when the topic stamps records itself
    Status status = done();
    // The batch may have been written all the same: it was sent, and no answer told otherwise.
    bool outcome_unknown = false;
};

// What became of one record, for those sent with a callback of their own.
struct RecordReport {
    PartitionIndex partition;
    Offset offset = no_offset;
    WallTime timestamp = no_timestamp;  // the record's, or the log append time
    Status status = done();
    bool outcome_unknown = false;
};

struct ProducerStats {
    std::uint64_t records_sent = 0;   // given to send()
    std::uint64_t records_acked = 0;  // with acks=0: written to the socket
    std::uint64_t records_failed = 0;
    std::uint64_t records_unknown = 0;  // of the failed: may have been written
    std::uint64_t bytes_sent = 0;       // of batches, as they went over the wire
    std::uint64_t batches_sent = 0;     // retries not counted
    std::uint64_t batches_retried = 0;
    std::uint64_t requests_sent = 0;
    std::uint64_t buffered_bytes = 0;  // now
    std::uint64_t throttled_ms = 0;
};

}  // namespace kq
