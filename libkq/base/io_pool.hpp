// SPDX-License-Identifier: Apache-2.0
//
// IoPool: threads that may block. fsync, cold reads, recovery, compaction and deletion run here;
// the result is posted to the loop that asked. A job captures values and const things only.
#pragma once

#include "base/function.hpp"
#include "base/loop.hpp"

namespace kq {

class IoPool {
public:
    virtual ~IoPool() = default;

    // Runs `job` on some pool thread, then `on_done` on `reply_to`. Jobs start in FIFO order.
    virtual void submit(Loop& reply_to, Task job, Task on_done) = 0;
};

}  // namespace kq
