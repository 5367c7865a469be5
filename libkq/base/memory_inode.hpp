// SPDX-License-Identifier: Apache-2.0
//
// MemoryInode: one file or directory of a MemoryFileSystem, with what of it is durable.
//
// shape    a file's bytes lie in chunks of 256 KiB; `unsynced` keeps, for each sector written since
//          the last sync, what the disk still holds; sectors of a failed sync stay `doomed` until
//          they are written again: the kernel believes them clean, the disk never got them
// owner    the mutex inside, for files; directories are guarded by the file system's
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/random.hpp"
#include "base/time.hpp"

namespace kq {

class MemoryInode {
public:
    static constexpr std::uint64_t sector_bytes = 512;
    static constexpr std::uint64_t chunk_bytes = 256 * 1024;

    MemoryInode(bool is_directory, bool keeps_durable, WallTime now)
        : is_directory_(is_directory), keeps_durable_(keeps_durable), modified_(now) {}

    bool is_directory() const { return is_directory_; }

    // Files.
    std::uint64_t size() const;
    WallTime modified() const;
    std::size_t read(std::uint64_t position, MutableBytes into) const;
    void write(std::uint64_t position, ByteView bytes, WallTime now);
    void truncate(std::uint64_t size, WallTime now);
    void sync();
    void sync_failed();
    bool is_synced() const;
    void flip(std::uint64_t position, int bit);
    // The power fails. `keep` is the chance of each unsynced sector to have reached the disk.
    void power_off(Random& random, double keep);

    // Directories: names as processes see them, as the disk has them, and the steps between.
    struct Step {
        enum class Kind { add, remove, rename } kind;
        std::string name;
        std::string to;  // of a rename
        std::shared_ptr<MemoryInode> inode;
    };
    using Names = std::map<std::string, std::shared_ptr<MemoryInode>>;
    Names names;
    Names durable_names;
    std::vector<Step> steps;
    static void apply(const Step& step, Names& to);

private:
    using Sector = std::array<std::uint8_t, sector_bytes>;
    void remember(std::uint64_t from, std::uint64_t to);
    void resize(std::uint64_t size);
    void copy_in(std::uint64_t position, ByteView bytes);
    std::size_t copy_out(std::uint64_t position, MutableBytes into) const;

    const bool is_directory_;
    const bool keeps_durable_;
    mutable std::mutex mutex_;
    WallTime modified_;
    std::vector<Bytes> chunks_;
    std::uint64_t size_ = 0;
    std::uint64_t durable_size_ = 0;
    std::map<std::uint64_t, Sector> unsynced_;  // by sector number
    std::map<std::uint64_t, Sector> doomed_;
    bool size_doomed_ = false;
};

}  // namespace kq
