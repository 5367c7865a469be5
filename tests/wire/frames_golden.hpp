// SPDX-License-Identifier: Apache-2.0
//
// The frames of tests/wire/golden/frames, each with the schema it is read by.
#pragma once

#include <vector>

#include "tests/wire/golden.hpp"
#include "tests/wire/schemas.hpp"

namespace kq::test {

struct GoldenFrame {
    Block block;
    const Schema* schema;
    int version;
    bool is_request;
    bool has_unknown_tags;
    Bytes bytes;  // with the size in front

    // Behind the header. Requires: the header is sound.
    ByteView body() const;
};

// Versions that kq does not have are left out: InitProducerId 6 is not stable in 4.3.
std::vector<GoldenFrame> golden_frames();

}  // namespace kq::test
