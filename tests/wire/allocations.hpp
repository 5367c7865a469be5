// SPDX-License-Identifier: Apache-2.0
//
// Counts what `new` hands out on this thread, for promises about memory. Replaces the global
// operators of this program.
#pragma once

#include <cstddef>

namespace kq::test {

// From its making on: the most bytes that were out at one time, beyond those that were out before.
class AllocationMeter {
public:
    AllocationMeter();
    std::size_t peak_bytes() const;
    std::size_t count() const;  // of allocations

private:
    std::ptrdiff_t start_bytes_;
    std::size_t start_count_;
};

}  // namespace kq::test
