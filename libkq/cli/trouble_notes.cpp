// SPDX-License-Identifier: Apache-2.0
#include "cli/trouble_notes.hpp"

#include <utility>

namespace kq {
namespace {

constexpr std::size_t told_max = 5;  // different reasons in a row

}  // namespace

TroubleNotes::TroubleNotes(Console& console, Loop& loop, Ask ask, Draw draw)
    : console_(console), loop_(loop), ask_(std::move(ask)), draw_(std::move(draw)), timer_(loop) {
    loop_.assert_here();
    look_again();
}

void TroubleNotes::look_again() {
    timer_.set_after(silence_max, [this] {
        loop_.assert_here();
        look();
    });
}

void TroubleNotes::look() {
    look_again();
    auto trouble = ask_();
    if (!trouble) told_.clear();
    const auto lasted =
        trouble ? loop_.clock().mono() - trouble->since : std::chrono::nanoseconds(0);
    if (console_.progress_wanted()) {
        return draw_(trouble && lasted >= silence_max ? trouble->why.message : "");
    }
    if (lasted < silence_elsewhere_max || told_.size() == told_max) return;
    if (told_.insert(trouble->why.message).second) {
        console_.warn("still waiting: " + trouble->why.message);
    }
}

}  // namespace kq
