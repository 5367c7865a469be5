// SPDX-License-Identifier: Apache-2.0
//
// DescriptorWatch: tells when a descriptor that is no socket of ours (a pipe on standard input or
// output) can be read or written. Level-triggered; destroying it ends the watch.
//
// shape    a regular file, which the kernel does not watch, counts as always ready: `on_ready` then
//          runs once a turn
// owner    the loop
#pragma once

#include <memory>

#include "net/epoll_loop.hpp"

namespace kq {

class DescriptorWatch final : private DescriptorEvents {
public:
    // hang_up: nobody reads what is written there any more; a regular file's reader never goes.
    enum class For { reading, writing, hang_up };

    DescriptorWatch(EpollLoop& loop, int descriptor, For what, Task on_ready);
    ~DescriptorWatch();
    DescriptorWatch(const DescriptorWatch&) = delete;
    DescriptorWatch& operator=(const DescriptorWatch&) = delete;

    // Stops and starts the calls without giving the watch up.
    void pause();
    void resume();

private:
    void on_events(std::uint32_t epoll_events) override;
    void call_next_turn() KQ_ON(loop_);

    EpollLoop& loop_;
    const int descriptor_;
    const std::uint32_t events_;
    const bool is_ready_unless_watched_;
    Task on_ready_ KQ_OWNED_BY(loop_);
    bool is_watched_ KQ_OWNED_BY(loop_) = false;  // false for a regular file
    bool is_paused_ KQ_OWNED_BY(loop_) = false;
    const std::shared_ptr<DescriptorWatch*> self_;  // holds null once destroyed; read on the loop
};

}  // namespace kq
