// SPDX-License-Identifier: Apache-2.0
#include "storage/log_directory.hpp"

#include <algorithm>
#include <limits>

#include "storage/file_names.hpp"
#include "storage/kq_file.hpp"

namespace kq {

namespace {

constexpr std::string_view lock_name = ".lock";
constexpr std::string_view recovery_points_name = "recovery-point-offset-checkpoint";
constexpr std::string_view high_watermarks_name = "replication-offset-checkpoint";
constexpr std::string_view log_starts_name = "log-start-offset-checkpoint";
constexpr std::string_view cleaned_ends_name = "cleaner-offset-checkpoint";
constexpr std::string_view bootstrap_name = "bootstrap.checkpoint";
constexpr std::string_view metadata_topic_name = "__cluster_metadata";  // never compacted

constexpr KqFileKind boot_kind{"boot", 1};
constexpr std::size_t small_file_max = std::size_t{64} << 20;

Error with_path(const std::string& path, const Error& error) {
    return Error{error.code, path + ": " + error.message};
}

// Makes the directory and what is missing above it; all those names survive a power cut.
Status make_durable_directory(FileSystem& files, const std::string& path,
                              std::vector<std::string>& made) {
    if (files.exists(path)) return done();
    const std::string parent = parent_of(path);
    if (parent != path) KQ_TRY(make_durable_directory(files, parent, made));
    KQ_TRY(files.mkdir(path));
    made.push_back(path);
    return files.sync_dir(parent);
}

}  // namespace

LogDirectory::LogDirectory(Key, FileSystem& files, std::string path, Logger logger)
    : files_(files), path_(std::move(path)), logger_(std::move(logger)) {}

LogDirectory::~LogDirectory() = default;

Result<std::unique_ptr<LogDirectory>> LogDirectory::open(FileSystem& files, std::string path,
                                                         Logger logger) {
    auto directory =
        std::make_unique<LogDirectory>(Key(), files, std::move(path), std::move(logger));
    auto taken = directory->take();
    if (taken.ok()) return directory;
    // Who holds the lock may have made the directory at the same moment.
    if (taken.code() != Errc::locked) directory->undo_making();
    return taken.error();
}

Status LogDirectory::take() {
    KQ_TRY(make_durable_directory(files_, path_, made_));
    KQ_LET(lock_, files_.lock(file(lock_name)));
    if (!made_.empty()) {
        KQ_LET(auto names, files_.list(path_));
        std::erase(names, lock_name);
        if (!names.empty()) made_.clear();  // another was quicker
    }
    return read_state();
}

// Another process that waits for our lock finds its file gone, or the directory: it fails, too.
void LogDirectory::undo_making() {
    if (made_.empty()) return;
    if (made_.back() == path_) {
        // First all of it at once and for good: a power cut must not leave half a directory that
        // the next start takes for one whose log is lost.
        std::string path = path_;
        while (path.size() > 1 && path.ends_with('/'))
            path.pop_back();
        const std::string aside = path + ".undone";
        if (files_.rename(path, aside).ok() && files_.sync_dir(parent_of(path)).ok()) {
            [[maybe_unused]] auto removed = remove_tree(files_, aside);
        }
        made_.pop_back();
    }
    lock_ = nullptr;
    while (!made_.empty()) {
        [[maybe_unused]] auto removed = files_.rmdir(made_.back());  // unless it holds more
        made_.pop_back();
    }
}

Status LogDirectory::read_state() {
    auto meta_path = file(meta_properties_name);
    auto meta = read_file(files_, meta_path, small_file_max);
    if (meta.ok()) {
        auto identity = parse_meta_properties(as_text(meta.value()));
        if (!identity.ok()) return with_path(meta_path, identity.error());
        identity_ = std::move(identity).value();
    } else if (meta.code() == Errc::not_found) {
        KQ_TRY(check_unused());
    } else {
        return meta.error();
    }

    KQ_TRY(read_last_stop());
    KQ_LET(auto recovery_points, read_checkpoint(recovery_points_name));
    KQ_LET(auto high_watermarks, read_checkpoint(high_watermarks_name));
    KQ_LET(auto log_starts, read_checkpoint(log_starts_name));
    KQ_LET(cleaned_ends_, read_checkpoint(cleaned_ends_name));
    recovery_points_ = std::move(recovery_points).value_or(OffsetsByPartition{});
    high_watermarks_ = std::move(high_watermarks).value_or(OffsetsByPartition{});
    log_starts_ = std::move(log_starts).value_or(OffsetsByPartition{});
    return done();
}

// A new directory.id would make a stranger of a used directory: the quorum knows its voters by it,
// and the metadata its partitions.
Status LogDirectory::check_unused() const {
    KQ_LET(const auto names, files_.list(path_));
    for (const auto& name : names) {
        const bool is_trace = name == clean_marker_name || name == boot_name ||
                              name == bootstrap_name || name == recovery_points_name ||
                              name == high_watermarks_name || name == log_starts_name ||
                              name == cleaned_ends_name || parse_directory_name(name);
        if (!is_trace) continue;
        return Error{Errc::corrupt_file,
                     file(meta_properties_name) +
                         " is missing, which says whose the directory is, and " + file(name) +
                         " shows that it was used: put the file back from a copy, or move what is "
                         "in the directory away and start anew"};
    }
    return done();
}

// A start replaces both files, so both are read: one of a newer version must stay as it is (I32).
Status LogDirectory::read_last_stop() {
    auto boot = read_file(files_, file(boot_name), small_file_max);
    auto id =
        boot.ok() ? unwrap_kq_file(boot_kind, boot.value()) : Result<OpenedKqFile>(boot.error());
    if (id.code() == Errc::unsupported) return with_path(file(boot_name), id.error());

    auto marker = read_file(files_, file(clean_marker_name), small_file_max);
    auto clean = marker.ok() ? parse_clean_shutdown(as_text(marker.value()))
                             : Result<std::optional<BrokerEpoch>>(marker.error());
    if (clean.code() == Errc::unsupported) return with_path(file(clean_marker_name), clean.error());
    if (clean.ok()) {
        last_stop_ = LastStop::clean;
        clean_broker_epoch_ = clean.value();
        return done();
    }
    // A marker that cannot be understood promises nothing: everything is checked.
    if (marker.ok()) {
        logger_.warn("clean-shutdown marker is not understood", {kv("error", clean.error())});
    } else if (marker.code() != Errc::not_found) {
        return marker.error();
    }
    bool same = id.ok() && as_text(id.value().content) == files_.boot_id();
    last_stop_ = same ? LastStop::process_died : LastStop::host_died;
    return done();
}

// A checkpoint that is missing or damaged is as good as an empty one: recovery reads more, and high
// watermarks are found again. (Log starts are synced before anything is deleted on their strength;
// where that file is damaged, deleted records that are still there come back. Where nobody knows
// which logs were compacted, any may have been.)
Result<std::optional<OffsetsByPartition>> LogDirectory::read_checkpoint(std::string_view name) {
    using Offsets = std::optional<OffsetsByPartition>;
    auto content = read_file(files_, file(name), small_file_max);
    if (content.code() == Errc::not_found) return Offsets{};
    auto offsets = content.ok() ? parse_offset_checkpoint(as_text(content.value()))
                                : Result<OffsetsByPartition>(content.error());
    if (offsets.ok()) return Offsets{std::move(offsets).value()};
    if (offsets.code() == Errc::unsupported) return with_path(file(name), offsets.error());
    logger_.warn("checkpoint file ignored", {kv("path", file(name)), kv("error", offsets.error())});
    return Offsets{};
}

// An empty file made beside logs that were compacted would say that they never were.
Status LogDirectory::settle_cleaned_ends() {
    if (cleaned_ends_) return done();
    KQ_LET(const auto names, files_.list(path_));
    const bool has_logs = std::any_of(names.begin(), names.end(), [](const std::string& name) {
        const auto parsed = parse_directory_name(name);
        return parsed && parsed->kind == DirectoryKind::partition &&
               parsed->partition.topic != metadata_topic_name;
    });
    if (has_logs) {
        logger_.warn("nobody knows which logs were compacted; gaps between offsets are allowed",
                     {kv("missing", file(cleaned_ends_name))});
        return done();
    }
    cleaned_ends_.emplace();
    return replace_file(files_, file(cleaned_ends_name),
                        as_bytes(format_offset_checkpoint(*cleaned_ends_)));
}

Status LogDirectory::write_identity(const DirectoryIdentity& identity) {
    KQ_TRY(replace_file(files_, file(meta_properties_name),
                        as_bytes(format_meta_properties(identity))));
    identity_ = identity;
    return done();
}

Status LogDirectory::mark_started() {
    KQ_TRY(settle_cleaned_ends());
    // First the boot, then the marker: in between a crash looks like a clean stop, which it was.
    if (last_stop_ != LastStop::host_died) KQ_TRY(note_boot());
    auto removed = files_.unlink(file(clean_marker_name));
    if (!removed.ok() && removed.code() != Errc::not_found) return removed;
    return files_.sync_dir(path_);
}

Status LogDirectory::note_boot() {
    return replace_file(files_, file(boot_name),
                        wrap_kq_file(boot_kind, as_bytes(files_.boot_id())));
}

Status LogDirectory::mark_clean(BrokerEpoch broker_epoch) {
    return replace_file(files_, file(clean_marker_name),
                        as_bytes(format_clean_shutdown(broker_epoch)));
}

Result<std::vector<PartitionDirectory>> LogDirectory::partitions() const {
    std::vector<PartitionDirectory> found;
    KQ_LET(auto names, files_.list(path_));
    for (const auto& name : names) {
        auto path = file(name);
        auto parsed = parse_directory_name(name);
        if (!parsed) {
            KQ_LET(auto info, files_.info(path));
            if (!info.is_directory) continue;
            return Error{Errc::unsupported,
                         path + ": a directory that is no partition's; move it elsewhere"};
        }
        if (parsed->kind != DirectoryKind::partition) continue;

        PartitionDirectory partition{std::move(parsed->partition), path, std::nullopt};
        auto metadata_path = path + '/' + std::string(partition_metadata_name);
        auto metadata = read_file(files_, metadata_path, small_file_max);
        if (metadata.ok()) {
            auto topic_id = parse_partition_metadata(as_text(metadata.value()));
            if (topic_id.code() == Errc::unsupported) {
                return with_path(metadata_path, topic_id.error());
            }
            if (topic_id.ok()) {
                partition.topic_id = topic_id.value();
            } else {
                logger_.warn("partition.metadata is not understood",
                             {kv("path", metadata_path), kv("error", topic_id.error())});
            }
        } else if (metadata.code() != Errc::not_found) {
            // A file that bears a partition's name is no partition.
            KQ_LET(auto info, files_.info(path));
            if (info.is_directory) return metadata.error();
            continue;
        }
        found.push_back(std::move(partition));
    }
    return found;
}

Result<std::size_t> LogDirectory::partition_count() const {
    KQ_LET(const auto names, files_.list(path_));
    return static_cast<std::size_t>(
        std::count_if(names.begin(), names.end(), [](const std::string& name) {
            const auto parsed = parse_directory_name(name);
            return parsed && parsed->kind == DirectoryKind::partition;
        }));
}

std::string LogDirectory::partition_path(const TopicPartition& partition) const {
    KQ_CHECK(is_legal_topic_name(partition.topic) && partition.partition.value >= 0);
    return file(partition.text());
}

OpenHints LogDirectory::hints_for(const TopicPartition& partition) const {
    OpenHints hints;
    hints.last_stop = last_stop_;
    if (auto at = recovery_points_.find(partition); at != recovery_points_.end()) {
        hints.recovery_point = at->second;
    }
    if (auto at = log_starts_.find(partition); at != log_starts_.end()) {
        hints.log_start = at->second;
    }
    if (!cleaned_ends_) {
        hints.cleaned_end = Offset{std::numeric_limits<std::int64_t>::max()};
    } else if (auto at = cleaned_ends_->find(partition); at != cleaned_ends_->end()) {
        hints.cleaned_end = at->second + 1;  // the checkpoint is where the next pass begins
    }
    return hints;
}

Result<std::string> LogDirectory::rename_partition(const TopicPartition& partition, Random& random,
                                                   std::string_view suffix) {
    auto to = file(renamed_directory_name(partition, random.uuid(), suffix));
    KQ_TRY(files_.rename(partition_path(partition), to));
    KQ_TRY(files_.sync_dir(path_));
    return to;
}

Result<std::string> LogDirectory::rename_for_deletion(const TopicPartition& partition,
                                                      Random& random) {
    return rename_partition(partition, random, "delete");
}

Result<std::string> LogDirectory::rename_as_stray(const TopicPartition& partition, Random& random) {
    return rename_partition(partition, random, "stray");
}

Result<std::vector<std::string>> LogDirectory::renamed_for_deletion() const {
    std::vector<std::string> found;
    KQ_LET(auto names, files_.list(path_));
    for (const auto& name : names) {
        auto parsed = parse_directory_name(name);
        if (parsed && parsed->kind == DirectoryKind::deleted) found.push_back(file(name));
    }
    return found;
}

Status LogDirectory::delete_renamed(const std::string& path) {
    auto name = path.substr(path.rfind('/') + 1);
    auto parsed = parse_directory_name(name);
    KQ_CHECK(parsed && parsed->kind == DirectoryKind::deleted && parent_of(path) == path_);
    KQ_TRY(remove_tree(files_, path));
    return files_.sync_dir(path_);
}

Status LogDirectory::write_recovery_points(OffsetsByPartition offsets) {
    KQ_TRY(replace_file(files_, file(recovery_points_name),
                        as_bytes(format_offset_checkpoint(offsets))));
    recovery_points_ = std::move(offsets);
    return done();
}

Status LogDirectory::write_high_watermarks(OffsetsByPartition offsets) {
    KQ_TRY(replace_file(files_, file(high_watermarks_name),
                        as_bytes(format_offset_checkpoint(offsets))));
    high_watermarks_ = std::move(offsets);
    return done();
}

Status LogDirectory::write_log_starts(OffsetsByPartition offsets) {
    KQ_TRY(
        replace_file(files_, file(log_starts_name), as_bytes(format_offset_checkpoint(offsets))));
    log_starts_ = std::move(offsets);
    return done();
}

}  // namespace kq
