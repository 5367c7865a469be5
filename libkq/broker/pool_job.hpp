// SPDX-License-Identifier: Apache-2.0
//
// run_on_pool: a job on the I/O pool whose result comes back to the loop that asked.
#pragma once

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/io_pool.hpp"
#include "base/loop.hpp"

namespace kq {

// Runs `job` on the pool, then on_done(result) on `loop`. What both need travels in the captures of
// the job and comes back in its result.
template <class Job, class Done>
void run_on_pool(IoPool& pool, Loop& loop, Job job, Done on_done) {
    using Answer = std::invoke_result_t<Job&>;
    auto answer = std::make_shared<std::optional<Answer>>();
    pool.submit(
        loop, [answer, job = std::move(job)]() mutable { answer->emplace(job()); },
        [answer, on_done = std::move(on_done)]() mutable { on_done(std::move(**answer)); });
}

}  // namespace kq
