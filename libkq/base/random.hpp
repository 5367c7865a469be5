// SPDX-License-Identifier: Apache-2.0
//
// Random: the seam through which every roll of the dice goes, so that a seed replays a run.
#pragma once

#include <cstdint>

#include "base/check.hpp"
#include "base/ids.hpp"

namespace kq {

class Random {
public:
    virtual ~Random() = default;
    virtual std::uint64_t u64() = 0;

    // Uniform in [0, bound). Requires: bound > 0.
    std::uint64_t below(std::uint64_t bound) {
        KQ_CHECK(bound > 0);
        __extension__ using Wide = unsigned __int128;
        return static_cast<std::uint64_t>((static_cast<Wide>(u64()) * bound) >> 64);
    }
    bool chance(double probability) {
        return static_cast<double>(u64() >> 11) * 0x1p-53 < probability;
    }
    // A random (version 4) id that is not one of Kafka's reserved ones and, like Kafka's, whose
    // text does not begin with '-'.
    Uuid uuid();
};

// A seeded generator (xoshiro256**): the same seed gives the same numbers on every machine.
class SeededRandom final : public Random {
public:
    explicit SeededRandom(std::uint64_t seed);
    std::uint64_t u64() override;

private:
    std::uint64_t state_[4];
};

// The operating system's entropy, for main(). Any thread.
class SystemRandom final : public Random {
public:
    std::uint64_t u64() override;
};
inline std::uint64_t system_entropy() {
    return SystemRandom().u64();
}

}  // namespace kq
