// SPDX-License-Identifier: Apache-2.0
#include "net/receive_buffers.hpp"

#include <algorithm>

namespace kq {

struct ReceiveBuffers::SlabHold {
    explicit SlabHold(std::shared_ptr<Slab> slab_in) : slab(std::move(slab_in)) {
        slab->holds.fetch_add(1, std::memory_order_relaxed);
    }
    ~SlabHold() { slab->holds.fetch_sub(1, std::memory_order_release); }
    SlabHold(const SlabHold&) = delete;
    SlabHold& operator=(const SlabHold&) = delete;
    std::shared_ptr<Slab> slab;
};

struct ReceiveBuffers::Kept {
    explicit Kept(Loop& loop_in) : loop(loop_in) {}
    Loop& loop;
    std::atomic<bool> over{false};  // the loop's buffers are gone
    std::size_t bytes = 0;
    std::vector<Bytes> buffers;
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
    KQ_CHECK(least <= slab_bytes);
    for (auto slab = slabs_.rbegin(); slab != slabs_.rend(); ++slab) {
        if ((*slab)->holds.load(std::memory_order_acquire) == 0) (*slab)->used = 0;
        if (slab_bytes - (*slab)->used < least) continue;
        std::rotate(slab.base() - 1, slab.base(), slabs_.end());
        return MutableBytes(slabs_.back()->bytes).subspan(slabs_.back()->used);
    }
    // The first slab of a loop is always there: a broker that cannot receive cannot free either.
    if (!slabs_.empty() && !budget_.try_take(slab_bytes)) return {};
    auto slab = std::make_shared<Slab>();
    if (!slabs_.empty()) slab->lease = MemoryLease(budget_, slab_bytes);
    slab->bytes.resize(slab_bytes);  // not touched
    // Of several that are free one is enough.
    std::erase_if(slabs_, [&](const auto& other) {
        return slabs_.size() > 4 && other->holds.load(std::memory_order_acquire) == 0;
    });
    slabs_.push_back(std::move(slab));
    return MutableBytes(slabs_.back()->bytes);
}

std::shared_ptr<const void> ReceiveBuffers::take(std::size_t count) {
    auto& slab = slabs_.back();
    KQ_CHECK(count <= slab_bytes - slab->used);
    slab->used += count;
    return std::make_shared<const SlabHold>(slab);
}

std::optional<ReceiveBuffers::Single> ReceiveBuffers::single(std::size_t bytes) {
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
