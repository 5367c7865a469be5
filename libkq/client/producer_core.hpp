// SPDX-License-Identifier: Apache-2.0
//
// ProducerCore: Producer with callbacks, on any loop and network.
//
// shape    a record is encoded into the open batch of its partition at once. A batch closes when it
//          is full, has lingered, or is flushed; a request carries one batch of every partition of
//          a broker that has one; max.in.flight requests are unanswered per broker Order: a
//          partition whose batch must be sent again sends nothing newer before it. With idempotence
//          the broker refuses what would overtake; without it, and with more than one request in
//          flight, a repetition may come behind what was sent after it
// units    buffered bytes count whole batch buffers, as they were set aside
// owner    its loop; reports come on it, never from inside send(). Destroying it drops reports that
//          are due: close() first
// errors   of send(): would_block (wait with when_writable), message_too_large, usage, and the
//          failure that ended the producer
// source   Kafka protocol guide, "Produce API"; KIP-98, KIP-360 (idempotence), KIP-480 (sticky)
#pragma once

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/caller.hpp"
#include "client/cluster.hpp"
#include "client/options.hpp"
#include "client/outgoing_batch.hpp"
#include "client/producer_types.hpp"
#include "protocol/compression.hpp"

namespace kq {

namespace wire {
struct ProduceResponse;
}

class ProducerCore {
public:
    ProducerCore(Loop& loop, Network& network, Random& random, ProducerOptions options);
    ~ProducerCore();

    void on_batch(Callback<void(const BatchReport&)> report);

    // Takes the record or says why not; never waits. would_block: the topic is not known yet, or
    // buffer.memory is used up.
    Status send(const ProducerRecord& record, Callback<void(const RecordReport&)> report = nullptr);
    // After would_block: calls when the topic is known and there is the memory that send() did not
    // find, or with the reason why not:
    // unknown_topic_or_partition, buffer_exhausted, unreachable, the producer's own failure.
    void when_writable(std::string_view topic, MonoTime deadline, Callback<void(Status)> done);
    // Calls when the topic is known, with its number of partitions. With allow.auto.create.topics
    // asking may make it.
    void when_topic(std::string_view topic, MonoTime deadline,
                    Callback<void(Result<std::int32_t>)> done);
    // The same, but a topic that is not there is not made, and unknown_topic_or_partition at once.
    void when_existing_topic(std::string_view topic, MonoTime deadline,
                             Callback<void(Result<std::int32_t>)> done);

    // Sends open batches now and calls when everything taken so far was reported.
    void flush(Callback<void()> done);
    // Reports everything left as cancelled, and closes the connections.
    void close();

    // Batches wait for the next turn of the loop to leave.
    bool wants_turn() const {
        loop_.assert_here();
        return pump_timer_.is_set();
    }
    std::uint64_t pending_records() const;
    ProducerStats stats() const;
    const std::optional<Error>& first_error() const;
    // Where that failure is a giving up: what the batch met until then.
    const std::optional<Error>& first_trouble() const;
    // What keeps the oldest batch that something keeps from being acknowledged.
    std::optional<Trouble> trouble() const;

    Cluster& cluster() { return cluster_; }

private:
    struct Topic {
        std::string name;
        std::vector<std::unique_ptr<PartitionQueue>> queues;
        std::size_t sticky = 0;  // where records without a key go
        bool has_sticky = false;
        bool has_sticky_batch = false;  // something was put there since it was picked
    };
    struct InFlight;
    struct FlushWaiter {
        std::uint64_t last_id;
        Callback<void()> done;
    };
    struct MemoryWaiter;

    // ---- putting records in
    Status refusal() const KQ_ON(loop_);
    Topic* topic_of(std::string_view name) KQ_ON(loop_);
    void adopt_partitions(Topic& topic, const TopicMetadata& metadata) KQ_ON(loop_);
    Result<PartitionQueue*> queue_of(Topic& topic, const ProducerRecord& record) KQ_ON(loop_);
    void pick_sticky(Topic& topic) KQ_ON(loop_);
    Status open_batch(PartitionQueue& queue, std::size_t record_bytes) KQ_ON(loop_);
    void close_batch(PartitionQueue& queue) KQ_ON(loop_);
    void activate(PartitionQueue& queue) KQ_ON(loop_);
    bool has_memory(std::size_t bytes) const KQ_ON(loop_);
    void serve_memory_waiters() KQ_ON(loop_);
    void wait_for_memory(MonoTime deadline, Callback<void(Status)> done) KQ_ON(loop_);

    // ---- sending
    void pump_soon() KQ_ON(loop_);
    void pump() KQ_ON(loop_);
    void close_due_batches(MonoTime now) KQ_ON(loop_);
    void expire(MonoTime now) KQ_ON(loop_);
    void send_to_leaders(MonoTime now) KQ_ON(loop_);
    bool may_send(PartitionQueue& queue, MonoTime now) KQ_ON(loop_);
    void send_to(BrokerId broker, std::vector<PartitionQueue*>& queues, MonoTime now) KQ_ON(loop_);
    void reach(BrokerId broker) KQ_ON(loop_);
    void on_unreachable(BrokerId broker, const Error& why) KQ_ON(loop_);
    void send_request(BrokerId broker, BrokerConnection& connection,
                      std::vector<OutgoingBatch*> batches) KQ_ON(loop_);
    Status seal_batch(OutgoingBatch& batch) KQ_ON(loop_);
    void set_wake_up(MonoTime now) KQ_ON(loop_);
    void wake_at(MonoTime when) KQ_ON(loop_);

    // ---- answers
    void on_answer(const std::shared_ptr<InFlight>& request, Result<Answer> answer) KQ_ON(loop_);
    void on_sent_unanswered(const std::shared_ptr<InFlight>& request, const Status& sent)
        KQ_ON(loop_);
    void settle(InFlight& request) KQ_ON(loop_);
    void take_response(InFlight& request, const wire::ProduceResponse& response) KQ_ON(loop_);
    void succeed(OutgoingBatch& batch, Offset base, WallTime append_time) KQ_ON(loop_);
    void on_refusal(OutgoingBatch& batch, Errc code, const std::string& words) KQ_ON(loop_);
    void on_sequence_refused(OutgoingBatch& batch, const Error& why, bool needs_new_id)
        KQ_ON(loop_);
    void try_again(OutgoingBatch& batch, const Error& why, bool unknown, bool at_once = false)
        KQ_ON(loop_);
    void split(OutgoingBatch& batch) KQ_ON(loop_);
    void fail(OutgoingBatch& batch, const Error& why) KQ_ON(loop_);
    std::optional<Trouble> trouble_of(const OutgoingBatch& batch) const KQ_ON(loop_);
    void note_trouble(OutgoingBatch& batch, const Error& why) KQ_ON(loop_);
    void give_up(OutgoingBatch& batch, Errc code, std::string what) KQ_ON(loop_);
    void detach(OutgoingBatch& batch) KQ_ON(loop_);
    void report(OutgoingBatch& batch, BatchReport outcome) KQ_ON(loop_);
    void deliver_reports() KQ_ON(loop_);

    // ---- idempotence
    bool has_producer_id() KQ_ON(loop_);
    void ask_producer_id() KQ_ON(loop_);
    void close_gap(PartitionQueue& queue) KQ_ON(loop_);
    void die(const Error& why) KQ_ON(loop_);

    Loop& loop_;
    Random& random_;
    const ProducerOptions options_;
    Cluster cluster_;
    Caller caller_;
    Compressor compressor_ KQ_OWNED_BY(loop_);

    std::vector<RecordHeaderView> headers_ KQ_OWNED_BY(loop_);  // of the record being put in
    std::map<std::string, std::unique_ptr<Topic>, std::less<>> topics_ KQ_OWNED_BY(loop_);
    Topic* last_topic_ KQ_OWNED_BY(loop_) = nullptr;
    std::list<OutgoingBatch> batches_ KQ_OWNED_BY(loop_);  // not reported; ascending ids
    struct Finished {
        std::list<OutgoingBatch> batch;  // one
        BatchReport report;
    };
    std::list<Finished> finished_ KQ_OWNED_BY(loop_);
    bool delivering_ KQ_OWNED_BY(loop_) = false;
    std::vector<PartitionQueue*> active_ KQ_OWNED_BY(loop_);
    std::list<std::shared_ptr<InFlight>> under_way_ KQ_OWNED_BY(loop_);
    std::map<BrokerId, int> requests_ KQ_OWNED_BY(loop_);  // of them, by broker
    std::map<BrokerId, bool> reaching_ KQ_OWNED_BY(loop_);

    std::uint64_t next_id_ KQ_OWNED_BY(loop_) = 1;
    std::uint64_t buffered_ KQ_OWNED_BY(loop_) = 0;
    std::size_t wanted_bytes_ KQ_OWNED_BY(loop_) = 0;  // by the send() that found no memory
    std::list<FlushWaiter> flush_waiters_ KQ_OWNED_BY(loop_);
    std::list<MemoryWaiter> memory_waiters_ KQ_OWNED_BY(loop_);

    ProducerId producer_ KQ_OWNED_BY(loop_) = no_producer;
    ProducerEpoch producer_epoch_ KQ_OWNED_BY(loop_){-1};
    bool asking_producer_id_ KQ_OWNED_BY(loop_) = false;
    std::optional<Trouble> producer_id_trouble_ KQ_OWNED_BY(loop_);  // while there is none

    Timer pump_timer_ KQ_OWNED_BY(loop_);
    Timer wake_timer_ KQ_OWNED_BY(loop_);
    MonoTime waking_at_ KQ_OWNED_BY(loop_);
    Callback<void(const BatchReport&)> on_batch_ KQ_OWNED_BY(loop_);
    ProducerStats stats_ KQ_OWNED_BY(loop_);
    std::optional<Error> first_error_ KQ_OWNED_BY(loop_);
    std::optional<Error> first_trouble_ KQ_OWNED_BY(loop_);
    std::optional<Error> dead_ KQ_OWNED_BY(loop_);
    bool closed_ KQ_OWNED_BY(loop_) = false;
};

}  // namespace kq
