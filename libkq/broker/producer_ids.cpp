// SPDX-License-Identifier: Apache-2.0
#include "broker/producer_ids.hpp"

#include <utility>

namespace kq {

ProducerIds::ProducerIds(Loop& loop, AllocateProducerIds allocate)
    : loop_(loop), allocate_(std::move(allocate)) {}

ProducerIds::~ProducerIds() = default;

void ProducerIds::next(Callback<void(Result<ProducerId>)> on_id) {
    loop_.assert_here();
    waiting_.push_back(std::move(on_id));
    serve();
}

void ProducerIds::serve() {
    while (!waiting_.empty() && next_ < end_) {
        auto on_id = std::move(waiting_.front());
        waiting_.pop_front();
        const ProducerId id = next_;
        ++next_;
        on_id(id);
    }
    if (waiting_.empty() || std::exchange(asking_, true)) return;
    allocate_([this](Result<ProducerIdBlock> block) {
        loop_.assert_here();
        on_block(std::move(block));
    });
}

void ProducerIds::on_block(Result<ProducerIdBlock> block) {
    asking_ = false;
    if (block.ok() && block.value().size > 0) {
        next_ = block.value().first;
        end_ = next_ + block.value().size;
        serve();
        return;
    }
    // Nobody can be served now; the clients ask again.
    const Error why(Errc::coordinator_load_in_progress, "no block of producer ids could be had");
    for (auto& on_id : std::exchange(waiting_, {}))
        on_id(why);
}

}  // namespace kq
