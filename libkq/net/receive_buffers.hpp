// SPDX-License-Identifier: Apache-2.0
//
// ReceiveBuffers: the memory that the connections of one loop receive into.
//
// shape    slabs of 1 MiB, used from front to back and again from the front once nobody holds a
//          frame in them; frames too long for that get a buffer of their size, which is kept for
//          the next one. A connection between frames holds nothing. The budget counts frames: not
//          the slab that is received into, nor the few that are kept with nothing in them
// owner    its loop; holds may die on any thread
// errors   no memory: the budget is used up (the caller waits for it)
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/loop.hpp"
#include "base/memory_budget.hpp"

namespace kq {

class ReceiveBuffers {
public:
    static constexpr std::size_t slab_bytes = std::size_t{1} << 20;
    static constexpr std::size_t kept_bytes_max = std::size_t{16} << 20;  // of single buffers

    ReceiveBuffers(Loop& loop, MemoryBudget& budget);
    ~ReceiveBuffers();

    // Free memory at the end of a slab, at least `least` bytes; empty when the budget is used up.
    // Requires: least <= slab_bytes.
    MutableBytes space(std::size_t least);
    // The first `count` bytes of what space() gave are in use; the answer keeps them so.
    std::shared_ptr<const void> take(std::size_t count);

    // A buffer of exactly that size; nothing when the budget is used up.
    struct Single {
        MutableBytes bytes;
        std::shared_ptr<const void> hold;
    };
    std::optional<Single> single(std::size_t bytes);

    std::size_t slab_count() const {
        loop_.assert_here();
        return slabs_.size();
    }

private:
    // What the budget counts while frames in a slab are held. One for each time a slab is filled:
    // its last hold, which may die on another thread, is the end of it.
    struct Filling {
        MemoryLease lease;
    };
    struct Slab {
        Bytes bytes;
        std::size_t used = 0;
        std::atomic<std::size_t> holds{0};
        std::shared_ptr<Filling> filling;  // of the slab in use
    };
    bool retire_last() KQ_ON(loop_);
    struct SlabHold;
    struct SingleHold;
    struct Kept;  // buffers to be used again; outlives us while holds do

    Loop& loop_;
    MemoryBudget& budget_;
    std::vector<std::shared_ptr<Slab>> slabs_ KQ_OWNED_BY(loop_);  // the last is the one in use
    const std::shared_ptr<Kept> kept_;
};

}  // namespace kq
