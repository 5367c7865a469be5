// SPDX-License-Identifier: Apache-2.0
//
// The one table of a program: verbs, operands, options, examples. Parsing, `--help`, `--schema` and
// the check of the manual are made from it. A program fills one Command and calls parse().
//
// shape    a Command with verbs is called as `kq-topics VERB …`, one without as `kq-produce …`, and
//          kq-broker is both; options may stand anywhere before "--"; words after it are operands
// owner    the targets of the binders, which must outlive parse()
// errors   usage: what parse() says on standard error, with the nearest name as a `try:` line
// source   kq(1), "Command lines"
#pragma once

#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/process.hpp"
#include "base/result.hpp"
#include "cli/columns.hpp"
#include "cli/exit_codes.hpp"

namespace kq {

// Takes one value of an option or operand, as it was typed; a flag's is "". An Error says what is
// wrong with the value ("'x' is no number"); the name of the option is put before it.
using Binder = std::function<Status(std::string_view)>;

Binder into(bool& flag);        // a flag: it becomes true
Binder into_times(int& times);  // a flag that may be repeated: how often
Binder into(std::string& text);
Binder into(std::optional<std::string>& text);
Binder into(std::vector<std::string>& texts);       // one more each time
Binder into_list(std::vector<std::string>& texts);  // the same, and commas separate
Binder into(std::int32_t& number, std::int32_t min, std::int32_t max);
Binder into(std::optional<std::int32_t>& number, std::int32_t min, std::int32_t max);
Binder into(std::optional<std::int64_t>& number, std::int64_t min, std::int64_t max);
Binder into(std::optional<Millis>& time);  // TIME: 250ms 5s 10m 2h 7d; bare counts seconds

struct Option {
    std::string names;  // "-p,--partitions": short first; every option has a long name
    std::string value;  // what the help calls the value: "N"; "" for a flag
    std::string sentence;
    Binder bind;
    std::string default_text = {};  // shown in the help: "10s"
};

struct Operand {
    std::string name;  // "TOPIC"
    std::string sentence;
    Binder bind;
    int min = 1;
    int max = 1;
    bool is_command = false;  // a command line of its own, after "--"
    static constexpr int any_number = std::numeric_limits<int>::max();
};

struct Example {
    std::string command;
    std::string sentence;
};

struct Verb {
    std::string name;
    std::string sentence;
    std::vector<Operand> operands = {};
    std::vector<Option> options = {};
    std::vector<Example> examples = {};
    Schema schema = {};  // of what it prints; empty: it has no rows
    std::function<int()> run = {};

    bool is_followed_by_command() const { return !operands.empty() && operands.back().is_command; }
};

struct Command {
    std::string name;      // "kq-topics"
    std::string sentence;  // as in the manual's NAME line
    std::string manual;    // "kq-topics(1)"
    std::vector<Verb> verbs = {};
    Verb bare = {};                    // what a program without verbs takes; its name is ""
    std::vector<Option> options = {};  // of every verb: see cli/common.hpp
    std::vector<Example> examples = {};
};

// What to do after parsing: run a verb, or leave with a status (help was printed, or an error).
struct Parsed {
    const Verb* verb = nullptr;
    int exit = exit_ok;
};

// Reads the words, calls the binders, prints help, version, schema and usage errors. The verb's
// `run` is for the caller to call.
Parsed parse(const Command& command, Process& process);

}  // namespace kq
