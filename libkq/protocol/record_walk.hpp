// SPDX-License-Identifier: Apache-2.0
//
// RecordWalk: goes through the records of a batch without keeping them: keys, values and headers
// are stepped over, so a window of fixed size is enough however large a record is.
//
// errors   invalid_record  a record does not follow its form; too few or too many of them
//          those of Decompressor
// source   Kafka protocol guide, "Record"
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "protocol/compression.hpp"

namespace kq {

// What a validator wants to know of a record.
struct RecordShape {
    std::int64_t timestamp_delta = 0;
    std::int32_t offset_delta = 0;
    bool has_key = false;
};

class RecordWalk {
public:
    // Over plain records.
    explicit RecordWalk(ByteView plain) : at_(plain.data()), end_(at_ + plain.size()) {}
    // Over a stream that has just begun, through `window`.
    RecordWalk(Decompressor& stream, MutableBytes window)
        : at_(window.data()), end_(window.data()), stream_(&stream), window_(window) {}

    // False when the record or the stream is wrong: status() tells.
    bool next(RecordShape& out);
    // Whether nothing is left over. Requires: all records were read.
    Status finish();
    Status status() const;

private:
    std::uint64_t passed() const {
        return before_window_ + static_cast<std::uint64_t>(at_ - window_start());
    }
    const std::uint8_t* window_start() const {
        return stream_ != nullptr ? window_.data() : start_;
    }
    bool next_in_window(std::size_t length, RecordShape& out);
    bool next_in_pieces(std::size_t length, RecordShape& out);
    bool refill();
    std::uint64_t varint(int bytes_max, std::uint8_t last_byte_max);
    std::int32_t varint32();
    std::int64_t varint64();
    void skip(std::uint64_t count);
    bool skip_nullable();
    void skip_headers();
    bool fail(const char* why) {
        if (why_ == nullptr) why_ = why;
        at_ = end_;
        stream_done_ = true;
        return false;
    }

    const std::uint8_t* at_;
    const std::uint8_t* end_;
    const std::uint8_t* start_ = at_;
    Decompressor* stream_ = nullptr;
    MutableBytes window_;
    std::uint64_t before_window_ = 0;  // bytes that went through the window and are gone
    bool stream_done_ = false;
    const char* why_ = nullptr;  // what is wrong with the records
    std::optional<Error> stream_error_;
};

}  // namespace kq
