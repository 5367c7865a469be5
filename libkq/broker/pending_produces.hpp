// SPDX-License-Identifier: Apache-2.0
//
// PendingProduces: the produce requests of one loop's connections, from the request to the
// response: hand every batch to its owner, wait for the verdicts, answer when all are in or the
// time of the request is over.
//
// shape    one Append message for each owner loop, in request order (none where the owner is this
//          loop); every partition is answered: with its offset, its error, or request_timed_out
// owner    the loop of the connections
// source   docs/architecture.md, 5 "Produce"; Kafka protocol guide, "Produce API (Key: 0)"; KIP-951
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/loop.hpp"
#include "broker/partition_router.hpp"
#include "broker/reply.hpp"
#include "broker/request_context.hpp"
#include "protocol/messages/00_produce.hpp"

namespace kq {

class PendingProduces {
public:
    PendingProduces(Loop& loop, const PartitionRouter& router);
    ~PendingProduces();
    PendingProduces(const PendingProduces&) = delete;
    PendingProduces& operator=(const PendingProduces&) = delete;

    void start(RequestContext& context, wire::ProduceRequest request,
               Reply<wire::ProduceResponse> reply);

    // Answers what waits with request_timed_out: it is written, but not known to be safe.
    void stop();

    std::size_t size() const {
        loop_.assert_here();
        return produces_.size();
    }

private:
    struct Produce;
    struct Place;

    std::vector<std::vector<AppendItem>> resolve(const RequestContext& context,
                                                 const wire::ProduceRequest& request,
                                                 Produce& produce) KQ_ON(loop_);
    void send_to_owners(const RequestContext& context, std::int16_t acks, Produce& produce,
                        std::vector<std::vector<AppendItem>> by_owner) KQ_ON(loop_);
    void on_verdicts(std::uint64_t number, std::vector<AppendVerdict> verdicts) KQ_ON(loop_);
    void on_deadline(std::uint64_t number) KQ_ON(loop_);
    void time_out(Produce& produce) KQ_ON(loop_);
    static void hint_at_leader(Produce& produce, const Place& place);
    static void set_error(wire::ProduceResponse::PartitionProduceResponse& answer, Errc code,
                          std::string message, int version);
    void answer(Produce& produce) KQ_ON(loop_);
    void forget(Produce& produce) KQ_ON(loop_);

    Loop& loop_;
    const PartitionRouter& router_;
    std::uint64_t last_number_ KQ_OWNED_BY(loop_) = 0;
    std::unordered_map<std::uint64_t, std::unique_ptr<Produce>> produces_ KQ_OWNED_BY(loop_);
};

}  // namespace kq
