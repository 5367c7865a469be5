// SPDX-License-Identifier: Apache-2.0
//
// Varints: seven bits a byte, low group first. Inside records lengths and deltas are zig-zag coded;
// in messages and in front of metadata records they are unsigned.
//
// shape    at most 5 bytes for 32 bits and 10 for 64; bits beyond are an error
// source   Kafka protocol guide, "Protocol Primitive Types"
#pragma once

#include <bit>
#include <cstdint>

#include "base/bytes.hpp"

namespace kq {

constexpr std::uint32_t zigzag(std::int32_t value) {
    return (static_cast<std::uint32_t>(value) << 1) ^ static_cast<std::uint32_t>(value >> 31);
}
constexpr std::uint64_t zigzag(std::int64_t value) {
    return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int32_t unzigzag(std::uint32_t value) {
    return static_cast<std::int32_t>(value >> 1) ^ -static_cast<std::int32_t>(value & 1);
}
constexpr std::int64_t unzigzag(std::uint64_t value) {
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

// The bits divided by seven, rounded up; up to 64 bits 9/64 does as well as 1/7.
constexpr std::size_t unsigned_varint_size(std::uint64_t value) {
    return (static_cast<std::size_t>(std::bit_width(value | 1)) * 9 + 64) / 64;
}
constexpr std::size_t varint_size(std::int32_t value) {
    return unsigned_varint_size(zigzag(value));
}
constexpr std::size_t varlong_size(std::int64_t value) {
    return unsigned_varint_size(zigzag(value));
}

// Writes at `at`, where there is room, and returns the place behind.
inline std::uint8_t* put_unsigned_varint(std::uint8_t* at, std::uint64_t value) {
    while (value >= 0x80) {
        *at++ = static_cast<std::uint8_t>(value | 0x80);
        value >>= 7;
    }
    *at++ = static_cast<std::uint8_t>(value);
    return at;
}
inline std::uint8_t* put_varint(std::uint8_t* at, std::int32_t value) {
    return put_unsigned_varint(at, zigzag(value));
}
inline std::uint8_t* put_varlong(std::uint8_t* at, std::int64_t value) {
    return put_unsigned_varint(at, zigzag(value));
}
inline void append_unsigned_varint(Bytes& out, std::uint64_t value) {
    std::uint8_t bytes[10];
    append(out, ByteView(bytes, put_unsigned_varint(bytes, value)));
}

// Takes varints off the front of a piece of memory. After the first error every call gives 0.
class VarintReader {
public:
    explicit VarintReader(ByteView bytes) : at_(bytes.data()), end_(at_ + bytes.size()) {}

    bool ok() const { return ok_; }
    std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
    ByteView rest() const { return {at_, end_}; }

    std::uint32_t unsigned_varint() { return static_cast<std::uint32_t>(read(5, 0x0f)); }
    std::int32_t varint() { return unzigzag(static_cast<std::uint32_t>(read(5, 0x0f))); }
    std::int64_t varlong() { return unzigzag(read(10, 0x01)); }
    std::int8_t byte() {
        if (at_ == end_) return fail(), 0;
        return static_cast<std::int8_t>(*at_++);
    }
    // The next `count` bytes, or an error.
    ByteView bytes(std::size_t count) {
        if (count > left()) return fail(), ByteView();
        ByteView taken(at_, count);
        at_ += count;
        return taken;
    }
    void fail() {
        ok_ = false;
        at_ = end_;
    }

private:
    std::uint64_t read(int bytes_max, std::uint8_t last_byte_max) {
        if (at_ != end_ && *at_ < 0x80) return *at_++;  // by far the most frequent
        std::uint64_t value = 0;
        for (int i = 0; i < bytes_max; ++i) {
            if (at_ == end_) break;
            std::uint8_t byte = *at_++;
            if (i == bytes_max - 1 && byte > last_byte_max) break;
            value |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
            if ((byte & 0x80) == 0) return value;
        }
        fail();
        return 0;
    }

    const std::uint8_t* at_;
    const std::uint8_t* end_;
    bool ok_ = true;
};

}  // namespace kq
