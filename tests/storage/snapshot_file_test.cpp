// SPDX-License-Identifier: Apache-2.0
//
// Metadata snapshots on disk: whole or not there, whatever happens while one is written.
#include "storage/snapshot_file.hpp"

#include "tests/storage/support.hpp"

using namespace kq;
using namespace kq::test;

namespace {

struct Disk {
    TurnedClock clock;
    MemoryFileSystem files{clock, MemoryFileSystem::CrashModel::on};
    Disk() {
        REQUIRE(files.mkdir("/m").ok());
        REQUIRE(files.sync_dir("/").ok());
    }
    std::string path(const SnapshotId& id) const { return "/m/" + id.file_name(); }
};

std::vector<Bytes> some_batches(int count, std::size_t value_bytes = 50) {
    std::vector<Bytes> batches;
    for (int i = 0; i < count; ++i) {
        batches.push_back(make_batch(
            BatchSpec{.value_bytes = value_bytes, .base = Offset{i}, .leader_epoch = Epoch{1}}));
    }
    return batches;
}

Status write(Disk& disk, const SnapshotId& id, const std::vector<Bytes>& batches) {
    KQ_LET(auto writer, SnapshotWriter::create(disk.files, disk.path(id)));
    for (const auto& batch : batches)
        KQ_TRY(writer.append(batch));
    return writer.finish();
}

bool holds(Disk& disk, const SnapshotId& id, const std::vector<Bytes>& batches) {
    auto reader = SnapshotReader::open(disk.files, disk.path(id));
    if (!reader.ok() || reader.value().batches().size() != batches.size()) return false;
    for (std::size_t i = 0; i < batches.size(); ++i) {
        if (to_bytes(reader.value().batches()[i]) != batches[i]) return false;
    }
    return true;
}

constexpr SnapshotId old_id{Offset{10}, Epoch{1}};
constexpr SnapshotId new_id{Offset{20}, Epoch{2}};

}  // namespace

TEST_CASE("a snapshot's name is its end and its epoch", "[storage][snapshot]") {
    CHECK(SnapshotId{Offset{0}, Epoch{0}}.file_name() ==
          "00000000000000000000-0000000000.checkpoint");
    const SnapshotId id{Offset{123456789012}, Epoch{7}};
    CHECK(id.file_name() == "00000000123456789012-0000000007.checkpoint");
    CHECK(SnapshotId::parse(id.file_name()) == id);
    for (const char* other :
         {"bootstrap.checkpoint", "00000000000000000000-0000000000.checkpoint.part",
          "00000000000000000000-0000000000.checkpoint.deleted", "00000000000000000000.checkpoint",
          "0000000000000000000-00000000000.checkpoint",
          "00000000000000000000_0000000000.checkpoint",
          "0000000000000000000x-0000000000.checkpoint",
          "00000000000000000000-000000000x.checkpoint",
          "00000000000000000000--000000001.checkpoint",
          "99999999999999999999-0000000000.checkpoint",
          "00000000000000000000-9999999999.checkpoint"}) {
        CAPTURE(other);
        CHECK_FALSE(SnapshotId::parse(other).has_value());
    }
}

TEST_CASE("what was written is read, batch by batch", "[storage][snapshot]") {
    Disk disk;
    const auto count = GENERATE(1, 3, 40);
    const auto batches = some_batches(count, 100'000);  // 40 are more than one write
    REQUIRE(write(disk, new_id, batches).ok());
    CHECK(holds(disk, new_id, batches));
    std::size_t bytes = 0;
    for (const auto& batch : batches)
        bytes += batch.size();
    auto reader = SnapshotReader::open(disk.files, disk.path(new_id));
    CHECK(reader.value().size_bytes() == bytes);
    // Views stay where they are when the reader moves.
    auto moved = std::move(reader).value();
    CHECK(to_bytes(moved.batches().back()) == batches.back());
    CHECK(disk.files.is_durable(disk.path(new_id)));
    CHECK(list_snapshots(disk.files, "/m").value() == std::vector{new_id});
    CHECK(disk.files.list("/m").value().size() == 1);  // no temporary file
}

TEST_CASE("a writer that is given up leaves nothing", "[storage][snapshot]") {
    Disk disk;
    {
        auto writer = SnapshotWriter::create(disk.files, disk.path(new_id)).value();
        for (const auto& batch : some_batches(20, 100'000))
            REQUIRE(writer.append(batch).ok());
        CHECK(disk.files.exists(disk.path(new_id) + ".part"));
        auto moved = std::move(writer);
        CHECK(disk.files.exists(disk.path(new_id) + ".part"));
    }
    CHECK(disk.files.list("/m").value().empty());
}

TEST_CASE("snapshots are listed oldest first, and nothing else is", "[storage][snapshot]") {
    Disk disk;
    for (const auto& id : {new_id, old_id, SnapshotId{Offset{20}, Epoch{1}}})
        REQUIRE(write(disk, id, some_batches(1)).ok());
    for (const char* other :
         {"/m/00000000000000000030-0000000002.checkpoint.part", "/m/quorum-state",
          "/m/00000000000000000005-0000000001.checkpoint.deleted", "/m/notes.part"}) {
        REQUIRE(replace_file(disk.files, other, as_bytes("x")).ok());
    }
    const std::vector<SnapshotId> all{old_id, {Offset{20}, Epoch{1}}, new_id};
    CHECK(list_snapshots(disk.files, "/m").value() == all);
    REQUIRE(remove_unfinished_snapshots(disk.files, "/m").ok());
    CHECK(list_snapshots(disk.files, "/m").value() == all);
    CHECK(disk.files.list("/m").value().size() == all.size() + 2);
    CHECK(disk.files.exists("/m/notes.part"));  // not ours
}

TEST_CASE("every flipped bit and every cut of a snapshot is refused", "[storage][snapshot]") {
    Disk disk;
    const auto batches = some_batches(3);
    REQUIRE(write(disk, new_id, batches).ok());
    const auto whole = read_file(disk.files, disk.path(new_id)).value();
    for (std::size_t byte = 0; byte < whole.size(); ++byte) {
        // Offset and epoch lie outside of the checksum.
        const auto inside = byte % batches[0].size();
        if (inside < BatchAt::length || (inside >= 12 && inside < BatchAt::magic)) continue;
        disk.files.flip_bit(disk.path(new_id), byte, static_cast<int>(byte % 8));
        auto opened = SnapshotReader::open(disk.files, disk.path(new_id));
        CAPTURE(byte);
        CHECK_FALSE(opened.ok());
        disk.files.flip_bit(disk.path(new_id), byte, static_cast<int>(byte % 8));
    }
    CHECK(holds(disk, new_id, batches));
    auto file = disk.files.open(disk.path(new_id), OpenMode::read_write).value();
    for (std::size_t size = whole.size(); size-- > 0;) {
        REQUIRE(file->truncate(size).ok());
        auto opened = SnapshotReader::open(disk.files, disk.path(new_id));
        CAPTURE(size);
        if (size % batches[0].size() == 0) {
            CHECK(opened.value().batches().size() == size / batches[0].size());
        } else {
            CHECK(opened.code() == Errc::corrupt_file);
        }
    }
    CHECK(SnapshotReader::open(disk.files, "/m/none").code() == Errc::not_found);
}

TEST_CASE("a snapshot is there whole or not at all, whenever the power fails",
          "[storage][snapshot][crash]") {
    // 5,000 crash images: a cut at each wait for the disk, and what survives of it by chance.
    const auto point = GENERATE(range(0, 5));
    const auto batches = some_batches(30, 40'000);
    for (std::uint64_t seed = 1; seed <= 1'000; ++seed) {
        Disk disk;
        REQUIRE(write(disk, old_id, batches).ok());
        SeededRandom random(seed);
        int seen = 0;
        disk.files.set_blocking_check([&](const char*) {
            if (seen++ == point) disk.files.fail_next_sync();
        });
        const bool written = write(disk, new_id, batches).ok();
        disk.files.set_blocking_check(nullptr);
        disk.files.power_off(random);
        CAPTURE(point, seed, written);
        REQUIRE(remove_unfinished_snapshots(disk.files, "/m").ok());
        CHECK(holds(disk, old_id, batches));
        const auto found = list_snapshots(disk.files, "/m").value();
        const bool there = found.size() == 2;
        if (written) CHECK(there);
        if (there) CHECK(holds(disk, new_id, batches));
    }
}

TEST_CASE("a snapshot without room is an error, and leaves the old one", "[storage][snapshot]") {
    Disk disk;
    const auto batches = some_batches(3);
    REQUIRE(write(disk, old_id, batches).ok());
    disk.files.set_capacity(disk.files.used_bytes() + GENERATE(0u, 1u, 200u));
    CHECK(write(disk, new_id, batches).code() == Errc::disk_full);
    disk.files.clear_faults();
    CHECK(list_snapshots(disk.files, "/m").value() == std::vector{old_id});
    CHECK(holds(disk, old_id, batches));
    CHECK(disk.files.list("/m").value().size() == 1);
    CHECK(write(disk, new_id, batches).ok());
}
