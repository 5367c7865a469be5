// SPDX-License-Identifier: Apache-2.0
#include "storage/batch_walk.hpp"

#include <algorithm>
#include <string>

namespace kq {

Result<BatchHeader> parse_stored_header(ByteView bytes, std::uint64_t left) {
    if (left < batch_header_bytes || bytes.size() < batch_header_bytes) {
        return Error{Errc::corrupt_file, "the rest is shorter than a batch"};
    }
    auto parsed = BatchHeader::parse(bytes);
    if (!parsed.ok()) return Error{Errc::corrupt_file, parsed.error().message};
    if (parsed.value().base_offset < Offset{0}) {
        return Error{Errc::corrupt_file, "a negative offset"};
    }
    if (parsed.value().size_bytes > left) {
        return Error{Errc::corrupt_file, "the batch is cut"};
    }
    return parsed;
}

Result<ByteView> HeaderWalk::header_at(std::uint64_t position) {
    if (position >= buffer_position_ &&
        position + batch_header_bytes <= buffer_position_ + buffer_bytes_) {
        return ByteView(buffer_).subspan(position - buffer_position_,
                                         buffer_bytes_ - (position - buffer_position_));
    }
    auto wanted = std::min<std::uint64_t>(buffer_.size(), end_ - position);
    buffer_position_ = position;
    buffer_bytes_ = 0;
    while (buffer_bytes_ < wanted) {
        auto into = MutableBytes(buffer_).subspan(buffer_bytes_, wanted - buffer_bytes_);
        auto got = may_wait_ == MayWait::yes ? file_.pread(position + buffer_bytes_, into)
                                             : file_.pread_nowait(position + buffer_bytes_, into);
        if (!got.ok()) {
            if (got.code() == Errc::would_block && buffer_bytes_ >= batch_header_bytes) break;
            return got.error();
        }
        if (got.value() == 0) break;
        buffer_bytes_ += got.value();
    }
    return ByteView(buffer_).first(buffer_bytes_);
}

Result<bool> HeaderWalk::next(BatchHeader& out) {
    if (next_ >= end_) return false;
    KQ_LET(auto bytes, header_at(next_));
    auto parsed = parse_stored_header(bytes, end_ - next_);
    if (!parsed.ok()) {
        return Error{parsed.code(), "at " + std::to_string(next_) + ": " + parsed.error().message};
    }
    out = parsed.value();
    position_ = next_;
    next_ += out.size_bytes;
    return true;
}

Result<Bytes> read_batch(const File& file, std::uint64_t position, const BatchHeader& header) {
    Bytes batch(header.size_bytes);
    std::size_t filled = 0;
    while (filled < batch.size()) {
        KQ_LET(auto got, file.pread(position + filled, MutableBytes(batch).subspan(filled)));
        if (got == 0) return Error{Errc::corrupt_file, "the batch is cut"};
        filled += got;
    }
    return batch;
}

}  // namespace kq
