// SPDX-License-Identifier: Apache-2.0
//
// The committed end: the note kq.committed-end beside a metadata log, of how far that log is
// committed. A log that does not reach it was damaged by something else than a crash.
//
// shape    26 bytes in one sector, written in place: a crash leaves the old note or the new one
// owner    these functions block
// errors   those of FileSystem; unsupported for a note of a newer version
// source   docs/formats.md, "Files of our own"; docs/decisions/0012
#pragma once

#include <string>

#include "base/file_system.hpp"
#include "base/ids.hpp"
#include "base/log.hpp"
#include "base/result.hpp"

namespace kq {

// What the note outlives.
enum class Outlives {
    process,
    power,
};

// Requires: the log is on disk up to `end`, whatever the note outlives: it must never
// claim more than is there.
Status write_committed_end(FileSystem& files, const std::string& directory, Offset end,
                           Outlives outlives);

// 0 where nothing is known: nothing was ever committed here, or the note is damaged.
Result<Offset> read_committed_end(FileSystem& files, const Logger& logger,
                                  const std::string& directory);

}  // namespace kq
