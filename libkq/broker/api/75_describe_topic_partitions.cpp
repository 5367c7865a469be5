// SPDX-License-Identifier: Apache-2.0
#include "broker/api/75_describe_topic_partitions.hpp"

#include <algorithm>
#include <set>

#include "broker/topic_answers.hpp"
#include "metadata/metadata_state.hpp"
#include "metadata/topic_names.hpp"

namespace kq {
namespace {

using Request = wire::DescribeTopicPartitionsRequest;
using Response = wire::DescribeTopicPartitionsResponse;
using TopicAnswer = Response::DescribeTopicPartitionsResponseTopic;
using ResponsePartition = Response::DescribeTopicPartitionsResponsePartition;

ResponsePartition described(const RequestContext& context, std::int32_t index,
                            const PartitionRegistration& partition) {
    auto leader = leader_of(*context.image, partition, context.listener);
    ResponsePartition row;
    row.error_code = wire_code(leader.code);
    row.partition_index = index;
    row.leader_id = leader.id.value;
    row.leader_epoch = partition.leader_epoch.value;
    row.replica_nodes = numbers(partition.replicas);
    row.isr_nodes = numbers(partition.isr);
    row.eligible_leader_replicas = numbers(partition.eligible_leader_replicas);
    row.last_known_elr = numbers(partition.last_known_elr);
    row.offline_replicas = offline_replicas(*context.image, partition);
    return row;
}

// The topics asked for, sorted and each once; all of them where none is named.
std::set<std::string> names_of(const RequestContext& context, const Request& request) {
    std::set<std::string> names;
    for (const auto& topic : request.topics)
        names.insert(topic.name);
    if (!request.topics.empty()) return names;
    for (const auto& [name, topic] : context.image->topics_by_name)
        names.insert(name);
    return names;
}

TopicAnswer unknown(const std::string& name) {
    TopicAnswer topic;
    topic.name = name;
    topic.error_code = wire_code(check_topic_name(name).ok() ? Errc::unknown_topic_or_partition
                                                             : Errc::invalid_topic_exception);
    topic.topic_authorized_operations = topic_operations_all;
    return topic;
}

// A cursor goes on where a page ended: in a topic that is asked for, at a partition that can be.
bool is_valid_cursor(const Request& request, const std::set<std::string>& names) {
    if (!request.cursor) return true;
    if (request.cursor->partition_index < 0) return false;
    return request.topics.empty() || names.contains(request.cursor->topic_name);
}

Response all_refused(const std::set<std::string>& names) {
    Response response;
    for (const auto& name : names) {
        auto& topic = response.topics.emplace_back();
        topic.name = name;
        topic.error_code = wire_code(Errc::invalid_request);
    }
    return response;
}

// Fills pages: no more than `left` partitions, and the place where the next page begins.
class Page {
public:
    Page(const RequestContext& context, std::int32_t left) : context_(context), left_(left) {}

    // False once the page is full.
    bool add(const std::string& name, std::int32_t first) {
        if (left_ <= 0) return end_at(name, first);
        const auto* topic = context_.image->topic(name);
        if (topic == nullptr) {
            response_.topics.push_back(unknown(name));
            return true;
        }
        auto& out = response_.topics.emplace_back();
        out.name = name;
        out.topic_id = topic->id();
        out.is_internal = is_internal_topic(name);
        out.topic_authorized_operations = topic_operations_all;
        // The cursor may say any number: the sum is formed where it cannot overflow.
        auto last = static_cast<std::int32_t>(std::min<std::int64_t>(
            topic->partition_count(), static_cast<std::int64_t>(first) + left_));
        for (auto i = first; i < last; ++i) {
            out.partitions.push_back(described(context_, i, *topic->partition(PartitionIndex{i})));
        }
        left_ -= std::max(0, last - first);
        return last >= topic->partition_count() || end_at(name, last);
    }
    Response take() { return std::move(response_); }

private:
    bool end_at(const std::string& name, std::int32_t partition) {
        response_.next_cursor = Response::Cursor{name, partition};
        return false;
    }

    const RequestContext& context_;
    std::int32_t left_;
    Response response_;
};

}  // namespace

void handle_describe_topic_partitions(RequestContext& context, const Request& request,
                                      std::int32_t partitions_max, Reply<Response> reply) {
    auto limit = std::max(1, std::min(request.response_partition_limit, partitions_max));
    auto names = names_of(context, request);
    if (!is_valid_cursor(request, names)) {
        if (request.topics.empty()) names = {request.cursor->topic_name};
        return std::move(reply).send(all_refused(names));
    }
    Page page(context, limit);
    std::int32_t first = 0;
    auto name = names.begin();
    if (request.cursor) {
        // A topic that was deleted between two pages is passed over.
        name = names.lower_bound(request.cursor->topic_name);
        if (name != names.end() && *name == request.cursor->topic_name) {
            first = request.cursor->partition_index;
        }
    }
    for (; name != names.end(); ++name) {
        if (!page.add(*name, first)) break;
        first = 0;
    }
    std::move(reply).send(page.take());
}

}  // namespace kq
