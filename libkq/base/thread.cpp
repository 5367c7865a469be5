// SPDX-License-Identifier: Apache-2.0
#include "base/thread.hpp"

#include <pthread.h>

namespace kq {

Thread::Thread(std::string name, Task body)
    : thread_([name = std::move(name), body = std::move(body)]() mutable {
          if (name.size() > 15) name.resize(15);  // the kernel's limit
          ::pthread_setname_np(::pthread_self(), name.c_str());
          body();
      }) {}

}  // namespace kq
