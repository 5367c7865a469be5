// SPDX-License-Identifier: Apache-2.0
//
// ThreadIoPool: the I/O pool of a real process. Threads start when there is first work for them,
// so a program that needs none has none.
//
// owner    submit() from any thread. The destructor finishes the jobs that were submitted, then
//          joins; the loops that get answers must outlive it
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <vector>

#include "base/io_pool.hpp"
#include "base/thread.hpp"

namespace kq {

class ThreadIoPool final : public IoPool {
public:
    explicit ThreadIoPool(unsigned threads);
    ~ThreadIoPool() override;
    void submit(Loop& reply_to, Task job, Task on_done) override;

private:
    struct Job {
        Loop* reply_to;
        Task run;
        Task on_done;
    };
    void work();

    const unsigned threads_max_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Job> jobs_;
    unsigned idle_ = 0;
    bool stopping_ = false;
    std::vector<Thread> threads_;
};

}  // namespace kq
