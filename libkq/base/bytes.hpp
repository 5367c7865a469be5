// SPDX-License-Identifier: Apache-2.0
//
// Bytes: owned, growable memory that is not zero-filled when it grows. ByteView and MutableBytes
// borrow.
//
// units    sizes and positions count bytes; stored integers are big-endian unless a name says `le`
#pragma once

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kq {

// An allocator whose default construction leaves memory as it is: a buffer that is about to be
// overwritten is never filled with zeros first.
template <class T>
struct DefaultInitAllocator : std::allocator<T> {
    using std::allocator<T>::allocator;
    template <class U>
    struct rebind {
        using other = DefaultInitAllocator<U>;
    };
    template <class U>
    void construct(U* place) noexcept {
        ::new (static_cast<void*>(place)) U;
    }
    template <class U, class... Args>
    void construct(U* place, Args&&... args) {
        std::construct_at(place, std::forward<Args>(args)...);
    }
};

using Bytes = std::vector<std::uint8_t, DefaultInitAllocator<std::uint8_t>>;
using ByteView = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;

inline ByteView as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
// Like resize(), but what is there already moves as one block when it has to move: a vector with an
// allocator of its own moves byte by byte.
inline void grow_to(Bytes& bytes, std::size_t size) {
    if (size > bytes.capacity()) {
        Bytes larger;
        larger.reserve(std::max(size, bytes.capacity() * 2));
        larger.resize(bytes.size());
        if (!bytes.empty()) std::memcpy(larger.data(), bytes.data(), bytes.size());
        bytes.swap(larger);
    }
    bytes.resize(size);
}
inline void append(Bytes& out, ByteView view) {
    if (view.empty()) return;
    auto at = out.size();
    grow_to(out, at + view.size());
    std::memcpy(out.data() + at, view.data(), view.size());
}
inline Bytes to_bytes(ByteView view) {
    Bytes out;
    append(out, view);
    return out;
}

template <std::integral T>
T byte_swapped(T value) {
    using U = std::make_unsigned_t<T>;
    auto u = static_cast<U>(value);
    if constexpr (sizeof(T) == 1) {
        return value;
    } else if constexpr (sizeof(T) == 2) {
        return static_cast<T>(__builtin_bswap16(u));
    } else if constexpr (sizeof(T) == 4) {
        return static_cast<T>(__builtin_bswap32(u));
    } else {
        return static_cast<T>(__builtin_bswap64(u));
    }
}
static_assert(std::endian::native == std::endian::little, "kq is built for little-endian machines");

// Big-endian load and store at `place`. Requires: sizeof(T) bytes there.
template <std::integral T>
T load_be(const std::uint8_t* place) {
    T value;
    std::memcpy(&value, place, sizeof(T));
    return byte_swapped(value);
}
template <std::integral T>
void store_be(std::uint8_t* place, T value) {
    value = byte_swapped(value);
    std::memcpy(place, &value, sizeof(T));
}
template <std::integral T>
void append_be(Bytes& out, T value) {
    auto at = out.size();
    grow_to(out, at + sizeof(T));
    store_be(out.data() + at, value);
}

// Lower-case hexadecimal digits, without separators.
std::string to_hex(ByteView bytes);

// A piece of memory that somebody keeps alive: a slice of a receive buffer, of a compressed block,
// of a cached file. Copying shares, never copies the bytes.
class SharedBytes {
public:
    SharedBytes() = default;
    SharedBytes(std::shared_ptr<const void> owner, ByteView view)
        : owner_(std::move(owner)), view_(view) {}
    static SharedBytes copy_of(ByteView view) { return of(to_bytes(view)); }
    static SharedBytes of(Bytes bytes) {
        auto owner = std::make_shared<const Bytes>(std::move(bytes));
        ByteView view(*owner);
        return {std::move(owner), view};
    }

    ByteView view() const { return view_; }
    std::size_t size() const { return view_.size(); }
    bool empty() const { return view_.empty(); }
    SharedBytes slice(std::size_t position, std::size_t length) const {
        return {owner_, view_.subspan(position, length)};
    }

private:
    std::shared_ptr<const void> owner_;
    ByteView view_;
};

}  // namespace kq
