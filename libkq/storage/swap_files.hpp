// SPDX-License-Identifier: Apache-2.0
//
// What an interrupted compaction or deletion left in a partition's directory, put in order before
// its segments are looked at.
//
// shape    *.cleaned   an output that was not complete: removed
//          *.swap      a complete output: takes the place of the segments that it covers, unless a
//                      .cleaned at or below its base shows that its step was not finished
//          *.deleted   removed; *.tmp of the small files here, and of copies of damaged ones, too
// source   docs/formats.md, "Temporary files"; Kafka leaves the same
#pragma once

#include <string>
#include <vector>

#include "base/file_system.hpp"
#include "base/result.hpp"

namespace kq {

// `names` is what the directory holds. Gives whether anything changed: then it must be listed anew.
Result<bool> settle_temporary_files(FileSystem& files, const std::string& directory,
                                    const std::vector<std::string>& names);

}  // namespace kq
