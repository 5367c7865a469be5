// SPDX-License-Identifier: Apache-2.0
#include "protocol/record_walk.hpp"

#include <algorithm>

#include "protocol/varint.hpp"

namespace kq {
namespace {

constexpr const char* too_short = "the batch ends inside of it";
constexpr const char* wrong_length = "its length is not that of its parts";

}  // namespace

Status RecordWalk::status() const {
    if (stream_error_.has_value()) return *stream_error_;
    if (why_ != nullptr) return Error{Errc::invalid_record, why_};
    return done();
}

// Puts the next piece of the stream into the window. False at the end. Requires: at_ == end_.
bool RecordWalk::refill() {
    if (stream_ == nullptr || stream_done_) return false;
    before_window_ += static_cast<std::uint64_t>(end_ - window_.data());
    auto count = stream_->read(window_);
    at_ = end_ = window_.data();
    if (!count.ok()) {
        stream_error_ = count.error();
        stream_done_ = true;
        return false;
    }
    end_ += count.value();
    stream_done_ = count.value() < window_.size();
    return count.value() > 0;
}

std::uint64_t RecordWalk::varint(int bytes_max, std::uint8_t last_byte_max) {
    std::uint64_t value = 0;
    for (int i = 0; i < bytes_max; ++i) {
        if (at_ == end_ && !refill()) break;
        std::uint8_t byte = *at_++;
        if (i == bytes_max - 1 && byte > last_byte_max) break;
        value |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0) return value;
    }
    fail("a varint is cut or too long");
    return 0;
}

std::int32_t RecordWalk::varint32() {
    return unzigzag(static_cast<std::uint32_t>(varint(5, 0x0f)));
}
std::int64_t RecordWalk::varint64() {
    return unzigzag(varint(10, 0x01));
}

void RecordWalk::skip(std::uint64_t count) {
    while (true) {
        auto here = std::min(count, static_cast<std::uint64_t>(end_ - at_));
        at_ += here;
        count -= here;
        if (count == 0) return;
        if (!refill()) {
            fail(too_short);
            return;
        }
    }
}

// A key or a value. Whether it was there.
bool RecordWalk::skip_nullable() {
    std::int32_t length = varint32();
    if (length < -1) fail("a length is negative");
    if (length > 0) skip(static_cast<std::uint64_t>(length));
    return length >= 0;
}

void RecordWalk::skip_headers() {
    std::int32_t count = varint32();
    if (count < 0) fail("the number of its headers is negative");
    for (std::int32_t i = 0; i < count && why_ == nullptr; ++i) {
        if (!skip_nullable()) fail("a header has no key");
        skip_nullable();
    }
}

bool RecordWalk::next(RecordShape& out) {
    std::int32_t length = varint32();
    if (length < 0) return fail("its length is negative");
    auto size = static_cast<std::size_t>(length);
    return size <= static_cast<std::size_t>(end_ - at_) ? next_in_window(size, out)
                                                        : next_in_pieces(size, out);
}

// A record that lies in the window as a whole: nearly all do.
bool RecordWalk::next_in_window(std::size_t length, RecordShape& out) {
    VarintReader reader(ByteView(at_, length));
    auto skip_bytes = [&] {
        std::int32_t size = reader.varint();
        if (size < -1) reader.fail();
        if (size > 0) reader.bytes(static_cast<std::size_t>(size));
        return size >= 0;
    };
    reader.byte();  // attributes: none are in use
    out.timestamp_delta = reader.varlong();
    out.offset_delta = reader.varint();
    out.has_key = skip_bytes();
    skip_bytes();
    std::int32_t headers = reader.varint();
    if (headers < 0) return fail("the number of its headers is negative");
    for (std::int32_t i = 0; i < headers && reader.ok(); ++i) {
        if (!skip_bytes()) return fail("a header has no key");
        skip_bytes();
    }
    if (!reader.ok() || reader.left() > 0) return fail(wrong_length);
    at_ += length;
    return true;
}

bool RecordWalk::next_in_pieces(std::size_t length, RecordShape& out) {
    auto start = passed();
    skip(1);  // attributes: none are in use
    out.timestamp_delta = varint64();
    out.offset_delta = varint32();
    out.has_key = skip_nullable();
    skip_nullable();
    skip_headers();
    if (why_ == nullptr && passed() - start != length) fail(wrong_length);
    return why_ == nullptr;
}

Status RecordWalk::finish() {
    if (at_ == end_) refill();
    if (at_ != end_) fail("the batch holds more than its records");
    return status();
}

}  // namespace kq
