// SPDX-License-Identifier: Apache-2.0
#include "cli/record_frame.hpp"

#include <string>

#include "base/check.hpp"
#include "protocol/crc32c.hpp"

namespace kq {
namespace {

constexpr std::uint32_t magic = 0x6b717231;  // "kqr1"
constexpr std::size_t head_bytes = 12;

void append_string(Bytes& out, const std::optional<ByteView>& bytes) {
    append_be(out, bytes ? static_cast<std::int32_t>(bytes->size()) : std::int32_t{-1});
    if (bytes) append(out, *bytes);
}

// A walk over a body whose checksum was right: damage is excluded, nonsense is not.
class BodyCursor {
public:
    explicit BodyCursor(ByteView body) : body_(body) {}

    template <std::integral T>
    T number() {
        if (body_.size() < sizeof(T)) return fail(T{-1});
        T value = load_be<T>(body_.data());
        body_ = body_.subspan(sizeof(T));
        return value;
    }
    std::optional<ByteView> string() {
        auto length = number<std::int32_t>();
        if (length == -1) return std::nullopt;
        if (length < 0 || static_cast<std::size_t>(length) > body_.size()) {
            return fail(std::optional<ByteView>());
        }
        auto bytes = body_.first(static_cast<std::size_t>(length));
        body_ = body_.subspan(bytes.size());
        return bytes;
    }
    bool failed() const { return failed_; }
    std::size_t left() const { return body_.size(); }

private:
    template <class T>
    T fail(T value) {
        failed_ = true;
        body_ = {};
        return value;
    }
    ByteView body_;
    bool failed_ = false;
};

}  // namespace

void append_record_frame(Bytes& out, const PipedRecord& record) {
    const auto start = out.size();
    out.resize(start + head_bytes);
    append_be(out, record.timestamp);
    append_be(out, record.offset);
    append_be(out, record.partition);
    append_be(out, record.epoch);
    append_string(out, as_bytes(record.topic));
    append_string(out, record.key);
    append_string(out, record.value);
    append_be(out, static_cast<std::int32_t>(record.headers.size()));
    for (const HeaderView& header : record.headers) {
        append_string(out, as_bytes(header.key));
        append_string(out, header.value);
    }
    const ByteView body = ByteView(out).subspan(start + head_bytes);
    KQ_CHECK(body.size() <= std::numeric_limits<std::int32_t>::max());
    store_be(out.data() + start, magic);
    store_be(out.data() + start + 4, static_cast<std::uint32_t>(body.size()));
    store_be(out.data() + start + 8, crc32c(body));
}

Result<FrameRecordReader::ReadResult> FrameRecordReader::read(ByteView input) {
    ReadResult result;
    if (input.size() >= 4 && load_be<std::uint32_t>(input.data()) != magic) {
        return Error{Errc::bad_data, "no record frame begins here"};
    }
    if (input.size() < head_bytes) return result;
    auto body_bytes = load_be<std::uint32_t>(input.data() + 4);
    if (body_bytes > body_bytes_max) {
        return Error{Errc::bad_data,
                     "a record frame of " + std::to_string(body_bytes) + " bytes is too long"};
    }
    if (input.size() - head_bytes < body_bytes) return result;
    auto body = input.subspan(head_bytes, body_bytes);
    if (crc32c(body) != load_be<std::uint32_t>(input.data() + 8)) {
        return Error{Errc::bad_data, "a record frame fails its checksum"};
    }
    BodyCursor cursor(body);
    PipedRecord& record = result.record;
    record.timestamp = cursor.number<std::int64_t>();
    record.offset = cursor.number<std::int64_t>();
    record.partition = cursor.number<std::int32_t>();
    record.epoch = cursor.number<std::int32_t>();
    record.topic = as_text(cursor.string().value_or(ByteView()));
    record.key = cursor.string();
    record.value = cursor.string();
    auto count = cursor.number<std::int32_t>();
    headers_.clear();
    for (std::int32_t i = 0; i < count && !cursor.failed(); ++i) {
        auto key = cursor.string();
        headers_.push_back({as_text(key.value_or(ByteView())), cursor.string()});
    }
    record.headers = headers_;
    if (cursor.failed() || count < 0 || cursor.left() > 0) {
        return Error{Errc::bad_data, "a record frame contradicts itself"};
    }
    if (record.timestamp < -1 || record.partition < -1) {
        return Error{Errc::bad_data,
                     std::to_string(record.timestamp < -1 ? record.timestamp : record.partition) +
                         (record.timestamp < -1 ? " is no timestamp" : " is no partition")};
    }
    result.taken = head_bytes + body_bytes;
    return result;
}

}  // namespace kq
