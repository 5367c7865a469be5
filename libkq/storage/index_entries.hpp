// SPDX-License-Identifier: Apache-2.0
//
// The entries of a segment's three index files, and their bytes.
//
// shape    offset index: 8 bytes an entry: int32 offset - base, int32 position of the batch whose
//          last offset that is. Time index: 12 bytes: int64 timestamp, int32 offset - base: no
//          record up to that offset is younger. Transaction index: 34 bytes: int16 version 0,
//          int64 producer id, first, last, and last stable offset. Offsets and timestamps ascend.
//          A file that Kafka had open is longer, with zeros behind its last entry
// source   docs/formats.md, "Indexes"; an index is a cache of its segment and can be rebuilt
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace kq {

// Of one index file, whatever segment.index.bytes says: what is read into memory at once.
inline constexpr std::size_t index_file_bytes_max = std::size_t{256} << 20;

struct OffsetEntry {
    static constexpr std::size_t bytes = 8;
    std::int32_t relative_offset = 0;
    std::int32_t position = 0;
    friend bool operator==(const OffsetEntry&, const OffsetEntry&) = default;
};

struct TimeEntry {
    static constexpr std::size_t bytes = 12;
    std::int64_t timestamp_ms = -1;
    std::int32_t relative_offset = 0;
    friend bool operator==(const TimeEntry&, const TimeEntry&) = default;
};

// A transaction that was aborted: its records lie in [first, last), its marker at `last`.
struct AbortedTransaction {
    static constexpr std::size_t bytes = 34;
    ProducerId producer;
    Offset first;
    Offset last;
    Offset last_stable;  // when the marker was written
    friend bool operator==(const AbortedTransaction&, const AbortedTransaction&) = default;
};

void append_entry(Bytes& out, const OffsetEntry& entry);
void append_entry(Bytes& out, const TimeEntry& entry);
void append_entry(Bytes& out, const AbortedTransaction& entry);

// The entries of an index file, without Kafka's zeros at its end. corrupt_file: a size that is no
// multiple of an entry, entries out of order, or outside a segment of `segment_bytes`.
Result<std::vector<OffsetEntry>> parse_offset_index(ByteView file, std::uint64_t segment_bytes);
Result<std::vector<TimeEntry>> parse_time_index(ByteView file);
// `unsupported` for a version above 0: a newer format is not guessed at.
Result<std::vector<AbortedTransaction>> parse_transaction_index(ByteView file);

// The last entry at or below, or nothing.
const OffsetEntry* find_offset(std::span<const OffsetEntry> entries, std::int32_t relative_offset);
const OffsetEntry* find_position(std::span<const OffsetEntry> entries, std::int64_t position);
const TimeEntry* find_timestamp(std::span<const TimeEntry> entries, std::int64_t timestamp_ms);

}  // namespace kq
