// SPDX-License-Identifier: Apache-2.0
//
// TroubleNotes: nothing blocks silently. Tells whoever waits what a client goes on trying, and why
// it did not get it yet.
//
// shape    where progress is drawn, in its line, after half a second; everywhere else a warning,
//          after five seconds, each reason once
// owner    the loop, whose turns are when it looks
// source   kq(1), "Messages"
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "base/loop.hpp"
#include "cli/console.hpp"
#include "client/trouble.hpp"

namespace kq {

class TroubleNotes {
public:
    using Ask = std::function<std::optional<Trouble>()>;
    using Draw = std::function<void(const std::string& why)>;
    // Asks twice a second. `draw` draws the line of progress anew, where there is one; `why` is ""
    // while all is well.
    TroubleNotes(Console& console, Loop& loop, Ask ask, Draw draw);

    static constexpr std::chrono::milliseconds silence_max{500};     // on a terminal
    static constexpr std::chrono::seconds silence_elsewhere_max{5};  // in a log file, say

private:
    void look() KQ_ON(loop_);
    void look_again() KQ_ON(loop_);

    Console& console_;
    Loop& loop_;
    const Ask ask_;
    const Draw draw_;
    Timer timer_ KQ_OWNED_BY(loop_);
    std::set<std::string> told_ KQ_OWNED_BY(loop_);  // since all was well
};

}  // namespace kq
