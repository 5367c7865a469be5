// SPDX-License-Identifier: Apache-2.0
//
// Consumer: reads partitions that it is told to read, from a position, to a position or for ever;
// the blocking form for programs. The form with callbacks, for loops of one's own, is ConsumerCore
// (client/consumer_core.hpp).
//
// shape    while the runtime turns, the next records are fetched ahead, at most one answer per
//          broker and fetch.max.bytes
// owner    the thread of the runtime
// errors   see poll()
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "client/consumer_types.hpp"
#include "client/fetched_records.hpp"
#include "client/options.hpp"
#include "client/runtime.hpp"
#include "client/trouble.hpp"

namespace kq {

class ConsumerCore;

class Consumer {
public:
    Consumer(ClientRuntime& runtime, ConsumerOptions options);
    ~Consumer();

    // Partitions of a topic, in order. unknown_topic_or_partition if it does not exist.
    Result<std::vector<PartitionIndex>> partitions_of(std::string_view topic);

    // Replaces what is read. Waits until every position is resolved: start and stop of one
    // partition are taken at one moment. On an error nothing is assigned.
    Status assign(const std::vector<Assignment>& assignments);

    // The next records of some partition, fairly over all of them. None when `deadline` passed, or
    // when all is finished().
    // errors  offset_out_of_range         and auto.offset.reset=none; names the partition and range
    //         unknown_topic_or_partition  the topic was deleted
    //         bad_data, interrupted, unreachable, authorization…
    // The deadline set with set_deadline() does not concern it.
    Result<std::optional<FetchedRecords>> poll(std::optional<MonoTime> deadline = std::nullopt);

    // Nothing more will come: every partition has reached its stop, or failed and poll() told it.
    bool finished() const;

    void pause(const TopicPartition& partition);
    void resume(const TopicPartition& partition);
    // What was fetched ahead of it is dropped. Keeps the stop.
    Status seek(const TopicPartition& partition, Position to);

    std::vector<PartitionProgress> progress() const;  // in the order assigned
    ConsumerStats stats() const;
    // What keeps records from being read now, if anything does.
    std::optional<Trouble> trouble() const;

    Result<std::vector<Result<ListedOffset>>> list_offsets(const std::vector<OffsetQuery>& queries);

    void set_deadline(std::optional<MonoTime> deadline) { deadline_ = deadline; }

    // A broker whose advertised address does not answer, though the bootstrap list does: what to
    // tell a person beside the error.
    std::optional<AdvertisedTrouble> advertised_trouble() const;

    ConsumerCore& core() { return *core_; }

private:
    MonoTime deadline() const;

    ClientRuntime& runtime_;
    Millis api_timeout_;
    std::optional<MonoTime> deadline_;
    std::unique_ptr<ConsumerCore> core_;
};

}  // namespace kq
