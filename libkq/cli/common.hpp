// SPDX-License-Identifier: Apache-2.0
//
// What every program that talks to a cluster takes: the common options, and the settings they come
// to: option, else KQ_* variable, else context, else the file's top level, else the default.
//
// errors   usage: a value that cannot be, a context that is not there, a file that does not parse
// source   kq(1), "Common options", "Settings"
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/config_def.hpp"
#include "base/file_system.hpp"
#include "base/process.hpp"
#include "base/time.hpp"
#include "cli/console.hpp"
#include "cli/formats.hpp"
#include "cli/options.hpp"

namespace kq {

// What the command line said, before anything else is asked.
struct CommonOptions {
    std::vector<std::string> bootstrap;
    std::optional<std::string> context;
    std::vector<std::string> properties;  // KEY=VALUE or @FILE
    std::vector<std::string> resolve;     // HOST:PORT=ADDR:PORT
    std::optional<std::string> format;
    std::optional<Millis> timeout;
    bool yes = false;
    bool dry_run = false;
    bool no_input = false;
    bool quiet = false;
    int verbose = 0;  // how often -v was said
    std::optional<std::string> color;
    std::optional<std::string> progress;
};

// How the common options differ between programs.
struct CommonChoice {
    bool changes_things = false;  // it has --dry-run
    bool asks = false;            // it has --yes and --no-input
    std::string formats = "text, wide, tsv, json, jsonl, or a template with %{column}";
    std::string timeout_sentence = "give up after that long";
    std::string default_timeout = "10s";
};
std::vector<Option> common_options(CommonOptions& options, const CommonChoice& choice);
// -q -v --color alone, for programs that talk to no cluster.
std::vector<Option> talk_options(CommonOptions& options);

// What they come to.
struct Settings {
    std::map<std::string, Setting> properties;  // of Kafka's clients; bootstrap.servers is there
    std::vector<std::string> resolve;           // HOST:PORT=ADDR:PORT
    Setting format = {"text", "default"};
    std::optional<Millis> timeout;
    bool yes = false;
    bool dry_run = false;
    bool no_input = false;
    bool readonly = false;  // the context refuses verbs that change things
    bool protect = false;   // the context wants --confirm NAME before destruction
    std::string context;    // "" when none
    int verbose = 0;        // how often -v was said

    std::string bootstrap() const;
    std::map<std::string, std::string> client_properties() const;
};

// Reads variables and the client file, and gives the console its settings. `scope` says which
// properties the program takes: those of other clients in a file are passed over. Warnings about
// unknown keys go to the console.
Result<Settings> settle(const CommonOptions& options, ConfigScope scope, Console& console,
                        FileSystem& files);

}  // namespace kq
