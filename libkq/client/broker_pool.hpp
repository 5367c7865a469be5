// SPDX-License-Identifier: Apache-2.0
//
// BrokerPool: how a client reaches the brokers of a cluster: the connections, one an address, made
// when somebody asks for one, made again with a back-off when they fail, closed when idle.
//
// shape    kept by advertised address, so that a bootstrap address which a broker also advertises
//          needs one connection only
// owner    its loop; callbacks that were not called when it is destroyed are dropped. A connection
//          that was handed out is good until the end of the turn; ask again in the next
// errors   unreachable      no address answers; or the bootstrap list does, but a broker's
// advertised
//                           address does not: the message shows both
//          deadline_passed  of the caller, while somebody might still have answered
#pragma once

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/ids.hpp"
#include "base/random.hpp"
#include "client/admin_types.hpp"
#include "client/backoff.hpp"
#include "client/connection.hpp"
#include "client/options.hpp"

namespace kq {

class BrokerPool {
public:
    using OnConnection = Callback<void(Result<BrokerConnection*>)>;

    // Borrows `options`.
    BrokerPool(Loop& loop, Network& network, Random& random, const ClientOptions& options);
    ~BrokerPool();

    // A ready connection to some broker: tries the brokers known, then the bootstrap list, again
    // and again until `deadline` (with fail_fast: once, or as long as startup_grace).
    void any_connection(MonoTime deadline, OnConnection done);
    // A ready connection to this broker; fails when its address does not answer, or it is unknown.
    void connection_to(BrokerId broker, MonoTime deadline, OnConnection done);
    // The same, if there is one already; null if not.
    BrokerConnection* ready_connection(BrokerId broker);
    // This broker has answered at least once since the client was made.
    bool has_reached(BrokerId broker) const;

    // The brokers as the cluster lists them.
    void set_brokers(std::map<BrokerId, BrokerInfo> brokers);
    const std::map<BrokerId, BrokerInfo>& brokers() const;

    // Why the last attempt to reach anybody failed; none when one worked since.
    const std::optional<Error>& trouble() const;
    // A broker whose advertised address does not answer, though the bootstrap list does.
    const std::optional<AdvertisedTrouble>& advertised_trouble() const;

    // Closes every connection.
    void close();

private:
    struct Waiter;
    struct Node;

    Node& node_at(const Endpoint& advertised) KQ_ON(loop_);
    const Endpoint& dialled(const Endpoint& advertised) const;
    bool is_bootstrap(const Endpoint& endpoint) const;
    void wait_for(Node& node, MonoTime deadline, OnConnection done) KQ_ON(loop_);
    void add_waiter(std::list<Waiter>& waiters, MonoTime deadline, OnConnection done) KQ_ON(loop_);
    Error too_late() const KQ_ON(loop_);
    void start_connecting(Node& node) KQ_ON(loop_);
    void on_ready(Node& node) KQ_ON(loop_);
    void on_closed(Node& node, const Error& why) KQ_ON(loop_);
    Error explain(const Node& node, const Error& why) KQ_ON(loop_);
    void bury(std::unique_ptr<BrokerConnection> connection) KQ_ON(loop_);
    void close_idle() KQ_ON(loop_);

    BrokerConnection* best_ready_connection() KQ_ON(loop_);
    bool may_be_starting() const KQ_ON(loop_);
    void begin_round() KQ_ON(loop_);
    std::vector<Endpoint> shuffled_candidates() KQ_ON(loop_);
    void try_next_candidate() KQ_ON(loop_);
    void serve_any(Result<BrokerConnection*> outcome) KQ_ON(loop_);
    Error nobody_answers() const KQ_ON(loop_);

    Loop& loop_;
    Network& network_;
    Random& random_;
    const ClientOptions& options_;

    std::map<BrokerId, BrokerInfo> brokers_ KQ_OWNED_BY(loop_);
    std::map<Endpoint, std::unique_ptr<Node>> nodes_ KQ_OWNED_BY(loop_);
    std::vector<std::unique_ptr<BrokerConnection>> buried_ KQ_OWNED_BY(loop_);
    Timer burial_ KQ_OWNED_BY(loop_);
    Timer idle_timer_ KQ_OWNED_BY(loop_);
    bool closed_ KQ_OWNED_BY(loop_) = false;

    // Who waits for any broker, and the round of candidates under way for them.
    std::list<Waiter> any_waiters_ KQ_OWNED_BY(loop_);
    std::vector<Endpoint> candidates_ KQ_OWNED_BY(loop_);
    bool round_under_way_ KQ_OWNED_BY(loop_) = false;
    std::vector<Error> round_failures_ KQ_OWNED_BY(loop_);
    Backoff round_backoff_ KQ_OWNED_BY(loop_);
    Timer round_timer_ KQ_OWNED_BY(loop_);  // the next round
    const MonoTime made_;

    std::optional<Endpoint> answering_bootstrap_ KQ_OWNED_BY(loop_);
    std::optional<AdvertisedTrouble> advertised_trouble_ KQ_OWNED_BY(loop_);
    std::optional<Error> trouble_ KQ_OWNED_BY(loop_);
};

}  // namespace kq
