// SPDX-License-Identifier: Apache-2.0
//
// Trouble: what holds up work that a client goes on trying, for those who wait for it.
#pragma once

#include "base/result.hpp"
#include "base/time.hpp"

namespace kq {

struct Trouble {
    Error why;       // "broker 1 refused it: KAFKA_STORAGE_ERROR: the disk of /data is full"
    MonoTime since;  // of the first such failure in a row
};

}  // namespace kq
