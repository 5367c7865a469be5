// SPDX-License-Identifier: Apache-2.0
//
// PendingFetches: the fetches of one loop's connections, from the request to the response: locate,
// wait until there is enough, read what is cold, answer.
//
// shape    a fetch locates its partitions with their owners (one message a loop, none where the
//          owner is this loop), and is answered at once when an error, a divergence or min_bytes is
//          there; else it watches its partitions until that changes, or max_wait_ms has passed
// owner    the loop of the connections
// source   docs/architecture.md, 5 "Fetch"; Kafka protocol guide, "Fetch API (Key: 1)"; KIP-74,
//          KIP-227, KIP-320, KIP-951
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/io_pool.hpp"
#include "base/loop.hpp"
#include "base/memory_budget.hpp"
#include "broker/fetch_session.hpp"
#include "broker/partition_router.hpp"
#include "broker/reply.hpp"
#include "broker/request_context.hpp"
#include "protocol/messages/01_fetch.hpp"

namespace kq {

struct FetchLimits {
    std::uint32_t max_bytes = 57'671'680;  // fetch.max.bytes of the broker
    std::size_t sessions = 1000;           // max.incremental.fetch.session.cache.slots, its share
    std::size_t session_partitions = 100'000;   // of one loop's sessions together
    std::uint64_t warm_tail_bytes = 32u << 20;  // the end of a file that is taken to be cached
    // Of what is read from the disk: for a partition and answer, and for all that are not sent yet.
    std::uint64_t cold_read_bytes = 1u << 20;
    std::uint64_t cold_bytes_max = 64u << 20;
};

class PendingFetches {
public:
    // `index` is that of `loop` among the data loops; session ids are drawn from its share.
    PendingFetches(Loop& loop, std::size_t index, const PartitionRouter& router, IoPool& pool,
                   FetchLimits limits);
    ~PendingFetches();
    PendingFetches(const PendingFetches&) = delete;
    PendingFetches& operator=(const PendingFetches&) = delete;

    void start(RequestContext& context, wire::FetchRequest request,
               Reply<wire::FetchResponse> reply);

    // Answers everything that waits with what is there.
    void stop();

    std::size_t size() const {
        loop_.assert_here();
        return fetches_.size();
    }
    std::size_t session_count() const {
        loop_.assert_here();
        return sessions_->used();
    }
    std::size_t session_partition_count() const {
        loop_.assert_here();
        return sessions_->partitions();
    }
    // Memory of records that were read from the disk and are not sent yet.
    std::uint64_t cold_bytes() const { return cold_memory_->used(); }

private:
    struct Slot;
    struct Fetch;

    Errc open_session(RequestContext& context, const wire::FetchRequest& request, Fetch& fetch)
        KQ_ON(loop_);
    static void take_slots(const wire::FetchRequest& request, Fetch& fetch);
    std::int32_t next_session_id() KQ_ON(loop_);
    void resolve_all(Fetch& fetch, BrokerId replica) KQ_ON(loop_);
    static FetchPosition position_of(const Fetch& fetch, const Slot& slot);
    void locate(Fetch& fetch) KQ_ON(loop_);
    void on_located(std::uint64_t number, std::vector<LocateAnswer> answers) KQ_ON(loop_);
    void proceed(Fetch& fetch) KQ_ON(loop_);
    void evaluate(Fetch& fetch) KQ_ON(loop_);
    bool is_enough(const Fetch& fetch) const;
    void watch_all(Fetch& fetch) KQ_ON(loop_);
    void on_fired(std::uint64_t number, std::uint32_t slot) KQ_ON(loop_);
    void on_deadline(std::uint64_t number) KQ_ON(loop_);
    static void apply_max_bytes(Fetch& fetch);
    bool is_cold(const FileSlice& slice) const;
    void read_cold(Fetch& fetch) KQ_ON(loop_);
    static wire::FetchResponse::PartitionData answer_of(Fetch& fetch, Slot& slot,
                                                        wire::FetchResponse& response);
    static void add_leader(const Fetch& fetch, const Slot& slot,
                           wire::FetchResponse::PartitionData& data, wire::FetchResponse& response);
    void answer(Fetch& fetch) KQ_ON(loop_);
    void forget(Fetch& fetch) KQ_ON(loop_);
    Fetch* find(std::uint64_t number) KQ_ON(loop_);

    Loop& loop_;
    const std::size_t index_;
    const PartitionRouter& router_;
    IoPool& pool_;
    const FetchLimits limits_;
    std::shared_ptr<FetchSessionSlots> sessions_ KQ_OWNED_BY(loop_);
    const std::shared_ptr<MemoryBudget> cold_memory_;
    std::uint64_t last_number_ KQ_OWNED_BY(loop_) = 0;
    std::uint64_t last_session_ KQ_OWNED_BY(loop_) = 0;
    std::unordered_map<std::uint64_t, std::unique_ptr<Fetch>> fetches_ KQ_OWNED_BY(loop_);
};

}  // namespace kq
