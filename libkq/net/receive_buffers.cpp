// SPDX-License-Identifier: Apache-2.0
#include "net/receive_buffers.hpp"

#include <algorithm>

namespace kq {

namespace {

constexpr std::size_t slabs_max = 4;  // beside those whose frames are held

}  // namespace

struct ReceiveBuffers::SlabHold {
    explicit SlabHold(std::shared_ptr<Slab> slab_in)
        : slab(std::move(slab_in)), filling(slab->filling) {
        slab->holds.fetch_add(1, std::memory_order_relaxed);
    }
    ~SlabHold() { slab->holds.fetch_sub(1, std::memory_order_release); }
    SlabHold(const SlabHold&) = delete;
    SlabHold& operator=(const SlabHold&) = delete;
    std::shared_ptr<Slab> slab;
    std::shared_ptr<Filling> filling;
};

struct ReceiveBuffers::Kept {
    explicit Kept(Loop& loop_in) : loop(loop_in) {}
    Loop& loop;
    std::atomic<bool> over{false};  // the loop's buffers are gone
    std::size_t bytes KQ_OWNED_BY(loop) = 0;
    std::vector<Bytes> buffers KQ_OWNED_BY(loop);
};

struct ReceiveBuffers::SingleHold {
    SingleHold(Bytes bytes_in, MemoryLease lease_in, std::shared_ptr<Kept> kept_in)
        : bytes(std::move(bytes_in)), lease(std::move(lease_in)), kept(std::move(kept_in)) {}
    // Memory that was touched once is worth keeping: what goes back to the kernel comes back cold.
    ~SingleHold() {
        if (kept->over.load() || !kept->loop.is_here()) return;
        if (kept->bytes + bytes.capacity() > kept_bytes_max) return;
        kept->bytes += bytes.capacity();
        kept->buffers.push_back(std::move(bytes));
    }
    SingleHold(const SingleHold&) = delete;
    SingleHold& operator=(const SingleHold&) = delete;
    Bytes bytes;
    MemoryLease lease;
    std::shared_ptr<Kept> kept;
};

ReceiveBuffers::ReceiveBuffers(Loop& loop, MemoryBudget& budget)
    : loop_(loop), budget_(budget), kept_(std::make_shared<Kept>(loop)) {}

ReceiveBuffers::~ReceiveBuffers() {
    kept_->over = true;
    kept_->buffers.clear();
}

MutableBytes ReceiveBuffers::space(std::size_t least) {
    loop_.assert_here();
    KQ_CHECK(least <= slab_bytes);
    auto is_free = [](const std::shared_ptr<Slab>& slab) {
        return slab->holds.load(std::memory_order_acquire) == 0;
    };
    if (!slabs_.empty()) {
        Slab& last = *slabs_.back();
        if (is_free(slabs_.back())) last.used = 0;
        if (slab_bytes - last.used >= least) return MutableBytes(last.bytes).subspan(last.used);
        if (!retire_last()) return {};
    }
    if (auto free = std::find_if(slabs_.begin(), slabs_.end(), is_free); free != slabs_.end()) {
        std::rotate(free, free + 1, slabs_.end());
    } else {
        slabs_.push_back(std::make_shared<Slab>());
        slabs_.back()->bytes.resize(slab_bytes);  // not touched
    }
    Slab& next = *slabs_.back();
    next.used = 0;
    next.filling = std::make_shared<Filling>();
    auto others_end = slabs_.end() - 1;
    while (slabs_.size() > slabs_max) {
        auto spare = std::find_if(slabs_.begin(), others_end, is_free);
        if (spare == others_end) break;
        slabs_.erase(spare);
        others_end = slabs_.end() - 1;
    }
    return MutableBytes(next.bytes);
}

// The slab in use is full. From now on the budget counts it, until its last frame is done with. (A
// loop always has one slab that costs nothing: a broker that cannot receive cannot free either.)
bool ReceiveBuffers::retire_last() {
    if (!budget_.try_take(slab_bytes)) return false;
    Slab& last = *slabs_.back();
    last.filling->lease = MemoryLease(budget_, slab_bytes);
    last.filling = nullptr;
    return true;
}

std::shared_ptr<const void> ReceiveBuffers::take(std::size_t count) {
    loop_.assert_here();
    auto& slab = slabs_.back();
    KQ_CHECK(count <= slab_bytes - slab->used);
    slab->used += count;
    return std::make_shared<const SlabHold>(slab);
}

std::optional<ReceiveBuffers::Single> ReceiveBuffers::single(std::size_t bytes) {
    kept_->loop.assert_here();
    if (!budget_.try_take(bytes)) return std::nullopt;
    Bytes buffer;
    auto& kept = kept_->buffers;
    auto found = std::find_if(kept.begin(), kept.end(), [&](const Bytes& candidate) {
        return candidate.capacity() >= bytes && candidate.capacity() / 4 <= bytes;
    });
    if (found != kept.end()) {
        buffer = std::move(*found);
        kept_->bytes -= buffer.capacity();
        kept.erase(found);
    } else if (!kept.empty() && kept_->bytes + bytes > kept_bytes_max) {
        kept_->bytes -= kept.front().capacity();  // sizes have changed: make room for new ones
        kept.erase(kept.begin());
    }
    buffer.resize(bytes);
    auto hold = std::make_shared<SingleHold>(std::move(buffer), MemoryLease(budget_, bytes), kept_);
    MutableBytes view(hold->bytes);
    return Single{view, std::move(hold)};
}

}  // namespace kq
