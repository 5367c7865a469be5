// SPDX-License-Identifier: Apache-2.0
//
// FetchedRecords: what one fetch answer brought of one partition, record by record, without
// copying: views into the received frame, or into one unpacked batch at a time.
//
// shape    offsets ascend; records before the position asked for, at or after the stop, of control
//          batches and (read_committed) of aborted transactions are left out
// owner    moves; keeps the frame alive
// errors   bad_data  a batch fails its checksum or does not parse; what came before it was given
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "client/consumer_types.hpp"
#include "client/options.hpp"

namespace kq {

struct AbortedProducer {
    ProducerId producer;
    Offset first_offset;
};

class FetchedRecords {
public:
    struct Limits {
        Offset from;              // records below are left out
        Offset stop = no_offset;  // records at or above too; no_offset: none
        bool check_crcs = true;
        bool read_committed = false;
        std::uint32_t unpacked_batch_bytes_max = 64u << 20;
    };

    FetchedRecords(std::shared_ptr<const TopicPartition> partition, SharedBytes records,
                   std::vector<AbortedProducer> aborted, Limits limits);
    ~FetchedRecords();
    FetchedRecords(FetchedRecords&&) noexcept;
    FetchedRecords& operator=(FetchedRecords&&) noexcept;

    const TopicPartition& partition() const { return *partition_; }

    // The next record, or null at the end. The pointer and the views in it are good until the next
    // call.
    Result<const ConsumedRecord*> next();

    // Where reading goes on after this: past every whole batch, also those without a record to
    // give. Known without calling next().
    Offset next_offset() const { return next_offset_; }
    std::size_t size_bytes() const { return records_.size(); }

private:
    struct Cursor;

    std::shared_ptr<const TopicPartition> partition_;
    SharedBytes records_;
    Offset next_offset_;
    std::unique_ptr<Cursor> cursor_;
};

}  // namespace kq
