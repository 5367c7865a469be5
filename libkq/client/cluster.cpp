// SPDX-License-Identifier: Apache-2.0
#include "client/cluster.hpp"

#include <algorithm>

#include "protocol/messages/03_metadata.hpp"

namespace kq {

struct Cluster::TopicWaiter {
    explicit TopicWaiter(Loop& loop) : timer(loop) {}
    std::string name;
    bool wait_for_it = false;
    OnTopic done;
    Timer timer;  // its deadline
};

Cluster::Cluster(Loop& loop, Network& network, Random& random, ClientOptions options)
    : loop_(loop),
      random_(random),
      options_(std::move(options)),
      pool_(loop, network, random, options_),
      backoff_(options_.retry_backoff, options_.retry_backoff_max),
      timer_(loop) {}

Cluster::~Cluster() = default;

void Cluster::connection_to(BrokerId broker, MonoTime deadline, OnConnection done) {
    loop_.assert_here();
    if (!pool_.brokers().contains(broker)) refresh();
    pool_.connection_to(broker, deadline, std::move(done));
}

BrokerId Cluster::controller() const {
    loop_.assert_here();
    return controller_;
}

const TopicMetadata* Cluster::topic(std::string_view name) const {
    loop_.assert_here();
    auto found = topics_.find(name);
    return found == topics_.end() ? nullptr : &found->second;
}

void Cluster::on_change(Callback<void()> changed) {
    loop_.assert_here();
    changed_ = std::move(changed);
}

void Cluster::allow_auto_create(bool allow) {
    loop_.assert_here();
    auto_create_ = allow;
}

void Cluster::watch_topic(const std::string& name) {
    loop_.assert_here();
    watched_[name] += 1;
}

void Cluster::unwatch_topic(const std::string& name) {
    loop_.assert_here();
    auto found = watched_.find(name);
    if (found == watched_.end() || --found->second > 0) return;
    watched_.erase(found);
    topics_.erase(name);
}

bool Cluster::learn_leader(std::string_view name, PartitionIndex partition, BrokerId leader,
                           Epoch epoch) {
    loop_.assert_here();
    auto found = topics_.find(name);
    if (found == topics_.end() || leader == no_broker) return false;
    auto index = static_cast<std::size_t>(partition.value);
    if (index >= found->second.partitions.size()) return false;
    auto& known = found->second.partitions[index];
    if (epoch <= known.leader_epoch || !pool_.brokers().contains(leader)) return false;
    known = {leader, epoch, Errc::none};
    return true;
}

// ---- waiting for a topic

void Cluster::when_topic(const std::string& name, bool wait_for_it, MonoTime deadline,
                         OnTopic done) {
    loop_.assert_here();
    if (const auto* known = topic(name); known != nullptr && known->error == Errc::none) {
        return done(known);
    }
    auto& waiter = waiters_.emplace_back(loop_);
    waiter.name = name;
    waiter.wait_for_it = wait_for_it;
    waiter.done = std::move(done);
    waiter.timer.set(deadline, [this, at = std::prev(waiters_.end())] {
        loop_.assert_here();
        auto late = std::move(at->done);
        auto topic_name = std::move(at->name);
        waiters_.erase(at);
        if (pool_.trouble()) return late(Error{Errc::unreachable, pool_.trouble()->message});
        const auto* known = topic(topic_name);
        if (known == nullptr)
            return late(Error{Errc::deadline_passed,
                              "no broker told of topic '" + topic_name + "' in time"});
        late(Error{known->error == Errc::none ? Errc::deadline_passed : known->error,
                   "topic '" + topic_name + "' did not appear in time"});
    });
    if (asking_) {
        if (!asked_.contains(name)) ask_again_ = true;
        return;
    }
    ask();
}

// What the last answer means to a waiter; nothing if it goes on waiting.
std::optional<Result<const TopicMetadata*>> Cluster::verdict(const TopicWaiter& waiter) const {
    const auto* known = topic(waiter.name);
    if (known == nullptr) return std::nullopt;
    switch (known->error) {
        case Errc::none:
            return known;
        case Errc::leader_not_available:  // it is being made
            return std::nullopt;
        case Errc::unknown_topic_or_partition:
            if (waiter.wait_for_it) return std::nullopt;
            return Error{known->error, "there is no topic '" + waiter.name + "'"};
        default:
            if (is_retriable(known->error)) return std::nullopt;
            return Error{known->error, std::string(sentence_of(known->error))};
    }
}

void Cluster::serve_waiters() {
    std::list<TopicWaiter> served;
    std::vector<Result<const TopicMetadata*>> verdicts;
    for (auto at = waiters_.begin(); at != waiters_.end();) {
        auto next = std::next(at);
        auto told = asked_.contains(at->name) ? verdict(*at) : std::nullopt;
        if (told) {
            at->timer.cancel();
            verdicts.push_back(std::move(*told));
            served.splice(served.end(), waiters_, at);
        }
        at = next;
    }
    auto outcome = verdicts.begin();
    for (auto& waiter : served)
        waiter.done(std::move(*outcome++));
}

// ---- asking

void Cluster::refresh() {
    loop_.assert_here();
    if (asking_) {
        ask_again_ = true;
        return;
    }
    auto now = loop_.clock().mono();
    auto earliest = asked_at_ ? *asked_at_ + options_.retry_backoff : now;
    schedule(std::max(now, earliest));
}

void Cluster::schedule(MonoTime when) {
    if (timer_.is_set() && next_ <= when) return;
    next_ = when;
    timer_.set(when, [this] {
        loop_.assert_here();
        next_ = MonoTime::max();
        if (!asking_) ask();
    });
}

void Cluster::ask() {
    asking_ = true;
    ask_again_ = false;
    asked_at_ = loop_.clock().mono();
    pool_.any_connection(MonoTime::max(), [this](Result<BrokerConnection*> connection) {
        loop_.assert_here();
        if (!connection.ok()) return on_failure(connection.error());
        send_request(*connection.value());
    });
}

wire::MetadataRequest Cluster::make_request(std::int16_t version) {
    asked_.clear();
    for (const auto& [name, count] : watched_)
        asked_.insert(name);
    for (const auto& waiter : waiters_)
        asked_.insert(waiter.name);
    wire::MetadataRequest request;
    for (const auto& name : asked_) {
        request.topics->push_back({.topic_id = {}, .name = name});
    }
    request.allow_auto_topic_creation = version < 4 || may_create();
    return request;
}

// Who only wants to know whether there is a topic must not make it.
bool Cluster::may_create() const {
    return auto_create_ && std::all_of(waiters_.begin(), waiters_.end(),
                                       [](const TopicWaiter& one) { return one.wait_for_it; });
}

void Cluster::send_request(BrokerConnection& connection) {
    auto version = connection.version_for(wire::metadata_api);
    if (!version.ok()) return on_failure(version.error());
    asked_at_ = loop_.clock().mono();
    connection.send(make_request(version.value()), version.value(),
                    *asked_at_ + options_.request_timeout, [this](Result<Answer> answer) {
                        loop_.assert_here();
                        on_answer(std::move(answer));
                    });
}

void Cluster::on_answer(Result<Answer> answer) {
    if (!answer.ok()) return on_failure(answer.error());
    auto response =
        wire::decode<wire::MetadataResponse>(answer.value().body, answer.value().version);
    if (!response.ok()) return on_failure(response.error());
    auto code = errc_from_wire(response.value().error_code);
    if (code != Errc::none) return on_failure(Error{code, "the brokers refused to tell of topics"});

    take(response.value());
    asking_ = false;
    serve_waiters();
    auto now = loop_.clock().mono();
    if (ask_again_) {
        schedule(now + options_.retry_backoff);
        if (has_unasked_waiter()) ask();
    } else if (!waiters_.empty()) {
        schedule(now + backoff_.next(random_));
    } else {
        backoff_.reset();
        if (!watched_.empty()) schedule(now + options_.metadata_max_age);
    }
    if (changed_ != nullptr) changed_();
}

// Somebody came to wait for a topic after the question had left.
bool Cluster::has_unasked_waiter() const {
    for (const auto& waiter : waiters_) {
        if (!asked_.contains(waiter.name)) return true;
    }
    return false;
}

void Cluster::on_failure(const Error& why) {
    asking_ = false;
    bool given_up =
        !is_retriable(why.code) || (options_.fail_fast && why.code == Errc::unreachable);
    if (given_up) {
        std::list<TopicWaiter> failed;
        failed.swap(waiters_);
        for (auto& waiter : failed) {
            waiter.timer.cancel();
            waiter.done(why);
        }
    }
    if (why.code == Errc::cancelled || (waiters_.empty() && watched_.empty())) return;
    schedule(loop_.clock().mono() + backoff_.next(random_));
}

void Cluster::take(const wire::MetadataResponse& response) {
    loop_.assert_here();
    std::map<BrokerId, BrokerInfo> brokers;
    for (const auto& broker : response.brokers) {
        BrokerId id{broker.node_id};
        brokers[id] = {.id = id,
                       .address = {broker.host, static_cast<std::uint16_t>(broker.port)},
                       .rack = broker.rack};
    }
    if (!brokers.empty()) pool_.set_brokers(std::move(brokers));
    controller_ = BrokerId{response.controller_id};

    for (const auto& told : response.topics) {
        if (!told.name) continue;
        bool is_ours = watched_.contains(*told.name) || asked_.contains(*told.name);
        if (!is_ours && told.error_code != 0) {
            topics_.erase(*told.name);
            continue;
        }
        auto& topic = topics_[*told.name];
        bool same = topic.id == told.topic_id;
        topic.name = *told.name;
        topic.id = told.topic_id;
        topic.error = errc_from_wire(told.error_code);
        if (topic.error != Errc::none) {
            topic.partitions.clear();
            continue;
        }
        auto before = std::exchange(topic.partitions, {});
        for (const auto& partition : told.partitions) {
            auto index = static_cast<std::size_t>(partition.partition_index);
            if (index >= told.partitions.size()) continue;  // not what a broker would say
            if (topic.partitions.size() <= index) topic.partitions.resize(index + 1);
            TopicMetadata::Partition fresh{BrokerId{partition.leader_id},
                                           Epoch{partition.leader_epoch},
                                           errc_from_wire(partition.error_code)};
            bool stale =
                same && index < before.size() && fresh.leader_epoch < before[index].leader_epoch;
            topic.partitions[index] = stale ? before[index] : fresh;
        }
        if (topic.partitions.empty()) topic.error = Errc::leader_not_available;
    }
}

}  // namespace kq
