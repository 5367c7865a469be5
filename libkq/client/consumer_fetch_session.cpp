// SPDX-License-Identifier: Apache-2.0
#include "client/consumer_fetch_session.hpp"

#include <algorithm>
#include <set>

namespace kq {
namespace {

template <class Topics>
auto& topic_entry(Topics& topics, const TopicPartition& partition, const Uuid& id) {
    for (auto& topic : topics) {
        if (topic.topic == partition.topic) return topic;
    }
    auto& topic = topics.emplace_back();
    topic.topic = partition.topic;
    topic.topic_id = id;
    return topic;
}

}  // namespace

void ConsumerFetchSession::fill(wire::FetchRequest& request, const std::vector<WantedFetch>& wanted,
                                bool by_id) {
    // A session was made with names or with ids and takes no other (KIP-516).
    if (by_id != by_id_) epoch_ = 0;
    by_id_ = by_id;
    bool in_full = epoch_ == 0;
    request.session_id = id_;
    request.session_epoch = epoch_;
    std::set<TopicPartition> still;
    for (const auto& want : wanted) {
        still.insert(want.partition);
        auto [known, fresh] = known_.try_emplace(want.partition, want);
        if (!in_full && !fresh && known->second == want) continue;
        known->second = want;
        auto& entry =
            topic_entry(request.topics, want.partition, want.topic_id).partitions.emplace_back();
        entry.partition = want.partition.partition.value;
        entry.current_leader_epoch = want.leader_epoch.value;
        entry.fetch_offset = want.offset.value;
        entry.partition_max_bytes = want.bytes_max;
    }
    for (auto at = known_.begin(); at != known_.end();) {
        if (still.contains(at->first)) {
            ++at;
            continue;
        }
        if (!in_full) {
            topic_entry(request.forgotten_topics_data, at->first, at->second.topic_id)
                .partitions.push_back(at->first.partition.value);
        }
        at = known_.erase(at);
    }
}

void ConsumerFetchSession::on_answer(std::int32_t session_id) {
    id_ = session_id;
    if (session_id == 0) {
        epoch_ = 0;
    } else {
        epoch_ = epoch_ == INT32_MAX ? 1 : epoch_ + 1;
    }
}

void ConsumerFetchSession::reset() {
    epoch_ = 0;
}

const TopicPartition* ConsumerFetchSession::find(const Uuid& topic_id, const std::string& topic,
                                                 std::int32_t partition, bool by_id) const {
    if (!by_id) {
        auto found = known_.find({topic, PartitionIndex{partition}});
        return found == known_.end() ? nullptr : &found->first;
    }
    for (const auto& [known, want] : known_) {
        if (known.partition.value == partition && want.topic_id == topic_id) return &known;
    }
    return nullptr;
}

}  // namespace kq
