// SPDX-License-Identifier: Apache-2.0
//
// ProducerIds: hands out ids to idempotent producers, one after the other from blocks that the
// controller gave to this broker.
//
// shape    one for each data loop; a new block is asked for when the last id of the old one is
//          gone, and requests wait for it in order
// owner    its data loop
// errors   coordinator_load_in_progress (retriable) when no block could be had
#pragma once

#include <cstdint>
#include <deque>

#include "base/function.hpp"
#include "base/ids.hpp"
#include "base/loop.hpp"
#include "base/result.hpp"
#include "metadata/metadata_node.hpp"

namespace kq {

// Asks the controller for a block; the callback comes on the loop that asked.
using AllocateProducerIds = Function<void(Callback<void(Result<ProducerIdBlock>)>)>;

class ProducerIds {
public:
    ProducerIds(Loop& loop, AllocateProducerIds allocate);
    ~ProducerIds();

    void next(Callback<void(Result<ProducerId>)> on_id);

private:
    void serve() KQ_ON(loop_);
    void on_block(Result<ProducerIdBlock> block) KQ_ON(loop_);

    Loop& loop_;
    AllocateProducerIds allocate_ KQ_OWNED_BY(loop_);
    ProducerId next_ KQ_OWNED_BY(loop_){0};
    ProducerId end_ KQ_OWNED_BY(loop_){0};
    bool asking_ KQ_OWNED_BY(loop_) = false;
    std::deque<Callback<void(Result<ProducerId>)>> waiting_ KQ_OWNED_BY(loop_);
};

}  // namespace kq
