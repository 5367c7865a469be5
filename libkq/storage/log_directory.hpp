// SPDX-License-Identifier: Apache-2.0
//
// LogDirectory: one entry of log.dirs: whose it is, how it was left, which partitions lie in it,
// and the checkpoint files that cover them all.
//
// shape    one process holds .lock as long as the object lives. Names are Kafka's:
//          <topic>-<partition>, <topic>-<partition>.<32 hex>-delete, …-stray, …-future,
//          remote-log-index-cache; any other directory keeps Kafka from starting, and so us
// owner    the functions block and run at start, at stop, or on the I/O pool, one at a time
// errors   locked       another process has it; the message names it
//          corrupt_file meta.properties cannot be read, or is missing where there was one
//          unsupported  a directory with a name that is not Kafka's; any file of a newer version
//          io_error, disk_full, permission_denied
// source   docs/formats.md, "Log directory"
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file_system.hpp"
#include "base/ids.hpp"
#include "base/log.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "storage/checkpoints.hpp"
#include "storage/log_options.hpp"

namespace kq {

// A partition as it lies on disk.
struct PartitionDirectory {
    TopicPartition partition;
    std::string path;
    // From partition.metadata; nothing where a crash kept that file from being written.
    std::optional<Uuid> topic_id;
};

class LogDirectory {
public:
    // Only open() has one.
    class Key {
        friend class LogDirectory;
        Key() {}
    };
    LogDirectory(Key, FileSystem& files, std::string path, Logger logger);

    // Makes the directory if it is not there, takes its lock, and reads how it was left. Changes
    // nothing else. On an error no directory stays that was not there before.
    static Result<std::unique_ptr<LogDirectory>> open(FileSystem& files, std::string path,
                                                      Logger logger);
    ~LogDirectory();
    LogDirectory(const LogDirectory&) = delete;
    LogDirectory& operator=(const LogDirectory&) = delete;

    const std::string& path() const { return path_; }

    // A first start that failed leaves no trace: removes the directory, and those above it that
    // open() made with it. Nothing where it was there before. Requires: nobody was served from it,
    // nothing in it is in use, and no other node has had a vote of it.
    void undo_making();

    // Nothing in a directory that no broker used yet.
    const std::optional<DirectoryIdentity>& identity() const { return identity_; }
    Status write_identity(const DirectoryIdentity& identity);

    LastStop last_stop() const { return last_stop_; }
    // Of the node that stopped cleanly; goes into the registration of the next one.
    std::optional<BrokerEpoch> clean_broker_epoch() const { return clean_broker_epoch_; }

    // Removes the clean marker; durable when it returns. Before it nothing in the directory may be
    // changed, after it every stop is unclean until mark_clean. Notes this boot of the kernel,
    // unless the host died: then a start that dies, too, must not hide that from the next one.
    // Makes cleaner-offset-checkpoint where there is no partition yet: later its absence means that
    // nobody knows which logs were compacted, and hints_for() then allows gaps in all of them.
    Status mark_started();
    // From now on the death of this process alone loses nothing: the cluster knows what the death
    // of the host may have lost (I10), and every log ends where its files say.
    Status note_boot();
    // Last act of a clean stop, after logs are closed and checkpoints written.
    Status mark_clean(BrokerEpoch broker_epoch);

    // ---- Partitions

    // What lies here. `unsupported` names the first directory that Kafka would refuse.
    Result<std::vector<PartitionDirectory>> partitions() const;
    Result<std::size_t> partition_count() const;  // by their names alone
    std::string partition_path(const TopicPartition& partition) const;
    // From the checkpoint files as they were at open().
    OpenHints hints_for(const TopicPartition& partition) const;

    // Renames a partition's directory, so that its name is free at once. The log must be closed.
    // Gives the new path, for delete_renamed().
    Result<std::string> rename_for_deletion(const TopicPartition& partition, Random& random);
    // Puts a partition aside that nobody asked to delete.
    Result<std::string> rename_as_stray(const TopicPartition& partition, Random& random);
    // Directories that wait for their deletion: those an earlier run left, too.
    Result<std::vector<std::string>> renamed_for_deletion() const;
    Status delete_renamed(const std::string& path);

    // ---- Checkpoints: whole files, replaced and synced

    const OffsetsByPartition& recovery_points() const { return recovery_points_; }
    const OffsetsByPartition& high_watermarks() const { return high_watermarks_; }
    const OffsetsByPartition& log_starts() const { return log_starts_; }
    Status write_recovery_points(OffsetsByPartition offsets);
    Status write_high_watermarks(OffsetsByPartition offsets);
    // Only of partitions whose log start is not the base of their first segment.
    Status write_log_starts(OffsetsByPartition offsets);

    Result<FileSystem::Space> free_space() const { return files_.free_space(path_); }

private:
    Status take();
    Status read_state();
    std::string file(std::string_view name) const { return path_ + '/' + std::string(name); }
    Status check_unused() const;
    Status read_last_stop();
    // Nothing where it is missing or damaged.
    Result<std::optional<OffsetsByPartition>> read_checkpoint(std::string_view name);
    Status settle_cleaned_ends();
    Result<std::string> rename_partition(const TopicPartition& partition, Random& random,
                                         std::string_view suffix);

    FileSystem& files_;
    std::string path_;
    Logger logger_;
    std::vector<std::string> made_;  // by open(), deepest last
    std::unique_ptr<FileLock> lock_;
    std::optional<DirectoryIdentity> identity_;
    LastStop last_stop_ = LastStop::host_died;
    std::optional<BrokerEpoch> clean_broker_epoch_;
    OffsetsByPartition recovery_points_;
    OffsetsByPartition high_watermarks_;
    OffsetsByPartition log_starts_;
    std::optional<OffsetsByPartition> cleaned_ends_;  // nothing: nobody knows
};

}  // namespace kq
