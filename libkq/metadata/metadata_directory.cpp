// SPDX-License-Identifier: Apache-2.0
#include "metadata/metadata_directory.hpp"

#include <algorithm>

#include "consensus/quorum_directory.hpp"
#include "metadata/controller.hpp"
#include "metadata/features.hpp"
#include "metadata/metadata_node.hpp"

namespace kq {
namespace {

std::string bootstrap_path(const std::string& directory) {
    return directory + "/bootstrap.checkpoint";
}

std::string log_path(const std::string& directory) {
    return directory + '/' + std::string(metadata_log_directory);
}

// Whether a quorum ever ran, or was made to run, in a directory.
Result<bool> holds_quorum(FileSystem& files, const std::string& directory) {
    const auto path = log_path(directory);
    if (!files.exists(path)) return false;
    KQ_LET(const auto names, files.list(path));
    return std::any_of(names.begin(), names.end(), [](const std::string& name) {
        return name == "quorum-state" || name.ends_with(".checkpoint") || name.ends_with(".log");
    });
}

// A partition's directory in one of the log directories, or "".
Result<std::string> some_partition(FileSystem& files, const std::vector<std::string>& log_dirs) {
    for (const auto& dir : log_dirs) {
        if (!files.exists(dir)) continue;
        KQ_LET(const auto names, files.list(dir));
        for (const auto& name : names) {
            if (name == metadata_log_directory) continue;
            const auto info = files.info(dir + '/' + name);
            if (info.ok() && info.value().is_directory) return dir + '/' + name;
        }
    }
    return std::string();
}

// A quorum that once ran in a directory is known by the partitions beside it.
Status check_not_lost(FileSystem& files, const std::string& directory,
                      const std::vector<std::string>& log_dirs) {
    KQ_LET(const bool has_quorum, holds_quorum(files, directory));
    if (has_quorum) return done();
    KQ_LET(const auto partition, some_partition(files, log_dirs));
    if (partition.empty()) return done();
    return Error(Errc::unsupported, "the metadata log in " + directory + " is gone, and " +
                                        partition +
                                        " belongs to a cluster that it described: put the log "
                                        "back, or move the partitions away and start anew");
}

Status write_bootstrap(FileSystem& files, const std::string& directory, WallTime now) {
    return write_snapshot(files, bootstrap_path(directory), {Epoch{0}, WallTime{}, {}}, now,
                          [](const auto& write) -> Status {
                              for (const auto& record : first_features())
                                  KQ_TRY(write(wire::encode_metadata_record(record, 0)));
                              return done();
                          });
}

Status check_level(const wire::MetadataRecord& record) {
    const auto* level = std::get_if<wire::FeatureLevelRecord>(&record);
    if (level == nullptr || level->name != feature_metadata_version) return done();
    if (level->feature_level >= supported_metadata_versions.min &&
        level->feature_level <= supported_metadata_versions.max)
        return done();
    return Error(Errc::unsupported, "metadata.version " + std::to_string(level->feature_level) +
                                        " is not one that this build reads (" +
                                        std::to_string(supported_metadata_versions.min) + " to " +
                                        std::to_string(supported_metadata_versions.max) + ")");
}

}  // namespace

Status check_metadata_directory(FileSystem& files, const std::string& directory,
                                const std::vector<std::string>& log_dirs) {
    KQ_TRY(check_not_lost(files, directory, log_dirs));
    bool any = false;
    KQ_TRY(
        scan_metadata_records(files, log_path(directory), [&](const RecordView& record) -> Status {
            any = true;
            KQ_LET(const auto decoded,
                   wire::decode_metadata_record(record.value.value_or(ByteView())));
            return check_level(decoded.record);
        }));
    if (any) return done();
    KQ_LET(const auto first, read_bootstrap_records(files, directory));
    for (const auto& record : first)
        KQ_TRY(check_level(record));
    return done();
}

Status prepare_metadata_directory(FileSystem& files, const NewDirectory& node, WallTime now) {
    KQ_LET(const bool has_quorum, holds_quorum(files, node.directory));
    if (has_quorum) return done();
    KQ_TRY(check_not_lost(files, node.directory, node.log_dirs));
    // Kafka's format step with static voters leaves a bootstrap.checkpoint and nothing else. Ours
    // comes after the voters, so that a crash in between is not taken for that.
    if (files.exists(bootstrap_path(node.directory))) return done();
    KQ_TRY(write_first_voters(files, log_path(node.directory), {{node.voter.key.id, node.voter}},
                              now));
    return write_bootstrap(files, node.directory, now);
}

Result<std::vector<wire::MetadataRecord>> read_bootstrap_records(FileSystem& files,
                                                                 const std::string& directory) {
    const auto path = bootstrap_path(directory);
    if (!files.exists(path)) return first_features();
    std::vector<wire::MetadataRecord> records;
    KQ_LET(const auto reader, SnapshotReader::open(files, path));
    KQ_TRY(for_each_snapshot_record(reader, [&](const RecordView& record) -> Status {
        KQ_LET(auto decoded, wire::decode_metadata_record(record.value.value_or(ByteView())));
        records.push_back(std::move(decoded.record));
        return done();
    }));
    return records;
}

}  // namespace kq
