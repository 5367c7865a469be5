// SPDX-License-Identifier: Apache-2.0
//
// FileSystem and File: the seam to disks. The real one is base/posix_file_system, the one in memory
// (for tests, the simulator and `kq-broker --ephemeral`) base/memory_file_system.
//
// shape    paths are absolute or relative to the process; a written byte is visible to every reader
//          at once and durable after sync(); a created, renamed or removed name is durable after
//          sync_dir() of its directory
// units    positions and sizes count bytes
// owner    File objects may be shared between threads: reads and sync may run on the I/O pool while
//          the owner appends (pread and pwrite carry their position)
// errors   io_error, disk_full, not_found, already_exists, permission_denied, locked;
//          too_many_open_files: of what opens a file, sync_dir() and list() too; nothing was tried;
//          pread past the end is short, not an error; pread_nowait answers would_block when cold
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace kq {

class File {
public:
    virtual ~File() = default;

    virtual std::uint64_t size() const = 0;
    // Reads up to into.size() bytes at `position`; fewer at the end of the file.
    virtual Result<std::size_t> pread(std::uint64_t position, MutableBytes into) const = 0;
    // The same, but answers would_block instead of waiting for the disk.
    virtual Result<std::size_t> pread_nowait(std::uint64_t position, MutableBytes into) const = 0;
    // Writes all pieces, one after the other. On an error some of them may have been written.
    virtual Status pwritev(std::uint64_t position, std::span<const ByteView> pieces) = 0;
    // Reserves disk space for [position, position+length) without changing size().
    virtual Status allocate(std::uint64_t position, std::uint64_t length) = 0;
    virtual Status truncate(std::uint64_t size) = 0;
    virtual Status sync() = 0;  // fdatasync: data and size
    // Hints; no effect on what is read.
    virtual void start_write_back(std::uint64_t position, std::uint64_t length) = 0;
    virtual void drop_cached(std::uint64_t position, std::uint64_t length) = 0;
    // A descriptor that sendfile can read from, or -1.
    virtual int native_handle() const = 0;

    Status pwrite(std::uint64_t position, ByteView bytes) {
        return pwritev(position, std::span<const ByteView>(&bytes, 1));
    }
};

// A piece of a file that keeps the file alive beyond its unlinking.
struct FileSlice {
    std::shared_ptr<const File> file;
    std::uint64_t position = 0;
    std::uint64_t length = 0;
};

// Held as long as the object lives.
class FileLock {
public:
    virtual ~FileLock() = default;
};

enum class OpenMode { read, read_write, create, create_new };

struct FileInfo {
    std::uint64_t size = 0;
    WallTime modified;
    bool is_directory = false;
};

class FileSystem {
public:
    virtual ~FileSystem() = default;

    virtual Result<std::shared_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
    virtual Result<FileInfo> info(const std::string& path) const = 0;
    virtual Status rename(const std::string& from, const std::string& to) = 0;  // replaces `to`
    virtual Status unlink(const std::string& path) = 0;
    virtual Status mkdir(const std::string& path) = 0;  // parents too; an existing one is fine
    virtual Status rmdir(const std::string& path) = 0;  // an empty one
    virtual Status sync_dir(const std::string& path) = 0;
    // All of sync() and sync_dir() for what lies in these directories (not for what lies below
    // them), in one go for each disk: for many files at once, as it writes whatever else the disk
    // has in its cache. `unsupported` where the kernel does not promise that, or not that errors
    // are told: sync each then; nothing was tried.
    virtual Status sync_directories(const std::vector<std::string>& paths) = 0;
    // Names in a directory, sorted, without "." and "..".
    virtual Result<std::vector<std::string>> list(const std::string& path) const = 0;
    // An fcntl (OFD) write lock on the whole of `path`, which is created and holds our pid;
    // `locked` names the holder's pid where it is known.
    virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
    struct Space {
        std::uint64_t free_bytes = 0;
        std::uint64_t total_bytes = 0;
    };
    virtual Result<Space> free_space(const std::string& path) const = 0;
    // Identifies this boot of the kernel: the page cache survives what keeps the same id.
    virtual std::string boot_id() const = 0;

    bool exists(const std::string& path) const { return info(path).ok(); }
};

// The whole file. `limit` bounds what is allocated: a longer file is corrupt_file.
Result<Bytes> read_file(FileSystem& files, const std::string& path,
                        std::size_t limit = std::size_t{64} << 20);

// How every small file is replaced: write "<path>.tmp", sync, rename, sync the directory.
Status replace_file(FileSystem& files, const std::string& path, ByteView content);

// Removes a directory and what is in it.
Status remove_tree(FileSystem& files, const std::string& path);

std::string parent_of(const std::string& path);

}  // namespace kq
