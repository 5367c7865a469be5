// SPDX-License-Identifier: Apache-2.0
#include <deque>

#include "base/sim_loop.hpp"

namespace kq {

struct SimIoPool::State {
    struct Job {
        Loop* reply_to;
        Task run;
        Task on_done;
    };
    SimScheduler& world;
    unsigned threads;
    std::chrono::nanoseconds least = std::chrono::microseconds(50);
    std::chrono::nanoseconds most = std::chrono::milliseconds(2);
    std::deque<Job> jobs;
    unsigned busy = 0;
    bool killed = false;

    static void start(const std::shared_ptr<State>& state) {
        while (state->busy < state->threads && !state->jobs.empty()) {
            auto job = std::make_shared<Job>(std::move(state->jobs.front()));
            state->jobs.pop_front();
            ++state->busy;
            auto& world = state->world;
            auto spread = static_cast<std::uint64_t>((state->most - state->least).count()) + 1;
            auto takes =
                state->least +
                std::chrono::nanoseconds(static_cast<std::int64_t>(world.random().below(spread)));
            world.at(world.now() + takes, [state, job] { finish(state, *job); });
        }
    }

    static void finish(const std::shared_ptr<State>& state, Job& job) {
        if (state->killed) return;
        state->world.in_job_ = true;
        job.run();
        job.run = nullptr;
        state->world.in_job_ = false;
        job.reply_to->post(std::move(job.on_done));
        --state->busy;
        start(state);
    }
};

SimIoPool::SimIoPool(SimScheduler& world, unsigned threads)
    : state_(std::make_shared<State>(State{.world = world, .threads = threads, .jobs = {}})) {}

SimIoPool::~SimIoPool() {
    kill();
}

void SimIoPool::submit(Loop& reply_to, Task job, Task on_done) {
    if (state_->killed) return;
    state_->jobs.push_back({&reply_to, std::move(job), std::move(on_done)});
    State::start(state_);
}

void SimIoPool::set_delay(std::chrono::nanoseconds least, std::chrono::nanoseconds most) {
    KQ_CHECK(least <= most);
    state_->least = least;
    state_->most = most;
}

void SimIoPool::kill() {
    state_->killed = true;
    state_->jobs.clear();
}

std::size_t SimIoPool::waiting() const {
    return state_->jobs.size() + state_->busy;
}

}  // namespace kq
