// SPDX-License-Identifier: Apache-2.0
//
// The one test of base/ that needs a real disk: what the operating system answers.
#include "base/posix_file_system.hpp"

#include <cstdlib>
#include <vector>

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace kq;

namespace {

struct TemporaryDirectory {
    TemporaryDirectory() {
        char name[] = "/tmp/kq-test-XXXXXX";
        REQUIRE(::mkdtemp(name) != nullptr);
        path = name;
    }
    ~TemporaryDirectory() {
        PosixFileSystem files;
        [[maybe_unused]] auto removed = remove_tree(files, path);
    }
    std::string path;
};

}  // namespace

TEST_CASE("real files: write, read, cut, rename, list, remove", "[base]") {
    TemporaryDirectory temporary;
    PosixFileSystem files;
    auto directory = temporary.path + "/a/b";
    REQUIRE(files.mkdir(directory).ok());
    REQUIRE(files.mkdir(directory).ok());
    auto file = files.open(directory + "/f", OpenMode::create_new).value();
    CHECK(files.open(directory + "/f", OpenMode::create_new).code() == Errc::already_exists);
    CHECK(files.open(directory + "/g", OpenMode::read).code() == Errc::not_found);

    std::string one = "one ";
    std::string many(100'000, 'm');
    std::vector<ByteView> pieces;
    for (int i = 0; i < 100; ++i)
        pieces.push_back(as_bytes(one));  // more than one call takes
    pieces.push_back({});
    pieces.push_back(as_bytes(many));
    REQUIRE(file->allocate(0, 1 << 20).ok());
    CHECK(file->size() == 0);
    REQUIRE(file->pwritev(10, pieces).ok());
    CHECK(file->size() == 10 + 400 + 100'000);
    REQUIRE(file->sync().ok());
    Bytes back(200'000);
    CHECK(file->pread(0, back).value() == 100'410);
    CHECK(as_text(ByteView(back).subspan(10, 8)) == "one one ");
    CHECK(back[409] == ' ');
    CHECK(back[410] == 'm');
    auto cached = file->pread_nowait(10, MutableBytes(back).first(4));
    CHECK((cached.ok() || cached.code() == Errc::would_block));
    REQUIRE(file->truncate(12).ok());
    CHECK(file->pread(0, back).value() == 12);
    CHECK(file->pread(12, back).value() == 0);

    REQUIRE(replace_file(files, directory + "/c", as_bytes("first")).ok());
    REQUIRE(replace_file(files, directory + "/c", as_bytes("second")).ok());
    CHECK(as_text(read_file(files, directory + "/c").value()) == "second");
    CHECK(read_file(files, directory + "/c", 3).code() == Errc::corrupt_file);
    CHECK(files.list(directory).value() == std::vector<std::string>{"c", "f"});
    CHECK(files.info(directory).value().is_directory);
    CHECK(files.rmdir(directory).code() == Errc::io_error);
    CHECK(files.mkdir(directory + "/c/d").code() != Errc::none);
    CHECK(remove_tree(files, temporary.path + "/a").ok());
    CHECK(files.free_space(temporary.path).value().total_bytes > 0);
    CHECK(files.boot_id().size() == 36);
}

TEST_CASE("a lock keeps others out, names its holder, and goes with the process", "[base]") {
    TemporaryDirectory temporary;
    PosixFileSystem files;
    auto path = temporary.path + "/.lock";
    auto held = files.lock(path);
    REQUIRE(held.ok());
    auto refused = files.lock(path);
    REQUIRE(refused.code() == Errc::locked);
    CHECK(refused.error().message.find("process " + std::to_string(::getpid())) !=
          std::string::npos);
    held = Error{Errc::none};
    CHECK(files.lock(path).ok());

    // A classic fcntl lock, as Kafka takes it, is seen too; the kernel knows its holder.
    int ready[2];
    int finish[2];
    REQUIRE(::pipe(ready) == 0);
    REQUIRE(::pipe(finish) == 0);
    pid_t child = ::fork();
    if (child == 0) {
        int descriptor = ::open(path.c_str(), O_RDWR);
        struct flock range {};
        range.l_type = F_WRLCK;
        range.l_whence = SEEK_SET;
        if (descriptor < 0 || ::fcntl(descriptor, F_SETLK, &range) != 0) ::_exit(1);
        char c = 'r';
        [[maybe_unused]] auto written = ::write(ready[1], &c, 1);
        [[maybe_unused]] auto count = ::read(finish[0], &c, 1);
        ::_exit(0);
    }
    char c = 0;
    REQUIRE(::read(ready[0], &c, 1) == 1);
    auto kafka = files.lock(path);
    REQUIRE(kafka.code() == Errc::locked);
    CHECK(kafka.error().message.find("process " + std::to_string(child)) != std::string::npos);
    REQUIRE(::write(finish[1], &c, 1) == 1);
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(status == 0);
    CHECK(files.lock(path).ok());
    for (int descriptor : {ready[0], ready[1], finish[0], finish[1]})
        ::close(descriptor);
}

TEST_CASE("a lock file that was unlinked while we waited is not believed", "[base]") {
    // Kafka unlinks .lock at a clean stop: the lock must be on the inode that the path names.
    TemporaryDirectory temporary;
    PosixFileSystem files;
    auto path = temporary.path + "/.lock";
    auto old = files.lock(path).value();
    REQUIRE(files.unlink(path).ok());
    auto fresh = files.lock(path);
    REQUIRE(fresh.ok());
    CHECK(files.lock(path).code() == Errc::locked);
}

TEST_CASE("a pipe is read to its end", "[base]") {
    // A shell's <(command): without a size, it must not be taken for an empty file.
    PosixFileSystem files;
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    REQUIRE(::write(ends[1], "num.partitions = 3\n", 19) == 19);
    ::close(ends[1]);
    auto content = read_file(files, "/dev/fd/" + std::to_string(ends[0]), 100);
    REQUIRE(content.ok());
    CHECK(as_text(content.value()) == "num.partitions = 3\n");
    ::close(ends[0]);
}

TEST_CASE("directories are synced together where the disk can be, and nothing is tried elsewhere",
          "[base]") {
    TemporaryDirectory temporary;
    PosixFileSystem files;
    std::vector<std::string> paths;
    for (const char* name : {"/a", "/b", "/c"}) {
        paths.push_back(temporary.path + name);
        REQUIRE(files.mkdir(paths.back()).ok());
        REQUIRE(files.open(paths.back() + "/f", OpenMode::create).value()->pwrite(0, {}).ok());
    }
    const auto synced = files.sync_directories(paths);
    CHECK((synced.ok() || synced.code() == Errc::unsupported));
    CHECK(files.sync_directories({paths[0], temporary.path + "/none"}).code() == Errc::not_found);
    CHECK(files.sync_directories({paths[0], "/proc"}).code() == Errc::unsupported);
    CHECK(files.sync_directories({}).ok());
}
