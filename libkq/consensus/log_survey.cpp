// SPDX-License-Identifier: Apache-2.0
#include "consensus/log_survey.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "storage/batch_walk.hpp"
#include "storage/damaged_files.hpp"
#include "storage/file_names.hpp"
#include "storage/segment_scan.hpp"

namespace kq {
namespace {

constexpr std::string_view remedy =
    " back from a copy, or move the log directories away and start anew";

// How far a log is sound.
struct SoundPart {
    std::size_t segment = 0;  // the last one that was looked at
    std::uint64_t bytes = 0;  // of it
    Offset end{0};
    std::optional<std::string> damage;  // what stands behind
    std::optional<Offset> next_file;    // or where the next file begins, which does not follow
    bool is_all() const { return !damage && !next_file; }
};

class Survey {
public:
    Survey(FileSystem& files, const std::string& directory, const LogEvidence& evidence,
           const std::function<Status(const BatchHeader&, ByteView)>& visit)
        : files_(files), directory_(directory), evidence_(evidence), visit_(visit) {}

    Status run() {
        KQ_TRY(list_segments());
        if (!bases_.empty() && bases_.front() > evidence_.snapshot_end) {
            return Error(Errc::corrupt_file,
                         "the metadata log in " + directory_ + " starts at " +
                             std::to_string(bases_.front().value) +
                             " and no snapshot there reaches so far: put what was before it" +
                             std::string(remedy));
        }
        SoundPart part;
        part.end = evidence_.snapshot_end;
        for (std::optional<std::size_t> first = bases_.empty() ? std::nullopt : std::optional(0u);
             first;) {
            KQ_LET(first, scan_from(*first, part));
        }
        return judge(part);
    }

private:
    Status list_segments() {
        KQ_LET(const auto names, files_.list(directory_));
        for (const auto& name : names) {
            if (auto base = offset_in_name(name, log_suffix)) bases_.push_back(*base);
        }
        std::sort(bases_.begin(), bases_.end());
        return done();
    }

    std::string path_of(std::size_t segment) const {
        return segment_path(directory_, bases_[segment], log_suffix);
    }

    // Segments that lie wholly below the snapshot may have holes or torn ends: then the log is what
    // follows them. Where the scan is to begin anew, or nothing.
    Result<std::optional<std::size_t>> scan_from(std::size_t first, SoundPart& part) {
        using Again = std::optional<std::size_t>;
        const auto is_expendable_before = [&](std::size_t i) {
            return i < bases_.size() && bases_[i] <= evidence_.snapshot_end;
        };
        ScanStart start;
        start.next_expected = bases_[first];
        for (std::size_t i = first; i < bases_.size(); ++i) {
            if (i > first && bases_[i] != start.next_expected) {
                if (is_expendable_before(i)) return Again(i);
                part.next_file = bases_[i];
                break;
            }
            start.base = bases_[i];
            KQ_LET(const auto result, scan(i, start));
            part = {i, result.sound_bytes, result.next, result.damage, std::nullopt};
            start.next_expected = result.next;
            start.epoch_floor = result.last_epoch;
            if (!result.damage) continue;
            if (is_expendable_before(i + 1)) return Again(i + 1);
            break;
        }
        return Again();
    }

    Result<ScanResult> scan(std::size_t segment, const ScanStart& start) {
        KQ_LET(const auto file, files_.open(path_of(segment), OpenMode::read));
        Status visited = done();
        auto result = scan_segment(
            *file, start, [&](const BatchHeader& header, std::uint64_t position, ByteView) {
                visited = visit(*file, header, position);
                return visited;
            });
        if (!visited.ok()) return visited.error();
        if (result.code() == Errc::unsupported)
            return Error(Errc::unsupported, path_of(segment) + ": " + result.error().message);
        return result;
    }

    Status visit(const File& file, const BatchHeader& header, std::uint64_t position) {
        if (!visit_ || header.next_offset() <= evidence_.snapshot_end) return done();
        KQ_LET(const auto batch, read_batch(file, position, header));
        return visit_(header, batch);
    }

    // Below both ends of the evidence everything was on disk: damage there is none of a crash. It
    // costs nothing that is not in the snapshot, unless records lie beyond that.
    Status judge(const SoundPart& part) {
        const auto reached = std::max(part.end, evidence_.snapshot_end);
        if (reached < evidence_.committed_end) {
            return refuse(part, "what was committed at the offsets " +
                                    std::to_string(reached.value) + " to " +
                                    std::to_string(evidence_.committed_end.value - 1) +
                                    " is missing");
        }
        if (part.is_all() || part.end >= evidence_.snapshot_end) return done();
        KQ_LET(const bool any, any_behind(part, reached));
        if (!any) return done();
        return refuse(part, "what no snapshot has, from offset " + std::to_string(reached.value) +
                                " on, is behind that");
    }

    Error refuse(const SoundPart& part, const std::string& lost) const {
        std::string what = "the metadata log in " + directory_ + " is gone";
        if (!bases_.empty()) {
            what = path_of(part.segment) +
                   (part.damage ? " is damaged at byte " : " ends at byte ") +
                   std::to_string(part.bytes);
        }
        if (part.damage) what += " (" + *part.damage + ")";
        if (part.next_file) {
            what +=
                " (the next file begins at offset " + std::to_string(part.next_file->value) + ")";
        }
        return Error(Errc::corrupt_file,
                     what + ", and " + lost +
                         (bases_.empty() ? ": put its .log files" : ": put the file") +
                         std::string(remedy));
    }

    Result<bool> any_behind(const SoundPart& part, Offset at_least) {
        for (auto i = part.segment + 1; i < bases_.size(); ++i) {
            KQ_LET(const auto info, files_.info(path_of(i)));
            if (info.size > 0) return true;
        }
        KQ_LET(const auto file, files_.open(path_of(part.segment), OpenMode::read));
        constexpr auto reach = std::numeric_limits<std::int32_t>::max();
        KQ_LET(const auto end, sound_end(*file, part.bytes + 1, at_least, at_least + reach));
        return end.has_value();
    }

    FileSystem& files_;
    const std::string& directory_;
    const LogEvidence& evidence_;
    const std::function<Status(const BatchHeader&, ByteView)>& visit_;
    std::vector<Offset> bases_;
};

}  // namespace

Status survey_log(FileSystem& files, const std::string& directory, const LogEvidence& evidence,
                  const std::function<Status(const BatchHeader&, ByteView)>& visit) {
    return Survey(files, directory, evidence, visit).run();
}

}  // namespace kq
