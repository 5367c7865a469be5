// SPDX-License-Identifier: Apache-2.0
//
// The handler of ApiVersions: what this broker serves, in which versions, and its features.
//
// source   Kafka protocol guide, "ApiVersions API (Key: 18)"; KIP-35, KIP-511, KIP-584, KIP-1022
#pragma once

#include <span>
#include <string_view>

#include "broker/reply.hpp"
#include "broker/request_context.hpp"
#include "metadata/features.hpp"
#include "protocol/codec.hpp"
#include "protocol/messages/18_api_versions.hpp"

namespace kq {

struct AdvertisedApi {
    std::int16_t key;
    wire::Versions versions;
};

// `apis` is the dispatch table: what is announced is what is served. `features` are those that
// this build knows; the finalized ones come from the image.
void handle_api_versions(RequestContext& context, const wire::ApiVersionsRequest& request,
                         std::span<const AdvertisedApi> apis,
                         std::span<const SupportedFeature> features,
                         Reply<wire::ApiVersionsResponse> reply);

// The answer to a version that is not served; to be encoded as version 0, whatever was asked. It
// names the range that is, so that the client can ask again.
wire::ApiVersionsResponse api_versions_unsupported();

}  // namespace kq
