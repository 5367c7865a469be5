// SPDX-License-Identifier: Apache-2.0
//
// Damaged files: what recovery cuts off a log and somebody may want to have a look at. A log ends
// before its first damage, as in Kafka; but sound batches behind it may be all that is left of
// records that were acknowledged, so they are kept beside the segments, under names that neither
// Kafka nor kq reads.
//
// shape    <base offset>.log.damaged, or .damaged.2 and so on: a segment from where it is damaged
//          on, or a whole segment that lies behind the damage. A file under such a name is whole:
//          a copy is made under .damaged.tmp, which the next start removes
// owner    the thread that opens the log; blocks
// errors   those of FileSystem; disk_full says how many bytes are needed and where
// source   docs/formats.md, "Segments"
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/file_system.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "protocol/record_batch.hpp"

namespace kq {

// The whole batch with a right checksum that begins at `position`, or nothing.
Result<std::optional<BatchHeader>> sound_batch_at(const File& file, std::uint64_t position);

// One past the highest offset of the whole batches with right checksums that begin at `from` or
// behind it and hold nothing but offsets in [at_least, below); nothing where there are none. What
// is sound is stepped over; what is not is searched byte by byte, up to 64 MiB of it. A torn tail
// has none, but for what reached the disk out of order.
Result<std::optional<Offset>> sound_end(const File& file, std::uint64_t from, Offset at_least,
                                        Offset below);

// Copies the file from `from` on; durable when it returns. Gives the copy's path: that of an
// earlier one where it ends with the same bytes.
Result<std::string> keep_tail(FileSystem& files, const std::string& path, const File& file,
                              std::uint64_t from);
// Under which name keep_tail() or keep_whole() would keep something of `path`.
std::string name_to_keep(const FileSystem& files, const std::string& path);
// Renames the whole file; durable when it returns.
Status keep_whole(FileSystem& files, const std::string& path, const std::string& name);

}  // namespace kq
