// SPDX-License-Identifier: Apache-2.0
#include "client/admin_core.hpp"

#include <algorithm>

#include "client/offset_lookup.hpp"
#include "protocol/messages/03_metadata.hpp"
#include "protocol/messages/10_find_coordinator.hpp"
#include "protocol/messages/60_describe_cluster.hpp"

namespace kq {

using wire::DescribeClusterRequest;
using wire::DescribeClusterResponse;
using wire::FindCoordinatorRequest;
using wire::FindCoordinatorResponse;
using wire::MetadataRequest;
using wire::MetadataResponse;

namespace {

Endpoint endpoint_of(const std::string& host, std::int32_t port) {
    return {host, static_cast<std::uint16_t>(port)};
}

void sort_by_id(std::vector<BrokerInfo>& brokers) {
    std::sort(brokers.begin(), brokers.end(),
              [](const BrokerInfo& a, const BrokerInfo& b) { return a.id < b.id; });
}

}  // namespace

AdminCore::AdminCore(Loop& loop, Network& network, Random& random, ClientOptions options)
    : loop_(loop), cluster_(loop, network, random, std::move(options)), caller_(cluster_) {}

AdminCore::~AdminCore() = default;

// ---- the cluster

void AdminCore::describe_cluster(MonoTime deadline,
                                 Callback<void(Result<ClusterDescription>)> done) {
    loop_.assert_here();
    auto make = [](std::int16_t version) {
        DescribeClusterRequest request;
        request.include_fenced_brokers = version >= 2;
        return request;
    };
    caller_.call<DescribeClusterResponse>(
        any_broker, make, Repeat::safe, deadline,
        [this, deadline,
         done = std::move(done)](Result<Answered<DescribeClusterResponse>> answer) mutable {
            loop_.assert_here();
            if (answer.code() == Errc::unsupported) {
                return describe_by_metadata(deadline, std::move(done));
            }
            if (!answer.ok()) return done(answer.error());
            const auto& told = answer.value().response;
            if (told.error_code != 0) {
                return done(Error{errc_from_wire(told.error_code),
                                  told.error_message.value_or("the cluster refused")});
            }
            ClusterDescription cluster{.cluster_id = told.cluster_id,
                                       .controller = BrokerId{told.controller_id},
                                       .brokers = {}};
            for (const auto& broker : told.brokers) {
                cluster.brokers.push_back({.id = BrokerId{broker.broker_id},
                                           .address = endpoint_of(broker.host, broker.port),
                                           .rack = broker.rack,
                                           .fenced = broker.is_fenced});
            }
            sort_by_id(cluster.brokers);
            done(std::move(cluster));
        });
}

// Brokers before Kafka 2.8 do not know DescribeCluster.
void AdminCore::describe_by_metadata(MonoTime deadline,
                                     Callback<void(Result<ClusterDescription>)> done) {
    caller_.call<MetadataResponse>(
        any_broker, [](std::int16_t) { return MetadataRequest(); }, Repeat::safe, deadline,
        [this, done = std::move(done)](Result<Answered<MetadataResponse>> answer) mutable {
            loop_.assert_here();
            if (!answer.ok()) return done(answer.error());
            const auto& told = answer.value().response;
            cluster_.take(told);
            ClusterDescription cluster{.cluster_id = told.cluster_id.value_or(""),
                                       .controller = BrokerId{told.controller_id},
                                       .brokers = {}};
            for (const auto& [id, broker] : cluster_.pool().brokers()) {
                cluster.brokers.push_back(broker);
            }
            done(std::move(cluster));
        });
}

void AdminCore::find_controller(MonoTime deadline, Callback<void(Result<BrokerId>)> done) {
    caller_.call<MetadataResponse>(
        any_broker, [](std::int16_t) { return MetadataRequest(); }, Repeat::safe, deadline,
        [this, done = std::move(done)](Result<Answered<MetadataResponse>> answer) mutable {
            loop_.assert_here();
            if (!answer.ok()) return done(answer.error());
            cluster_.take(answer.value().response);
            auto controller = cluster_.controller();
            if (controller == no_broker) {
                return done(Error{Errc::not_controller, "the cluster has no controller"});
            }
            done(controller);
        });
}

// ---- offsets

void AdminCore::list_offsets(std::vector<OffsetQuery> queries, Isolation isolation,
                             MonoTime deadline, Callback<void(Result<Each<ListedOffset>>)> done) {
    loop_.assert_here();
    look_up_offsets(cluster_, caller_, std::move(queries), isolation, deadline, std::move(done));
}

// ---- coordinators

// Key after key: versions below 4 take one at a time, and nobody asks for many.
struct AdminCore::CoordinatorRound {
    CoordinatorType type;
    std::vector<std::string> keys;
    MonoTime deadline;
    Callback<void(Result<Each<CoordinatorInfo>>)> done;
    Each<CoordinatorInfo> results;
    int attempts = 0;
};

void AdminCore::find_coordinators(CoordinatorType type, std::vector<std::string> keys,
                                  MonoTime deadline,
                                  Callback<void(Result<Each<CoordinatorInfo>>)> done) {
    loop_.assert_here();
    find_next_coordinator(std::make_shared<CoordinatorRound>(
        CoordinatorRound{type, std::move(keys), deadline, std::move(done), {}}));
}

void AdminCore::find_next_coordinator(std::shared_ptr<CoordinatorRound> round) {
    if (round->results.size() == round->keys.size()) return round->done(std::move(round->results));
    const auto& key = round->keys[round->results.size()];
    auto make = [key, type = round->type](std::int16_t version) {
        FindCoordinatorRequest request;
        if (version >= 1) request.key_type = static_cast<std::int8_t>(type);
        if (version >= 4) {
            request.coordinator_keys.push_back(key);
        } else {
            request.key = key;
        }
        return request;
    };
    caller_.call<FindCoordinatorResponse>(
        any_broker, make, Repeat::safe, round->deadline,
        [this, round](Result<Answered<FindCoordinatorResponse>> answer) {
            loop_.assert_here();
            if (!answer.ok()) return round->done(answer.error());
            const auto& told = answer.value().response;
            wire::FindCoordinatorResponse::Coordinator found{.key = {},
                                                             .node_id = told.node_id,
                                                             .host = told.host,
                                                             .port = told.port,
                                                             .error_code = told.error_code,
                                                             .error_message = told.error_message};
            if (!told.coordinators.empty()) found = told.coordinators.front();
            auto code = errc_from_wire(found.error_code);
            auto again = loop_.clock().mono() + caller_.pause(++round->attempts);
            if (is_retriable(code) && again < round->deadline) {  // it is being made, or loads
                return caller_.later(again, [this, round] {
                    loop_.assert_here();
                    find_next_coordinator(round);
                });
            }
            if (code != Errc::none) {
                round->results.emplace_back(Error{code, found.error_message.value_or("")});
            } else {
                round->results.emplace_back(
                    CoordinatorInfo{BrokerId{found.node_id}, endpoint_of(found.host, found.port)});
            }
            find_next_coordinator(round);
        });
}

}  // namespace kq
