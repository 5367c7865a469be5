// SPDX-License-Identifier: Apache-2.0
#include "net/receive_buffers.hpp"

#include <algorithm>
#include <utility>

#include "base/mutant.hpp"

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

ReceiveBuffers::Single::Single(std::size_t frame_bytes, Bytes bytes, MemoryLease lease,
                               MemoryBudget& budget, std::shared_ptr<Kept> kept)
    : frame_bytes_(frame_bytes),
      bytes_(std::move(bytes)),
      lease_(std::move(lease)),
      budget_(budget),
      kept_(std::move(kept)) {}

// Memory that was touched once is worth keeping: what goes back to the kernel comes back cold.
ReceiveBuffers::Single::~Single() {
    if (is_waiting_) budget_.end_waiting(lease_.bytes());
    if (kept_->over.load() || !kept_->loop.is_here()) return;
    if (kept_->bytes + bytes_.capacity() > kept_bytes_max) return;
    kept_->bytes += bytes_.capacity();
    kept_->buffers.push_back(std::move(bytes_));
}

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

std::shared_ptr<ReceiveBuffers::Single> ReceiveBuffers::single(std::size_t frame_bytes,
                                                               std::size_t count) {
    kept_->loop.assert_here();
    KQ_CHECK(count > 0 && count <= frame_bytes);
    if (!budget_.try_take(count)) return nullptr;
    MemoryLease lease(budget_, count);
    if (mutant(Mutant::uncounted_frames)) lease.release();
    Bytes buffer;
    auto& kept = kept_->buffers;
    auto found = std::find_if(kept.begin(), kept.end(), [&](const Bytes& candidate) {
        return candidate.capacity() >= frame_bytes && candidate.capacity() / 4 <= frame_bytes;
    });
    if (found != kept.end()) {
        buffer = std::move(*found);
        kept_->bytes -= buffer.capacity();
        kept.erase(found);
        buffer.resize(frame_bytes);
    } else {
        if (!kept.empty() && kept_->bytes + frame_bytes > kept_bytes_max) {
            kept_->bytes -= kept.front().capacity();  // sizes have changed: make room for new ones
            kept.erase(kept.begin());
        }
        // Not touched: what is not counted yet is addresses only, and no more than a slab of them.
        buffer.resize(std::max(count, std::min(frame_bytes, slab_bytes)));
    }
    return std::make_shared<Single>(frame_bytes, std::move(buffer), std::move(lease), budget_,
                                    kept_);
}

bool ReceiveBuffers::grow(Single& single) {
    const auto counted = static_cast<std::size_t>(single.lease_.bytes());
    const std::size_t rest = single.frame_bytes_ - counted;
    std::size_t more = std::min(counted, rest);
    if (!mutant(Mutant::uncounted_frames) && !single.budget_.try_take(more)) {
        if (!std::exchange(single.is_waiting_, true)) single.budget_.begin_waiting(counted);
        more = rest;
        if (!single.budget_.try_overdraw(more)) return false;
    }
    if (std::exchange(single.is_waiting_, false)) single.budget_.end_waiting(counted);
    single.lease_.add(more);
    if (single.bytes_.size() < counted + more) {
        Bytes larger(counted + more);
        std::copy_n(single.bytes_.begin(), counted, larger.begin());
        single.bytes_ = std::move(larger);
    }
    return true;
}

}  // namespace kq
