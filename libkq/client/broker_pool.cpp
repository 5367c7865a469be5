// SPDX-License-Identifier: Apache-2.0
#include "client/broker_pool.hpp"

#include <algorithm>

namespace kq {

struct BrokerPool::Waiter {
    explicit Waiter(Loop& loop) : timer(loop) {}
    OnConnection done;
    Timer timer;  // its deadline
};

// One advertised address: its connection, and how it went so far.
struct BrokerPool::Node {
    Node(Loop& loop, Endpoint advertised, const ClientOptions& options)
        : endpoint(std::move(advertised)),
          backoff(options.reconnect_backoff, options.reconnect_backoff_max),
          reconnect(loop) {}

    const Endpoint endpoint;
    std::unique_ptr<BrokerConnection> connection;
    bool reached = false;  // at least once
    Backoff backoff;
    MonoTime not_before = MonoTime::min();
    Timer reconnect;
    std::list<Waiter> waiters;  // only while not ready
};

BrokerPool::BrokerPool(Loop& loop, Network& network, Random& random, const ClientOptions& options)
    : loop_(loop),
      network_(network),
      random_(random),
      options_(options),
      burial_(loop),
      idle_timer_(loop),
      round_backoff_(options.reconnect_backoff, options.reconnect_backoff_max),
      round_timer_(loop),
      made_(loop.clock().mono()) {
    KQ_CHECK(!options.bootstrap.empty());
}

BrokerPool::~BrokerPool() = default;

void BrokerPool::close() {
    loop_.assert_here();
    closed_ = true;
    round_timer_.cancel();
    idle_timer_.cancel();
    Error why{Errc::cancelled, "the client was closed"};
    for (auto& [endpoint, node] : nodes_) {
        node->reconnect.cancel();
        if (node->connection != nullptr) node->connection->close(why);
    }
    serve_any(why);
}

void BrokerPool::set_brokers(std::map<BrokerId, BrokerInfo> brokers) {
    loop_.assert_here();
    brokers_ = std::move(brokers);
}

const std::map<BrokerId, BrokerInfo>& BrokerPool::brokers() const {
    loop_.assert_here();
    return brokers_;
}

const std::optional<Error>& BrokerPool::trouble() const {
    loop_.assert_here();
    return trouble_;
}

bool BrokerPool::is_bootstrap(const Endpoint& endpoint) const {
    const auto& list = options_.bootstrap;
    return std::find(list.begin(), list.end(), endpoint) != list.end();
}

// ---- one broker

BrokerPool::Node& BrokerPool::node_at(const Endpoint& advertised) {
    auto& node = nodes_[advertised];
    if (node == nullptr) node = std::make_unique<Node>(loop_, advertised, options_);
    return *node;
}

const Endpoint& BrokerPool::dialled(const Endpoint& advertised) const {
    for (const auto& rule : options_.resolve) {
        if (rule.from == advertised) return rule.to;
    }
    return advertised;
}

BrokerConnection* BrokerPool::ready_connection(BrokerId broker) {
    loop_.assert_here();
    auto known = brokers_.find(broker);
    if (known == brokers_.end()) return nullptr;
    auto node = nodes_.find(known->second.address);
    if (node == nodes_.end() || node->second->connection == nullptr) return nullptr;
    auto* connection = node->second->connection.get();
    return connection->is_ready() ? connection : nullptr;
}

bool BrokerPool::has_reached(BrokerId broker) const {
    loop_.assert_here();
    auto known = brokers_.find(broker);
    if (known == brokers_.end()) return false;
    auto node = nodes_.find(known->second.address);
    return node != nodes_.end() && node->second->reached;
}

void BrokerPool::connection_to(BrokerId broker, MonoTime deadline, OnConnection done) {
    loop_.assert_here();
    auto known = brokers_.find(broker);
    if (known == brokers_.end()) {
        return done(Error{Errc::unreachable,
                          "the cluster lists no broker " + std::to_string(broker.value)});
    }
    wait_for(node_at(known->second.address), deadline, std::move(done));
}

void BrokerPool::wait_for(Node& node, MonoTime deadline, OnConnection done) {
    if (closed_) return done(Error{Errc::cancelled, "the client was closed"});
    if (node.connection != nullptr && node.connection->is_ready()) {
        return done(node.connection.get());
    }
    add_waiter(node.waiters, deadline, std::move(done));
    if (node.connection != nullptr || node.reconnect.is_set()) return;
    if (node.not_before <= loop_.clock().mono()) return start_connecting(node);
    node.reconnect.set(node.not_before, [this, &node] {
        loop_.assert_here();
        start_connecting(node);
    });
}

void BrokerPool::add_waiter(std::list<Waiter>& waiters, MonoTime deadline, OnConnection done) {
    auto& waiter = waiters.emplace_back(loop_);
    waiter.done = std::move(done);
    if (deadline == MonoTime::max()) return;
    auto at = std::prev(waiters.end());
    waiter.timer.set(deadline, [this, &waiters, at] {
        loop_.assert_here();
        auto late = std::move(at->done);
        waiters.erase(at);
        late(too_late());
    });
}

Error BrokerPool::too_late() const {
    if (trouble_) return Error{Errc::unreachable, trouble_->message};
    for (const auto& [endpoint, node] : nodes_) {
        if (node->connection != nullptr && !node->connection->is_ready()) {
            return Error{Errc::deadline_passed,
                         node->connection->endpoint().text() + " did not answer in time"};
        }
    }
    return Error{Errc::deadline_passed, "no broker answered in time"};
}

void BrokerPool::start_connecting(Node& node) {
    node.connection = std::make_unique<BrokerConnection>(
        loop_, network_, dialled(node.endpoint),
        BrokerConnection::Settings{.client_id = options_.client_id,
                                   .setup_timeout = options_.connection_setup_timeout,
                                   .answer_bytes_max = options_.answer_bytes_max,
                                   .observer = options_.observer},
        BrokerConnection::Events{.ready =
                                     [this, &node] {
                                         loop_.assert_here();
                                         on_ready(node);
                                     },
                                 .closed =
                                     [this, &node](const Error& why) {
                                         loop_.assert_here();
                                         on_closed(node, why);
                                     }});
}

void BrokerPool::on_ready(Node& node) {
    node.reached = true;
    node.backoff.reset();
    trouble_.reset();
    if (is_bootstrap(node.endpoint)) answering_bootstrap_ = node.endpoint;
    if (!idle_timer_.is_set()) {
        idle_timer_.set_after(options_.connections_max_idle, [this] {
            loop_.assert_here();
            close_idle();
        });
    }
    auto* connection = node.connection.get();
    std::list<Waiter> waiters;
    waiters.swap(node.waiters);
    for (auto& waiter : waiters) {
        waiter.timer.cancel();
        if (connection->is_ready()) {
            waiter.done(connection);
        } else {
            waiter.done(Error{Errc::connection_closed, "the connection was lost"});
        }
    }
    if (connection->is_ready()) serve_any(connection);
}

void BrokerPool::on_closed(Node& node, const Error& why) {
    bury(std::move(node.connection));
    node.not_before = loop_.clock().mono() + node.backoff.next(random_);
    if (node.waiters.empty()) return;
    auto error = explain(node, why);
    std::list<Waiter> waiters;
    waiters.swap(node.waiters);
    for (auto& waiter : waiters) {
        waiter.timer.cancel();
        waiter.done(error);
    }
}

// The connection is still on the stack that called us.
void BrokerPool::bury(std::unique_ptr<BrokerConnection> connection) {
    buried_.push_back(std::move(connection));
    burial_.set_after(0ms, [this] {
        loop_.assert_here();
        buried_.clear();
    });
}

// The bootstrap list answers, so the cluster is there, but a broker told an address that we cannot
// reach: nearly always a matter of advertised.listeners, and worth both addresses in the message.
Error BrokerPool::explain(const Node& node, const Error& why) {
    if (why.code != Errc::unreachable) return why;
    if (is_bootstrap(node.endpoint)) return why;
    if (!answering_bootstrap_ || node.reached) return why;
    for (const auto& [id, broker] : brokers_) {
        if (broker.address != node.endpoint) continue;
        advertised_trouble_ = {*answering_bootstrap_, id, node.endpoint};
        return Error{Errc::unreachable, answering_bootstrap_->text() + " answers, but broker " +
                                            std::to_string(id.value) + " advertises itself as " +
                                            node.endpoint.text() +
                                            ", and that does not: " + why.message};
    }
    return why;
}

const std::optional<AdvertisedTrouble>& BrokerPool::advertised_trouble() const {
    loop_.assert_here();
    return advertised_trouble_;
}

void BrokerPool::close_idle() {
    auto now = loop_.clock().mono();
    auto next = MonoTime::max();
    for (auto& [endpoint, node] : nodes_) {
        if (node->connection == nullptr || !node->connection->is_ready()) continue;
        auto ends = node->connection->last_used() + options_.connections_max_idle;
        if (node->connection->in_flight() == 0 && ends <= now) {
            node->connection->close(Error{Errc::connection_closed, "idle"});
        } else {
            next = std::min(next, std::max(ends, now + Millis{1000}));
        }
    }
    if (next == MonoTime::max()) return;
    idle_timer_.set(next, [this] {
        loop_.assert_here();
        close_idle();
    });
}

// ---- any broker

BrokerConnection* BrokerPool::best_ready_connection() {
    BrokerConnection* best = nullptr;
    for (auto& [endpoint, node] : nodes_) {
        auto* connection = node->connection.get();
        if (connection == nullptr || !connection->is_ready()) continue;
        if (best == nullptr || connection->in_flight() < best->in_flight()) best = connection;
    }
    return best;
}

void BrokerPool::any_connection(MonoTime deadline, OnConnection done) {
    loop_.assert_here();
    if (closed_) return done(Error{Errc::cancelled, "the client was closed"});
    if (auto* connection = best_ready_connection(); connection != nullptr) {
        return done(connection);
    }
    add_waiter(any_waiters_, deadline, std::move(done));
    if (!round_under_way_ && !round_timer_.is_set()) begin_round();
}

// Whether a broker may be about to answer that was started just before us, as in a script.
bool BrokerPool::may_be_starting() const {
    if (loop_.clock().mono() >= made_ + options_.startup_grace) return false;
    const auto has_answered = [](const auto& node) { return node.second->reached; };
    if (std::any_of(nodes_.begin(), nodes_.end(), has_answered)) return false;
    const auto& all = options_.bootstrap;
    return std::all_of(all.begin(), all.end(), [](const Endpoint& endpoint) {
        return endpoint.host == "localhost" || endpoint.host == "::1" ||
               endpoint.host.starts_with("127.");
    });
}

// A round tries every address once: brokers that the cluster told, then the bootstrap list, each in
// an order of its own for every client, those that failed lately last.
void BrokerPool::begin_round() {
    candidates_ = shuffled_candidates();
    round_failures_.clear();
    round_under_way_ = true;
    try_next_candidate();
}

// The best one last, where it is taken from.
std::vector<Endpoint> BrokerPool::shuffled_candidates() {
    std::vector<Endpoint> brokers;
    for (const auto& [id, broker] : brokers_)
        brokers.push_back(broker.address);
    auto bootstrap = options_.bootstrap;
    std::vector<std::pair<int, Endpoint>> by_failures;
    for (auto* list : {&brokers, &bootstrap}) {
        for (std::size_t i = list->size(); i > 1; --i) {
            std::swap((*list)[i - 1], (*list)[random_.below(i)]);
        }
        for (auto& endpoint : *list) {
            auto failures = node_at(endpoint).backoff.failures();
            by_failures.emplace_back(failures, std::move(endpoint));
        }
    }
    std::stable_sort(by_failures.begin(), by_failures.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<Endpoint> best_last;
    for (auto& [failures, endpoint] : by_failures) {
        if (std::find(best_last.begin(), best_last.end(), endpoint) == best_last.end()) {
            best_last.push_back(std::move(endpoint));
        }
    }
    std::reverse(best_last.begin(), best_last.end());
    return best_last;
}

void BrokerPool::try_next_candidate() {
    if (any_waiters_.empty()) {
        round_under_way_ = false;
        return;
    }
    if (candidates_.empty()) {
        round_under_way_ = false;
        trouble_ = nobody_answers();
        if (options_.fail_fast && !may_be_starting()) return serve_any(*trouble_);
        round_timer_.set_after(round_backoff_.next(random_), [this] {
            loop_.assert_here();
            begin_round();
        });
        return;
    }
    auto endpoint = std::move(candidates_.back());
    candidates_.pop_back();
    wait_for(node_at(endpoint), MonoTime::max(), [this](Result<BrokerConnection*> outcome) {
        loop_.assert_here();
        if (outcome.ok()) {
            round_under_way_ = false;
            return serve_any(outcome);
        }
        round_failures_.push_back(outcome.error());
        try_next_candidate();
    });
}

void BrokerPool::serve_any(Result<BrokerConnection*> outcome) {
    if (outcome.ok()) round_backoff_.reset();
    std::list<Waiter> waiters;
    waiters.swap(any_waiters_);
    for (auto& waiter : waiters) {
        waiter.timer.cancel();
        if (outcome.ok() && !outcome.value()->is_ready()) {
            outcome = Error{Errc::connection_closed, "the connection was lost"};
        }
        waiter.done(outcome);
    }
}

Error BrokerPool::nobody_answers() const {
    if (round_failures_.size() == 1) return round_failures_.front();
    std::string message = "no broker can be reached";
    const char* separator = ": ";
    for (const auto& why : round_failures_) {
        message += separator + why.message;
        separator = "; ";
    }
    return Error{Errc::unreachable, std::move(message)};
}

}  // namespace kq
