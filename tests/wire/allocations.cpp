// SPDX-License-Identifier: Apache-2.0
#include "tests/wire/allocations.hpp"

#include <cstdlib>
#include <new>

namespace {

thread_local std::ptrdiff_t bytes_out = 0;
thread_local std::ptrdiff_t bytes_peak = 0;
thread_local std::size_t allocations = 0;

// The size stands in front of every piece, in as much room as keeps the piece aligned.
constexpr std::size_t front = alignof(std::max_align_t);
static_assert(front >= sizeof(std::size_t));

void* counted(std::size_t size) {
    void* piece = std::malloc(size + front);
    if (piece == nullptr) std::abort();
    *static_cast<std::size_t*>(piece) = size;
    bytes_out += static_cast<std::ptrdiff_t>(size);
    if (bytes_out > bytes_peak) bytes_peak = bytes_out;
    ++allocations;
    return static_cast<char*>(piece) + front;
}

void give_back(void* place) {
    if (place == nullptr) return;
    void* piece = static_cast<char*>(place) - front;
    bytes_out -= static_cast<std::ptrdiff_t>(*static_cast<std::size_t*>(piece));
    std::free(piece);
}

}  // namespace

void* operator new(std::size_t size) {
    return counted(size);
}
void* operator new[](std::size_t size) {
    return counted(size);
}
// Catch2 asks this way; the sanitizers would answer with memory of their own.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return counted(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
    return counted(size);
}
void operator delete(void* place) noexcept {
    give_back(place);
}
void operator delete[](void* place) noexcept {
    give_back(place);
}
void operator delete(void* place, std::size_t) noexcept {
    give_back(place);
}
void operator delete[](void* place, std::size_t) noexcept {
    give_back(place);
}

namespace kq::test {

AllocationMeter::AllocationMeter() : start_bytes_(bytes_out), start_count_(allocations) {
    bytes_peak = bytes_out;
}
std::size_t AllocationMeter::peak_bytes() const {
    return static_cast<std::size_t>(bytes_peak - start_bytes_);
}
std::size_t AllocationMeter::count() const {
    return allocations - start_count_;
}

}  // namespace kq::test
