// SPDX-License-Identifier: Apache-2.0
//
// MemoryFileSystem: files in memory. `kq-broker --ephemeral` runs on it, and it is the disk of the
// simulator and of the crash tests.
//
// The fault model (CrashModel::on). The disk loses what was not synced: at power_off() each sector
// of 512 bytes written since the file's last sync() keeps its new or its old bytes, independently;
// a file that grew may come back with any length between the two, with zeros where data did not
// arrive. A name created, renamed or removed since its directory's last sync_dir() may or may not
// have changed; one rename is one step. kill() ends the process only: every written byte stays, as
// in a page cache. Beside that a test may make syncs, writes or reads of a path fail, fill the
// disk, and flip bits. What was opened before kill() or power_off() answers io_error afterwards,
// and its locks are gone.
//
// owner    safe from any thread
// errors   of FileSystem
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/file_system.hpp"
#include "base/random.hpp"

namespace kq {

class MemoryFileSystem final : public FileSystem {
public:
    enum class CrashModel { off, on };

    explicit MemoryFileSystem(const Clock& clock, CrashModel model = CrashModel::off);
    ~MemoryFileSystem() override;

    Result<std::shared_ptr<File>> open(const std::string& path, OpenMode mode) override;
    Result<FileInfo> info(const std::string& path) const override;
    Status rename(const std::string& from, const std::string& to) override;
    Status unlink(const std::string& path) override;
    Status mkdir(const std::string& path) override;
    Status rmdir(const std::string& path) override;
    Status sync_dir(const std::string& path) override;
    Status sync_directories(const std::vector<std::string>& paths) override;
    Result<std::vector<std::string>> list(const std::string& path) const override;
    Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;
    Result<Space> free_space(const std::string& path) const override;
    std::string boot_id() const override;

    // The process ends; its files stay as they are.
    void kill();
    // The power fails; what survives is drawn from `random`. The boot id changes.
    // Requires: CrashModel::on.
    void power_off(Random& random);
    // Like power_off, but everything unsynced is lost: the worst disk that keeps its promises.
    void power_off_losing_all();

    // Faults; a path is matched exactly, "" means every path. They last until clear_faults().
    void fail_next_sync(const std::string& path = {});  // one sync fails, the next would succeed
    void fail_writes(const std::string& path = {});
    void fail_reads(const std::string& path = {});
    // What the file holds leaves the page cache: pread_nowait() would wait until pread() has read
    // the page again. No fault: it lasts.
    void go_cold(const std::string& path);
    void forbid_sync_directories();  // it answers `unsupported`
    // Opening it, as a file or a directory, answers too_many_open_files.
    void take_descriptors(const std::string& path = {});
    void set_capacity(std::uint64_t bytes);  // beyond it writes and creations answer disk_full
    void clear_faults();
    // Turns one bit of what is stored. Requires: the file exists and is that long.
    void flip_bit(const std::string& path, std::uint64_t position, int bit = 0);

    // Called before anything that would wait for a disk (sync, sync_dir, sync_directories), so that
    // the simulator can refuse it on a loop (I35).
    void set_blocking_check(std::function<void(const char* what)> check);

    // How often a sync reached the disk, and how many bytes are stored.
    std::uint64_t sync_count() const;
    std::uint64_t used_bytes() const;
    // Whether the file's bytes are all durable under its durable name. For tests.
    bool is_durable(const std::string& path) const;

    struct State;  // shared with the files it opened

private:
    std::shared_ptr<State> state_;
};

}  // namespace kq
