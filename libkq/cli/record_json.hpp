// SPDX-License-Identifier: Apache-2.0
//
// Records as lines of JSON, without loss: what is not UTF-8 travels as base64 under another name.
//
// shape    {"topic":"t","partition":0,"offset":7,"timestamp":1700000000000,"key":"k",
//          "value":"v","headers":[{"k":"a","v":"b"}]}; null is null; key_b64, value_b64, k_b64,
//          v_b64 stand where the bytes are not UTF-8; unknown names are passed over when reading;
//          no name may stand twice
// errors   bad_data  the line is no such object
// source   kq-formats(7), "JSON lines"; RFC 8259
#pragma once

#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "cli/piped_record.hpp"

namespace kq {

// One line, with its "\n".
void append_record_json(Bytes& out, const PipedRecord& record);

// Reads lines; what they hold is good until the next one is read.
class JsonRecordReader {
public:
    // `line` without its "\n"; it must outlive the record.
    Result<PipedRecord> read(ByteView line);
    // Where in the line the last error was found.
    std::size_t failed_at() const { return failed_at_; }

private:
    class Cursor;
    std::vector<Bytes> decoded_;  // of strings with escapes, of base64
    std::size_t decoded_count_ = 0;
    std::vector<HeaderView> headers_;
    std::vector<std::string_view> seen_;  // names of members, to find those that stand twice
    std::vector<std::string_view> seen_in_header_;
    std::size_t failed_at_ = 0;
};

}  // namespace kq
