// SPDX-License-Identifier: Apache-2.0
//
// Cluster: what a client knows of a cluster: its brokers and the topics that matter to the client,
// asked for again when they grow old or prove wrong.
//
// shape    metadata of a topic never goes back to an older leader epoch, unless the topic was made
//          anew under another id
// owner    its loop; callbacks that were not called when it is destroyed are dropped
// errors   those of BrokerPool; unknown_topic_or_partition, and Kafka's codes for a topic
// source   Kafka protocol guide, "Metadata API"; KIP-320 (leader epochs), KIP-580 (back-off)
#pragma once

#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/broker_pool.hpp"

namespace kq {

namespace wire {
struct MetadataRequest;
struct MetadataResponse;
}  // namespace wire

// A topic as the metadata last told it.
struct TopicMetadata {
    struct Partition {
        BrokerId leader = no_broker;
        Epoch leader_epoch = no_epoch;
        Errc error = Errc::none;
    };
    std::string name;
    Uuid id;  // zero: the broker does not tell
    Errc error = Errc::none;
    std::vector<Partition> partitions;  // by index
};

class Cluster {
public:
    using OnConnection = BrokerPool::OnConnection;
    using OnTopic = Callback<void(Result<const TopicMetadata*>)>;

    Cluster(Loop& loop, Network& network, Random& random, ClientOptions options);
    ~Cluster();

    BrokerPool& pool() { return pool_; }
    const BrokerPool& pool() const { return pool_; }
    const ClientOptions& options() const { return options_; }
    Loop& loop() { return loop_; }
    Random& random() { return random_; }

    // As BrokerPool's; a broker that is not known makes the metadata be asked for.
    void connection_to(BrokerId broker, MonoTime deadline, OnConnection done);

    BrokerId controller() const;
    // Null if the topic is not known (yet), or is no more.
    const TopicMetadata* topic(std::string_view name) const;

    // Keeps the topic's metadata fresh from now on; counted.
    void watch_topic(const std::string& name);
    void unwatch_topic(const std::string& name);
    // Calls when the topic is known to exist. With `wait_for_it` an unknown topic is asked for
    // until the deadline: it may be on its way, or made by the asking. Without, a broker that does
    // not know it ends the wait, and the question makes no topic whatever allow_auto_create() says.
    void when_topic(const std::string& name, bool wait_for_it, MonoTime deadline, OnTopic done);
    // What is known may be wrong: asks soon, unless it was asked just now.
    void refresh();
    // A broker told who leads. False if that is no news.
    bool learn_leader(std::string_view topic, PartitionIndex partition, BrokerId leader,
                      Epoch epoch);
    // Asking for a topic may make it (auto.create.topics.enable of the broker). Default no.
    void allow_auto_create(bool allow);
    // Called after every change of metadata.
    void on_change(Callback<void()> changed);

    // Takes what an answer to somebody else's question tells of brokers and topics. A topic that is
    // not watched stays as it was told: who uses it must be ready to find it wrong.
    void take(const wire::MetadataResponse& response);

private:
    struct TopicWaiter;

    wire::MetadataRequest make_request(std::int16_t version) KQ_ON(loop_);
    void ask() KQ_ON(loop_);
    void send_request(BrokerConnection& connection) KQ_ON(loop_);
    void on_answer(Result<Answer> answer) KQ_ON(loop_);
    void on_failure(const Error& why) KQ_ON(loop_);
    void serve_waiters() KQ_ON(loop_);
    bool has_unasked_waiter() const KQ_ON(loop_);
    bool may_create() const KQ_ON(loop_);
    std::optional<Result<const TopicMetadata*>> verdict(const TopicWaiter& waiter) const
        KQ_ON(loop_);
    void schedule(MonoTime when) KQ_ON(loop_);

    Loop& loop_;
    Random& random_;
    const ClientOptions options_;
    BrokerPool pool_;

    BrokerId controller_ KQ_OWNED_BY(loop_) = no_broker;
    std::map<std::string, TopicMetadata, std::less<>> topics_ KQ_OWNED_BY(loop_);
    std::map<std::string, int, std::less<>> watched_ KQ_OWNED_BY(loop_);
    std::list<TopicWaiter> waiters_ KQ_OWNED_BY(loop_);
    bool auto_create_ KQ_OWNED_BY(loop_) = false;

    bool asking_ KQ_OWNED_BY(loop_) = false;
    bool ask_again_ KQ_OWNED_BY(loop_) = false;
    std::set<std::string, std::less<>> asked_ KQ_OWNED_BY(loop_);
    Backoff backoff_ KQ_OWNED_BY(loop_);
    Timer timer_ KQ_OWNED_BY(loop_);
    MonoTime next_ KQ_OWNED_BY(loop_) = MonoTime::max();
    std::optional<MonoTime> asked_at_ KQ_OWNED_BY(loop_);
    Callback<void()> changed_ KQ_OWNED_BY(loop_);
};

}  // namespace kq
