// SPDX-License-Identifier: Apache-2.0
//
// OutgoingBatch: records of one partition on their way, from the first record that is put in to the
// report. PartitionQueue: the batches of one partition, in order, and the sequence numbers that the
// broker knows them by.
//
// shape    open -> waiting -> in flight -> reported, or back to waiting for another attempt. The
//          sequence is given when a batch is first sent, and kept for every repetition, so that the
//          broker can tell a repetition from a new batch (RELIABILITY I12, I13)
// owner    ProducerCore's loop
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/function.hpp"
#include "base/ids.hpp"
#include "client/producer_types.hpp"
#include "client/trouble.hpp"
#include "protocol/batch_builder.hpp"

namespace kq {

struct PartitionQueue;

struct OutgoingBatch {
    explicit OutgoingBatch(const BatchOptions& options) : builder(options) {}

    std::list<OutgoingBatch>::iterator place;  // in the core's list
    std::uint64_t id = 0;                      // ascending in order of creation
    std::uint64_t id_room = 0;                 // ids from here on that halves of it may take
    PartitionQueue* queue = nullptr;
    std::size_t reserved_bytes = 0;  // of buffer.memory
    MonoTime created;
    std::uint64_t first_record = 0;
    std::uint32_t record_count = 0;

    BatchBuilder builder;           // until it is sealed
    std::shared_ptr<Bytes> sealed;  // as it goes out

    ProducerId producer = no_producer;
    ProducerEpoch producer_epoch{-1};
    std::optional<Sequence> sequence;
    // The broker said that it does not have the batch, and that this sequence does not fit.
    bool refused = false;

    bool waits = false;            // it is in its queue's `waiting`
    int attempts = 0;              // that went out
    bool maybe_written = false;    // an attempt went out and its answer did not tell
    BrokerId sent_to = no_broker;  // by the last attempt
    MonoTime sent_at;
    std::optional<Trouble> trouble;  // what the last attempt came to; none: nothing is known yet
    struct RecordCallback {
        std::uint32_t index;  // in the batch
        WallTime timestamp;
        Callback<void(const RecordReport&)> report;
    };
    std::vector<RecordCallback> callbacks;
};

struct PartitionQueue {
    PartitionQueue(std::string topic_in, PartitionIndex index_in)
        : topic(std::move(topic_in)), index(index_in) {}

    const std::string topic;
    const PartitionIndex index;

    OutgoingBatch* open = nullptr;
    std::deque<OutgoingBatch*> waiting;     // closed; ascending ids
    std::vector<std::uint64_t> in_flight;   // ids
    MonoTime not_before = MonoTime::min();  // the pause after a failure
    std::uint64_t records = 0;              // ever put in

    ProducerId producer = no_producer;
    ProducerEpoch producer_epoch{-1};
    Sequence next_sequence{0};
    // A batch with a sequence was given up or refused: the broker will take none that follows. When
    // everything under way is settled, the partition goes on under a new epoch from sequence 0.
    bool has_gap = false;

    bool is_active = false;  // in the core's list
    bool has_work() const { return open != nullptr || !waiting.empty(); }
    bool has_under_way(const OutgoingBatch& batch) const {
        return std::find(in_flight.begin(), in_flight.end(), batch.id) != in_flight.end();
    }

    // No other batch of the partition that is under way or waits comes before this one.
    bool is_first(const OutgoingBatch& batch) const {
        for (auto id : in_flight) {
            if (id < batch.id) return false;
        }
        return waiting.empty() || waiting.front()->id >= batch.id;
    }
    void close_open() {
        open->waits = true;
        waiting.push_back(std::exchange(open, nullptr));
    }
    OutgoingBatch& take_first() {
        auto& first = *waiting.front();
        waiting.pop_front();
        first.waits = false;
        return first;
    }
    // Puts a batch back for another attempt, at its old place.
    void put_back(OutgoingBatch& batch) {
        batch.waits = true;
        auto at = waiting.begin();
        while (at != waiting.end() && (*at)->id < batch.id)
            ++at;
        waiting.insert(at, &batch);
    }
};

}  // namespace kq
