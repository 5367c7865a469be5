// SPDX-License-Identifier: Apache-2.0
#include "base/thread.hpp"

#include <pthread.h>
#include <sched.h>

namespace kq {

Thread::Thread(std::string name, Task body)
    : thread_([name = std::move(name), body = std::move(body)]() mutable {
          if (name.size() > 15) name.resize(15);  // the kernel's limit
          ::pthread_setname_np(::pthread_self(), name.c_str());
          body();
      }) {}

unsigned processor_count() {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int count = CPU_COUNT(&set);
    return count < 1 ? 1u : static_cast<unsigned>(count);
}

}  // namespace kq
