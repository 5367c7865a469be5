// SPDX-License-Identifier: Apache-2.0
//
// Every message and record with its type taken away, so that tests can go through them by name.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "protocol/codec.hpp"

namespace kq::test {

struct RoundTrip {
    std::string json;
    Bytes bytes;          // encoded again
    std::size_t size;     // as encoded_size() said
    bool is_expressible;  // a message that was read must be
};

struct Schema {
    std::string_view name;  // "ProduceRequest", "TopicRecord"
    wire::Versions versions;
    std::int16_t key;
    std::int16_t flexible_from;
    Result<RoundTrip> (*round_trip)(ByteView body, int version);
    // Only whether the bytes are taken.
    Status (*check)(ByteView body, int version);
};

std::span<const Schema> all_messages();  // request, response, request, ...
std::span<const Schema> all_records();   // of the metadata log, and control records
const Schema& schema_of(std::string_view name);

}  // namespace kq::test
