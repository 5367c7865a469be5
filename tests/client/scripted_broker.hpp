// SPDX-License-Identifier: Apache-2.0
//
// ScriptedBroker: a peer for client tests that decodes requests with the real protocol and answers
// what the test says. It keeps no log and knows no rules: what a broker would do stands in the
// test.
//
// shape    a script per API: decode -> script -> answer, or silence (nullopt), or the end of the
//          connection (hang_up()). ApiVersions and Metadata have scripts of their own that follow
//          `versions` and the Topology
// owner    the test's thread
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/sim_loop.hpp"
#include "net/sim_network.hpp"
#include "protocol/frames.hpp"
#include "protocol/messages/03_metadata.hpp"
#include "protocol/messages/18_api_versions.hpp"

namespace kq::sim {

// What every broker of a test says of the cluster.
struct Topology {
    struct Partition {
        std::int32_t leader = 1;
        std::int32_t epoch = 0;
    };
    struct Topic {
        Uuid id;
        std::vector<Partition> partitions;
    };
    std::map<std::int32_t, Endpoint> brokers;
    std::map<std::string, Topic> topics;

    void add_topic(const std::string& name, int partitions, std::int32_t leader = 1) {
        Uuid id;
        id.bytes[0] = 0x42;
        id.bytes[15] = static_cast<std::uint8_t>(topics.size() + 1);
        topics[name] = {
            id, std::vector<Partition>(static_cast<std::size_t>(partitions), Partition{leader, 0})};
    }
};

class ScriptedBroker {
public:
    ScriptedBroker(SimScheduler& world, SimNetwork& network, std::shared_ptr<Topology> topology,
                   std::int32_t id, const std::string& host)
        : topology_(std::move(topology)),
          loop_(world),
          network_(network.network_for(loop_, host)),
          host_(host),
          id_(id) {
        topology_->brokers[id] = {host, 9092};
        for (const auto& api : wire::all_apis())
            versions[api.key] = api.versions;
        on<wire::ApiVersionsRequest, wire::ApiVersionsResponse>(
            [this](const wire::ApiVersionsRequest&, int) { return versions_answer(); });
        on<wire::MetadataRequest, wire::MetadataResponse>(
            [this](const wire::MetadataRequest& request, int version) {
                return metadata_answer(request, version);
            });
        listen();
    }

    // What it offers; the test may change it before a client connects.
    std::map<std::int16_t, wire::Versions> versions;

    // Replaces the script of an API. nullopt: no answer ever.
    template <class Request, class Response>
    void on(std::function<std::optional<Response>(const Request&, int version)> script) {
        scripts_[Request::info.key] = [script](const wire::RequestFrame& frame,
                                               Session& session) -> bool {
            int version = frame.header.api_version;
            auto request = wire::decode<Request>(frame.body, version);
            KQ_CHECK_MSG(request.ok(), "the client sent a request that cannot be read");
            auto response = script(request.value(), version);
            if (!response) return true;
            session.connection->send(
                wire::encode_response(frame.header.correlation_id, *response, version));
            return true;
        };
    }
    // Bytes instead of an answer to the first request of every connection.
    void speak(std::string bytes) { stranger_ = std::move(bytes); }
    // Inside a script: the connection ends when the script returns, with the answer lost.
    void hang_up() { hang_up_ = true; }

    void listen() {
        auto listener = network_->listen({host_, 9092}, [this](std::unique_ptr<Socket> socket) {
            auto session = std::make_unique<Session>(*this);
            session->connection = network_->adopt(std::move(socket), *session);
            sessions_.push_back(std::move(session));
        });
        KQ_CHECK(listener.ok());
        listener_ = std::move(listener).value();
    }
    void stop_listening() { listener_.reset(); }

    int asked(std::int16_t key) const {
        auto found = asked_.find(key);
        return found == asked_.end() ? 0 : found->second;
    }
    std::size_t connections_made() const { return sessions_.size(); }
    std::int32_t id() const { return id_; }
    SimLoop& loop() { return loop_; }

private:
    struct Session final : ConnectionEvents {
        explicit Session(ScriptedBroker& broker_in) : broker(broker_in) {}
        void on_readable() override {
            std::uint8_t bytes[4096];
            while (connection != nullptr) {
                auto count = connection->receive(bytes);
                if (!count.ok()) {
                    if (count.code() != Errc::would_block) connection.reset();
                    return;
                }
                append(received, ByteView(bytes, count.value()));
                serve();
            }
        }
        void on_closed(const Error&) override { connection.reset(); }
        void serve() {
            while (connection != nullptr && received.size() >= 4) {
                auto size = static_cast<std::size_t>(load_be<std::int32_t>(received.data()));
                if (received.size() < 4 + size) return;
                Bytes frame(received.begin() + 4,
                            received.begin() + 4 + static_cast<std::ptrdiff_t>(size));
                received.erase(received.begin(),
                               received.begin() + 4 + static_cast<std::ptrdiff_t>(size));
                broker.serve(frame, *this);
            }
        }
        ScriptedBroker& broker;
        std::unique_ptr<Connection> connection;
        Bytes received;
    };

    void serve(ByteView frame, Session& session) {
        if (!stranger_.empty()) {
            session.connection->send([this] {
                Chain chain;
                chain.add(to_bytes(as_bytes(stranger_)));
                return chain;
            }());
            session.connection->close_after_sending();
            return;
        }
        auto request = wire::decode_request_header(frame);
        KQ_CHECK(request.ok());
        auto key = request.value().header.api_key;
        auto version = request.value().header.api_version;
        asked_[key] += 1;
        auto offered = versions.find(key);
        if (offered == versions.end() || !offered->second.contains(version)) {
            if (key != wire::api_versions_api.key) {  // a broker closes
                session.connection.reset();
                return;
            }
            wire::ApiVersionsResponse refusal;
            refusal.error_code = static_cast<std::int16_t>(Errc::unsupported_version);
            if (tells_its_range) {
                refusal.api_keys.push_back({.api_key = key,
                                            .min_version = offered->second.min,
                                            .max_version = offered->second.max});
            }
            session.connection->send(
                wire::encode_response(request.value().header.correlation_id, refusal, 0));
            return;
        }
        auto script = scripts_.find(key);
        KQ_CHECK_MSG(script != scripts_.end(), "no script for this API");
        script->second(request.value(), session);
        if (std::exchange(hang_up_, false)) session.connection.reset();
    }

    std::optional<wire::ApiVersionsResponse> versions_answer() {
        wire::ApiVersionsResponse response;
        for (const auto& [key, range] : versions) {
            response.api_keys.push_back(
                {.api_key = key, .min_version = range.min, .max_version = range.max});
        }
        return response;
    }

    std::optional<wire::MetadataResponse> metadata_answer(const wire::MetadataRequest& request,
                                                          int version) {
        wire::MetadataResponse response;
        for (const auto& [id, endpoint] : topology_->brokers) {
            response.brokers.push_back(
                {.node_id = id, .host = endpoint.host, .port = endpoint.port, .rack = {}});
        }
        if (request.allow_auto_topic_creation) asked_with_making += 1;
        response.cluster_id = "test-cluster";
        response.controller_id = topology_->brokers.begin()->first;
        auto tell = [&](const std::string& name) {
            auto& topic = response.topics.emplace_back();
            topic.name = name;
            auto known = topology_->topics.find(name);
            if (known == topology_->topics.end()) {
                topic.error_code = static_cast<std::int16_t>(Errc::unknown_topic_or_partition);
                return;
            }
            topic.topic_id = known->second.id;
            std::int32_t index = 0;
            for (const auto& partition : known->second.partitions) {
                auto& told = topic.partitions.emplace_back();
                told.partition_index = index++;
                told.leader_id = partition.leader;
                told.leader_epoch = partition.epoch;
                told.error_code = static_cast<std::int16_t>(
                    partition.leader < 0 ? Errc::leader_not_available : Errc::none);
                told.replica_nodes = told.isr_nodes = {partition.leader};
            }
        };
        bool all = !request.topics || (version == 0 && request.topics->empty());
        if (all) {
            for (const auto& [name, topic] : topology_->topics)
                tell(name);
        } else {
            for (const auto& topic : *request.topics)
                tell(topic.name.value_or(""));
        }
        return response;
    }

public:
    bool tells_its_range = true;  // of ApiVersions, when it refuses a version of it
    int asked_with_making = 0;    // Metadata that may make topics

private:
    using Script = std::function<bool(const wire::RequestFrame&, Session&)>;

    std::shared_ptr<Topology> topology_;
    SimLoop loop_;
    std::unique_ptr<Network> network_;
    std::string host_;
    std::int32_t id_;
    std::unique_ptr<Listener> listener_;
    std::vector<std::unique_ptr<Session>> sessions_;
    std::map<std::int16_t, Script> scripts_;
    std::map<std::int16_t, int> asked_;
    std::string stranger_;
    bool hang_up_ = false;
};

// A client's loop and some brokers b1, b2 … in one simulated world.
struct ClientWorld {
    explicit ClientWorld(int broker_count = 1, std::uint64_t seed = 1)
        : scheduler(seed), sockets(scheduler), loop(scheduler) {
        client_network = sockets.network_for(loop, "client");
        for (std::int32_t id = 1; id <= broker_count; ++id) {
            brokers.push_back(std::make_unique<ScriptedBroker>(scheduler, sockets, topology, id,
                                                               "b" + std::to_string(id)));
        }
    }

    ScriptedBroker& broker(int id) { return *brokers.at(static_cast<std::size_t>(id - 1)); }
    bool until(const std::function<bool()>& reached, std::chrono::nanoseconds limit = 60s) {
        return scheduler.run_until(reached, limit);
    }
    MonoTime in(std::chrono::nanoseconds time) { return scheduler.now() + time; }

    SimScheduler scheduler;
    SimNetwork sockets;
    SimLoop loop;
    std::unique_ptr<Network> client_network;
    SeededRandom random{7};
    std::shared_ptr<Topology> topology = std::make_shared<Topology>();
    std::vector<std::unique_ptr<ScriptedBroker>> brokers;
};

}  // namespace kq::sim
