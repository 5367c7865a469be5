// SPDX-License-Identifier: Apache-2.0
//
// PosixFileSystem: files of the operating system.
//
// shape    append-only files are read with pread and written with pwritev; nothing is mapped
// owner    safe from any thread; Files as base/file_system.hpp says
// errors   of FileSystem; each message names the path and the system's reason
#pragma once

#include "base/file_system.hpp"

namespace kq {

class PosixFileSystem final : public FileSystem {
public:
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
};

}  // namespace kq
