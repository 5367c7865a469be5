// SPDX-License-Identifier: Apache-2.0
//
// A question before something is lost. Asked only where somebody can answer.
#pragma once

#include <string>

#include "base/result.hpp"
#include "cli/console.hpp"

namespace kq {

// Asks on standard error and reads a line from standard input; anything but y or yes is no.
// errors  usage      nobody can be asked: no terminal, or --no-input; the message names --yes
//         cancelled  the answer was no
Status ask(Console& console, const std::string& question, bool no_input);

}  // namespace kq
