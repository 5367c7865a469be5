// SPDX-License-Identifier: Apache-2.0
//
// Names of files and directories below a log directory, as Kafka gives them.
//
// shape    <base offset, 20 digits>.<kind> in a partition's directory; <topic>-<partition>, and
//          <topic>-<partition>.<32 hex>-<delete|future|stray>, in a log directory
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ids.hpp"

namespace kq {

inline constexpr std::string_view log_suffix = ".log";
inline constexpr std::string_view offset_index_suffix = ".index";
inline constexpr std::string_view time_index_suffix = ".timeindex";
inline constexpr std::string_view transaction_index_suffix = ".txnindex";
inline constexpr std::string_view producer_snapshot_suffix = ".snapshot";
inline constexpr std::string_view earlier_batches_prefix = "kq.";  // kq.<offset>.producers
inline constexpr std::string_view earlier_batches_suffix = ".producers";
// Behind the name of a file that waits to be unlinked.
inline constexpr std::string_view deleted_suffix = ".deleted";
// Behind the name of a segment: what recovery cut off it, and a copy of that which is being made.
inline constexpr std::string_view damaged_suffix = ".damaged";
inline constexpr std::string_view unfinished_copy_suffix = ".damaged.tmp";

// Beside the segments of a log that had a failed sync, until their bytes are written once more.
inline constexpr std::string_view sync_failed_name = "kq.sync-failed";

// In a log directory. The first is written before anything else; the clean marker, and the boot at
// which the logs are whole, only once a broker has registered.
inline constexpr std::string_view meta_properties_name = "meta.properties";
inline constexpr std::string_view clean_marker_name = ".kafka_cleanshutdown";
inline constexpr std::string_view boot_name = "kq.boot";

inline constexpr std::string_view epoch_file_name = "leader-epoch-checkpoint";
inline constexpr std::string_view partition_metadata_name = "partition.metadata";

// "00000000000000000042".
std::string twenty_digits(Offset offset);
// "<directory>/00000000000000000042.log".
std::string segment_path(const std::string& directory, Offset base, std::string_view suffix);
std::string earlier_batches_path(const std::string& directory, Offset offset);

// The offset in "<20 digits><suffix>", or nothing when the name is another one.
std::optional<Offset> offset_in_name(std::string_view name, std::string_view suffix);
std::optional<Offset> offset_in_earlier_batches_name(std::string_view name);

// 1 to 249 of [A-Za-z0-9._-], and neither "." nor "..": no other name ever becomes a path (I40).
bool is_legal_topic_name(std::string_view name);

enum class DirectoryKind { partition, deleted, future, stray, remote_cache };
struct DirectoryName {
    DirectoryKind kind = DirectoryKind::partition;
    TopicPartition partition;  // of a deleted one the topic may be cut short
};
// Nothing for a name that Kafka does not know and would refuse to start with.
std::optional<DirectoryName> parse_directory_name(std::string_view name);
// "<topic>-<partition>.<32 hex of id>-<suffix>", the topic cut so that it stays a legal file name.
std::string renamed_directory_name(const TopicPartition& partition, const Uuid& id,
                                   std::string_view suffix);

}  // namespace kq
