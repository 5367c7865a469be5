// SPDX-License-Identifier: Apache-2.0
//
// DescribeConfigs, key 32, versions 1-4, flexible from 4: the settings of topics, brokers and
// groups, and where they come from.
//
// v1       synonyms and config_source replace is_default (KIP-226)
// v3       config_type and documentation (KIP-569)
// source   Kafka protocol guide, "DescribeConfigs API (Key: 32)"
#pragma once

#include "protocol/codec.hpp"

namespace kq::wire {

inline constexpr ApiInfo describe_configs_api{
    .key = 32, .name = "DescribeConfigs", .versions = {1, 4}, .flexible_from = 4};

struct DescribeConfigsRequest {
    static constexpr const auto& info = describe_configs_api;

    struct DescribeConfigsResource {
        std::int8_t resource_type = 0;  // 2 topic, 4 broker, 16 client metrics, 32 group
        std::string resource_name;
        std::optional<std::vector<std::string>> configuration_keys =
            std::vector<std::string>{};  // null: all

        template <class Walker>
        void walk(Walker& w) {
            w.field("resourceType", resource_type);
            w.field("resourceName", resource_name);
            w.field("configurationKeys", configuration_keys);
            w.tags();
        }
        bool operator==(const DescribeConfigsResource&) const = default;
    };

    std::vector<DescribeConfigsResource> resources;
    bool include_synonyms = false;
    bool include_documentation = false;

    template <class Walker>
    void walk(Walker& w) {
        w.field("resources", resources);
        w.field("includeSynonyms", include_synonyms);
        w.field("includeDocumentation", include_documentation, since(3));
        w.tags();
    }
    bool operator==(const DescribeConfigsRequest&) const = default;
};

struct DescribeConfigsResponse {
    static constexpr const auto& info = describe_configs_api;

    struct DescribeConfigsSynonym {
        std::string name;
        std::optional<std::string> value = "";
        std::int8_t source = 0;

        template <class Walker>
        void walk(Walker& w) {
            w.field("name", name);
            w.field("value", value);
            w.field("source", source);
            w.tags();
        }
        bool operator==(const DescribeConfigsSynonym&) const = default;
    };

    struct DescribeConfigsResourceResult {
        std::string name;
        std::optional<std::string> value = "";
        bool read_only = false;
        std::int8_t config_source = -1;  // 1 topic, 2 dynamic broker, 4 static broker, 5 default
        bool is_sensitive = false;
        std::vector<DescribeConfigsSynonym> synonyms;
        std::int8_t config_type = 0;
        std::optional<std::string> documentation = "";

        template <class Walker>
        void walk(Walker& w) {
            w.field("name", name);
            w.field("value", value);
            w.field("readOnly", read_only);
            w.field("configSource", config_source);
            w.field("isSensitive", is_sensitive);
            w.field("synonyms", synonyms);
            w.field("configType", config_type, since(3).ignorable());
            w.field("documentation", documentation, since(3).ignorable());
            w.tags();
        }
        bool operator==(const DescribeConfigsResourceResult&) const = default;
    };

    struct DescribeConfigsResult {
        std::int16_t error_code = 0;
        std::optional<std::string> error_message = "";
        std::int8_t resource_type = 0;
        std::string resource_name;
        std::vector<DescribeConfigsResourceResult> configs;

        template <class Walker>
        void walk(Walker& w) {
            w.field("errorCode", error_code);
            w.field("errorMessage", error_message);
            w.field("resourceType", resource_type);
            w.field("resourceName", resource_name);
            w.field("configs", configs);
            w.tags();
        }
        bool operator==(const DescribeConfigsResult&) const = default;
    };

    std::int32_t throttle_time_ms = 0;
    std::vector<DescribeConfigsResult> results;

    template <class Walker>
    void walk(Walker& w) {
        w.field("throttleTimeMs", throttle_time_ms);
        w.field("results", results);
        w.tags();
    }
    bool operator==(const DescribeConfigsResponse&) const = default;
};

}  // namespace kq::wire
