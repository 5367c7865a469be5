// SPDX-License-Identifier: Apache-2.0
#include "protocol/frames.hpp"

#include "protocol/walkers.hpp"

namespace kq::wire {
namespace {

Error cut() {
    return {Errc::malformed, "the header of a frame is cut"};
}

// Skips a section of tagged fields: no header has any that we know.
struct Tags {
    template <class Walker>
    void walk(Walker& w) {
        w.tags();
    }
};

// Where the tags at the front of `bytes` end.
Result<ByteView> after_tags(ByteView bytes) {
    Reader reader(bytes, 0, true);
    Tags tags;
    reader.object(tags);
    return reader.rest();
}

bool has_response_tags(const ApiInfo& api, int version) {
    constexpr std::int16_t api_versions_key = 18;
    return api.key != api_versions_key && api.flexible(version);
}

}  // namespace

Result<RequestFrame> decode_request_header(ByteView frame) {
    constexpr std::size_t fixed_bytes = 8;
    constexpr std::size_t length_bytes = 2;
    if (frame.size() < fixed_bytes + length_bytes) return cut();
    RequestFrame out;
    out.header.api_key = load_be<std::int16_t>(frame.data());
    out.header.api_version = load_be<std::int16_t>(frame.data() + 2);
    out.header.correlation_id = load_be<std::int32_t>(frame.data() + 4);
    auto length = load_be<std::int16_t>(frame.data() + fixed_bytes);
    out.body = frame.subspan(fixed_bytes + length_bytes);
    if (length < -1) return cut();
    if (length >= 0) {
        auto size = static_cast<std::size_t>(length);
        if (size > out.body.size()) return cut();
        out.header.client_id = std::string(as_text(out.body.first(size)));
        out.body = out.body.subspan(size);
    }
    const ApiInfo* api = find_api(out.header.api_key);
    if (api != nullptr && api->flexible(out.header.api_version)) {
        KQ_LET(out.body, after_tags(out.body));
    }
    return out;
}

Result<ResponseFrame> decode_response_header(ByteView frame, const ApiInfo& api, int version) {
    KQ_LET(auto correlation_id, peek_correlation_id(frame));
    ByteView body = frame.subspan(sizeof correlation_id);
    if (has_response_tags(api, version)) {
        KQ_LET(body, after_tags(body));
    }
    return ResponseFrame{correlation_id, body};
}

Result<std::int32_t> peek_correlation_id(ByteView frame) {
    if (frame.size() < sizeof(std::int32_t)) return cut();
    return load_be<std::int32_t>(frame.data());
}

Bytes encode_request_header(const RequestHeader& header) {
    Bytes out;
    out.reserve(11 + (header.client_id ? header.client_id->size() : 0));
    append_be(out, header.api_key);
    append_be(out, header.api_version);
    append_be(out, header.correlation_id);
    if (header.client_id.has_value()) {
        KQ_CHECK(header.client_id->size() <= 32767);
        append_be(out, static_cast<std::int16_t>(header.client_id->size()));
        append(out, as_bytes(*header.client_id));
    } else {
        append_be(out, std::int16_t{-1});
    }
    const ApiInfo* api = find_api(header.api_key);
    if (api != nullptr && api->flexible(header.api_version)) out.push_back(0);
    return out;
}

Bytes encode_response_header(std::int32_t correlation_id, const ApiInfo& api, int version) {
    Bytes out;
    append_be(out, correlation_id);
    if (has_response_tags(api, version)) out.push_back(0);
    return out;
}

Result<std::size_t> frame_size(ByteView four_bytes, std::size_t bytes_min, std::size_t bytes_max) {
    KQ_CHECK(four_bytes.size() >= frame_size_bytes);
    auto size = load_be<std::int32_t>(four_bytes.data());
    if (size < 0 || static_cast<std::size_t>(size) < bytes_min ||
        static_cast<std::size_t>(size) > bytes_max) {
        return Error{Errc::malformed, "a frame of " + std::to_string(size) + " bytes"};
    }
    return static_cast<std::size_t>(size);
}

MutableBytes FrameReader::space() {
    if (!size_known_) return MutableBytes(size_).subspan(size_filled_);
    if (!allocated_) return {};
    return MutableBytes(body_).subspan(filled_);
}

Status FrameReader::advance(std::size_t count) {
    KQ_CHECK(count <= space().size());
    if (size_known_) {
        filled_ += count;
        return done();
    }
    size_filled_ += count;
    if (size_filled_ < frame_size_bytes) return done();
    KQ_LET(frame_bytes_, frame_size(size_, bytes_min_, bytes_max_));
    size_known_ = true;
    return done();
}

void FrameReader::allocate() {
    allocate(Bytes());
}

void FrameReader::allocate(Bytes recycled) {
    KQ_CHECK(waiting_for_buffer());
    body_ = std::move(recycled);
    body_.clear();
    body_.resize(frame_bytes_);
    allocated_ = true;
}

Bytes FrameReader::take() {
    KQ_CHECK(complete());
    size_filled_ = 0;
    size_known_ = false;
    allocated_ = false;
    frame_bytes_ = 0;
    filled_ = 0;
    return std::move(body_);
}

}  // namespace kq::wire
