// SPDX-License-Identifier: Apache-2.0
#include "client/offset_lookup.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "protocol/messages/02_list_offsets.hpp"
#include "protocol/messages/03_metadata.hpp"

namespace kq {
namespace {

using wire::ListOffsetsRequest;
using wire::ListOffsetsResponse;
using wire::MetadataRequest;
using wire::MetadataResponse;

std::string quoted(const TopicPartition& partition) {
    return "'" + partition.topic + "' partition " + std::to_string(partition.partition.value);
}

// Rounds of: who leads? -> ask each leader -> again for those that were wrong.
class Lookup : public std::enable_shared_from_this<Lookup> {
public:
    Lookup(Cluster& cluster, Caller& caller, std::vector<OffsetQuery> queries, Isolation isolation,
           MonoTime deadline, Callback<void(Result<std::vector<Result<ListedOffset>>>)> done)
        : cluster_(cluster),
          caller_(caller),
          queries_(std::move(queries)),
          isolation_(isolation),
          deadline_(deadline),
          done_(std::move(done)),
          results_(queries_.size()) {}

    // The first round goes by what the cluster's metadata says already, if it says anything.
    void begin_round() {
        std::set<std::string> topics;
        for (std::size_t i = 0; i < queries_.size(); ++i) {
            const auto& topic = queries_[i].partition.topic;
            if (!results_[i] && (rounds_ > 0 || cluster_.topic(topic) == nullptr)) {
                topics.insert(topic);
            }
        }
        if (topics.empty()) return ask_leaders();
        caller_.call<MetadataResponse>(
            any_broker,
            [topics = std::move(topics)](std::int16_t version) {
                MetadataRequest request;
                for (const auto& name : topics) {
                    request.topics->push_back({.topic_id = {}, .name = name});
                }
                request.allow_auto_topic_creation = version < 4;
                return request;
            },
            Repeat::safe, deadline_,
            [self = shared_from_this()](Result<Answered<MetadataResponse>> answer) {
                if (!answer.ok()) return self->give_up(answer.error());
                self->cluster_.take(answer.value().response);
                self->ask_leaders();
            });
    }

private:
    struct Leader {
        BrokerId broker;
        Epoch epoch;
    };
    struct Asked {
        std::size_t query;
        Epoch epoch;
    };

    // A final refusal goes to the result; a passing one leaves it open for the next round.
    void fail(std::size_t query, Errc code, std::string message = {}) {
        Error error{code,
                    quoted(queries_[query].partition) + (message.empty() ? "" : ": " + message)};
        last_errors_.insert_or_assign(query, error);
        bool hopeless = code == Errc::unknown_topic_or_partition ||
                        (code == Errc::unreachable && cluster_.options().fail_fast);
        if (!is_retriable(code) || hopeless) {
            results_[query] = error;
        }
    }

    Result<Leader> leader_of(const TopicPartition& wanted) const {
        const auto* topic = cluster_.topic(wanted.topic);
        if (topic == nullptr) return Error{Errc::unknown_topic_or_partition};
        if (topic->error != Errc::none) return Error{topic->error};
        auto index = static_cast<std::size_t>(wanted.partition.value);
        if (wanted.partition.value < 0 || index >= topic->partitions.size()) {
            return Error{Errc::unknown_topic_or_partition, "there is no such partition"};
        }
        const auto& partition = topic->partitions[index];
        if (partition.leader <= no_broker) return Error{Errc::leader_not_available};
        return Leader{partition.leader, partition.leader_epoch};
    }

    // A request may name a partition once: the second question about it goes into a second request,
    // and so on.
    void ask_leaders() {
        std::map<std::pair<BrokerId, int>, std::vector<Asked>> requests;
        std::map<TopicPartition, int> seen;
        for (std::size_t i = 0; i < queries_.size(); ++i) {
            if (results_[i]) continue;
            auto leader = leader_of(queries_[i].partition);
            if (!leader.ok()) {
                fail(i, leader.code(), leader.error().message);
            } else {
                auto request = seen[queries_[i].partition]++;
                requests[{leader.value().broker, request}].push_back({i, leader.value().epoch});
            }
        }
        waiting_ = requests.size();
        if (waiting_ == 0) return end_round();
        for (auto& [key, queries] : requests)
            ask(key.first, std::move(queries));
    }

    void ask(BrokerId broker, std::vector<Asked> queries) {
        auto make = [self = shared_from_this(), queries](std::int16_t version) {
            return self->request_for(queries, version);
        };
        caller_.call<ListOffsetsResponse>(
            Target{broker}, std::move(make), Repeat::safe, deadline_,
            [self = shared_from_this(), queries](Result<Answered<ListOffsetsResponse>> answer) {
                if (answer.ok()) {
                    self->take(answer.value(), queries);
                } else {
                    for (const auto& asked : queries) {
                        self->fail(asked.query, answer.code(), answer.error().message);
                    }
                }
                if (--self->waiting_ == 0) self->end_round();
            });
    }

    ListOffsetsRequest request_for(const std::vector<Asked>& queries, std::int16_t version) {
        ListOffsetsRequest request;
        request.replica_id = -1;
        request.isolation_level = version >= 2 ? static_cast<std::int8_t>(isolation_) : int8_t{0};
        request.timeout_ms = static_cast<std::int32_t>(cluster_.options().request_timeout.count());
        for (const auto& asked : queries) {
            const auto& wanted = queries_[asked.query];
            auto topic = std::find_if(
                request.topics.begin(), request.topics.end(),
                [&](const auto& known) { return known.name == wanted.partition.topic; });
            if (topic == request.topics.end()) {
                request.topics.emplace_back();
                topic = std::prev(request.topics.end());
                topic->name = wanted.partition.topic;
            }
            topic->partitions.push_back({.partition_index = wanted.partition.partition.value,
                                         .current_leader_epoch = asked.epoch.value,
                                         .timestamp = wanted.spec.timestamp});
        }
        return request;
    }

    void take(const Answered<ListOffsetsResponse>& answer, const std::vector<Asked>& queries) {
        for (const auto& asked : queries) {
            const auto& wanted = queries_[asked.query].partition;
            bool told = false;
            for (const auto& topic : answer.response.topics) {
                if (topic.name != wanted.topic) continue;
                for (const auto& partition : topic.partitions) {
                    if (partition.partition_index != wanted.partition.value) continue;
                    told = true;
                    if (partition.error_code != 0) {
                        fail(asked.query, errc_from_wire(partition.error_code));
                        continue;
                    }
                    results_[asked.query] =
                        ListedOffset{Offset{partition.offset}, wall_time(partition.timestamp),
                                     Epoch{partition.leader_epoch}};
                }
            }
            if (!told) fail(asked.query, Errc::malformed, "the leader left it out of its answer");
        }
    }

    void end_round() {
        bool open = std::any_of(results_.begin(), results_.end(),
                                [](const auto& result) { return !result.has_value(); });
        if (!open) return finish();
        rounds_ += 1;
        auto again = cluster_.loop().clock().mono() + caller_.pause(rounds_);
        if (again >= deadline_) return finish();
        last_errors_.clear();
        caller_.later(again, [self = shared_from_this()] { self->begin_round(); });
    }

    void give_up(const Error& why) {
        bool nothing_known = std::none_of(results_.begin(), results_.end(),
                                          [](const auto& result) { return result.has_value(); });
        if (nothing_known) return done_(why);
        for (std::size_t i = 0; i < results_.size(); ++i) {
            if (!results_[i]) results_[i] = why;
        }
        finish();
    }

    void finish() {
        std::vector<Result<ListedOffset>> results;
        for (std::size_t i = 0; i < results_.size(); ++i) {
            if (results_[i]) {
                results.push_back(std::move(*results_[i]));
            } else if (auto last = last_errors_.find(i); last != last_errors_.end()) {
                results.emplace_back(last->second);
            } else {
                results.emplace_back(Error{Errc::deadline_passed, quoted(queries_[i].partition)});
            }
        }
        done_(std::move(results));
    }

    Cluster& cluster_;
    Caller& caller_;
    const std::vector<OffsetQuery> queries_;
    const Isolation isolation_;
    const MonoTime deadline_;
    Callback<void(Result<std::vector<Result<ListedOffset>>>)> done_;
    std::vector<std::optional<Result<ListedOffset>>> results_;
    std::map<std::size_t, Error> last_errors_;
    std::size_t waiting_ = 0;
    int rounds_ = 0;
};

}  // namespace

void look_up_offsets(Cluster& cluster, Caller& caller, std::vector<OffsetQuery> queries,
                     Isolation isolation, MonoTime deadline,
                     Callback<void(Result<std::vector<Result<ListedOffset>>>)> done) {
    std::make_shared<Lookup>(cluster, caller, std::move(queries), isolation, deadline,
                             std::move(done))
        ->begin_round();
}

}  // namespace kq
