// SPDX-License-Identifier: Apache-2.0
#include "base/thread_io_pool.hpp"

#include <algorithm>

namespace kq {

ThreadIoPool::ThreadIoPool(unsigned threads) : threads_max_(std::max(1u, threads)) {}

ThreadIoPool::~ThreadIoPool() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    threads_.clear();  // joins
    KQ_CHECK(jobs_.empty());
}

void ThreadIoPool::submit(Loop& reply_to, Task job, Task on_done) {
    {
        std::lock_guard lock(mutex_);
        KQ_CHECK(!stopping_);
        jobs_.push_back({&reply_to, std::move(job), std::move(on_done)});
        if (idle_ < jobs_.size() && threads_.size() < threads_max_) {
            threads_.emplace_back("kq-io-" + std::to_string(threads_.size()), [this] { work(); });
        }
    }
    wake_.notify_one();
}

void ThreadIoPool::work() {
    std::unique_lock lock(mutex_);
    while (true) {
        ++idle_;
        wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
        --idle_;
        if (jobs_.empty()) return;
        Job job = std::move(jobs_.front());
        jobs_.pop_front();
        lock.unlock();
        job.run();
        job.run = nullptr;  // what it captured dies here, not on the loop
        job.reply_to->post(std::move(job.on_done));
        lock.lock();
    }
}

}  // namespace kq
