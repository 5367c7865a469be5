// SPDX-License-Identifier: Apache-2.0
#include "broker/api/32_describe_configs.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "metadata/image_configs.hpp"
#include "metadata/topic_names.hpp"

namespace kq {
namespace {

using wire::DescribeConfigsRequest;
using wire::DescribeConfigsResponse;
using Resource = DescribeConfigsRequest::DescribeConfigsResource;
using Described = DescribeConfigsResponse::DescribeConfigsResult;
using DescribedEntry = DescribeConfigsResponse::DescribeConfigsResourceResult;

// No keys, or an empty list of them, means all: as in Kafka.
bool is_asked_for(const Resource& resource, std::string_view name) {
    const auto& keys = resource.configuration_keys;
    return !keys || keys->empty() || std::find(keys->begin(), keys->end(), name) != keys->end();
}

DescribedEntry describe(const ConfigDef& def, std::optional<std::string> value, bool read_only,
                        const std::vector<ConfigOrigin>& origins,
                        const DescribeConfigsRequest& request) {
    DescribedEntry entry;
    entry.name = std::string(def.name);
    entry.value = def.is_sensitive() ? std::nullopt : std::move(value);
    entry.read_only = read_only;
    entry.config_source = static_cast<std::int8_t>(origins.empty() ? ConfigSource::default_config
                                                                   : origins.front().source);
    entry.is_sensitive = def.is_sensitive();
    entry.config_type = static_cast<std::int8_t>(def.type);
    entry.documentation = std::nullopt;
    if (request.include_documentation) entry.documentation = std::string(def.sentence);
    if (request.include_synonyms) {
        for (const auto& origin : origins) {
            // As in Kafka, a default that is null is none.
            if (!origin.value && origin.source == ConfigSource::default_config) continue;
            entry.synonyms.push_back({origin.name, def.is_sensitive() ? std::nullopt : origin.value,
                                      static_cast<std::int8_t>(origin.source)});
        }
    }
    return entry;
}

// What Kafka shows of a topic's setting: its own value, then what the broker has of the first
// synonym and what comes behind that. Where only another synonym (log.roll.hours, in another unit)
// has a value, or none is the broker's, nothing stands there, and the source is the default.
std::vector<ConfigOrigin> shown_origins(const ConfigDef& def, std::vector<ConfigOrigin> origins) {
    const auto synonym = def.synonyms.substr(0, def.synonyms.find(' '));
    const auto of_broker = std::find_if(origins.begin(), origins.end(), [](const auto& origin) {
        return origin.source != ConfigSource::dynamic_topic;
    });
    const auto shown = std::find_if(of_broker, origins.end(), [&](const auto& origin) {
        return !synonym.empty() && origin.name == synonym;
    });
    origins.erase(of_broker, shown);
    return origins;
}

Status describe_topic(const MetadataState& image, const BrokerConfigs& broker,
                      const Resource& resource, const DescribeConfigsRequest& request,
                      Described& result) {
    KQ_TRY(check_topic_name(resource.resource_name));
    if (image.topic(resource.resource_name) == nullptr) {
        return Error{Errc::unknown_topic_or_partition,
                     "there is no topic '" + resource.resource_name + "'"};
    }
    const auto own = topic_configs(image, resource.resource_name);
    const auto effective = effective_topic_config(own, broker);
    for (const auto& def : topic_config_defs()) {
        if (!is_asked_for(resource, def.name)) continue;
        if (def.internal && !own.is_set(def.name)) continue;
        result.configs.push_back(
            describe(def, effective.optional_text(def.name), false,
                     shown_origins(def, topic_config_origins(def.name, own, broker)), request));
    }
    return done();
}

// What is set for all brokers: no defaults, as nobody runs with these alone.
void describe_all_brokers(const BrokerConfigs& broker, const Resource& resource,
                          const DescribeConfigsRequest& request, Described& result) {
    for (const auto& [name, value] : broker.dynamic_default.values()) {
        const auto* def = find_config(ConfigScope::broker, name);
        if (def == nullptr || !is_asked_for(resource, name)) continue;
        result.configs.push_back(describe(
            *def, value, false, {{name, value, ConfigSource::dynamic_default_broker}}, request));
    }
}

std::optional<std::int32_t> broker_number(const std::string& name) {
    std::int32_t id = -1;
    const auto [end, trouble] = std::from_chars(name.data(), name.data() + name.size(), id);
    if (trouble != std::errc() || end != name.data() + name.size()) return std::nullopt;
    return id;
}

// By what a resource is told from others, however its name is spelt.
std::pair<std::int8_t, std::string> identity(const Resource& resource) {
    if (static_cast<ConfigResourceType>(resource.resource_type) == ConfigResourceType::broker) {
        if (const auto id = broker_number(resource.resource_name)) {
            return {resource.resource_type, std::to_string(*id)};
        }
    }
    return {resource.resource_type, resource.resource_name};
}

Status describe_broker(const BrokerConfigs& broker, BrokerId self, const Resource& resource,
                       const DescribeConfigsRequest& request, Described& result) {
    const auto& name = resource.resource_name;
    if (name.empty()) {
        describe_all_brokers(broker, resource, request, result);
        return done();
    }
    const auto id = broker_number(name);
    if (!id) {
        return Error{Errc::invalid_request,
                     "a broker is named by its number, or by nothing for all: not '" + name + "'"};
    }
    if (*id != self.value) {
        return Error{Errc::invalid_request, "this is broker " + std::to_string(self.value) +
                                                ": ask broker " + name + " for its settings"};
    }
    const auto effective = broker.effective();
    for (const auto& def : broker_config_defs()) {
        if (def.internal || !is_asked_for(resource, def.name)) continue;
        result.configs.push_back(describe(def, effective.optional_text(def.name),
                                          def.mode == ConfigMode::read_only,
                                          broker.origins(def.name), request));
    }
    return done();
}

}  // namespace

void handle_describe_configs(RequestContext& context, const DescribeConfigsRequest& request,
                             BrokerId self, const ConfigSet& file,
                             Reply<DescribeConfigsResponse> reply) {
    const auto& image = *context.image;
    const auto broker = broker_configs(image, self, file);
    DescribeConfigsResponse response;
    std::set<std::pair<std::int8_t, std::string>> answered;
    for (const auto& resource : request.resources) {
        // An answer is a hundred times as long as the question: each is given once.
        if (!answered.insert(identity(resource)).second) continue;
        Described result;
        result.resource_type = resource.resource_type;
        result.resource_name = resource.resource_name;
        Status described = done();
        switch (static_cast<ConfigResourceType>(resource.resource_type)) {
            case ConfigResourceType::topic:
                described = describe_topic(image, broker, resource, request, result);
                break;
            case ConfigResourceType::broker:
                described = describe_broker(broker, self, resource, request, result);
                break;
            default:
                described =
                    Error{Errc::invalid_request, "settings of resource type " +
                                                     std::to_string(resource.resource_type) +
                                                     " are not described by this broker"};
                break;
        }
        if (!described.ok()) {
            result.error_code = wire_code(described.code());
            result.error_message = described.error().message;
        }
        response.results.push_back(std::move(result));
    }
    std::move(reply).send(std::move(response));
}

}  // namespace kq
