// SPDX-License-Identifier: Apache-2.0
#include "storage/log_directory.hpp"

#include <algorithm>
#include <limits>

#include <catch2/catch.hpp>

#include "storage/kq_file.hpp"
#include "tests/storage/support.hpp"

using namespace kq;
using namespace kq::test;

namespace {

const TopicPartition orders{"orders", PartitionIndex{0}};

struct Disk {
    TurnedClock clock;
    MemoryFileSystem files{clock};
    MemoryLogSink sink;

    Result<std::unique_ptr<LogDirectory>> open() {
        return LogDirectory::open(files, "/d", Logger(sink));
    }
    void put(const std::string& name, ByteView content) {
        REQUIRE(replace_file(files, "/d/" + name, content).ok());
    }
    void put(const std::string& name, std::string_view text) { put(name, as_bytes(text)); }
    Bytes content(const std::string& name) { return read_file(files, "/d/" + name).value(); }
    // A directory that was used and stopped cleanly.
    void use() {
        auto directory = open().value();
        REQUIRE(directory->write_identity({"c", BrokerId{1}, Uuid{}}).ok());
        REQUIRE(directory->mark_started().ok());
        REQUIRE(directory->note_boot().ok());
        REQUIRE(directory->write_recovery_points({{orders, Offset{7}}}).ok());
        REQUIRE(directory->write_high_watermarks({{orders, Offset{9}}}).ok());
        REQUIRE(directory->write_log_starts({{orders, Offset{2}}}).ok());
        REQUIRE(directory->mark_clean(BrokerEpoch{14}).ok());
    }
};

}  // namespace

TEST_CASE("a log directory remembers how it was left", "[storage][directory]") {
    Disk disk;
    CHECK(disk.open().value()->last_stop() == LastStop::host_died);  // never used
    disk.use();
    {
        auto directory = disk.open().value();
        CHECK(directory->last_stop() == LastStop::clean);
        CHECK(directory->clean_broker_epoch() == BrokerEpoch{14});
        CHECK(directory->identity()->node_id == BrokerId{1});
        CHECK(directory->high_watermarks().at(orders) == Offset{9});
        auto hints = directory->hints_for(orders);
        CHECK(hints.recovery_point == Offset{7});
        CHECK(hints.log_start == Offset{2});
        // One process at a time.
        CHECK(disk.open().code() == Errc::locked);
        REQUIRE(directory->mark_started().ok());
    }
    CHECK(disk.open().value()->last_stop() == LastStop::process_died);
    disk.put("kq.boot", wrap_kq_file({"boot", 1}, as_bytes("another boot")));
    CHECK(disk.open().value()->last_stop() == LastStop::host_died);
}

TEST_CASE("a start after the death of the host hides that from no later one until it may",
          "[storage][directory][I10]") {
    Disk disk;
    disk.use();
    disk.put("kq.boot", wrap_kq_file({"boot", 1}, as_bytes("another boot")));
    // Once as a power cut leaves a directory, once after a clean stop.
    const bool clean = GENERATE(false, true);
    if (!clean) REQUIRE(disk.files.unlink("/d/.kafka_cleanshutdown").ok());
    const auto left = clean ? LastStop::clean : LastStop::host_died;
    CHECK(disk.open().value()->last_stop() == left);
    for (int starts = 0; starts < 3; ++starts) {  // and died before they had registered
        auto directory = disk.open().value();
        REQUIRE(directory->mark_started().ok());
        CHECK_FALSE(disk.files.exists("/d/.kafka_cleanshutdown"));
    }
    CHECK(disk.open().value()->last_stop() ==
          (clean ? LastStop::process_died : LastStop::host_died));
    {
        auto directory = disk.open().value();
        REQUIRE(directory->mark_started().ok());
        REQUIRE(directory->note_boot().ok());
    }
    CHECK(disk.open().value()->last_stop() == LastStop::process_died);
}

TEST_CASE("a used directory without meta.properties is refused as it is", "[storage][directory]") {
    Disk disk;
    disk.use();
    REQUIRE(disk.files.mkdir("/d/orders-0").ok());
    REQUIRE(disk.files.unlink("/d/meta.properties").ok());
    // Whatever of it is left.
    std::vector<std::string> names = disk.files.list("/d").value();
    std::erase(names, ".lock");
    CHECK(names.size() == 7);
    for (const auto& name : names) {
        CAPTURE(name);
        const auto before = disk.files.list("/d").value();
        const auto opened = disk.open();
        CHECK(opened.code() == Errc::corrupt_file);
        const auto& why = opened.error().message;
        CHECK(why.find("/d/meta.properties is missing") != std::string::npos);
        CHECK(why.find("/d/" + name + " shows that it was used") != std::string::npos);
        CHECK(why.find("back from a copy") != std::string::npos);
        CHECK(disk.files.list("/d").value() == before);
        REQUIRE(
            (name == "orders-0" ? disk.files.rmdir("/d/" + name) : disk.files.unlink("/d/" + name))
                .ok());
    }
    // Nothing but a lock and somebody's file: a new one.
    disk.put("notes", "x");
    CHECK(disk.open().ok());
}

TEST_CASE("a start that failed leaves no directory that was not there before",
          "[storage][directory]") {
    TurnedClock clock;
    MemoryFileSystem files{clock};
    MemoryLogSink sink;
    REQUIRE(files.mkdir("/there").ok());
    const auto open = [&](const std::string& path) {
        return LogDirectory::open(files, path, Logger(sink));
    };
    SECTION("what open() made goes, with those above it") {
        auto directory = open("/there/a/b/c").value();
        REQUIRE(directory->write_identity({"c", BrokerId{1}, Uuid{}}).ok());
        REQUIRE(files.mkdir("/there/a/b/c/__cluster_metadata-0").ok());
        directory->undo_making();
        CHECK(files.list("/there").value().empty());
    }
    SECTION("whole or not at all, whatever a power cut takes back") {
        for (std::uint64_t seed = 0; seed < 50; ++seed) {
            MemoryFileSystem disk{clock, MemoryFileSystem::CrashModel::on};
            REQUIRE((disk.mkdir("/there").ok() && disk.sync_dir("/").ok()));
            auto directory = LogDirectory::open(disk, "/there/d", Logger(sink)).value();
            REQUIRE(directory->write_identity({"c", BrokerId{1}, Uuid{}}).ok());
            REQUIRE(directory->mark_started().ok());
            directory->undo_making();
            SeededRandom random(seed);
            disk.power_off(random);
            CAPTURE(seed);
            CHECK_FALSE(disk.exists("/there/d"));
        }
    }
    SECTION("a slash at the end means the same") {
        open("/there/d/").value()->undo_making();
        CHECK(files.list("/there").value().empty());
    }
    SECTION("but not if it holds something else") {
        auto directory = open("/there/a/b").value();
        REQUIRE(files.mkdir("/there/a/other").ok());
        directory->undo_making();
        CHECK(files.list("/there/a").value() == std::vector<std::string>{"other"});
    }
    SECTION("what was there stays as it is") {
        REQUIRE(files.mkdir("/there/d").ok());
        open("/there/d").value()->undo_making();
        CHECK(files.list("/there/d").value() == std::vector<std::string>{".lock"});
        { auto used = open("/there/e").value(); }
        open("/there/e").value()->undo_making();
        CHECK(files.exists("/there/e"));
    }
    SECTION("an open() that fails undoes it itself, unless another has the lock") {
        files.set_capacity(0);
        CHECK(open("/there/f/g").code() == Errc::disk_full);
        CHECK_FALSE(files.exists("/there/f"));
    }
}

TEST_CASE("files of a newer version stop the start, and stay as they are",
          "[storage][directory][I32]") {
    const auto newer_boot = wrap_kq_file({"boot", 2}, as_bytes("boot"));
    const std::pair<const char*, Bytes> rows[] = {
        {"recovery-point-offset-checkpoint", to_bytes(as_bytes("1\n2\n"))},
        {"replication-offset-checkpoint", to_bytes(as_bytes("1\n1\norders 0 9 more\n"))},
        {"log-start-offset-checkpoint", to_bytes(as_bytes("2\n{}\n"))},
        {"cleaner-offset-checkpoint", to_bytes(as_bytes("1\n"))},
        {".kafka_cleanshutdown", to_bytes(as_bytes("{\"version\":1,\"brokerEpoch\":14}"))},
        {"kq.boot", newer_boot},
        {"meta.properties", to_bytes(as_bytes("version=2\nnode.id=1\ncluster.id=c\n"))},
    };
    for (const auto& [name, content] : rows) {
        CAPTURE(name);
        Disk disk;
        disk.use();
        disk.put(name, content);
        auto opened = disk.open();
        CHECK(opened.code() == Errc::unsupported);
        CHECK(opened.error().message.find(name) != std::string::npos);
        CHECK(disk.content(name) == content);
    }
}

TEST_CASE("damaged caches of a log directory are as good as none", "[storage][directory][I29]") {
    for (const char* name : {"recovery-point-offset-checkpoint", "replication-offset-checkpoint",
                             "cleaner-offset-checkpoint", ".kafka_cleanshutdown", "kq.boot"}) {
        for (std::string_view content :
             {"", "\xff\xfe", "0\n5\n", "1\n1\norders 0 7\n", "{\"version\":}"}) {
            CAPTURE(name, content);
            Disk disk;
            disk.use();
            disk.put(name, content);
            auto opened = disk.open();
            REQUIRE(opened.ok());
            CHECK(opened.value()->log_starts().at(orders) == Offset{2});
        }
    }
    Disk disk;
    disk.use();
    disk.put(".kafka_cleanshutdown", "{\"version\":}");
    CHECK(disk.open().value()->last_stop() == LastStop::process_died);
    disk.put("kq.boot", "x");
    CHECK(disk.open().value()->last_stop() == LastStop::host_died);
}

TEST_CASE("where nobody knows what was compacted, any log may have gaps",
          "[storage][directory][I29]") {
    const Offset anywhere{std::numeric_limits<std::int64_t>::max()};
    const TopicPartition other{"other", PartitionIndex{0}};
    const std::string name = "cleaner-offset-checkpoint";
    const std::string warning = "nobody knows which logs were compacted";
    Disk disk;
    disk.use();
    // A directory has the file from its first start on, as Kafka's have.
    CHECK(disk.content(name) == to_bytes(as_bytes("0\n0\n")));
    CHECK(disk.open().value()->hints_for(orders).cleaned_end == Offset{0});
    CHECK(disk.sink.lines().empty());

    SECTION("a log that was compacted") {
        disk.put(name, "0\n1\norders 0 7\n");
        auto directory = disk.open().value();
        CHECK(directory->hints_for(orders).cleaned_end == Offset{8});
        CHECK(directory->hints_for(other).cleaned_end == Offset{0});
    }
    SECTION("the file is lost") {
        REQUIRE(disk.files.mkdir("/d/orders-0").ok());
        const bool gone = GENERATE(true, false);
        disk.put(name, "0\n2\n");
        if (gone) REQUIRE(disk.files.unlink("/d/" + name).ok());
        for (std::size_t start = 1; start < 3; ++start) {
            auto directory = disk.open().value();
            REQUIRE(directory->mark_started().ok());
            CHECK(directory->hints_for(orders).cleaned_end == anywhere);
            CHECK(directory->hints_for(other).cleaned_end == anywhere);
            // One that is empty would say that nothing ever was.
            CHECK(disk.files.exists("/d/" + name) != gone);
            auto lines = disk.sink.lines();
            CHECK(std::count_if(lines.begin(), lines.end(), [&](const std::string& line) {
                      return line.find(warning) != std::string::npos;
                  }) == static_cast<std::ptrdiff_t>(start));
        }
    }
    SECTION("the file is lost, and there is no log") {
        REQUIRE(disk.files.mkdir("/d/__cluster_metadata-0").ok());
        REQUIRE(disk.files.mkdir("/d/orders-1.0123456789abcdef0123456789abcdef-delete").ok());
        REQUIRE(disk.files.unlink("/d/" + name).ok());
        auto directory = disk.open().value();
        REQUIRE(directory->mark_started().ok());
        CHECK(directory->hints_for(orders).cleaned_end == Offset{0});
        CHECK(disk.content(name) == to_bytes(as_bytes("0\n0\n")));
        CHECK_FALSE(disk.sink.contains(warning));
    }
}

TEST_CASE("what is no partition's directory is refused by name", "[storage][directory]") {
    Disk disk;
    disk.use();
    auto directory = disk.open().value();
    REQUIRE(disk.files.mkdir("/d/orders-0").ok());
    REQUIRE(disk.files.mkdir("/d/orders-1.0123456789abcdef0123456789abcdef-delete").ok());
    disk.put("orders-0/partition.metadata", format_partition_metadata(metadata_topic_id));
    disk.put("a file", "of somebody");
    auto found = directory->partitions().value();
    REQUIRE(found.size() == 1);
    CHECK(found[0].partition == orders);
    CHECK(found[0].topic_id == metadata_topic_id);

    disk.put("orders-0/partition.metadata", "version: 1\nwho knows");
    CHECK(directory->partitions().code() == Errc::unsupported);
    disk.put("orders-0/partition.metadata", "ver");  // cut: the id is known from elsewhere
    CHECK(directory->partitions().value().at(0).topic_id == std::nullopt);

    REQUIRE(disk.files.mkdir("/d/holiday pictures").ok());
    auto refused = directory->partitions();
    CHECK(refused.code() == Errc::unsupported);
    CHECK(refused.error().message.find("/d/holiday pictures") != std::string::npos);
}

TEST_CASE("a deleted partition's name is free at once, its files go later",
          "[storage][directory]") {
    Disk disk;
    disk.use();
    SeededRandom random(3);
    auto directory = disk.open().value();
    REQUIRE(disk.files.mkdir("/d/orders-0").ok());
    disk.put("orders-0/00000000000000000000.log", "records");
    auto renamed = directory->rename_for_deletion(orders, random).value();
    CHECK(renamed.starts_with("/d/orders-0."));
    CHECK(renamed.ends_with("-delete"));
    CHECK(directory->partitions().value().empty());
    CHECK(directory->renamed_for_deletion().value() == std::vector{renamed});
    REQUIRE(directory->delete_renamed(renamed).ok());
    CHECK(directory->renamed_for_deletion().value().empty());

    REQUIRE(disk.files.mkdir("/d/orders-0").ok());
    CHECK(directory->rename_as_stray(orders, random).value().ends_with("-stray"));
    CHECK(directory->renamed_for_deletion().value().empty());
    CHECK(directory->partitions().value().empty());
}

TEST_CASE("a checkpoint is the old one or the new one, and the marker is true, whatever fails",
          "[storage][directory][crash][I27]") {
    // 20,000 crash images: some work, a sync that fails or not, and the power goes.
    for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
        CAPTURE(seed);
        SeededRandom random(seed);
        TurnedClock clock;
        MemoryFileSystem files(clock, MemoryFileSystem::CrashModel::on);
        struct Known {  // what a file may hold: the last that was promised, or what came after
            std::vector<std::int64_t> values{-1};
            void attempt(std::int64_t value, bool promised) {
                if (promised) values.clear();
                values.push_back(value);
            }
            bool may_be(std::int64_t value) const {
                return std::find(values.begin(), values.end(), value) != values.end();
            }
        };
        Known points, marks, starts;
        bool may_be_clean = false;
        bool must_be_clean = false;
        {
            auto directory = LogDirectory::open(files, "/top/d", Logger()).value();
            const bool identified = directory->write_identity({"c", BrokerId{1}, Uuid{}}).ok();
            REQUIRE(identified);
            for (std::int64_t step = 0; step < static_cast<std::int64_t>(random.below(8)); ++step) {
                if (random.chance(0.1)) files.fail_next_sync();
                switch (random.below(5)) {
                    case 0:
                        points.attempt(
                            step, directory->write_recovery_points({{orders, Offset{step}}}).ok());
                        break;
                    case 1:
                        marks.attempt(
                            step, directory->write_high_watermarks({{orders, Offset{step}}}).ok());
                        break;
                    case 2:
                        starts.attempt(step,
                                       directory->write_log_starts({{orders, Offset{step}}}).ok());
                        break;
                    case 3: {
                        const bool started = directory->mark_started().ok();
                        must_be_clean = false;
                        if (started) may_be_clean = false;
                        break;
                    }
                    default: {
                        must_be_clean = directory->mark_clean(BrokerEpoch{step}).ok();
                        may_be_clean = true;
                        break;
                    }
                }
                files.clear_faults();
            }
        }
        files.power_off(random);
        auto again = LogDirectory::open(files, "/top/d", Logger());
        REQUIRE(again.ok());
        const auto value_in = [](const OffsetsByPartition& offsets) {
            const auto found = offsets.find(orders);
            return found == offsets.end() ? std::int64_t{-1} : found->second.value;
        };
        CHECK(points.may_be(value_in(again.value()->recovery_points())));
        CHECK(marks.may_be(value_in(again.value()->high_watermarks())));
        CHECK(starts.may_be(value_in(again.value()->log_starts())));
        CHECK(again.value()->identity()->node_id == BrokerId{1});
        if (must_be_clean) CHECK(again.value()->last_stop() == LastStop::clean);
        if (!may_be_clean) CHECK(again.value()->last_stop() != LastStop::clean);
    }
}

TEST_CASE("a checkpoint that finds no room leaves the old one", "[storage][directory]") {
    Disk disk;
    disk.use();
    auto directory = disk.open().value();
    disk.files.set_capacity(disk.files.used_bytes() + GENERATE(0u, 1u, 5u));
    CHECK(directory->write_log_starts({{orders, Offset{3}}}).code() == Errc::disk_full);
    CHECK(directory->mark_clean(BrokerEpoch{15}).code() == Errc::disk_full);
    CHECK(directory->log_starts().at(orders) == Offset{2});
    disk.files.clear_faults();
    directory = nullptr;
    CHECK(disk.open().value()->log_starts().at(orders) == Offset{2});
    CHECK(disk.open().value()->clean_broker_epoch() == BrokerEpoch{14});
}
