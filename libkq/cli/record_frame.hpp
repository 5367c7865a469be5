// SPDX-License-Identifier: Apache-2.0
//
// Records as binary frames, without loss: what `-f frame` writes and reads. Frames of several files
// may stand one after the other.
//
// shape    a frame: magic be32 "kqr1", body_bytes be32, crc be32 (CRC-32C of the body), body.
//          body: timestamp be64, offset be64, partition be32, epoch be32, topic, key, value, header
//          count be32, then key and value of each header; every byte string is its length as be32
//          (-1: null) and its bytes. Unknown numbers are -1
// errors   bad_data  no frame, or one that was damaged; no way to find the next one
// source   docs/formats.md, "Record frames"; kq-formats(7)
#pragma once

#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "cli/piped_record.hpp"

namespace kq {

// Requires: the record fits into 2 GiB.
void append_record_frame(Bytes& out, const PipedRecord& record);

class FrameRecordReader {
public:
    struct ReadResult {
        PipedRecord record;
        std::size_t taken = 0;  // 0: the frame is not whole yet
    };
    // The frame at the front of `input`. The record borrows from it and from this object.
    Result<ReadResult> read(ByteView input);

    // Frames with a body over this are taken for damage.
    static constexpr std::uint32_t body_bytes_max = 256u << 20;

private:
    std::vector<HeaderView> headers_;
};

}  // namespace kq
