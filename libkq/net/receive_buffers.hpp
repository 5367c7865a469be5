// SPDX-License-Identifier: Apache-2.0
//
// ReceiveBuffers: the memory that the connections of one loop receive into.
//
// shape    slabs of 1 MiB, used from front to back and again from the front once nobody holds a
//          frame in them; frames too long for that get a buffer of their own, which grows, and is
//          counted, as their bytes come, and is kept for the next one. A connection between frames
//          holds nothing. The budget counts frames: not the slab that is received into, nor the few
//          that are kept with nothing in them
// owner    its loop; holds may die on any thread
// errors   no memory: the budget is used up (the caller waits for it)
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
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

    // A buffer for a frame of that size, of which the budget counts `count` for a beginning; null
    // when it is used up. Requires: 0 < count <= frame_bytes.
    class Single;
    std::shared_ptr<Single> single(std::size_t frame_bytes, std::size_t count);
    // Counts twice as much, or all; what room() gave before has moved. False when the budget is
    // used up: the frame counts as waiting then, until it is asked for again with success.
    static bool grow(Single& single);

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
    struct Kept;  // buffers to be used again; outlives us while holds do

    Loop& loop_;
    MemoryBudget& budget_;
    std::vector<std::shared_ptr<Slab>> slabs_ KQ_OWNED_BY(loop_);  // the last is the one in use
    const std::shared_ptr<Kept> kept_;
};

// The bytes of one frame; whoever shares in it keeps them.
class ReceiveBuffers::Single {
public:
    Single(std::size_t frame_bytes, Bytes bytes, MemoryLease lease, MemoryBudget& budget,
           std::shared_ptr<Kept> kept);
    ~Single();
    Single(const Single&) = delete;
    Single& operator=(const Single&) = delete;

    std::size_t frame_bytes() const { return frame_bytes_; }
    // The front of the frame, as far as it is counted.
    MutableBytes room() {
        return MutableBytes(bytes_).first(static_cast<std::size_t>(lease_.bytes()));
    }

private:
    friend class ReceiveBuffers;
    const std::size_t frame_bytes_;
    Bytes bytes_;        // of whoever holds the frame
    MemoryLease lease_;  // for any thread
    MemoryBudget& budget_;
    bool is_waiting_ = false;           // of the session that receives into it
    const std::shared_ptr<Kept> kept_;  // asks for its loop itself
};

}  // namespace kq
