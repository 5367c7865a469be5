// SPDX-License-Identifier: Apache-2.0
//
// Thread: a named thread that is joined by its owner. For main(), loops and the I/O pool only.
#pragma once

#include <string>
#include <thread>

#include "base/function.hpp"

namespace kq {

class Thread {
public:
    Thread() = default;
    // `name` is what ps and top show (15 characters count).
    Thread(std::string name, Task body);
    Thread(Thread&&) = default;
    Thread& operator=(Thread&&) = delete;
    ~Thread() { join(); }

    void join() {
        if (thread_.joinable()) thread_.join();
    }

private:
    std::thread thread_;
};

}  // namespace kq
