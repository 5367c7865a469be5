// SPDX-License-Identifier: Apache-2.0
//
// ApiVersions, key 18, versions 0-4, flexible from 3: which versions of which APIs a broker serves;
// the first request on every connection.
//
// v1       throttle_time_ms
// v3       the name and version of the client (KIP-511); features (KIP-584)
// v4       supported features may have the minimum 0 (KAFKA-17011); older clients fail on one, so
//          it is left out of their answer
// note     the header of the answer is version 0 whatever the version of its body. A version that
//          is not served is answered with a body of version 0 and UNSUPPORTED_VERSION.
// source   Kafka protocol guide, "ApiVersions API (Key: 18)"
#pragma once

#include "protocol/codec.hpp"

namespace kq::wire {

inline constexpr ApiInfo api_versions_api{
    .key = 18, .name = "ApiVersions", .versions = {0, 4}, .flexible_from = 3};

struct ApiVersionsRequest {
    static constexpr const auto& info = api_versions_api;

    std::string client_software_name;
    std::string client_software_version;

    template <class Walker>
    void walk(Walker& w) {
        w.field("clientSoftwareName", client_software_name, since(3).ignorable());
        w.field("clientSoftwareVersion", client_software_version, since(3).ignorable());
        w.tags();
    }
    bool operator==(const ApiVersionsRequest&) const = default;
};

struct ApiVersionsResponse {
    static constexpr const auto& info = api_versions_api;

    struct ApiVersion {
        std::int16_t api_key = 0;
        std::int16_t min_version = 0;
        std::int16_t max_version = 0;

        template <class Walker>
        void walk(Walker& w) {
            w.field("apiKey", api_key);
            w.field("minVersion", min_version);
            w.field("maxVersion", max_version);
            w.tags();
        }
        bool operator==(const ApiVersion&) const = default;
    };

    struct SupportedFeatureKey {
        std::string name;
        std::int16_t min_version = 0;
        std::int16_t max_version = 0;

        template <class Walker>
        void walk(Walker& w) {
            w.field("name", name);
            w.field("minVersion", min_version);
            w.field("maxVersion", max_version);
            w.tags();
        }
        bool operator==(const SupportedFeatureKey&) const = default;
    };

    struct FinalizedFeatureKey {
        std::string name;
        std::int16_t max_version_level = 0;
        std::int16_t min_version_level = 0;

        template <class Walker>
        void walk(Walker& w) {
            w.field("name", name);
            w.field("maxVersionLevel", max_version_level);
            w.field("minVersionLevel", min_version_level);
            w.tags();
        }
        bool operator==(const FinalizedFeatureKey&) const = default;
    };

    std::int16_t error_code = 0;
    std::vector<ApiVersion> api_keys;
    std::int32_t throttle_time_ms = 0;
    std::vector<SupportedFeatureKey> supported_features;
    std::int64_t finalized_features_epoch = -1;
    std::vector<FinalizedFeatureKey> finalized_features;
    bool zk_migration_ready = false;

    template <class Walker>
    void walk(Walker& w) {
        w.field("errorCode", error_code);
        w.field("apiKeys", api_keys);
        w.field("throttleTimeMs", throttle_time_ms, since(1).ignorable());
        w.tags(tagged(0, "supportedFeatures", supported_features, since(3).ignorable()),
               tagged(1, "finalizedFeaturesEpoch", finalized_features_epoch, since(3).ignorable()),
               tagged(2, "finalizedFeatures", finalized_features, since(3).ignorable()),
               tagged(3, "zkMigrationReady", zk_migration_ready, since(3).ignorable()));
    }
    bool operator==(const ApiVersionsResponse&) const = default;
};

}  // namespace kq::wire
