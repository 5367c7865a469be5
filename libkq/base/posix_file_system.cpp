// SPDX-License-Identifier: Apache-2.0
#include "base/posix_file_system.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <map>
#include <optional>
#include <system_error>

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace kq {
namespace {

constexpr std::size_t streamed_bytes_max = std::size_t{16} << 20;

Errc errc_of(int number) {
    switch (number) {
        case ENOENT:
            return Errc::not_found;
        case EEXIST:
            return Errc::already_exists;
        case EACCES:
        case EPERM:
        case EROFS:
            return Errc::permission_denied;
        case ENOSPC:
        case EDQUOT:
            return Errc::disk_full;
        case EMFILE:
        case ENFILE:
            return Errc::too_many_open_files;
        default:
            return Errc::io_error;
    }
}

Error failed(const char* what, const std::string& path, int number = errno) {
    return Error{errc_of(number), std::string("cannot ") + what + " '" + path +
                                      "': " + std::generic_category().message(number)};
}

class Descriptor {
public:
    explicit Descriptor(int number) : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&&) = delete;
    ~Descriptor() {
        if (number_ >= 0) ::close(number_);
    }
    int get() const { return number_; }
    bool ok() const { return number_ >= 0; }

private:
    int number_;
};

class PosixFile final : public File {
public:
    PosixFile(Descriptor descriptor, std::string path, std::optional<Bytes> piped = std::nullopt)
        : descriptor_(std::move(descriptor)), path_(std::move(path)), piped_(std::move(piped)) {}

    std::uint64_t size() const override {
        if (piped_) return piped_->size();
        struct stat info {};
        KQ_CHECK(::fstat(fd(), &info) == 0);
        return static_cast<std::uint64_t>(info.st_size);
    }

    Result<std::size_t> pread(std::uint64_t position, MutableBytes into) const override {
        if (piped_) return copy_of_piped(position, into);
        std::size_t filled = 0;
        while (filled < into.size()) {
            auto count = ::pread(fd(), into.data() + filled, into.size() - filled,
                                 static_cast<off_t>(position + filled));
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) return failed("read", path_);
            if (count == 0) break;
            filled += static_cast<std::size_t>(count);
        }
        return filled;
    }

    Result<std::size_t> pread_nowait(std::uint64_t position, MutableBytes into) const override {
        iovec piece{into.data(), into.size()};
        while (true) {
            auto count = ::preadv2(fd(), &piece, 1, static_cast<off_t>(position), RWF_NOWAIT);
            if (count >= 0) return static_cast<std::size_t>(count);
            if (errno == EINTR) continue;
            if (errno == EAGAIN) return Error{Errc::would_block, path_};
            // A file system in memory that does not know the flag never waits.
            if (errno == EOPNOTSUPP) return pread(position, into);
            return failed("read", path_);
        }
    }

    Status pwritev(std::uint64_t position, std::span<const ByteView> pieces) override {
        std::size_t at = 0;       // piece
        std::size_t at_byte = 0;  // of that piece
        while (true) {
            std::array<iovec, 64> vector;
            std::size_t count = 0;
            std::size_t skip = at_byte;
            for (std::size_t i = at; i < pieces.size() && count < vector.size(); ++i) {
                ByteView rest = pieces[i].subspan(skip);
                skip = 0;
                if (rest.empty()) continue;
                vector[count++] = {const_cast<std::uint8_t*>(rest.data()), rest.size()};
            }
            if (count == 0) return done();
            auto written = ::pwritev(fd(), vector.data(), static_cast<int>(count),
                                     static_cast<off_t>(position));
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) return failed("write", path_);
            position += static_cast<std::uint64_t>(written);
            auto left = static_cast<std::size_t>(written);
            while (at < pieces.size() && left >= pieces[at].size() - at_byte) {
                left -= pieces[at].size() - at_byte;
                ++at;
                at_byte = 0;
            }
            at_byte += left;
        }
    }

    Status allocate(std::uint64_t position, std::uint64_t length) override {
        if (::fallocate(fd(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(position),
                        static_cast<off_t>(length)) == 0) {
            return done();
        }
        if (errno == EOPNOTSUPP || errno == EINTR) return done();  // it only saves time
        return failed("reserve space for", path_);
    }

    Status truncate(std::uint64_t size) override {
        if (::ftruncate(fd(), static_cast<off_t>(size)) != 0) return failed("cut", path_);
        return done();
    }

    Status sync() override {
        if (::fdatasync(fd()) != 0) return failed("sync", path_);
        return done();
    }

    void start_write_back(std::uint64_t position, std::uint64_t length) override {
        ::sync_file_range(fd(), static_cast<off64_t>(position), static_cast<off64_t>(length),
                          SYNC_FILE_RANGE_WRITE);
    }
    void drop_cached(std::uint64_t position, std::uint64_t length) override {
        ::posix_fadvise(fd(), static_cast<off_t>(position), static_cast<off_t>(length),
                        POSIX_FADV_DONTNEED);
    }
    int native_handle() const override { return fd(); }

private:
    int fd() const { return descriptor_.get(); }
    Result<std::size_t> copy_of_piped(std::uint64_t position, MutableBytes into) const {
        if (position >= piped_->size()) return std::size_t{0};
        auto rest = ByteView(*piped_).subspan(static_cast<std::size_t>(position));
        auto count = std::min(rest.size(), into.size());
        std::copy_n(rest.begin(), count, into.begin());
        return count;
    }

    Descriptor descriptor_;
    std::string path_;
    std::optional<Bytes> piped_;  // what came, where it is no file but a pipe
};

class PosixFileLock final : public FileLock {
public:
    explicit PosixFileLock(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}
    // The pid goes with the lock; the file stays, for who waits on it has its inode open.
    ~PosixFileLock() override { [[maybe_unused]] auto cut = ::ftruncate(descriptor_.get(), 0); }

private:
    Descriptor descriptor_;
};

struct flock whole_file() {
    struct flock range {};
    range.l_type = F_WRLCK;
    range.l_whence = SEEK_SET;
    return range;
}

// Who holds the lock: a process with a classic lock is known to the kernel, one with an OFD lock
// (another kq) has written its pid into the file.
std::string holder_of(int descriptor) {
    struct flock range = whole_file();
    if (::fcntl(descriptor, F_OFD_GETLK, &range) == 0 && range.l_type != F_UNLCK &&
        range.l_pid > 0) {
        return "process " + std::to_string(range.l_pid);
    }
    char text[24];
    auto count = ::pread(descriptor, text, sizeof text, 0);
    int pid = 0;
    if (count > 0 && std::from_chars(text, text + count, pid).ec == std::errc{}) {
        return "process " + std::to_string(pid);
    }
    return "another process";
}

// All that comes through a pipe or from a terminal: it has no size and no positions, and would seem
// empty. Nobody's data: the settings of somebody's `<(command)`.
Result<Bytes> read_stream(const Descriptor& descriptor, const std::string& path) {
    Bytes content;
    for (std::size_t filled = 0;;) {
        if (content.size() - filled < 4096) content.resize(content.size() + 65536);
        auto count = ::read(descriptor.get(), content.data() + filled, content.size() - filled);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return failed("read", path);
        filled += static_cast<std::size_t>(count);
        if (count == 0 || filled > streamed_bytes_max) {
            content.resize(filled);
            break;
        }
    }
    if (content.size() <= streamed_bytes_max) return content;
    return Error{Errc::corrupt_file, "'" + path + "' is a pipe that holds more than " +
                                         std::to_string(streamed_bytes_max >> 20) + " MiB"};
}

bool is_stream(const Descriptor& descriptor) {
    struct stat info {};
    if (::fstat(descriptor.get(), &info) != 0) return false;
    return S_ISFIFO(info.st_mode) || S_ISCHR(info.st_mode) || S_ISSOCK(info.st_mode);
}

}  // namespace

Result<std::shared_ptr<File>> PosixFileSystem::open(const std::string& path, OpenMode mode) {
    int flags = O_CLOEXEC;
    switch (mode) {
        case OpenMode::read:
            flags |= O_RDONLY;
            break;
        case OpenMode::read_write:
            flags |= O_RDWR;
            break;
        case OpenMode::create:
            flags |= O_RDWR | O_CREAT;
            break;
        case OpenMode::create_new:
            flags |= O_RDWR | O_CREAT | O_EXCL;
            break;
    }
    Descriptor descriptor(::open(path.c_str(), flags, 0644));
    if (!descriptor.ok()) return failed("open", path);
    std::optional<Bytes> piped;
    if (mode == OpenMode::read && is_stream(descriptor)) {
        KQ_LET(piped, read_stream(descriptor, path));
    }
    return std::shared_ptr<File>(
        std::make_shared<PosixFile>(std::move(descriptor), path, std::move(piped)));
}

Result<FileInfo> PosixFileSystem::info(const std::string& path) const {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return failed("look at", path);
    FileInfo out;
    out.size = static_cast<std::uint64_t>(info.st_size);
    out.modified = WallTime{std::chrono::seconds(info.st_mtim.tv_sec) +
                            Millis(info.st_mtim.tv_nsec / 1000000)};
    out.is_directory = S_ISDIR(info.st_mode);
    return out;
}

Status PosixFileSystem::rename(const std::string& from, const std::string& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) {
        auto error = failed("rename", from);
        error.message += " (to '" + to + "')";
        return error;
    }
    return done();
}

Status PosixFileSystem::unlink(const std::string& path) {
    if (::unlink(path.c_str()) != 0) return failed("remove", path);
    return done();
}

Status PosixFileSystem::mkdir(const std::string& path) {
    if (::mkdir(path.c_str(), 0755) == 0) return done();
    if (errno == EEXIST) {
        KQ_LET(auto existing, info(path));
        if (existing.is_directory) return done();
        return failed("make the directory", path, ENOTDIR);
    }
    if (errno != ENOENT) return failed("make the directory", path);
    auto parent = parent_of(path);
    if (parent == path || parent == ".") return failed("make the directory", path, ENOENT);
    KQ_TRY(mkdir(parent));
    if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) {
        return failed("make the directory", path);
    }
    return done();
}

Status PosixFileSystem::rmdir(const std::string& path) {
    if (::rmdir(path.c_str()) != 0) return failed("remove the directory", path);
    return done();
}

Status PosixFileSystem::sync_dir(const std::string& path) {
    Descriptor descriptor(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!descriptor.ok()) return failed("open the directory", path);
    if (::fsync(descriptor.get()) != 0) return failed("sync the directory", path);
    return done();
}

namespace {

// Whose syncfs(2) reaches the disk and tells (Linux 5.8) what could not be written since somebody
// asked last. Of others (FUSE, overlays, networks) not all do.
bool has_honest_syncfs(int descriptor) {
    struct statfs info {};
    if (::fstatfs(descriptor, &info) != 0) return false;
    switch (static_cast<std::uint64_t>(info.f_type)) {
        case EXT4_SUPER_MAGIC:
        case XFS_SUPER_MAGIC:
        case BTRFS_SUPER_MAGIC:
        case F2FS_SUPER_MAGIC:
        case TMPFS_MAGIC:
            return true;
        default:
            return false;
    }
}

}  // namespace

Status PosixFileSystem::sync_directories(const std::vector<std::string>& paths) {
    struct Disk {
        const std::string* path;
        Descriptor descriptor;
    };
    std::map<dev_t, Disk> disks;
    for (const auto& path : paths) {
        struct stat info {};
        if (::stat(path.c_str(), &info) != 0) return failed("look at", path);
        if (disks.contains(info.st_dev)) continue;
        Descriptor descriptor(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!descriptor.ok()) return failed("open the directory", path);
        if (!has_honest_syncfs(descriptor.get())) {
            return Error{Errc::unsupported, "'" + path + "' lies on a disk of another kind"};
        }
        disks.emplace(info.st_dev, Disk{&path, std::move(descriptor)});
    }
    for (const auto& [device, disk] : disks) {
        // The second tells of a journal that was given up, of which the first says nothing.
        if (::syncfs(disk.descriptor.get()) != 0 || ::fsync(disk.descriptor.get()) != 0) {
            return failed("sync the disk of", *disk.path);
        }
    }
    return done();
}

Result<std::vector<std::string>> PosixFileSystem::list(const std::string& path) const {
    DIR* directory = ::opendir(path.c_str());
    if (directory == nullptr) return failed("list", path);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(directory)) {
        std::string_view name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
        errno = 0;
    }
    int number = errno;
    ::closedir(directory);
    if (number != 0) return failed("list", path, number);
    std::sort(names.begin(), names.end());
    return names;
}

Result<std::unique_ptr<FileLock>> PosixFileSystem::lock(const std::string& path) {
    while (true) {
        Descriptor descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
        if (!descriptor.ok()) return failed("open", path);
        struct flock range = whole_file();
        if (::fcntl(descriptor.get(), F_OFD_SETLK, &range) != 0) {
            if (errno != EAGAIN && errno != EACCES) return failed("lock", path);
            return Error{Errc::locked, "'" + path + "' is held by " + holder_of(descriptor.get())};
        }
        // Kafka unlinks its lock file when it stops: between our open and our lock the path may
        // have come to name another file, and the lock on the old one would keep nobody out.
        struct stat ours {};
        struct stat named {};
        if (::fstat(descriptor.get(), &ours) != 0) return failed("look at", path);
        if (::stat(path.c_str(), &named) != 0 || ours.st_ino != named.st_ino ||
            ours.st_dev != named.st_dev) {
            continue;
        }
        std::string pid = std::to_string(::getpid()) + '\n';
        if (::ftruncate(descriptor.get(), 0) != 0 ||
            ::pwrite(descriptor.get(), pid.data(), pid.size(), 0) !=
                static_cast<ssize_t>(pid.size())) {
            return failed("write", path);
        }
        return std::unique_ptr<FileLock>(std::make_unique<PosixFileLock>(std::move(descriptor)));
    }
}

Result<FileSystem::Space> PosixFileSystem::free_space(const std::string& path) const {
    struct statvfs info {};
    if (::statvfs(path.c_str(), &info) != 0) return failed("look at", path);
    return Space{static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize,
                 static_cast<std::uint64_t>(info.f_blocks) * info.f_frsize};
}

std::string PosixFileSystem::boot_id() const {
    Descriptor descriptor(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
    char text[64];
    auto count = descriptor.ok() ? ::read(descriptor.get(), text, sizeof text) : -1;
    std::string id(text, count > 0 ? static_cast<std::size_t>(count) : 0);
    while (!id.empty() && id.back() == '\n')
        id.pop_back();
    return id;
}

}  // namespace kq
