// SPDX-License-Identifier: Apache-2.0
//
// LogSurvey: reads the files of a metadata log before anybody opens it, and says whether what was
// committed is in them. Opening a log cuts it at its first damage, which is right for what a crash
// tore, and wrong for anything else: then the survey refuses, and nothing has changed.
//
// shape    finds the same end as LogLoader would: the same scan, the same rule for segments that
//          follow one another or lie below the snapshot
// owner    blocks
// errors   corrupt_file  committed records are missing: the message has the file, where in it,
// which
//                        offsets, and what can be done
//          unsupported   batches of another format; those of FileSystem
// source   docs/decisions/0012; docs/formats.md, "Metadata log"
#pragma once

#include <functional>
#include <string>

#include "base/file_system.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "protocol/record_batch.hpp"

namespace kq {

// What is known of a log beside its own files.
struct LogEvidence {
    Offset committed_end{0};  // as noted
    Offset snapshot_end{0};   // of the newest snapshot; everything below may be gone
};

// Calls back, where there is a callback, for every sound batch that does not lie below the
// snapshot; an error of the callback ends the survey and is returned.
Status survey_log(FileSystem& files, const std::string& directory, const LogEvidence& evidence,
                  const std::function<Status(const BatchHeader&, ByteView)>& visit);

}  // namespace kq
