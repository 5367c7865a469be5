// SPDX-License-Identifier: Apache-2.0
#include "broker/api/18_api_versions.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "metadata/metadata_state.hpp"

namespace kq {

namespace {

bool is_alphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// [a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?, of KIP-511.
bool is_software_name(std::string_view text) {
    if (text.empty() || !is_alphanumeric(text.front()) || !is_alphanumeric(text.back())) {
        return false;
    }
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return is_alphanumeric(c) || c == '-' || c == '.'; });
}

void add_features(const MetadataState& image, std::span<const SupportedFeature> features,
                  int version, wire::ApiVersionsResponse& response) {
    for (const SupportedFeature& feature : features) {
        // Java clients before 4.0 fail on a minimum of 0 (KAFKA-17492).
        if (version < 4 && feature.min == 0) continue;
        response.supported_features.push_back(
            {std::string(feature.name), feature.min, feature.max});
    }
    response.finalized_features_epoch = image.applied_offset.value;
    for (const auto& [name, level] : image.features) {
        const auto known =
            std::find_if(features.begin(), features.end(),
                         [&name = name](const SupportedFeature& f) { return f.name == name; });
        if (known == features.end()) continue;
        // A level that another broker finalized beyond what we build is not offered here.
        const std::int16_t offered = std::min(level, known->max);
        if (offered <= 0) continue;
        response.finalized_features.push_back({name, offered, offered});
    }
    if (image.kraft_version > 0) {
        response.finalized_features.push_back(
            {"kraft.version", image.kraft_version, image.kraft_version});
    }
}

}  // namespace

void handle_api_versions(RequestContext& context, const wire::ApiVersionsRequest& request,
                         std::span<const AdvertisedApi> apis,
                         std::span<const SupportedFeature> features,
                         Reply<wire::ApiVersionsResponse> reply) {
    wire::ApiVersionsResponse response;
    if (context.api_version >= 3 && (!is_software_name(request.client_software_name) ||
                                     !is_software_name(request.client_software_version))) {
        response.error_code = wire_code(Errc::invalid_request);
        return std::move(reply).send(std::move(response));
    }
    for (const AdvertisedApi& api : apis) {
        response.api_keys.push_back({api.key, api.versions.min, api.versions.max});
    }
    if (context.api_version >= 3) {
        add_features(*context.image, features, context.api_version, response);
    }
    std::move(reply).send(std::move(response));
}

wire::ApiVersionsResponse api_versions_unsupported() {
    wire::ApiVersionsResponse response;
    response.error_code = wire_code(Errc::unsupported_version);
    response.api_keys.push_back({wire::api_versions_api.key, wire::api_versions_api.versions.min,
                                 wire::api_versions_api.versions.max});
    return response;
}

}  // namespace kq
