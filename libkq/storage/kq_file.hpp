// SPDX-License-Identifier: Apache-2.0
//
// The envelope of files that kq adds to Kafka's: who wrote it, what it is, and whether it is whole.
//
// shape    "kq.f", four letters of kind, int16 version, uint32 length, uint32 crc32c of kind,
//          version, length and content; then the content
// errors   corrupt_file: not such a file, of another kind, cut, or damaged; unsupported: newer
// source   docs/formats.md, "Files of our own"
#pragma once

#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace kq {

struct KqFileKind {
    std::string_view letters;  // four
    std::int16_t version;      // the newest that is known; older ones are the reader's affair
};

Bytes wrap_kq_file(const KqFileKind& kind, ByteView content);

struct OpenedKqFile {
    std::int16_t version = 0;
    ByteView content;  // a view into the file's bytes
};
Result<OpenedKqFile> unwrap_kq_file(const KqFileKind& kind, ByteView file);

}  // namespace kq
