// SPDX-License-Identifier: Apache-2.0
//
// The metadata directory before anything runs on it: made as Kafka's format step makes it, and the
// records with which a cluster begins.
//
// shape    bootstrap.checkpoint: a snapshot file of feature levels, which the first leader writes
//          to the log as one transaction; __cluster_metadata-0/…0-0.checkpoint: the first voters
// owner    these functions block
// errors   unsupported, corrupt_file, those of FileSystem
// source   KIP-778 (bootstrap.checkpoint), KIP-853; docs/formats.md, "Metadata log"
#pragma once

#include <string>
#include <vector>

#include "base/config.hpp"
#include "base/file_system.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "consensus/quorum_messages.hpp"
#include "protocol/records/metadata_record.hpp"

namespace kq {

struct NewDirectory {
    std::string directory;              // metadata.log.dir
    std::vector<std::string> log_dirs;  // all of this node
    Voter voter;                        // ourselves
};

// Makes what is missing of a new directory; one that a node or Kafka's format step made before is
// left as it is. Refuses (corrupt_file) where the metadata log was lost.
Status prepare_metadata_directory(FileSystem& files, const NewDirectory& node, WallTime now);

// Ids of controller.quorum.voters, "1@host:port,2@host:port"; what is no id is left out (the
// registry refused it before).
std::vector<BrokerId> configured_voters(const ConfigSet& config);

// The records of bootstrap.checkpoint; those of this build where there is no such file.
Result<std::vector<wire::MetadataRecord>> read_bootstrap_records(FileSystem& files,
                                                                 const std::string& directory);

}  // namespace kq
