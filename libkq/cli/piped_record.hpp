// SPDX-License-Identifier: Apache-2.0
//
// PipedRecord: a record on its way between a topic and a pipe, as framings and templates read and
// write it.
//
// owner    borrows all it shows; good until the reader that made it is asked for the next one
// units    timestamp in milliseconds since 1970, -1: none; offset, partition, epoch -1: unknown
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.hpp"
#include "client/producer_types.hpp"

namespace kq {

struct PipedRecord {
    std::string_view topic;
    std::int32_t partition = -1;
    std::int32_t epoch = -1;
    std::int64_t offset = -1;
    std::int64_t timestamp = -1;
    std::optional<ByteView> key;    // none: null
    std::optional<ByteView> value;  // none: null, a tombstone
    std::span<const HeaderView> headers;
};

}  // namespace kq
