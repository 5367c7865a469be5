// SPDX-License-Identifier: Apache-2.0
//
// What a program returns. A script must be able to trust it.
//
// source   kq-errors(7), EXIT STATUS
#pragma once

#include "base/result.hpp"

namespace kq {

enum Exit : int {
    exit_ok = 0,           // everything asked for happened
    exit_no = 1,           // the answer is "no"
    exit_usage = 2,        // the command line, a setting or a file of settings is wrong
    exit_partial = 3,      // some items worked and some did not
    exit_refused = 4,      // the cluster, or this machine, said no; nothing changed
    exit_unreachable = 5,  // no name, no connection, no reply
    exit_denied = 6,       // not authenticated, or not allowed
    exit_timeout = 7,      // the deadline passed
    exit_data = 8,         // a record could not be parsed, decoded or verified
};

// What a process returns that a signal ended: 130 for INT, 143 for TERM, 129 for HUP.
inline constexpr int exit_of_signal(int signal) {
    return 128 + signal;
}
inline constexpr int exit_reader_gone = 141;  // as if by PIPE: nobody reads our output any more

// What an error means for the exit status when it is the only one.
Exit exit_of(Errc code);

}  // namespace kq
