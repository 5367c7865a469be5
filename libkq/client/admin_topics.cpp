// SPDX-License-Identifier: Apache-2.0
//
// The questions of AdminCore that concern topics.
#include <algorithm>
#include <map>

#include "client/admin_core.hpp"
#include "protocol/messages/03_metadata.hpp"
#include "protocol/messages/19_create_topics.hpp"
#include "protocol/messages/20_delete_topics.hpp"
#include "protocol/messages/75_describe_topic_partitions.hpp"

namespace kq {

using wire::CreateTopicsRequest;
using wire::CreateTopicsResponse;
using wire::DeleteTopicsRequest;
using wire::DeleteTopicsResponse;
using wire::DescribeTopicPartitionsRequest;
using wire::DescribeTopicPartitionsResponse;
using wire::MetadataRequest;
using wire::MetadataResponse;

namespace {

// What a broker said of one topic, which the caller names.
Error error_of(std::int16_t code) {
    const Errc known = errc_from_wire(code);
    return Error{known, std::string(sentence_of(known))};
}

std::vector<BrokerId> ids_of(const std::vector<std::int32_t>& numbers) {
    std::vector<BrokerId> ids;
    for (auto number : numbers)
        ids.emplace_back(number);
    return ids;
}

void sort_by_index(std::vector<PartitionDescription>& partitions) {
    std::sort(partitions.begin(), partitions.end(),
              [](const auto& a, const auto& b) { return a.index < b.index; });
}

TopicDescription description_of(const MetadataResponse::MetadataResponseTopic& told) {
    TopicDescription topic{.name = told.name.value_or(""),
                           .id = told.topic_id,
                           .is_internal = told.is_internal,
                           .partitions = {}};
    for (const auto& partition : told.partitions) {
        PartitionDescription description;
        description.index = PartitionIndex{partition.partition_index};
        description.leader = BrokerId{partition.leader_id};
        description.leader_epoch = Epoch{partition.leader_epoch};
        description.replicas = ids_of(partition.replica_nodes);
        description.in_sync = ids_of(partition.isr_nodes);
        description.offline = ids_of(partition.offline_replicas);
        description.error = errc_from_wire(partition.error_code);
        topic.partitions.push_back(std::move(description));
    }
    sort_by_index(topic.partitions);
    return topic;
}

// What a person reads behind a refusal: the broker's words, else the code's sentence.
Error refusal(std::int16_t code, const std::optional<std::string>& words) {
    return Error{errc_from_wire(code), words.value_or("")};
}

Error left_out(const std::string& name) {
    return Error{Errc::malformed, "the broker's answer leaves '" + name + "' out"};
}

std::int32_t millis_until(MonoTime deadline, MonoTime now) {
    auto left = std::chrono::duration_cast<Millis>(deadline - now).count();
    return static_cast<std::int32_t>(std::clamp<std::int64_t>(left, 1, INT32_MAX));
}

}  // namespace

// ---- list and describe

void AdminCore::list_topics(bool with_internal, MonoTime deadline,
                            Callback<void(Result<std::vector<TopicDescription>>)> done) {
    loop_.assert_here();
    auto make = [](std::int16_t version) {
        MetadataRequest request;
        if (version >= 1) request.topics = std::nullopt;  // all; in v0 the empty list says so
        request.allow_auto_topic_creation = version < 4;
        return request;
    };
    caller_.call<MetadataResponse>(
        any_broker, make, Repeat::safe, deadline,
        [this, with_internal,
         done = std::move(done)](Result<Answered<MetadataResponse>> answer) mutable {
            loop_.assert_here();
            if (!answer.ok()) return done(answer.error());
            const auto& told = answer.value().response;
            if (told.error_code != 0) return done(refusal(told.error_code, std::nullopt));
            cluster_.take(told);
            std::vector<TopicDescription> topics;
            for (const auto& topic : told.topics) {
                if (topic.error_code != 0 || (topic.is_internal && !with_internal)) continue;
                topics.push_back(description_of(topic));
            }
            std::sort(topics.begin(), topics.end(),
                      [](const auto& a, const auto& b) { return a.name < b.name; });
            done(std::move(topics));
        });
}

// Answers come in pages of a bounded number of partitions.
struct AdminCore::TopicPages {
    std::vector<std::string> names;
    MonoTime deadline;
    Callback<void(Result<Each<TopicDescription>>)> done;
    std::optional<DescribeTopicPartitionsRequest::Cursor> cursor;
    std::map<std::string, Result<TopicDescription>> found;

    void finish() {
        Each<TopicDescription> results;
        for (const auto& name : names) {
            auto result = found.find(name);
            results.push_back(result == found.end() ? Result<TopicDescription>(left_out(name))
                                                    : result->second);
        }
        for (auto& result : results) {
            if (result.ok()) sort_by_index(result.value().partitions);
        }
        done(std::move(results));
    }
};

void AdminCore::describe_topics(std::vector<std::string> names, MonoTime deadline,
                                Callback<void(Result<Each<TopicDescription>>)> done) {
    loop_.assert_here();
    auto pages = std::make_shared<TopicPages>();
    pages->names = std::move(names);
    pages->deadline = deadline;
    pages->done = std::move(done);
    if (pages->names.empty()) return pages->finish();
    describe_next_page(std::move(pages));
}

void AdminCore::describe_next_page(std::shared_ptr<TopicPages> pages) {
    auto make = [pages](std::int16_t) {
        DescribeTopicPartitionsRequest request;
        for (const auto& name : pages->names) {
            // What lies before the cursor was answered already.
            if (pages->cursor && name < pages->cursor->topic_name) continue;
            request.topics.push_back({.name = name});
        }
        request.cursor = pages->cursor;
        return request;
    };
    caller_.call<DescribeTopicPartitionsResponse>(
        any_broker, make, Repeat::safe, pages->deadline,
        [this, pages](Result<Answered<DescribeTopicPartitionsResponse>> answer) {
            loop_.assert_here();
            if (answer.code() == Errc::unsupported) return describe_topics_by_metadata(pages);
            if (!answer.ok()) return pages->done(answer.error());
            const auto& response = answer.value().response;
            for (const auto& told : response.topics) {
                auto name = told.name.value_or("");
                if (told.error_code != 0) {
                    pages->found.insert_or_assign(name, error_of(told.error_code));
                    continue;
                }
                auto [at, fresh] =
                    pages->found.try_emplace(name, TopicDescription{.name = name,
                                                                    .id = told.topic_id,
                                                                    .is_internal = told.is_internal,
                                                                    .partitions = {}});
                for (const auto& partition : told.partitions) {
                    at->second.value().partitions.push_back(
                        {.index = PartitionIndex{partition.partition_index},
                         .leader = BrokerId{partition.leader_id},
                         .leader_epoch = Epoch{partition.leader_epoch},
                         .replicas = ids_of(partition.replica_nodes),
                         .in_sync = ids_of(partition.isr_nodes),
                         .offline = ids_of(partition.offline_replicas),
                         .eligible_leaders = ids_of(partition.eligible_leader_replicas.value_or(
                             std::vector<std::int32_t>{})),
                         .error = errc_from_wire(partition.error_code)});
                }
            }
            const auto& next = response.next_cursor;
            bool goes_on =
                next && (!pages->cursor || next->topic_name != pages->cursor->topic_name ||
                         next->partition_index > pages->cursor->partition_index);
            if (!goes_on) return pages->finish();
            pages->cursor = {next->topic_name, next->partition_index};
            describe_next_page(pages);
        });
}

// Brokers before Kafka 3.8 do not know DescribeTopicPartitions.
void AdminCore::describe_topics_by_metadata(std::shared_ptr<TopicPages> pages) {
    auto make = [pages](std::int16_t version) {
        MetadataRequest request;
        for (const auto& name : pages->names) {
            request.topics->push_back({.topic_id = {}, .name = name});
        }
        request.allow_auto_topic_creation = version < 4;
        return request;
    };
    caller_.call<MetadataResponse>(
        any_broker, make, Repeat::safe, pages->deadline,
        [this, pages](Result<Answered<MetadataResponse>> answer) {
            loop_.assert_here();
            if (!answer.ok()) return pages->done(answer.error());
            cluster_.take(answer.value().response);
            for (const auto& told : answer.value().response.topics) {
                auto name = told.name.value_or("");
                if (told.error_code != 0) {
                    pages->found.insert_or_assign(name, error_of(told.error_code));
                } else {
                    pages->found.insert_or_assign(name, description_of(told));
                }
            }
            pages->finish();
        });
}

// ---- create

namespace {

CreateTopicsRequest::CreatableTopic creatable(const NewTopic& topic) {
    CreateTopicsRequest::CreatableTopic out;
    out.name = topic.name;
    out.num_partitions = topic.partitions;
    out.replication_factor = topic.replication_factor;
    for (std::size_t i = 0; i < topic.assignment.size(); ++i) {
        CreateTopicsRequest::CreatableReplicaAssignment replicas;
        replicas.partition_index = static_cast<std::int32_t>(i);
        for (auto id : topic.assignment[i])
            replicas.broker_ids.push_back(id.value);
        out.assignments.push_back(std::move(replicas));
    }
    for (const auto& [name, value] : topic.configs) {
        out.configs.push_back({.name = name, .value = value});
    }
    return out;
}

Result<CreatedTopic> created(const CreateTopicsResponse::CreatableTopicResult& told) {
    if (told.error_code != 0) return refusal(told.error_code, told.error_message);
    CreatedTopic topic{.name = told.name,
                       .id = told.topic_id,
                       .partitions = told.num_partitions,
                       .replication_factor = told.replication_factor,
                       .configs = {}};
    if (!told.configs) return topic;
    for (const auto& config : *told.configs) {
        DescribedConfig entry;
        entry.name = config.name;
        entry.value = config.value;
        entry.source = static_cast<ConfigSource>(config.config_source);
        entry.read_only = config.read_only;
        entry.sensitive = config.is_sensitive;
        topic.configs.push_back(std::move(entry));
    }
    return topic;
}

}  // namespace

void AdminCore::create_topics(std::vector<NewTopic> topics, bool validate_only, MonoTime deadline,
                              Callback<void(Result<Each<CreatedTopic>>)> done) {
    loop_.assert_here();
    create_at(any_broker, std::move(topics), validate_only, deadline, std::move(done));
}

// Any broker hands the request on to the controller; one that cannot says NOT_CONTROLLER, and then
// the controller itself is asked. Asked once only: a second request could meet the work of the
// first and answer TOPIC_ALREADY_EXISTS for a topic that we made.
void AdminCore::create_at(Target target, std::vector<NewTopic> topics, bool validate_only,
                          MonoTime deadline, Callback<void(Result<Each<CreatedTopic>>)> done) {
    auto shared = std::make_shared<const std::vector<NewTopic>>(std::move(topics));
    auto make = [this, shared, validate_only, deadline](std::int16_t) {
        CreateTopicsRequest request;
        for (const auto& topic : *shared)
            request.topics.push_back(creatable(topic));
        request.timeout_ms = millis_until(deadline, loop_.clock().mono());
        request.validate_only = validate_only;
        return request;
    };
    caller_.call<CreateTopicsResponse>(
        target, make, validate_only ? Repeat::safe : Repeat::only_unsent, deadline,
        [this, target, shared, validate_only, deadline,
         done = std::move(done)](Result<Answered<CreateTopicsResponse>> answer) mutable {
            loop_.assert_here();
            if (!answer.ok()) return done(answer.error());
            Each<CreatedTopic> results;
            bool asked_wrongly = !shared->empty() && target.broker == no_broker;
            for (const auto& topic : *shared) {
                const auto& told = answer.value().response.topics;
                auto found = std::find_if(told.begin(), told.end(),
                                          [&](const auto& one) { return one.name == topic.name; });
                results.push_back(found == told.end() ? Result<CreatedTopic>(left_out(topic.name))
                                                      : created(*found));
                asked_wrongly = asked_wrongly && results.back().code() == Errc::not_controller;
            }
            if (!asked_wrongly) return done(std::move(results));
            find_controller(deadline, [this, shared, validate_only, deadline,
                                       done = std::move(done)](Result<BrokerId> found) mutable {
                loop_.assert_here();
                if (!found.ok()) return done(found.error());
                create_at(Target{found.value()}, *shared, validate_only, deadline, std::move(done));
            });
        });
}

// ---- delete

void AdminCore::delete_topics(std::vector<std::string> names, MonoTime deadline,
                              Callback<void(Result<Each<Unit>>)> done) {
    loop_.assert_here();
    delete_at(any_broker, std::move(names), deadline, std::move(done));
}

void AdminCore::delete_at(Target target, std::vector<std::string> names, MonoTime deadline,
                          Callback<void(Result<Each<Unit>>)> done) {
    auto shared = std::make_shared<const std::vector<std::string>>(std::move(names));
    auto make = [this, shared, deadline](std::int16_t version) {
        DeleteTopicsRequest request;
        for (const auto& name : *shared) {
            if (version >= 6) {
                request.topics.push_back({.name = name, .topic_id = {}});
            } else {
                request.topic_names.push_back(name);
            }
        }
        request.timeout_ms = millis_until(deadline, loop_.clock().mono());
        return request;
    };
    caller_.call<DeleteTopicsResponse>(
        target, make, Repeat::only_unsent, deadline,
        [this, target, shared, deadline,
         done = std::move(done)](Result<Answered<DeleteTopicsResponse>> answer) mutable {
            loop_.assert_here();
            if (!answer.ok()) return done(answer.error());
            Each<Unit> results;
            bool asked_wrongly = !shared->empty() && target.broker == no_broker;
            for (const auto& name : *shared) {
                const auto& told = answer.value().response.responses;
                auto found = std::find_if(told.begin(), told.end(),
                                          [&](const auto& one) { return one.name == name; });
                if (found == told.end()) {
                    results.emplace_back(left_out(name));
                } else if (found->error_code != 0) {
                    results.emplace_back(refusal(found->error_code, found->error_message));
                } else {
                    results.emplace_back(Unit{});
                }
                asked_wrongly = asked_wrongly && results.back().code() == Errc::not_controller;
            }
            if (!asked_wrongly) return done(std::move(results));
            find_controller(deadline, [this, shared, deadline,
                                       done = std::move(done)](Result<BrokerId> found) mutable {
                loop_.assert_here();
                if (!found.ok()) return done(found.error());
                delete_at(Target{found.value()}, *shared, deadline, std::move(done));
            });
        });
}

}  // namespace kq
