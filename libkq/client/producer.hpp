// SPDX-License-Identifier: Apache-2.0
//
// Producer: sends records to topics, in order per partition, each at most once (idempotent and
// acks=all unless told otherwise); the blocking form for programs. The form with callbacks, for
// loops of one's own, is ProducerCore (client/producer_core.hpp).
//
// shape    send() encodes the record into the open batch of its partition and returns; batches
//          leave while the runtime turns: in send() when memory or metadata is awaited, in flush(),
//          close(), ClientRuntime::poll_fd() and turn_now()
// owner    the thread of the runtime; callbacks come on it too
// errors   see send(), flush()
#pragma once

#include <memory>
#include <optional>

#include "client/admin_types.hpp"
#include "client/options.hpp"
#include "client/producer_types.hpp"
#include "client/runtime.hpp"
#include "client/trouble.hpp"

namespace kq {

class ProducerCore;

class Producer {
public:
    Producer(ClientRuntime& runtime, ProducerOptions options);
    // Gives up what is not yet acknowledged; close() first.
    ~Producer();

    // Called once per batch. Set before the first send().
    void on_batch(Callback<void(const BatchReport&)> report);

    // Learns the topic's partitions, so that send() need not wait for them, and tells how many
    // there are. unknown_topic_or_partition when the topic has not appeared within `timeout`
    // (default max.block.ms), unreachable when no broker answers.
    Result<std::int32_t> partitions_of(std::string_view topic,
                                       std::optional<Millis> timeout = std::nullopt);
    // The same, but a topic that is not there is not made by asking for it, and
    // unknown_topic_or_partition as soon as a broker says so.
    Result<std::int32_t> partitions_if_exists(std::string_view topic,
                                              std::optional<Millis> timeout = std::nullopt);

    // No send() waits beyond this, whatever max.block.ms says.
    void set_deadline(MonoTime deadline) { deadline_ = deadline; }
    // Takes the record. Waits at most max.block.ms for metadata and for memory.
    // errors  message_too_large           over max.request.size
    //         unknown_topic_or_partition  no such topic or partition after max.block.ms
    //         buffer_exhausted            buffer.memory was full for so long
    //         interrupted, unreachable
    //         the producer's own failure  (fenced, no right to write…): no record will be taken
    // After an error the record was not taken.
    Status send(const ProducerRecord& record);
    // The same, and tells the record's own fate. Costs an allocation.
    Status send(const ProducerRecord& record, Callback<void(const RecordReport&)> report);

    // Sends open batches at once and waits until every record taken so far has its fate.
    // deadline_passed or interrupted if that took longer; failed records are no error here: the
    // reports and stats() tell them.
    Status flush(std::optional<MonoTime> deadline = std::nullopt);

    // flush(), then closes the connections. What has no fate by the deadline is reported with
    // cancelled, outcome_unknown where it was sent. Nothing may be sent afterwards.
    Status close(std::optional<MonoTime> deadline = std::nullopt);

    // Records taken whose fate is open.
    std::uint64_t pending_records() const;
    ProducerStats stats() const;
    // The first failure of any batch, for an exit status and a message.
    const std::optional<Error>& first_error() const;
    // Where that failure is a giving up (the delivery timeout, close()): what the batch met until
    // then, such as a broker's refusal, with the broker's words.
    const std::optional<Error>& first_trouble() const;
    // What keeps records from being acknowledged now, if anything does.
    std::optional<Trouble> trouble() const;

    // A broker whose advertised address does not answer, though the bootstrap list does: what to
    // tell a person beside the error.
    std::optional<AdvertisedTrouble> advertised_trouble() const;

    ProducerCore& core() { return *core_; }

private:
    MonoTime end_of_waiting() const;
    // Waits until a send() that would have blocked may be tried again.
    Status wait_to_send(std::string_view topic, MonoTime deadline);

    ClientRuntime& runtime_;
    Millis block_max_;
    std::optional<MonoTime> deadline_;
    std::unique_ptr<ProducerCore> core_;
};

}  // namespace kq
