// SPDX-License-Identifier: Apache-2.0
//
// The verbs of kq-broker, one file each: serve (no verb), run, check.
#pragma once

#include <string>
#include <vector>

#include "cli/common.hpp"
#include "cli/row_printer.hpp"
#include "settings.hpp"

namespace kq {

// Serves until INT, TERM or, on a terminal, HUP.
int serve(Console& console, const BrokerCommandOptions& options);

// Runs a command beside a private broker, and ends as it did.
int run_command(Console& console, const BrokerCommandOptions& options,
                const std::vector<std::string>& command);

struct CheckOptions {
    bool all = false;
    std::optional<std::string> format;
    RowOptions rows;
};
Schema check_schema();
// Prints the settings that a broker would run with, and starts nothing.
int check_settings(Console& console, const BrokerCommandOptions& options,
                   const CheckOptions& check);

// What kept a broker from starting, with what to try.
int start_failed(Console& console, const Error& why);
// What ended a broker that served, or kept it from a clean stop.
int stopped(Console& console, const Error& why);

}  // namespace kq
