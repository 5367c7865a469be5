// SPDX-License-Identifier: Apache-2.0
//
// Snapshot files of the metadata log: <end offset, 20 digits>-<epoch, 10 digits>.checkpoint, and
// bootstrap.checkpoint: whole record batches, a header and a footer batch around the data. What the
// records say is metadata's affair.
//
// shape    written as <name>.part, synced, renamed, its directory synced: a file under its final
//          name is whole. Read whole; every batch is checked before the first one is handed out
// errors   corrupt_file; those of FileSystem
// source   docs/formats.md, "Metadata snapshots"; KIP-630
#pragma once

#include <compare>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/file_system.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"

namespace kq {

// Which prefix of the log a snapshot stands for: everything below `end`, last written in `epoch`.
struct SnapshotId {
    Offset end;
    Epoch epoch;
    friend auto operator<=>(const SnapshotId&, const SnapshotId&) = default;
    std::string file_name() const;
    static std::optional<SnapshotId> parse(std::string_view file_name);
};

class SnapshotWriter {
public:
    // `path` is the final one.
    static Result<SnapshotWriter> create(FileSystem& files, std::string path);
    // A whole batch, offsets and checksum in place.
    Status append(ByteView batch);
    // Makes the file whole and durable. Nothing of it is left if this is never called.
    Status finish();

    SnapshotWriter(SnapshotWriter&&) noexcept;
    SnapshotWriter& operator=(SnapshotWriter&&) = delete;
    ~SnapshotWriter();

private:
    SnapshotWriter(FileSystem& files, std::string path, std::shared_ptr<File> file);
    Status flush();

    FileSystem* files_;
    std::string path_;
    std::shared_ptr<File> file_;  // null once finished or moved from
    Bytes pending_;
    std::uint64_t written_ = 0;
};

class SnapshotReader {
public:
    static Result<SnapshotReader> open(FileSystem& files, const std::string& path);
    // The batches in order; views into memory that the reader owns.
    const std::vector<ByteView>& batches() const { return batches_; }
    std::size_t size_bytes() const { return content_->size(); }

private:
    std::unique_ptr<const Bytes> content_;
    std::vector<ByteView> batches_;
};

// The snapshots of a partition directory, oldest first. Files under temporary names are not listed.
Result<std::vector<SnapshotId>> list_snapshots(FileSystem& files, const std::string& directory);
// Removes what an interrupted writer left under a temporary name.
Status remove_unfinished_snapshots(FileSystem& files, const std::string& directory);

}  // namespace kq
