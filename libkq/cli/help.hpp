// SPDX-License-Identifier: Apache-2.0
//
// What `--help`, `--schema` and a bare call print, made from the table of cli/options.hpp.
#pragma once

#include <string>
#include <vector>

#include "cli/options.hpp"

namespace kq {

// -h, --version and --schema, which every verb has.
std::vector<Option> always_options();

// Examples first. `verb` null: the whole program.
std::string help_text(const Command& command, const Verb* verb);
std::string short_help_text(const Command& command);
std::string usage_line(const Command& command, const Verb& verb);
std::string schema_text(const Command& command, const Verb& verb, bool json);
// Of every verb that prints rows, one after the other.
std::string schemas_text(const Command& command, bool json);

}  // namespace kq
