// SPDX-License-Identifier: Apache-2.0
#include "base/memory_file_system.hpp"

#include <set>

#include <catch2/catch.hpp>

#include "base/sim_loop.hpp"

using namespace kq;
using CrashModel = MemoryFileSystem::CrashModel;

namespace {

std::string content(FileSystem& files, const std::string& path) {
    auto bytes = read_file(files, path);
    return bytes.ok() ? std::string(as_text(bytes.value())) : "(" + bytes.error().message + ")";
}

void put(FileSystem& files, const std::string& path, const std::string& text) {
    auto file = files.open(path, OpenMode::create).value();
    REQUIRE(file->truncate(0).ok());
    REQUIRE(file->pwrite(0, as_bytes(text)).ok());
}

void sync(FileSystem& files, const std::string& path) {
    REQUIRE(files.open(path, OpenMode::read_write).value()->sync().ok());
}

}  // namespace

TEST_CASE("files in memory hold what was written, across chunks and holes", "[base]") {
    SimScheduler world(1);
    MemoryFileSystem files(world.clock());
    REQUIRE(files.mkdir("/data/t-0").ok());
    auto file = files.open("/data/t-0/log", OpenMode::create_new).value();
    CHECK(files.open("/data/t-0/log", OpenMode::create_new).code() == Errc::already_exists);
    CHECK(files.open("/data/x/log", OpenMode::create).code() == Errc::not_found);
    Bytes big(700'000);
    for (std::size_t i = 0; i < big.size(); ++i)
        big[i] = static_cast<std::uint8_t>(i * 7);
    REQUIRE(file->pwrite(100, big).ok());
    CHECK(file->size() == 700'100);
    Bytes back(800'000);
    CHECK(file->pread(0, back).value() == 700'100);
    CHECK(std::all_of(back.begin(), back.begin() + 100, [](auto b) { return b == 0; }));
    CHECK(std::equal(big.begin(), big.end(), back.begin() + 100));
    REQUIRE(file->truncate(150).ok());
    REQUIRE(file->truncate(400).ok());
    CHECK(file->pread(0, back).value() == 400);
    CHECK(back[149] == big[49]);
    CHECK(back[150] == 0);
    CHECK(files.list("/data/t-0").value() == std::vector<std::string>{"log"});
    REQUIRE(files.rename("/data/t-0/log", "/data/t-0/old").ok());
    CHECK(file->size() == 400);  // an open file follows its inode
    REQUIRE(files.unlink("/data/t-0/old").ok());
    CHECK(file->pread(0, back).value() == 400);
    CHECK(files.rmdir("/data").code() == Errc::io_error);
    CHECK(remove_tree(files, "/data").ok());
    CHECK_FALSE(files.exists("/data"));
}

TEST_CASE("the death of a process keeps every byte and frees its locks", "[base]") {
    SimScheduler world(1);
    MemoryFileSystem files(world.clock(), CrashModel::on);
    put(files, "/a", "unsynced");
    auto file = files.open("/a", OpenMode::read_write).value();
    auto lock = files.lock("/lock").value();
    CHECK(files.lock("/lock").code() == Errc::locked);
    auto boot = files.boot_id();
    files.kill();
    CHECK(content(files, "/a") == "unsynced");
    CHECK(files.boot_id() == boot);
    CHECK(file->pwrite(0, as_bytes("x")).code() == Errc::io_error);
    auto again = files.lock("/lock");
    CHECK(again.ok());
    lock = nullptr;  // the dead one's lock does not free the living one's
    CHECK(files.lock("/lock").code() == Errc::locked);
}

TEST_CASE("a power cut takes what was not synced, names and bytes", "[base]") {
    SimScheduler world(1);
    MemoryFileSystem files(world.clock(), CrashModel::on);
    REQUIRE(files.mkdir("/d").ok());
    REQUIRE(files.sync_dir("/").ok());
    put(files, "/d/kept", "old");
    sync(files, "/d/kept");
    REQUIRE(files.sync_dir("/d").ok());
    CHECK(files.is_durable("/d/kept"));
    put(files, "/d/kept", "newer");
    put(files, "/d/nameless", "synced bytes");
    sync(files, "/d/nameless");
    CHECK_FALSE(files.is_durable("/d/kept"));
    CHECK_FALSE(files.is_durable("/d/nameless"));
    auto boot = files.boot_id();
    files.power_off_losing_all();
    CHECK(content(files, "/d/kept") == "old");
    CHECK_FALSE(files.exists("/d/nameless"));
    CHECK(files.boot_id() != boot);
}

TEST_CASE("replace_file leaves the old or the new content, wherever the power fails", "[base]") {
    SimScheduler world(1);
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        SeededRandom random(seed);
        MemoryFileSystem files(world.clock(), CrashModel::on);
        REQUIRE(replace_file(files, "/f", as_bytes(std::string(3000, 'a'))).ok());
        CHECK(files.is_durable("/f"));
        // The second replacement stops after its sync and rename, before the directory is synced.
        put(files, "/f.tmp", std::string(2000, 'b'));
        if (seed % 2 == 0) {
            sync(files, "/f.tmp");
            REQUIRE(files.rename("/f.tmp", "/f").ok());
        }
        files.power_off(random);
        auto now = content(files, "/f");
        bool whole = now == std::string(3000, 'a') || now == std::string(2000, 'b');
        CAPTURE(seed, now.size());
        CHECK(whole);
    }
}

TEST_CASE("unsynced writes tear by sectors, and every outcome occurs", "[base]") {
    SimScheduler world(1);
    std::set<std::string> outcomes;
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        SeededRandom random(seed);
        MemoryFileSystem files(world.clock(), CrashModel::on);
        put(files, "/f", std::string(1024, 'a'));
        sync(files, "/f");
        REQUIRE(files.sync_dir("/").ok());
        auto file = files.open("/f", OpenMode::read_write).value();
        REQUIRE(file->pwrite(0, as_bytes(std::string(1536, 'b'))).ok());
        files.power_off(random);
        auto now = content(files, "/f");
        REQUIRE(now.size() >= 1024);
        std::string shape;
        for (std::size_t at = 0; at + 512 <= now.size(); at += 512) {
            auto sector = now.substr(at, 512);
            REQUIRE(sector == std::string(512, sector[0]));  // a sector is whole
            shape += sector[0] == 0 ? '0' : sector[0];
        }
        outcomes.insert(shape);
    }
    // Old and new in either place, grown or not; the new sector may have come without its bytes.
    for (const char* shape : {"aa", "ba", "ab", "bb", "bbb", "bb0", "aab"}) {
        CAPTURE(shape);
        CHECK(outcomes.contains(shape));
    }
}

TEST_CASE("a cut that was not synced may come undone with its bytes", "[base]") {
    SimScheduler world(1);
    std::set<std::string> outcomes;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        SeededRandom random(seed);
        MemoryFileSystem files(world.clock(), CrashModel::on);
        put(files, "/f", "0123456789");
        sync(files, "/f");
        REQUIRE(files.sync_dir("/").ok());
        REQUIRE(files.open("/f", OpenMode::read_write).value()->truncate(4).ok());
        files.power_off(random);
        outcomes.insert(content(files, "/f"));
    }
    // The third: the old length is back, the cleared rest of the sector too.
    std::string cleared = "0123" + std::string(6, '\0');
    CHECK(outcomes == std::set<std::string>{"0123", "0123456789", cleared});
}

TEST_CASE("after a failed sync the bytes are lost though the next sync succeeds (I31)", "[base]") {
    SimScheduler world(1);
    MemoryFileSystem files(world.clock(), CrashModel::on);
    put(files, "/f", "");
    sync(files, "/f");
    REQUIRE(files.sync_dir("/").ok());
    auto file = files.open("/f", OpenMode::read_write).value();
    REQUIRE(file->pwrite(0, as_bytes("lost")).ok());
    files.fail_next_sync("/f");
    CHECK(file->sync().code() == Errc::io_error);
    CHECK(file->sync().ok());
    files.power_off_losing_all();
    CHECK(content(files, "/f").find("lost") == std::string::npos);
}

TEST_CASE("a full disk takes what fits and says so; room makes it work again", "[base]") {
    SimScheduler world(1);
    MemoryFileSystem files(world.clock());
    auto file = files.open("/f", OpenMode::create).value();
    files.set_capacity(1000);
    CHECK(file->pwrite(0, as_bytes(std::string(1500, 'x'))).code() == Errc::disk_full);
    CHECK(file->size() == 1000);
    CHECK(files.open("/g", OpenMode::create).code() == Errc::disk_full);
    CHECK(file->pwrite(0, as_bytes(std::string(1000, 'y'))).ok());  // in place needs no room
    CHECK(files.free_space("/").value().free_bytes == 0);
    REQUIRE(file->truncate(100).ok());
    CHECK(file->pwrite(100, as_bytes(std::string(900, 'z'))).ok());
    CHECK(files.used_bytes() == 1000);
}

TEST_CASE("reads and writes fail on request, and bits flip", "[base]") {
    SimScheduler world(1);
    MemoryFileSystem files(world.clock());
    put(files, "/f", "abc");
    auto file = files.open("/f", OpenMode::read_write).value();
    Bytes into(3);
    files.fail_reads("/f");
    CHECK(file->pread(0, into).code() == Errc::io_error);
    files.clear_faults();
    files.fail_writes();
    CHECK(file->pwrite(0, as_bytes("x")).code() == Errc::io_error);
    files.clear_faults();
    files.flip_bit("/f", 1, 0);
    CHECK(content(files, "/f") == "acc");
}

TEST_CASE("directories that are synced together keep what lies in them, and no more", "[base]") {
    SimScheduler world(1);
    MemoryFileSystem files(world.clock(), CrashModel::on);
    REQUIRE(files.mkdir("/d/a").ok());
    REQUIRE(files.mkdir("/d/b/below").ok());
    for (const char* path : {"/d/f", "/d/a/f", "/d/b/f", "/d/b/below/f"})
        put(files, path, "bytes");
    const std::vector<std::string> paths{"/", "/d", "/d/a", "/d/b"};
    SECTION("all of it") {
        REQUIRE(files.sync_directories(paths).ok());
        files.power_off_losing_all();
        for (const char* path : {"/d/f", "/d/a/f", "/d/b/f"})
            CHECK(content(files, path) == "bytes");
        CHECK_FALSE(files.exists("/d/b/below/f"));
    }
    SECTION("an error of one file is everybody's, and the others are synced") {
        files.fail_next_sync("/d/a/f");
        CHECK(files.sync_directories(paths).code() == Errc::io_error);
        CHECK(files.sync_directories(paths).ok());  // the kernel forgets
        files.power_off_losing_all();
        CHECK(content(files, "/d/b/f") == "bytes");
        CHECK(content(files, "/d/a/f") != "bytes");
    }
    SECTION("nothing where it is forbidden, or there is no descriptor") {
        files.forbid_sync_directories();
        CHECK(files.sync_directories(paths).code() == Errc::unsupported);
        files.clear_faults();
        files.take_descriptors("/d/b");
        CHECK(files.sync_directories(paths).code() == Errc::too_many_open_files);
        files.power_off_losing_all();
        CHECK_FALSE(files.exists("/d"));
    }
}
