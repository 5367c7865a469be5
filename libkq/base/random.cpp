// SPDX-License-Identifier: Apache-2.0
#include "base/random.hpp"

#include <bit>

#include <sys/random.h>

namespace kq {
namespace {

// splitmix64: spreads a small seed over the generator's whole state.
std::uint64_t split_mix(std::uint64_t& state) {
    std::uint64_t z = (state += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

}  // namespace

Uuid Random::uuid() {
    while (true) {
        Uuid id;
        store_be(id.bytes.data(), u64());
        store_be(id.bytes.data() + 8, u64());
        id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0F) | 0x40);  // version 4
        id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3F) | 0x80);  // RFC 9562 variant
        // 62 is '-' in URL-safe base64: an id that looks like an option is drawn again. The
        // reserved ids (0, 1, 100 and below) are no version 4 ids.
        if (id.bytes[0] >> 2 != 62) return id;
    }
}

SeededRandom::SeededRandom(std::uint64_t seed) {
    for (auto& word : state_)
        word = split_mix(seed);
}

// xoshiro256**, Blackman and Vigna 2018.
std::uint64_t SeededRandom::u64() {
    std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
}

std::uint64_t SystemRandom::u64() {
    std::uint64_t value = 0;
    KQ_CHECK(::getrandom(&value, sizeof value, 0) == sizeof value);
    return value;
}

}  // namespace kq
