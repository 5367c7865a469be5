// SPDX-License-Identifier: Apache-2.0
//
// What the command line and the file of a broker come to: its settings, and what is not one of
// Kafka's settings.
//
// errors   usage: a value that cannot be, a key that is not there (with the nearest one)
// source   kq-broker(8)
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/config.hpp"
#include "base/file_system.hpp"
#include "base/log.hpp"
#include "base/process.hpp"
#include "cli/options.hpp"
#include "net/network.hpp"

namespace kq {

struct BrokerCommandOptions {
    std::optional<std::string> config_file;
    std::vector<std::string> listen;
    std::optional<std::string> advertise;
    std::optional<std::string> data;
    std::optional<std::int32_t> id;
    std::optional<std::string> http;
    std::optional<std::string> ready_file;
    std::string log_format = "text";
    std::string log_level = "info";
    std::vector<std::string> settings;  // -X KEY=VALUE
    bool ephemeral = false;
};
std::vector<Option> broker_options(BrokerCommandOptions& options);

// Where a value came from, for `check`.
struct SettingOrigin {
    std::string name;
    std::string origin;  // "--listen", "FILE", "default of this program"
};

struct BrokerSettings {
    std::shared_ptr<const ConfigSet> config;
    std::vector<SettingOrigin> origins;
    std::vector<std::string> warnings;
    std::optional<Endpoint> http;
    std::optional<std::string> ready_file;
    LogFormat log_format = LogFormat::text;
    LogLevel log_level = LogLevel::info;
    bool ephemeral = false;
};

// `for_child`: a private broker, in memory and on a free port unless the options say otherwise.
Result<BrokerSettings> settle_broker(const BrokerCommandOptions& options, const Process& process,
                                     FileSystem& files, bool for_child = false);

}  // namespace kq
