// SPDX-License-Identifier: Apache-2.0
//
// HeaderWalk: goes through a segment file from batch to batch, reading headers only.
//
// owner    whoever makes it; reads the file, never writes
// errors   corrupt_file  the bytes at position() are no whole batch
//          unsupported   they are a batch of another magic, old or newer
//          would_block   not in the page cache, and the walk may not wait
#pragma once

#include <array>
#include <optional>

#include "base/file_system.hpp"
#include "base/result.hpp"
#include "protocol/record_batch.hpp"

namespace kq {

// Where a batch lies in its segment.
struct BatchRef {
    Offset base = no_offset;
    Offset last = no_offset;
    std::uint64_t position = 0;
    std::uint64_t size_bytes = 0;
    std::uint64_t end() const { return position + size_bytes; }
};

enum class MayWait { no, yes };

class HeaderWalk {
public:
    // From `position` to `end`, at both of which a batch begins or the file ends.
    HeaderWalk(const File& file, std::uint64_t position, std::uint64_t end, MayWait may_wait)
        : file_(file), next_(position), end_(end), may_wait_(may_wait) {}

    // The next batch; false at the end. After an error the walk stays where it is.
    Result<bool> next(BatchHeader& out);

    // Of the batch that next() gave last.
    std::uint64_t position() const { return position_; }
    // Of the batch that next() would give.
    std::uint64_t next_position() const { return next_; }

private:
    Result<ByteView> header_at(std::uint64_t position);

    const File& file_;
    std::uint64_t position_ = 0;
    std::uint64_t next_;
    std::uint64_t end_;
    MayWait may_wait_;
    std::uint64_t buffer_position_ = 0;
    std::size_t buffer_bytes_ = 0;
    std::array<std::uint8_t, 2048> buffer_;
};

// BatchHeader::parse for bytes of a file that begin with a batch and hold `left` bytes of it and
// what follows: says why they are none.
Result<BatchHeader> parse_stored_header(ByteView bytes, std::uint64_t left);

// The whole batch. Requires: `header` was read at `position`.
Result<Bytes> read_batch(const File& file, std::uint64_t position, const BatchHeader& header);

}  // namespace kq
