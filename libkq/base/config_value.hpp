// SPDX-License-Identifier: Apache-2.0
//
// Values of settings as text: what they may look like, and what they mean.
//
// shape    a canonical value is what Kafka would print: numbers in digits, "true" or "false", lists
//          joined by commas; with_units also reads 7d, 250ms, 1GiB, 64KB for settings that have a
//          unit, and turns them into the canonical number
// errors   invalid_config, with a message that names the setting, the value and what is allowed
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/config_def.hpp"
#include "base/result.hpp"

namespace kq {

// kafka: what Kafka itself would read (requests, .properties files of others work with it).
// with_units: people's files and command lines; reads everything that `kafka` reads.
enum class ConfigSyntax : std::uint8_t { kafka, with_units };

// The canonical form of `text` as a value of `def`: parsed, checked against type and bounds.
Result<std::string> canonical_config(const ConfigDef& def, std::string_view text,
                                     ConfigSyntax syntax);

// "[1,...]", "[compact, delete]": what Kafka prints for the bounds of a setting; "" for any.
std::string describe_valid(const ConfigDef& def);

// Elements of a list value, without blanks around them; "" has none.
std::vector<std::string> split_list(std::string_view text);

// TIME of the command line: 250ms 5s 10m 2h 7d, also fractions (1.5h) and -1 for "no limit". A bare
// number counts `bare`. The result counts microseconds.
Result<std::int64_t> parse_time(std::string_view text, ConfigUnit bare);

// SIZE of the command line: 512, 64KiB, 1MB, 2GiB (KB is 1000 bytes, KiB and K are 1024).
Result<std::int64_t> parse_size(std::string_view text);

// The fewest single edits (insert, delete, replace, swap neighbours) that make `a` into `b`.
std::size_t edit_distance(std::string_view a, std::string_view b);

// The candidate nearest to `word`, or "" when none is near enough to be what was meant.
std::string_view nearest_word(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace kq
