// SPDX-License-Identifier: Apache-2.0
//
// Frames: what stands around a message on a connection: four bytes of size, a header, the body.
//
// shape    request   int32 size | int16 api_key | int16 api_version | int32 correlation_id |
//                    nullable string client_id (always with an int16 length) | tags if flexible
//          response  int32 size | int32 correlation_id | tags if flexible, but never for
//                    ApiVersions: its header has version 0 for ever
// units    a size does not count its own four bytes
// errors   malformed  the header is cut, or its tags are; a size below 8 or above the limit
// source   Kafka protocol guide, "Protocol"; KIP-482, KIP-511
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/chain.hpp"
#include "protocol/api_table.hpp"
#include "protocol/codec.hpp"

namespace kq::wire {

inline constexpr std::size_t frame_size_bytes = 4;  // of the size in front
inline constexpr std::size_t frame_bytes_min = 8;   // the fixed part of a request header

struct RequestHeader {
    std::int16_t api_key = 0;
    std::int16_t api_version = 0;
    std::int32_t correlation_id = 0;
    std::optional<std::string> client_id;  // null is treated as ""
};

struct RequestFrame {
    RequestHeader header;
    ByteView body;  // into the frame
};

// Takes a frame apart, without its size. The header of an API that is not in the table is read as
// one that is not flexible: nobody will decode the body.
Result<RequestFrame> decode_request_header(ByteView frame);

struct ResponseFrame {
    std::int32_t correlation_id;
    ByteView body;  // into the frame
};

// Takes the answer to a request of this API and version apart.
Result<ResponseFrame> decode_response_header(ByteView frame, const ApiInfo& api, int version);

// The correlation id alone, so that a client can find the request that this frame answers.
Result<std::int32_t> peek_correlation_id(ByteView frame);

// The header of a request or a response, as it stands behind the size.
Bytes encode_request_header(const RequestHeader& header);
Bytes encode_response_header(std::int32_t correlation_id, const ApiInfo& api, int version);

// A whole request. `header.api_key` and `api_version` say which; they must be those of M.
template <class M>
Chain encode_request(const RequestHeader& header, const M& request) {
    KQ_CHECK(header.api_key == M::info.key);
    return encode_frame(encode_request_header(header), request, header.api_version);
}

// A whole response; the records in it stay where they are.
template <class M>
Chain encode_response(std::int32_t correlation_id, const M& response, int version) {
    return encode_frame(encode_response_header(correlation_id, M::info, version), response,
                        version);
}

// The same, appended to `out`. Requires: no file slices in records.
template <class M>
void append_response(std::int32_t correlation_id, const M& response, int version, Bytes& out) {
    append_frame(encode_response_header(correlation_id, M::info, version), response, version, out);
}

// The size that stands in front of a frame, once four bytes of it are there.
// Errors: malformed when it is below `bytes_min` or above `bytes_max`; nothing was allocated then.
Result<std::size_t> frame_size(ByteView four_bytes, std::size_t bytes_min, std::size_t bytes_max);

// FrameReader: puts frames together from whatever a socket gives. It does no I/O: space() says
// where the next bytes go, advance() how many came.
//
// shape    size -> body -> take() -> size ...; the buffer is as long as the frame and no longer,
//          and there is none between frames
class FrameReader {
public:
    // Frames below `bytes_min` or above `bytes_max` are malformed. Answers have no fixed part but
    // the correlation id: clients pass 4.
    FrameReader(std::size_t bytes_min, std::size_t bytes_max)
        : bytes_min_(bytes_min), bytes_max_(bytes_max) {}

    // A peer that has authenticated may send more.
    void set_bytes_max(std::size_t bytes_max) { bytes_max_ = bytes_max; }

    // Where the next bytes go: never empty unless complete() or waiting_for_buffer().
    MutableBytes space();
    // `count` bytes were put there.
    Status advance(std::size_t count);

    // The size is known and the body has no buffer yet: the owner asks its memory budget for
    // frame_bytes() and then calls allocate(), at once or later.
    bool waiting_for_buffer() const { return size_known_ && !allocated_; }
    std::size_t frame_bytes() const { return frame_bytes_; }
    void allocate();
    void allocate(Bytes recycled);

    // Bytes of an unfinished frame are here: a peer that stops now is cut off after a while.
    bool started() const { return size_filled_ > 0; }
    bool complete() const { return allocated_ && filled_ == frame_bytes_; }
    // The frame without its size; the reader starts over. Requires: complete().
    Bytes take();

private:
    std::size_t bytes_min_;
    std::size_t bytes_max_;
    std::array<std::uint8_t, frame_size_bytes> size_{};
    std::size_t size_filled_ = 0;
    bool size_known_ = false;
    bool allocated_ = false;
    std::size_t frame_bytes_ = 0;
    std::size_t filled_ = 0;
    Bytes body_;
};

}  // namespace kq::wire
