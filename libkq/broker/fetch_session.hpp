// SPDX-License-Identifier: Apache-2.0
//
// FetchSession: what a consumer fetches, remembered between its requests (KIP-227), so that a
// request names only what changed and a response only what is new.
//
// shape    partitions in the order in which they are served; who got records moves to the end, so
//          that no partition starves behind max_bytes
// owner    the loop of its connection, with which it dies
// source   Kafka protocol guide, "Fetch API (Key: 1)"; KIP-227, KIP-516
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/ids.hpp"
#include "protocol/messages/01_fetch.hpp"

namespace kq {

// A topic as the client names it: by id from version 13 on, by name before.
struct FetchTopicKey {
    std::string name;
    Uuid id;
    friend bool operator==(const FetchTopicKey&, const FetchTopicKey&) = default;
};

struct FetchedPartition {
    FetchTopicKey topic;
    wire::FetchRequest::FetchPartition asked;
    // What the client was last told; -1 makes the next answer name the partition again.
    std::int64_t high_watermark = -1;
    std::int64_t log_start = -1;
};

// How many sessions the connections of one loop may hold together, and how many partitions those
// may name, existing or not; counts itself.
class FetchSessionSlots {
public:
    FetchSessionSlots(std::size_t limit, std::size_t partitions_max)
        : limit_(limit), partitions_max_(partitions_max) {}
    bool has_room() const { return used_ < limit_; }
    std::size_t used() const { return used_; }
    std::size_t partitions() const { return partitions_; }

private:
    friend class FetchSession;
    std::size_t limit_;
    std::size_t partitions_max_;
    std::size_t used_ = 0;
    std::size_t partitions_ = 0;
};

class FetchSession {
public:
    // Requires: slots->has_room(). The slots outlive the loop's connections by shared ownership.
    FetchSession(std::int32_t id, bool by_topic_id, std::shared_ptr<FetchSessionSlots> slots);
    ~FetchSession();
    FetchSession(const FetchSession&) = delete;
    FetchSession& operator=(const FetchSession&) = delete;

    std::int32_t id() const { return id_; }
    bool by_topic_id() const { return by_topic_id_; }
    // The epoch that the next request must carry: 1 after the creation, 1 after 2147483647.
    std::int32_t next_epoch() const { return next_epoch_; }
    void advance_epoch();

    // Adds or changes what the request lists, removes what it forgets. False when the slots have no
    // room for so many partitions, or a name is longer than any topic's: the session is of no use
    // any more then.
    [[nodiscard]] bool update(const wire::FetchRequest& request);

    std::list<FetchedPartition>& partitions() { return partitions_; }
    bool empty() const { return partitions_.empty(); }
    std::size_t size() const { return partitions_.size(); }

    // Whether an incremental response must name this partition; remembers what it says.
    static bool note_answer(FetchedPartition& partition,
                            const wire::FetchResponse::PartitionData& answer);
    // Serves the partition after all others from now on.
    void move_to_end(std::list<FetchedPartition>::iterator partition);

private:
    struct Key {
        FetchTopicKey topic;
        std::int32_t partition = 0;
        friend bool operator==(const Key&, const Key&) = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const noexcept;
    };

    const std::int32_t id_;
    const bool by_topic_id_;
    std::shared_ptr<FetchSessionSlots> slots_;
    std::int32_t next_epoch_ = 1;
    std::list<FetchedPartition> partitions_;
    std::unordered_map<Key, std::list<FetchedPartition>::iterator, KeyHash> places_;
};

// What a request's session fields ask for (PROTOCOL: session_id and session_epoch).
enum class FetchSessionUse {
    none,         // a full fetch without a session
    create,       // a full fetch, and a session from now on
    incremental,  // the session of this connection, changed as the request says
    unknown,      // fetch_session_id_not_found
    wrong_epoch,  // invalid_fetch_session_epoch
    wrong_naming  // fetch_session_topic_id_error
};
FetchSessionUse fetch_session_use(const wire::FetchRequest& request, int version,
                                  const FetchSession* session);

}  // namespace kq
