// SPDX-License-Identifier: Apache-2.0
#include "base/memory_inode.hpp"

#include <algorithm>

namespace kq {

std::uint64_t MemoryInode::size() const {
    std::lock_guard lock(mutex_);
    return size_;
}

WallTime MemoryInode::modified() const {
    std::lock_guard lock(mutex_);
    return modified_;
}

std::size_t MemoryInode::read(std::uint64_t position, MutableBytes into) const {
    std::lock_guard lock(mutex_);
    return copy_out(position, into);
}

void MemoryInode::write(std::uint64_t position, ByteView bytes, WallTime now) {
    std::lock_guard lock(mutex_);
    if (bytes.empty()) return;
    std::uint64_t end = position + bytes.size();
    remember(std::min(position, size_), end);
    if (end > size_) resize(end);
    copy_in(position, bytes);
    modified_ = now;
}

void MemoryInode::truncate(std::uint64_t size, WallTime now) {
    std::lock_guard lock(mutex_);
    if (size == size_) return;
    remember(std::min(size, size_), std::max(size, size_));
    resize(size);
    modified_ = now;
}

void MemoryInode::sync() {
    std::lock_guard lock(mutex_);
    unsynced_.clear();
    if (!size_doomed_) durable_size_ = size_;
}

void MemoryInode::sync_failed() {
    std::lock_guard lock(mutex_);
    for (auto& [number, sector] : unsynced_)
        doomed_.try_emplace(number, sector);
    unsynced_.clear();
    size_doomed_ = durable_size_ != size_;
}

bool MemoryInode::is_synced() const {
    std::lock_guard lock(mutex_);
    return unsynced_.empty() && doomed_.empty() && durable_size_ == size_;
}

void MemoryInode::flip(std::uint64_t position, int bit) {
    std::lock_guard lock(mutex_);
    KQ_CHECK(position < size_);
    auto& byte = chunks_[position / chunk_bytes][position % chunk_bytes];
    byte = static_cast<std::uint8_t>(byte ^ (1 << bit));
}

void MemoryInode::power_off(Random& random, double keep) {
    std::lock_guard lock(mutex_);
    auto lost = std::move(unsynced_);
    for (auto& [number, sector] : doomed_)
        lost.insert_or_assign(number, sector);
    unsynced_.clear();
    doomed_.clear();
    size_doomed_ = false;

    // A file that grew may come back with any length between; one that was cut is cut or is not.
    std::uint64_t written_size = size_;
    std::uint64_t size = random.chance(keep) ? size_ : durable_size_;
    if (size_ > durable_size_ && random.chance(keep / 2)) {
        size = durable_size_ + random.below(size_ - durable_size_ + 1);
    }
    resize(size);
    for (const auto& [number, old] : lost) {
        std::uint64_t at = number * sector_bytes;
        if (at >= size) continue;
        bool was_cut = at >= written_size;  // then the disk's old bytes are all there is
        if (!was_cut && random.chance(keep)) continue;
        copy_in(at, ByteView(old).first(static_cast<std::size_t>(
                        std::min<std::uint64_t>(sector_bytes, size - at))));
    }
    durable_size_ = size_;
}

void MemoryInode::apply(const Step& step, Names& to) {
    switch (step.kind) {
        case Step::Kind::add:
            to[step.name] = step.inode;
            break;
        case Step::Kind::remove: {
            auto found = to.find(step.name);
            if (found != to.end() && found->second == step.inode) to.erase(found);
            break;
        }
        case Step::Kind::rename: {
            auto found = to.find(step.name);
            if (found != to.end() && found->second == step.inode) to.erase(found);
            to[step.to] = step.inode;
            break;
        }
    }
}

// Keeps what the disk has of the sectors in [from, to), before they change.
void MemoryInode::remember(std::uint64_t from, std::uint64_t to) {
    if (!keeps_durable_) return;
    for (std::uint64_t number = from / sector_bytes; number * sector_bytes < to; ++number) {
        Sector old{};
        auto doomed = doomed_.find(number);
        if (doomed != doomed_.end()) {
            old = doomed->second;
            doomed_.erase(doomed);
        } else if (unsynced_.contains(number)) {
            continue;
        } else {
            copy_out(number * sector_bytes, old);
        }
        unsynced_.emplace(number, old);
    }
    size_doomed_ = false;
}

void MemoryInode::resize(std::uint64_t size) {
    size_ = size;
    auto count = static_cast<std::size_t>((size + chunk_bytes - 1) / chunk_bytes);
    for (std::size_t i = chunks_.size(); i < count; ++i) {
        if (i > 0) chunks_[i - 1].resize(chunk_bytes, 0);
        chunks_.emplace_back();
    }
    chunks_.resize(count);
    if (count > 0) {
        chunks_[count - 1].resize(static_cast<std::size_t>(size - (count - 1) * chunk_bytes), 0);
    }
}

void MemoryInode::copy_in(std::uint64_t position, ByteView bytes) {
    while (!bytes.empty()) {
        auto& chunk = chunks_[position / chunk_bytes];
        auto at = static_cast<std::size_t>(position % chunk_bytes);
        auto count = std::min(bytes.size(), chunk.size() - at);
        std::copy_n(bytes.begin(), count, chunk.begin() + static_cast<std::ptrdiff_t>(at));
        bytes = bytes.subspan(count);
        position += count;
    }
}

std::size_t MemoryInode::copy_out(std::uint64_t position, MutableBytes into) const {
    std::size_t filled = 0;
    while (filled < into.size() && position < size_) {
        const auto& chunk = chunks_[position / chunk_bytes];
        auto at = static_cast<std::size_t>(position % chunk_bytes);
        auto count = std::min(into.size() - filled, chunk.size() - at);
        std::copy_n(chunk.begin() + static_cast<std::ptrdiff_t>(at), count,
                    into.begin() + static_cast<std::ptrdiff_t>(filled));
        filled += count;
        position += count;
    }
    return filled;
}

}  // namespace kq
