// SPDX-License-Identifier: Apache-2.0
//
// Settings from files: TOML with dotted keys that are Kafka's names, and Kafka's own .properties
// files as they are.
//
// shape    entries come in the order of the file, each with its line; TOML arrays become lists
//          joined by commas, tables become dotted prefixes: [log] dirs = "x" is log.dirs=x
// errors   usage, with "FILE:LINE: what is wrong", and the nearest name for a misspelt one
// source   java.util.Properties (comments, escapes, continued lines); TOML 1.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/config.hpp"
#include "base/file_system.hpp"
#include "base/result.hpp"

namespace kq {

struct ConfigEntry {
    std::string name;
    std::string value;
    int line = 0;
};

// `file` is only for messages.
Result<std::vector<ConfigEntry>> parse_toml(std::string_view content, std::string_view file);
Result<std::vector<ConfigEntry>> parse_properties(std::string_view content, std::string_view file);

// The bytes of a file with settings; "-" is standard input.
Result<Bytes> read_settings(FileSystem& files, const std::string& path);

// Reads a file: *.properties in Kafka's syntax, everything else as TOML.
Result<std::vector<ConfigEntry>> read_config_file(FileSystem& files, const std::string& path);

struct ConfigFileResult {
    ConfigSet settings;
    std::vector<std::string> warnings;  // "FILE:LINE: …", one line each
};

// Reads and checks a whole file for one scope. In TOML an unknown name is an error. In .properties
// it is an error if a known name is near it, and a warning otherwise: Kafka's plug-ins read names
// of their own there.
Result<ConfigFileResult> load_config_file(FileSystem& files, const std::string& path,
                                          ConfigScope scope);

}  // namespace kq
