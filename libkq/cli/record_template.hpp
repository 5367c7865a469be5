// SPDX-License-Identifier: Apache-2.0
//
// RecordTemplate: "%p %o %T{iso} %k=%v\n": how one record looks, for writing and for reading.
//
// shape    %t topic, %p partition, %o offset, %k key, %v (or %s) value, %T timestamp, %h headers,
//          %e leader epoch, %K and %V lengths of key and value (-1: null), %i count, %% itself;
//          \n \t \r \0 \\ \xNN; a modifier in braces follows its letter
// owner    one reader or one writer; reading borrows from the input and from the template's memory
// errors   usage     a letter or modifier that does not exist; a field whose end cannot be found
//          bad_data  the input does not look like the template
// source   kq-formats(7), "Templates"
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "cli/encodings.hpp"
#include "cli/instants.hpp"
#include "cli/piped_record.hpp"

namespace kq {

// "\t" and its kin in a delimiter or template, as bytes.
Result<std::string> unescape(std::string_view text);

struct TemplateOptions {
    Zone zone = Zone::local;
    std::optional<std::string> null_text;  // how null is written, and what is read as null
};

class RecordTemplate {
public:
    static Result<RecordTemplate> parse(std::string_view text, TemplateOptions options);

    // Whether a record can be read by it: the end of every field can be found.
    Status check_readable() const;
    bool names(char letter) const;

    // Writes one record. bad_data where a modifier does not fit the bytes ({be32} of 3 bytes).
    Status write(const PipedRecord& record, Bytes& out);

    struct ReadResult {
        PipedRecord record;
        std::size_t taken = 0;  // 0: the record is not whole yet, read on
    };
    // Reads one record off the front of `input`; `at_end`: nothing comes after it, so that the
    // last literal may be missing. The record borrows from `input` and from this object.
    Result<ReadResult> read(ByteView input, bool at_end);
    // Where in the record the last bad_data was found.
    std::size_t failed_at() const { return failed_at_; }

private:
    enum class Coding : std::uint8_t { plain, hex, base64, json, number, rfc3339, pattern, nested };
    struct Piece {
        char letter = 0;   // 0: a literal
        std::string text;  // of the literal, or the strftime pattern
        Coding coding = Coding::plain;
        NumberLayout layout;
        std::shared_ptr<RecordTemplate> nested;  // what one header looks like
    };
    // What fields became that do not stand in the input as they are, and the headers: of the
    // record read last.
    struct Memory {
        std::vector<Bytes> decoded;
        std::size_t decoded_count = 0;
        std::vector<HeaderView> headers;
    };
    class Parser;
    class Scan;

    Status write_bytes(const Piece& piece, const std::optional<ByteView>& bytes, Bytes& out) const;
    Status write_number(const Piece& piece, std::int64_t number, Bytes& out) const;
    void write_time(const Piece& piece, std::int64_t timestamp, Bytes& out) const;
    Status write_headers(const Piece& piece, std::span<const HeaderView> headers, Bytes& out) const;
    Status write_piece(const Piece& piece, const PipedRecord& record, Bytes& out) const;

    TemplateOptions options_;
    std::vector<Piece> pieces_;
    std::int64_t count_ = 0;  // records written
    std::size_t failed_at_ = 0;
    Memory memory_;
};

}  // namespace kq
