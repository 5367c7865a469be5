// SPDX-License-Identifier: Apache-2.0
#include "cli/record_writer.hpp"

#include "cli/json_text.hpp"
#include "cli/record_frame.hpp"
#include "cli/record_json.hpp"

namespace kq {

Result<RecordWriter> RecordWriter::create(Framing framing) {
    RecordWriter writer;
    writer.framing_ = std::move(framing);
    const Framing::Kind kind = writer.framing_.kind;
    if (kind == Framing::Kind::templated) {
        KQ_LET(auto form, RecordTemplate::parse(writer.framing_.template_text,
                                                {writer.framing_.zone, writer.framing_.null_text}));
        writer.shows_headers_ = form.names('h');
        writer.template_ = std::move(form);
    }
    if (kind == Framing::Kind::jsonl || kind == Framing::Kind::frame) writer.shows_headers_ = true;
    return writer;
}

Status RecordWriter::write(const PipedRecord& record, Bytes& out) {
    switch (framing_.kind) {
        case Framing::Kind::lines:
            write_line(record, out);
            break;
        case Framing::Kind::templated:
            return template_->write(record, out);
        case Framing::Kind::jsonl:
            append_record_json(out, record);
            break;
        case Framing::Kind::frame:
            append_record_frame(out, record);
            break;
        case Framing::Kind::raw:
            if (record.value) append(out, *record.value);
            break;
    }
    return done();
}

void RecordWriter::write_line(const PipedRecord& record, Bytes& out) const {
    auto write_bytes = [&](const std::optional<ByteView>& bytes) {
        if (bytes) {
            append(out, *bytes);
        } else if (framing_.null_text) {
            append_text(out, *framing_.null_text);
        }
    };
    if (framing_.key_separator) {
        write_bytes(record.key);
        append_text(out, *framing_.key_separator);
    }
    write_bytes(record.value);
    append_text(out, framing_.delimiter);
}

}  // namespace kq
