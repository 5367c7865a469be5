// SPDX-License-Identifier: Apache-2.0
//
// ConsumerFetchSession: what one broker remembers of our fetches (KIP-227), so that a request names
// only what has changed since the one before.
//
// shape    id 0 and epoch 0 ask for a new session; the broker names it, and every further request
//          bears the next epoch. A broker that gives no session is asked in full every time
// owner    ConsumerCore's loop
// source   Kafka protocol guide, "Fetch API"; KIP-227, KIP-516 (topic ids)
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "protocol/messages/01_fetch.hpp"

namespace kq {

// What is asked of one partition.
struct WantedFetch {
    TopicPartition partition;
    Uuid topic_id;
    Epoch leader_epoch = no_epoch;
    Offset offset;
    std::int32_t bytes_max = 0;

    friend bool operator==(const WantedFetch&, const WantedFetch&) = default;
};

class ConsumerFetchSession {
public:
    // Fills session, topics and forgotten topics of `request`, in the order of `wanted`.
    // `by_id`: the request names topics by their ids (version 13 and above).
    void fill(wire::FetchRequest& request, const std::vector<WantedFetch>& wanted, bool by_id);

    // The broker answered: `session_id` as it said. The partitions asked for last are known there.
    void on_answer(std::int32_t session_id);
    // The broker does not know the session, or the answer was lost: start over. What the broker may
    // still hold under the old id is closed by the next request.
    void reset();

    // The partition that an answer means; null if it was not asked for.
    const TopicPartition* find(const Uuid& topic_id, const std::string& topic,
                               std::int32_t partition, bool by_id) const;
    std::size_t size() const { return known_.size(); }

private:
    std::int32_t id_ = 0;
    std::int32_t epoch_ = 0;  // of the next request; 0: in full
    bool by_id_ = false;
    std::map<TopicPartition, WantedFetch> known_;  // to the broker, once it has answered
};

}  // namespace kq
