// SPDX-License-Identifier: Apache-2.0
#include "net/descriptor_watch.hpp"

namespace kq {
namespace {

std::uint32_t events_of(DescriptorWatch::For what) {
    switch (what) {
        case DescriptorWatch::For::reading:
            return EPOLLIN;
        case DescriptorWatch::For::writing:
            return EPOLLOUT;
        case DescriptorWatch::For::hang_up:
            return 0;  // the kernel tells of an end unasked
    }
    return 0;
}

}  // namespace

DescriptorWatch::DescriptorWatch(EpollLoop& loop, int descriptor, For what, Task on_ready)
    : loop_(loop),
      descriptor_(descriptor),
      events_(events_of(what)),
      is_ready_unless_watched_(what != For::hang_up),
      on_ready_(std::move(on_ready)),
      self_(std::make_shared<DescriptorWatch*>(this)) {
    is_watched_ = loop_.watch(descriptor_, events_, *this).ok();
    if (!is_watched_ && is_ready_unless_watched_) call_next_turn();
}

DescriptorWatch::~DescriptorWatch() {
    *self_ = nullptr;
    if (is_watched_ && !is_paused_) loop_.unwatch(descriptor_, *this);
}

void DescriptorWatch::pause() {
    loop_.assert_here();
    if (std::exchange(is_paused_, true)) return;
    // Taken out altogether: a hang-up is reported whether one asks for it or not.
    if (is_watched_) loop_.unwatch(descriptor_, *this);
}

void DescriptorWatch::resume() {
    loop_.assert_here();
    if (!std::exchange(is_paused_, false)) return;
    if (is_watched_) is_watched_ = loop_.watch(descriptor_, events_, *this).ok();
    if (!is_watched_ && is_ready_unless_watched_) call_next_turn();
}

void DescriptorWatch::on_events(std::uint32_t) {
    loop_.assert_here();
    on_ready_();
}

void DescriptorWatch::call_next_turn() {
    loop_.post([self = self_] {
        auto* watch = *self;
        if (watch == nullptr) return;
        watch->loop_.assert_here();
        if (watch->is_paused_) return;
        watch->call_next_turn();
        watch->on_ready_();
    });
}

}  // namespace kq
