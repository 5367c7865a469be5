// SPDX-License-Identifier: Apache-2.0
#include "metadata/metadata_directory.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "consensus/quorum_directory.hpp"
#include "metadata/controller.hpp"
#include "metadata/features.hpp"
#include "metadata/metadata_node.hpp"
#include "storage/checkpoints.hpp"
#include "storage/file_names.hpp"

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

// What shows that a broker ran on the log directories, and so that there was a metadata log: a
// partition, or one of the files that are written once a broker has registered. Or "".
Result<std::string> trace_of_a_broker(FileSystem& files, const std::vector<std::string>& log_dirs) {
    for (const auto& dir : log_dirs) {
        if (!files.exists(dir)) continue;
        KQ_LET(const auto names, files.list(dir));
        for (const auto& name : names) {
            if (name == metadata_log_directory) continue;
            auto path = dir + '/' + name;
            if (name == clean_marker_name || name == boot_name) return path;
            const auto info = files.info(path);
            if (!info.ok() || !info.value().is_directory) continue;
            if (parse_directory_name(name)) return path;
            return Error(Errc::unsupported,
                         path + ": a directory that is no partition's; move it elsewhere");
        }
    }
    return std::string();
}

// A quorum that once ran in a directory is known by what else its brokers left.
Status check_not_lost(FileSystem& files, const std::string& directory,
                      const std::vector<std::string>& log_dirs) {
    KQ_LET(const bool has_quorum, holds_quorum(files, directory));
    if (has_quorum) return done();
    KQ_LET(const auto trace, trace_of_a_broker(files, log_dirs));
    if (trace.empty()) return done();
    std::string what = "the metadata log in " + log_path(directory) + " is gone, and " + trace +
                       " is of a broker that had one: put the directory back from a copy, or move "
                       "the log directories away and start anew";
    for (const auto& other : log_dirs) {
        KQ_LET(const bool is_there, holds_quorum(files, other));
        if (is_there) what += "; there is one in " + log_path(other) + ": see metadata.log.dir";
    }
    return Error(Errc::corrupt_file, what);
}

// Of a directory that has none, or whose identity LogDirectory will refuse: nothing is known.
std::optional<DirectoryIdentity> identity_in(FileSystem& files, const std::string& directory) {
    const auto content = read_file(files, directory + "/meta.properties");
    if (!content.ok()) return std::nullopt;
    auto identity = parse_meta_properties(as_text(content.value()));
    if (!identity.ok()) return std::nullopt;
    return identity.value();
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

std::vector<BrokerId> configured_voters(const ConfigSet& config) {
    std::vector<BrokerId> ids;
    for (const auto& entry : config.list("controller.quorum.voters")) {
        std::int32_t id = 0;
        const char* end = entry.data() + entry.size();
        const auto parsed = std::from_chars(entry.data(), end, id);
        if (parsed.ec == std::errc() && parsed.ptr != end && *parsed.ptr == '@')
            ids.emplace_back(id);
    }
    return ids;
}

Status check_metadata_directory(FileSystem& files, const MetadataPlace& place, BrokerId node,
                                const ConfigSet& config) {
    const auto& directory = place.directory;
    KQ_TRY(check_not_lost(files, directory, place.log_dirs));
    bool any = false;
    KQ_LET(
        const auto members,
        scan_metadata_records(files, log_path(directory), [&](const RecordView& record) -> Status {
            any = true;
            KQ_LET(const auto decoded,
                   wire::decode_metadata_record(record.value.value_or(ByteView())));
            return check_level(decoded.record);
        }));
    const auto identity = identity_in(files, directory);
    if (!identity || identity->node_id == node) {
        const ReplicaKey self{node, identity ? identity->directory_id : Uuid{}};
        KQ_LET([[maybe_unused]] const auto voters,
               settle_voters(members, configured_voters(config), self));
    }
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
