// SPDX-License-Identifier: Apache-2.0
//
// Damaged files: what recovery cuts off a log and somebody may want to have a look at. A log ends
// before its first damage, as in Kafka; but sound batches behind it may be all that is left of
// records that were acknowledged, so they are kept beside the segments, under names that neither
// Kafka nor kq reads.
//
// shape    <base offset>.log.damaged, or .damaged.2 and so on: a segment from where it is damaged
//          on, or a whole segment that lies behind the damage
// owner    the thread that opens the log; blocks
// errors   those of FileSystem
// source   docs/formats.md, "Segments"
#pragma once

#include <cstdint>
#include <string>

#include "base/file_system.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"

namespace kq {

// Whether a whole batch with a right checksum, of `at_least` or a later offset, begins behind
// `from`. A torn tail has none, but for what reached the disk out of order.
Result<bool> holds_sound_batch(const File& file, std::uint64_t from, Offset at_least);

// Copies the file from `from` on; durable when it returns. Gives the copy's path.
Result<std::string> keep_tail(FileSystem& files, const std::string& path, const File& file,
                              std::uint64_t from);
// Renames the whole file; durable when it returns. Gives the new path.
Result<std::string> keep_whole(FileSystem& files, const std::string& path);

}  // namespace kq
