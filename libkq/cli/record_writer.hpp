// SPDX-License-Identifier: Apache-2.0
//
// RecordWriter: records as bytes for a pipe, in one framing.
//
// errors   bad_data  a template's modifier does not fit the bytes of this record
#pragma once

#include <optional>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "cli/framing.hpp"
#include "cli/record_template.hpp"

namespace kq {

class RecordWriter {
public:
    static Result<RecordWriter> create(Framing framing);

    // Headers cost time to take apart: whether this framing shows them.
    bool shows_headers() const { return shows_headers_; }

    // Appends the record. Allocates nothing once `out` has its size.
    Status write(const PipedRecord& record, Bytes& out);

private:
    RecordWriter() = default;
    void write_line(const PipedRecord& record, Bytes& out) const;

    Framing framing_;
    std::optional<RecordTemplate> template_;
    bool shows_headers_ = false;
};

}  // namespace kq
