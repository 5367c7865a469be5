// SPDX-License-Identifier: Apache-2.0
#include "protocol/crc32c.hpp"

#include <array>

#include "base/check.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace kq {
namespace {

// The polynomial with its bits reversed: bit 31 is x^0.
constexpr std::uint32_t polynomial = 0x82f63b78;

// x^n modulo the polynomial, bits reversed.
constexpr std::uint32_t power_of_x(std::size_t n) {
    std::uint32_t value = 0x80000000u;
    for (; n > 0; --n)
        value = (value >> 1) ^ ((value & 1) != 0 ? polynomial : 0);
    return value;
}

// The product of two polynomials, modulo the polynomial, bits reversed.
constexpr std::uint32_t multiply(std::uint32_t a, std::uint32_t b) {
    std::uint32_t product = 0;
    for (int bit = 31; bit >= 0; --bit) {
        if (((b >> bit) & 1) != 0) product ^= a;
        a = (a >> 1) ^ ((a & 1) != 0 ? polynomial : 0);
    }
    return product;
}

// Row k: what a byte does to the checksum when k more bytes follow it.
constexpr auto slicing_tables = [] {
    std::array<std::array<std::uint32_t, 256>, 8> tables{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t value = byte;
        for (int i = 0; i < 8; ++i)
            value = (value >> 1) ^ ((value & 1) != 0 ? polynomial : 0);
        tables[0][byte] = value;
    }
    for (std::size_t k = 1; k < 8; ++k) {
        for (std::size_t byte = 0; byte < 256; ++byte) {
            std::uint32_t before = tables[k - 1][byte];
            tables[k][byte] = (before >> 8) ^ tables[0][before & 0xff];
        }
    }
    return tables;
}();

// The functions below work on the state: the checksum before its last inversion.
using Update = std::uint32_t (*)(std::uint32_t state, const std::uint8_t* at, std::size_t size);

std::uint32_t update_slicing(std::uint32_t state, const std::uint8_t* at, std::size_t size) {
    const auto& t = slicing_tables;
    for (; size >= 8; at += 8, size -= 8) {
        std::uint64_t word;
        std::memcpy(&word, at, 8);
        word ^= state;
        state = t[7][word & 0xff] ^ t[6][(word >> 8) & 0xff] ^ t[5][(word >> 16) & 0xff] ^
                t[4][(word >> 24) & 0xff] ^ t[3][(word >> 32) & 0xff] ^ t[2][(word >> 40) & 0xff] ^
                t[1][(word >> 48) & 0xff] ^ t[0][word >> 56];
    }
    for (; size > 0; ++at, --size)
        state = (state >> 8) ^ t[0][(state ^ *at) & 0xff];
    return state;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) std::uint32_t update_words(std::uint32_t state,
                                                             const std::uint8_t* at,
                                                             std::size_t size) {
    std::uint64_t wide = state;
    for (; size >= 8; at += 8, size -= 8) {
        std::uint64_t word;
        std::memcpy(&word, at, 8);
        wide = _mm_crc32_u64(wide, word);
    }
    state = static_cast<std::uint32_t>(wide);
    for (; size > 0; ++at, --size)
        state = _mm_crc32_u8(state, *at);
    return state;
}

// A state moved past `stream_bytes` zeros, looked up byte by byte.
template <std::size_t stream_bytes>
constexpr auto zeros_tables = [] {
    std::array<std::array<std::uint32_t, 256>, 4> tables{};
    constexpr std::uint32_t factor = power_of_x(stream_bytes * 8);
    for (std::size_t k = 0; k < 4; ++k) {
        for (std::uint32_t byte = 0; byte < 256; ++byte) {
            tables[k][byte] = multiply(factor, byte << (8 * k));
        }
    }
    return tables;
}();

template <std::size_t stream_bytes>
std::uint32_t past_zeros(std::uint64_t state) {
    const auto& t = zeros_tables<stream_bytes>;
    return t[0][state & 0xff] ^ t[1][(state >> 8) & 0xff] ^ t[2][(state >> 16) & 0xff] ^
           t[3][(state >> 24) & 0xff];
}

// The crc32 instruction gives a result every cycle but takes three to do so: three streams side by
// side keep it busy, and are joined afterwards.
template <std::size_t stream_bytes>
__attribute__((target("sse4.2"))) void update_three(std::uint32_t& state, const std::uint8_t*& at,
                                                    std::size_t& size) {
    static_assert(stream_bytes % 8 == 0);
    for (; size >= 3 * stream_bytes; at += 3 * stream_bytes, size -= 3 * stream_bytes) {
        std::uint64_t a = state;
        std::uint64_t b = 0;
        std::uint64_t c = 0;
        for (std::size_t i = 0; i < stream_bytes; i += 8) {
            std::uint64_t words[3];
            std::memcpy(&words[0], at + i, 8);
            std::memcpy(&words[1], at + stream_bytes + i, 8);
            std::memcpy(&words[2], at + 2 * stream_bytes + i, 8);
            a = _mm_crc32_u64(a, words[0]);
            b = _mm_crc32_u64(b, words[1]);
            c = _mm_crc32_u64(c, words[2]);
        }
        auto ab = past_zeros<stream_bytes>(a) ^ static_cast<std::uint32_t>(b);
        state = past_zeros<stream_bytes>(ab) ^ static_cast<std::uint32_t>(c);
    }
}

std::uint32_t update_sse42(std::uint32_t state, const std::uint8_t* at, std::size_t size) {
    update_three<1024>(state, at, size);
    update_three<128>(state, at, size);
    return update_words(state, at, size);
}

#define KQ_TARGET_VPCLMULQDQ __attribute__((target("avx512f,avx512vl,vpclmulqdq,pclmul,sse4.2")))

// The two factors that move 128 bits past `bits` more bits: for the low and the high half. The
// product of reversed polynomials comes out one bit too low, hence the shift.
constexpr std::uint64_t factor_low(std::size_t bits) {
    return static_cast<std::uint64_t>(power_of_x(bits + 32)) << 1;
}
constexpr std::uint64_t factor_high(std::size_t bits) {
    return static_cast<std::uint64_t>(power_of_x(bits - 32)) << 1;
}

template <std::size_t bits>
KQ_TARGET_VPCLMULQDQ inline __m512i fold_512(__m512i value, __m512i onto) {
    constexpr auto low = static_cast<long long>(factor_low(bits));
    constexpr auto high = static_cast<long long>(factor_high(bits));
    const __m512i factors = _mm512_set_epi64(high, low, high, low, high, low, high, low);
    __m512i moved = _mm512_xor_si512(_mm512_clmulepi64_epi128(value, factors, 0x00),
                                     _mm512_clmulepi64_epi128(value, factors, 0x11));
    return _mm512_xor_si512(moved, onto);
}

KQ_TARGET_VPCLMULQDQ inline __m128i fold_128(__m128i value, __m128i onto) {
    constexpr auto low = static_cast<long long>(factor_low(128));
    constexpr auto high = static_cast<long long>(factor_high(128));
    const __m128i factors = _mm_set_epi64x(high, low);
    __m128i moved = _mm_xor_si128(_mm_clmulepi64_si128(value, factors, 0x00),
                                  _mm_clmulepi64_si128(value, factors, 0x11));
    return _mm_xor_si128(moved, onto);
}

// Four registers of 64 bytes are folded 256 bytes ahead at a time, then onto one another; the
// crc32 instruction reduces the 16 bytes that remain. Requires: size >= 256.
KQ_TARGET_VPCLMULQDQ std::uint32_t update_vpclmulqdq_long(std::uint32_t state,
                                                          const std::uint8_t* at,
                                                          std::size_t size) {
    __m512i a = _mm512_xor_si512(
        _mm512_loadu_si512(at), _mm512_zextsi128_si512(_mm_cvtsi32_si128(static_cast<int>(state))));
    __m512i b = _mm512_loadu_si512(at + 64);
    __m512i c = _mm512_loadu_si512(at + 128);
    __m512i d = _mm512_loadu_si512(at + 192);
    at += 256;
    size -= 256;
    for (; size >= 256; at += 256, size -= 256) {
        a = fold_512<2048>(a, _mm512_loadu_si512(at));
        b = fold_512<2048>(b, _mm512_loadu_si512(at + 64));
        c = fold_512<2048>(c, _mm512_loadu_si512(at + 128));
        d = fold_512<2048>(d, _mm512_loadu_si512(at + 192));
    }
    d = fold_512<512>(fold_512<512>(fold_512<512>(a, b), c), d);
    alignas(16) std::uint8_t lanes[64];
    _mm512_storeu_si512(lanes, d);
    __m128i rest = _mm_load_si128(reinterpret_cast<const __m128i*>(lanes));
    for (int i = 16; i < 64; i += 16) {
        rest = fold_128(rest, _mm_load_si128(reinterpret_cast<const __m128i*>(lanes + i)));
    }
    std::uint8_t last[16];
    std::memcpy(last, &rest, sizeof last);
    return update_sse42(update_words(0, last, sizeof last), at, size);
}

std::uint32_t update_vpclmulqdq(std::uint32_t state, const std::uint8_t* at, std::size_t size) {
    constexpr std::size_t worth_it = 512;
    return size >= worth_it ? update_vpclmulqdq_long(state, at, size)
                            : update_sse42(state, at, size);
}

bool has_sse42() {
    return __builtin_cpu_supports("sse4.2") != 0;
}
bool has_vpclmulqdq() {
    return has_sse42() && __builtin_cpu_supports("pclmul") != 0 &&
           __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
           __builtin_cpu_supports("vpclmulqdq") != 0;
}

#else

constexpr Update update_sse42 = update_slicing;
constexpr Update update_vpclmulqdq = update_slicing;
bool has_sse42() {
    return false;
}
bool has_vpclmulqdq() {
    return false;
}

#endif

Update best_update() {
    if (has_vpclmulqdq()) return update_vpclmulqdq;
    return has_sse42() ? update_sse42 : update_slicing;
}

}  // namespace

std::uint32_t crc32c(ByteView bytes, std::uint32_t seed) {
    static const Update update = best_update();
    return ~update(~seed, bytes.data(), bytes.size());
}

bool is_supported(Crc32cPath path) {
    switch (path) {
        case Crc32cPath::slicing:
            return true;
        case Crc32cPath::sse42:
            return has_sse42();
        case Crc32cPath::vpclmulqdq:
            return has_vpclmulqdq();
    }
    return false;
}

std::uint32_t crc32c_by(Crc32cPath path, ByteView bytes, std::uint32_t seed) {
    KQ_CHECK(is_supported(path));
    Update update = path == Crc32cPath::slicing ? update_slicing
                    : path == Crc32cPath::sse42 ? update_sse42
                                                : update_vpclmulqdq;
    return ~update(~seed, bytes.data(), bytes.size());
}

}  // namespace kq
