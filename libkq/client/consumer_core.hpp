// SPDX-License-Identifier: Apache-2.0
//
// ConsumerCore: Consumer with callbacks, on any loop and network.
//
// shape    one fetch per broker is under way, for every partition it leads that has not two answers
//          waiting; what has come is handed out partition after partition
// owner    its loop; callbacks that were not called when it is destroyed are dropped
// errors   of take(): once per partition, after everything that came before it; the partition is
//          then left alone: offset_out_of_range, unknown_topic_or_partition, unreachable (with
//          fail_fast), bad_data, Kafka's refusals
// source   Kafka protocol guide, "Fetch API"; KIP-227 (sessions), KIP-392 (nearby replicas)
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/caller.hpp"
#include "client/cluster.hpp"
#include "client/consumer_fetch_session.hpp"
#include "client/consumer_types.hpp"
#include "client/fetched_records.hpp"
#include "client/options.hpp"
#include "client/trouble.hpp"

namespace kq {

class ConsumerCore {
public:
    ConsumerCore(Loop& loop, Network& network, Random& random, ConsumerOptions options);
    ~ConsumerCore();

    void partitions_of(std::string_view topic, MonoTime deadline,
                       Callback<void(Result<std::vector<PartitionIndex>>)> done);

    // Replaces what is read, once every position is resolved. On an error nothing has changed.
    void assign(std::vector<Assignment> assignments, MonoTime deadline,
                Callback<void(Status)> done);
    void seek(const TopicPartition& partition, Position to, MonoTime deadline,
              Callback<void(Status)> done);
    void pause(const TopicPartition& partition);
    void resume(const TopicPartition& partition);

    // What has come, if anything; never waits.
    Result<std::optional<FetchedRecords>> take();
    // Calls once, when take() has something to give or finished() holds.
    void when_ready(Callback<void()> ready);
    // Nothing more will come: every partition has reached its stop, or failed and was told.
    bool finished() const;

    std::vector<PartitionProgress> progress() const;
    ConsumerStats stats() const;
    // What keeps a partition from being read that something keeps from it.
    std::optional<Trouble> trouble() const;

    void list_offsets(std::vector<OffsetQuery> queries, MonoTime deadline,
                      Callback<void(Result<std::vector<Result<ListedOffset>>>)> done);

    Cluster& cluster() { return cluster_; }

private:
    struct Partition {
        std::shared_ptr<const TopicPartition> name;
        std::uint64_t generation = 0;  // of its position: an answer for an older one is dropped
        Offset fetch_offset;           // of the next request
        Offset position;               // of the next record to be handed out
        Offset stop = no_offset;
        Offset high_watermark = no_offset;
        bool paused = false;
        bool resetting = false;  // its position is being looked up
        std::deque<FetchedRecords> ready;
        std::optional<Error> error;  // to be told once `ready` is empty
        bool left_alone = false;     // it was told
        int failures = 0;
        std::optional<Trouble> trouble;  // the last of these failures
        int missing_answers = 0;         // of the metadata, in a row
        MonoTime not_before = MonoTime::min();
        BrokerId nearby = no_broker;  // a replica that the leader sent us to
        MonoTime nearby_until;

        bool has_stop() const { return stop != no_offset; }
        bool has_finished() const {
            return left_alone || (has_stop() && position >= stop && ready.empty());
        }
    };
    struct Asked {
        TopicPartition partition;
        std::uint64_t generation;
        Offset offset;
    };
    struct BrokerFetch {
        ConsumerFetchSession session;
        bool under_way = false;
        MonoTime asked_at;
    };
    struct Resolution;

    void resolve(std::shared_ptr<Resolution> resolution, MonoTime deadline) KQ_ON(loop_);
    void begin(const Resolution& resolution) KQ_ON(loop_);
    Partition* find(const TopicPartition& partition) KQ_ON(loop_);

    void note_missing_topics() KQ_ON(loop_);
    void pump_soon() KQ_ON(loop_);
    void pump() KQ_ON(loop_);
    bool may_fetch(Partition& partition, MonoTime now) KQ_ON(loop_);
    BrokerId source_of(Partition& partition, MonoTime now) KQ_ON(loop_);
    void fetch(BrokerId broker, const std::vector<Partition*>& partitions) KQ_ON(loop_);
    void reach(BrokerId broker) KQ_ON(loop_);
    void send_fetch(BrokerId broker, BrokerConnection& connection,
                    const std::vector<Partition*>& partitions) KQ_ON(loop_);
    void on_answer(BrokerId broker, const std::vector<Asked>& asked, bool by_id,
                   Result<Answer> answer) KQ_ON(loop_);
    void take_response(BrokerId broker, const std::vector<Asked>& asked, bool by_id,
                       const Answer& answer, const wire::FetchResponse& response) KQ_ON(loop_);
    void take_partition(Partition& partition, BrokerId broker, const Answer& answer,
                        const wire::FetchResponse::PartitionData& told) KQ_ON(loop_);
    void on_refusal(Partition& partition, BrokerId broker, Errc code) KQ_ON(loop_);
    void on_out_of_range(Partition& partition) KQ_ON(loop_);
    void pause_after_failure(Partition& partition, const Error& why) KQ_ON(loop_);
    void give_up(Partition& partition, Error why) KQ_ON(loop_);
    void tell_if_ready() KQ_ON(loop_);
    bool is_ready() const KQ_ON(loop_);

    Loop& loop_;
    const ConsumerOptions options_;
    Cluster cluster_;
    Caller caller_;

    std::vector<std::unique_ptr<Partition>> partitions_ KQ_OWNED_BY(loop_);
    std::map<TopicPartition, Partition*> by_name_ KQ_OWNED_BY(loop_);
    std::size_t next_ KQ_OWNED_BY(loop_) = 0;         // whose turn it is in take()
    std::size_t fetch_first_ KQ_OWNED_BY(loop_) = 0;  // who is first in the next request
    std::uint64_t next_generation_ KQ_OWNED_BY(loop_) = 1;
    std::map<BrokerId, BrokerFetch> fetches_ KQ_OWNED_BY(loop_);
    std::map<BrokerId, bool> reaching_ KQ_OWNED_BY(loop_);
    Callback<void()> ready_ KQ_OWNED_BY(loop_);
    Timer pump_timer_ KQ_OWNED_BY(loop_);
    MonoTime pump_at_ KQ_OWNED_BY(loop_);
    ConsumerStats stats_ KQ_OWNED_BY(loop_);
};

}  // namespace kq
