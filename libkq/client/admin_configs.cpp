// SPDX-License-Identifier: Apache-2.0
//
// The questions of AdminCore that concern settings and log directories. Both go to several brokers:
// a broker's own settings and disks are known to that broker only.
#include <algorithm>
#include <charconv>
#include <map>

#include "client/admin_core.hpp"
#include "protocol/messages/32_describe_configs.hpp"
#include "protocol/messages/35_describe_log_dirs.hpp"

namespace kq {

using wire::DescribeConfigsRequest;
using wire::DescribeConfigsResponse;
using wire::DescribeLogDirsRequest;
using wire::DescribeLogDirsResponse;

namespace {

// Who must be asked about a resource.
Result<BrokerId> home_of(const DescribedResource& resource) {
    bool of_broker =
        resource.type == ResourceType::broker || resource.type == ResourceType::broker_logger;
    if (!of_broker || resource.name.empty()) return no_broker;
    std::int32_t id = 0;
    const char* end = resource.name.data() + resource.name.size();
    auto parsed = std::from_chars(resource.name.data(), end, id);
    if (parsed.ec != std::errc() || parsed.ptr != end || id < 0) {
        return Error{Errc::invalid_request, "'" + resource.name + "' is no broker id"};
    }
    return BrokerId{id};
}

DescribedConfig described(const DescribeConfigsResponse::DescribeConfigsResourceResult& told) {
    DescribedConfig config;
    config.name = told.name;
    config.value = told.is_sensitive ? std::nullopt : told.value;
    config.source = static_cast<ConfigSource>(told.config_source);
    config.read_only = told.read_only;
    config.sensitive = told.is_sensitive;
    config.type = told.config_type;
    for (const auto& synonym : told.synonyms) {
        config.synonyms.push_back({.name = synonym.name,
                                   .value = synonym.value,
                                   .source = static_cast<ConfigSource>(synonym.source)});
    }
    config.documentation = told.documentation.value_or("");
    return config;
}

Result<std::vector<DescribedConfig>> settings_in(
    const DescribeConfigsResponse::DescribeConfigsResult& told) {
    if (told.error_code != 0) {
        return Error{errc_from_wire(told.error_code), told.error_message.value_or("")};
    }
    std::vector<DescribedConfig> configs;
    for (const auto& config : told.configs)
        configs.push_back(described(config));
    std::sort(configs.begin(), configs.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    return configs;
}

}  // namespace

// ---- settings

struct AdminCore::ConfigRound {
    std::vector<DescribedResource> resources;
    std::vector<std::string> keys;
    bool with_synonyms = false;
    bool with_documentation = false;
    Callback<void(Result<Each<std::vector<DescribedConfig>>>)> done;
    std::vector<std::optional<Result<std::vector<DescribedConfig>>>> results;
    std::size_t waiting = 0;

    DescribeConfigsRequest request_for(const std::vector<std::size_t>& some,
                                       std::int16_t version) const {
        DescribeConfigsRequest request;
        for (auto i : some) {
            DescribeConfigsRequest::DescribeConfigsResource resource;
            resource.resource_type = static_cast<std::int8_t>(resources[i].type);
            resource.resource_name = resources[i].name;
            if (keys.empty()) {
                resource.configuration_keys = std::nullopt;
            } else {
                resource.configuration_keys = keys;
            }
            request.resources.push_back(std::move(resource));
        }
        request.include_synonyms = with_synonyms;
        request.include_documentation = with_documentation && version >= 3;
        return request;
    }

    void take(const std::vector<std::size_t>& some,
              const Result<Answered<DescribeConfigsResponse>>& answer) {
        for (auto i : some) {
            if (!answer.ok()) {
                results[i] = answer.error();
                continue;
            }
            for (const auto& told : answer.value().response.results) {
                if (told.resource_name == resources[i].name &&
                    told.resource_type == static_cast<std::int8_t>(resources[i].type)) {
                    results[i] = settings_in(told);
                }
            }
        }
        if (--waiting == 0) finish();
    }

    void finish() {
        Each<std::vector<DescribedConfig>> all;
        for (auto& result : results) {
            if (result) {
                all.push_back(std::move(*result));
            } else {
                all.emplace_back(Error{Errc::malformed, "the broker's answer leaves it out"});
            }
        }
        done(std::move(all));
    }
};

void AdminCore::describe_configs(std::vector<DescribedResource> resources,
                                 std::vector<std::string> keys, bool with_synonyms,
                                 bool with_documentation, MonoTime deadline,
                                 Callback<void(Result<Each<std::vector<DescribedConfig>>>)> done) {
    loop_.assert_here();
    auto round = std::make_shared<ConfigRound>();
    round->resources = std::move(resources);
    round->keys = std::move(keys);
    round->with_synonyms = with_synonyms;
    round->with_documentation = with_documentation;
    round->done = std::move(done);
    round->results.resize(round->resources.size());

    std::map<BrokerId, std::vector<std::size_t>> by_home;
    for (std::size_t i = 0; i < round->resources.size(); ++i) {
        auto home = home_of(round->resources[i]);
        if (home.ok()) {
            by_home[home.value()].push_back(i);
        } else {
            round->results[i] = home.error();
        }
    }
    round->waiting = by_home.size();
    if (by_home.empty()) return round->finish();
    auto ask = [this, round, by_home, deadline] {
        loop_.assert_here();
        for (const auto& [home, some] : by_home) {
            caller_.call<DescribeConfigsResponse>(
                Target{home},
                [round, some = some](std::int16_t version) {
                    return round->request_for(some, version);
                },
                Repeat::safe, deadline,
                [round, some = some](Result<Answered<DescribeConfigsResponse>> answer) {
                    round->take(some, answer);
                });
        }
    };
    if (by_home.rbegin()->first == no_broker) return ask();
    // Brokers are to be asked by id: first learn where they are.
    find_controller(deadline, [round, ask = std::move(ask)](Result<BrokerId> found) mutable {
        if (!found.ok() && found.code() != Errc::not_controller) return round->done(found.error());
        ask();
    });
}

// ---- log directories

struct AdminCore::LogDirRound {
    MonoTime deadline;
    Callback<void(Result<std::vector<BrokerLogDirs>>)> done;
    std::vector<BrokerLogDirs> results;
    std::size_t waiting = 0;
};

namespace {

Result<std::vector<LogDirDescription>> directories_in(BrokerId broker,
                                                      const DescribeLogDirsResponse& told) {
    if (told.error_code != 0) return Error{errc_from_wire(told.error_code)};
    std::vector<LogDirDescription> directories;
    for (const auto& result : told.results) {
        LogDirDescription directory{.broker = broker,
                                    .path = result.log_dir,
                                    .error = errc_from_wire(result.error_code),
                                    .total_bytes = result.total_bytes,
                                    .usable_bytes = result.usable_bytes,
                                    .replicas = {}};
        for (const auto& topic : result.topics) {
            for (const auto& partition : topic.partitions) {
                directory.replicas.push_back(
                    {.partition = {topic.name, PartitionIndex{partition.partition_index}},
                     .size_bytes = partition.partition_size,
                     .offset_lag = partition.offset_lag,
                     .is_future = partition.is_future_key});
            }
        }
        directories.push_back(std::move(directory));
    }
    return directories;
}

}  // namespace

void AdminCore::describe_log_dirs(std::vector<BrokerId> brokers, MonoTime deadline,
                                  Callback<void(Result<std::vector<BrokerLogDirs>>)> done) {
    loop_.assert_here();
    auto round = std::make_shared<LogDirRound>(LogDirRound{deadline, std::move(done), {}});
    for (auto broker : brokers)
        round->results.push_back({broker, std::vector<LogDirDescription>()});
    if (!cluster_.pool().brokers().empty()) return ask_log_dirs(std::move(round));
    find_controller(deadline, [this, round](Result<BrokerId> found) {
        loop_.assert_here();
        if (!found.ok() && found.code() != Errc::not_controller) return round->done(found.error());
        ask_log_dirs(round);
    });
}

void AdminCore::ask_log_dirs(std::shared_ptr<LogDirRound> round) {
    if (round->results.empty()) {
        for (const auto& [id, broker] : cluster_.pool().brokers()) {
            round->results.push_back({id, std::vector<LogDirDescription>()});
        }
    }
    round->waiting = round->results.size();
    if (round->results.empty()) return round->done(std::move(round->results));
    for (std::size_t i = 0; i < round->results.size(); ++i) {
        auto make = [](std::int16_t) {
            DescribeLogDirsRequest request;
            request.topics = std::nullopt;
            return request;
        };
        auto broker = round->results[i].broker;
        caller_.call<DescribeLogDirsResponse>(
            Target{broker}, make, Repeat::safe, round->deadline,
            [round, i, broker](Result<Answered<DescribeLogDirsResponse>> answer) {
                auto& result = round->results[i].directories;
                if (answer.ok()) {
                    result = directories_in(broker, answer.value().response);
                } else {
                    result = answer.error();
                }
                if (--round->waiting == 0) round->done(std::move(round->results));
            });
    }
}

}  // namespace kq
