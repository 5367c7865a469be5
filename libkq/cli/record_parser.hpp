// SPDX-License-Identifier: Apache-2.0
//
// RecordParser: records out of the bytes of a pipe or file, in one framing. Holds the input buffer;
// whoever owns the descriptor fills it.
//
// shape    room() -> read into it -> filled(n), or end_of_input(); next() until it answers null;
//          again. A last record without its delimiter is a record.
// owner    a record borrows from the buffer and is good until next() or room()
// errors   bad_data           where() tells the place; skip_bad() goes on after it
//          message_too_large  a record that does not end within the bound
#pragma once

#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "cli/framing.hpp"
#include "cli/piped_record.hpp"
#include "cli/record_frame.hpp"
#include "cli/record_json.hpp"
#include "cli/record_template.hpp"

namespace kq {

class RecordParser {
public:
    // A record may take `record_bytes_max` of the input.
    static Result<RecordParser> create(Framing framing, std::size_t record_bytes_max);

    // Another file begins, under this name. Requires: next() answered null after end_of_input().
    void begin(std::string name);
    MutableBytes room();
    void filled(std::size_t byte_count);
    void end_of_input() { ended_ = true; }

    // The next record. Null: more input is needed, or, at its end, there is none.
    Result<const PipedRecord*> next();

    // "FILE:LINE:BYTE" of what next() refused last, or of the record that it gave, counted from 1.
    // A line is a record, whatever ends it. Frames are no lines: there the byte is that of the file
    // where the frame begins.
    std::string where() const;
    // After bad_data: gives that record up. False: its end cannot be known.
    bool skip_bad();
    // The bytes that skip_bad() gave up.
    ByteView skipped() const { return skipped_; }

private:
    explicit RecordParser(std::size_t record_bytes_max) : record_bytes_max_(record_bytes_max) {}

    ByteView input() const { return ByteView(buffer_).subspan(begin_, end_ - begin_); }
    const PipedRecord* accept(std::size_t taken);
    Result<const PipedRecord*> next_line();
    Result<const PipedRecord*> next_templated();
    Result<const PipedRecord*> next_frame();
    Result<const PipedRecord*> next_raw();
    std::optional<ByteView> find_line();
    Status split_line(ByteView line);
    Result<const PipedRecord*> need_more();
    std::optional<ByteView> or_null(ByteView bytes) const;

    std::size_t record_bytes_max_;
    Framing framing_;
    std::optional<RecordTemplate> template_;
    JsonRecordReader json_;
    FrameRecordReader frames_;

    std::string name_ = "-";
    Bytes buffer_;
    std::size_t begin_ = 0;    // of what is not yet given out
    std::size_t end_ = 0;      // of what was filled
    std::size_t scanned_ = 0;  // from begin_: holds no delimiter
    bool ended_ = false;
    std::uint64_t record_number_ = 0;
    std::uint64_t record_byte_ = 0;  // in the file
    std::size_t failed_at_ = 0;      // in the record
    std::uint64_t begin_byte_ = 0;   // in the file, of begin_
    std::size_t bad_bytes_ = 0;      // of the record refused last, its delimiter too; 0: unknown
    ByteView skipped_;
    PipedRecord record_;
};

}  // namespace kq
