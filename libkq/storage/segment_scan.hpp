// SPDX-License-Identifier: Apache-2.0
//
// scan_segment: reads a segment from end to end and says how far it is sound: whole batches, right
// checksums, offsets that ascend, leader epochs that do not fall.
//
// errors   io_error     the disk could not be read: nothing may be concluded from that
//          unsupported  a whole batch of another magic: an old or a newer format, to be left alone
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>

#include "base/file_system.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "protocol/record_batch.hpp"

namespace kq {

struct ScanStart {
    Offset base;           // of the segment
    Offset next_expected;  // no batch begins below it
    Epoch epoch_floor = no_epoch;
    // Below it there may be gaps between offsets, if what follows fits. Beyond it a gap is damage:
    // base offsets are not under the checksum.
    Offset gaps_below{0};
    Offset limit{std::numeric_limits<std::int64_t>::max()};  // base of the segment behind this one
};

struct ScanResult {
    std::uint64_t sound_bytes = 0;
    Offset next;  // one past the last offset
    Epoch last_epoch = no_epoch;
    std::optional<std::string> damage;  // what stands behind the sound bytes; nothing at the end
};

// Called for every sound batch. `batch` holds it whole if it is a control batch.
using OnScannedBatch =
    std::function<Status(const BatchHeader& header, std::uint64_t position, ByteView batch)>;

Result<ScanResult> scan_segment(const File& file, const ScanStart& start,
                                const OnScannedBatch& on_batch);

}  // namespace kq
