// SPDX-License-Identifier: Apache-2.0
//
// When segments are rolled, and what their index files say.
#include "storage/index_entries.hpp"
#include "tests/storage/support.hpp"

using namespace kq;
using namespace kq::test;

namespace {

// A batch of exactly `bytes`.
BatchSpec sized(std::size_t bytes) {
    BatchSpec spec;
    spec.value_bytes = bytes - batch_header_bytes - 9;
    while (make_batch(spec).size() > bytes)
        --spec.value_bytes;
    return spec;
}

std::vector<OffsetEntry> offset_index(LogOnDisk& disk, Offset base) {
    auto file = disk.content(disk.path(base, offset_index_suffix));
    return parse_offset_index(file, 1 << 30).value();
}
std::vector<TimeEntry> time_index(LogOnDisk& disk, Offset base) {
    return parse_time_index(disk.content(disk.path(base, time_index_suffix))).value();
}

}  // namespace

TEST_CASE("a segment is rolled before it would grow beyond its size", "[storage][segments]") {
    LogOnDisk disk;
    disk.options.segment_bytes = 1000;
    auto& log = disk.create();
    for (int i = 0; i < 10; ++i)
        REQUIRE(append(log, sized(200)).ok());
    CHECK(log.segment_count() == 2);
    REQUIRE(append(log, sized(200)).ok());
    CHECK(log.segment_count() == 3);
    CHECK(disk.files.info(disk.path(Offset{0}, log_suffix)).value().size == 1000);
    CHECK(disk.files.info(disk.path(Offset{5}, log_suffix)).value().size == 1000);
    CHECK(disk.files.info(disk.path(Offset{10}, log_suffix)).value().size == 200);
    CHECK(all_batches(log).size() == 11);
}

TEST_CASE("a segment is rolled by the age of its records", "[storage][segments]") {
    LogOnDisk disk;
    disk.options.segment_ms = Millis{1000};
    auto& log = disk.create();
    BatchSpec spec;
    REQUIRE(append(log, spec).ok());
    spec.timestamp_ms += 1000;
    REQUIRE(append(log, spec).ok());
    CHECK(log.segment_count() == 1);
    spec.timestamp_ms += 1;
    REQUIRE(append(log, spec).ok());
    CHECK(log.segment_count() == 2);
    // By records, not by the clock, and after a restart as before.
    disk.clock.advance(Millis{100'000});
    auto& again = disk.reopen();
    REQUIRE(append(again, spec).ok());
    CHECK(again.segment_count() == 2);
    spec.timestamp_ms += 1001;
    REQUIRE(append(again, spec).ok());
    CHECK(again.segment_count() == 3);
}

TEST_CASE("records without timestamps age by the clock", "[storage][segments]") {
    LogOnDisk disk;
    disk.options.segment_ms = Millis{1000};
    auto& log = disk.create();
    BatchSpec spec;
    spec.timestamp_ms = -1;
    REQUIRE(append(log, spec).ok());
    disk.clock.advance(Millis{1001});
    REQUIRE(append(log, spec).ok());
    CHECK(log.segment_count() == 2);
}

TEST_CASE("a segment is rolled when an offset is too far from its base", "[storage][segments]") {
    LogOnDisk disk;
    auto& log = disk.create();
    BatchSpec spec;
    spec.leader_epoch = Epoch{0};
    REQUIRE(log.append_as_follower(make_batch(spec)).ok());
    spec.base = Offset{0x7fffffff};
    REQUIRE(log.append_as_follower(make_batch(spec)).ok());
    CHECK(log.segment_count() == 1);
    spec.base = Offset{0x80000000};
    REQUIRE(log.append_as_follower(make_batch(spec)).ok());
    CHECK(log.segment_count() == 2);
    CHECK(log.log_end() == Offset{0x80000001});
    CHECK(all_batches(log).size() == 3);
    CHECK(all_batches(disk.reopen()).size() == 3);
}

TEST_CASE("a segment is rolled when an index is full", "[storage][segments]") {
    LogOnDisk disk;
    disk.options.index_interval_bytes = 0;
    SECTION("the offset index") {
        disk.options.segment_index_bytes = 4 * OffsetEntry::bytes;
        auto& log = disk.create();
        BatchSpec spec;
        spec.timestamp_ms = -1;  // keeps the time index empty
        for (int i = 0; i < 5; ++i)
            REQUIRE(append(log, spec).ok());
        CHECK(log.segment_count() == 1);  // the first batch has no entry
        REQUIRE(append(log, spec).ok());
        CHECK(log.segment_count() == 2);
        CHECK(offset_index(disk, Offset{0}).size() == 4);
    }
    SECTION("the time index, but for one place") {
        disk.options.segment_index_bytes = 4 * TimeEntry::bytes;
        auto& log = disk.create();
        BatchSpec spec;
        for (int i = 0; i < 4; ++i) {
            REQUIRE(append(log, spec).ok());
            spec.timestamp_ms += 10;
        }
        CHECK(log.segment_count() == 1);
        REQUIRE(append(log, spec).ok());
        CHECK(log.segment_count() == 2);
        CHECK(time_index(disk, Offset{0}).size() == 3);  // the last one was the youngest already
    }
    SECTION("within one call") {
        disk.options.segment_index_bytes = 4 * OffsetEntry::bytes;
        auto& log = disk.create();
        BatchSpec spec;
        Bytes all;
        for (int i = 0; i < 20; ++i) {
            spec.base = Offset{i};
            spec.leader_epoch = Epoch{0};
            auto batch = make_batch(spec);
            kq::append(all, batch);
        }
        REQUIRE(log.append_as_follower(all).ok());
        CHECK(log.segment_count() > 3);
        REQUIRE(log.close_clean().ok());
        auto names = disk.files.list(disk.directory).value();
        for (const auto& name : names) {
            if (!offset_in_name(name, offset_index_suffix)) continue;
            CHECK(disk.files.info(disk.directory + '/' + name).value().size <=
                  4 * OffsetEntry::bytes);
        }
    }
}

TEST_CASE("an index entry is due behind more than index.interval.bytes", "[storage][segments]") {
    LogOnDisk disk;
    disk.options.index_interval_bytes = 400;
    auto& log = disk.create();
    // Positions 0 200 400 600 800 1000: entries for the batches that begin behind more than 400
    // bytes since the last entry: those at 600 and at 1200.
    for (int i = 0; i < 7; ++i) {
        auto spec = sized(200);
        spec.timestamp_ms = 1000 + 10 * i;
        REQUIRE(append(log, spec).ok());
    }
    REQUIRE(log.close_clean().ok());
    CHECK(offset_index(disk, Offset{0}) == std::vector<OffsetEntry>{{3, 600}, {6, 1200}});
    // Up to the batch of the entry, that one included: its own timestamp counts.
    CHECK(time_index(disk, Offset{0}) == std::vector<TimeEntry>{{1030, 3}, {1060, 6}});
}

TEST_CASE("the time index ascends though timestamps do not", "[storage][segments]") {
    LogOnDisk disk;
    disk.options.index_interval_bytes = 0;
    auto& log = disk.create();
    for (std::int64_t timestamp : {50, 40, 70, 60, 65, 90}) {
        BatchSpec spec;
        spec.timestamp_ms = timestamp;
        REQUIRE(append(log, spec).ok());
    }
    REQUIRE(log.close_clean().ok());
    CHECK(time_index(disk, Offset{0}) == std::vector<TimeEntry>{{50, 0}, {70, 2}, {90, 5}});
    CHECK(offset_index(disk, Offset{0}).size() == 5);
}

TEST_CASE("closing adds the largest timestamp to the time index", "[storage][segments]") {
    LogOnDisk disk;
    auto& log = disk.create();
    BatchSpec spec{.records = 3};
    REQUIRE(append(log, spec).ok());
    auto& again = disk.reopen();
    CHECK(time_index(disk, Offset{0}) == std::vector<TimeEntry>{{1'700'000'000'002, 2}});
    // Again without anything new: nothing changes.
    auto& third = disk.reopen();
    CHECK(time_index(disk, Offset{0}).size() == 1);
    spec.timestamp_ms += 5;
    REQUIRE(append(third, spec).ok());
    disk.reopen();
    CHECK(time_index(disk, Offset{0}) ==
          std::vector<TimeEntry>{{1'700'000'000'002, 2}, {1'700'000'000'007, 5}});
    static_cast<void>(again);
}

TEST_CASE("a log without records closes with empty index files and no snapshot",
          "[storage][segments]") {
    LogOnDisk disk;
    disk.create();
    disk.reopen();
    auto names = disk.files.list(disk.directory).value();
    CHECK(names ==
          std::vector<std::string>{"00000000000000000000.index", "00000000000000000000.log",
                                   "00000000000000000000.timeindex", "partition.metadata"});
    CHECK(disk.content(disk.path(Offset{0}, offset_index_suffix)).empty());
}

TEST_CASE("a clean stop leaves a snapshot at the end, and each roll one at its base",
          "[storage][segments]") {
    LogOnDisk disk;
    disk.options.segment_bytes = 200;
    auto& log = disk.create();
    for (int i = 0; i < 7; ++i)
        REQUIRE(append(log, produced(1, i)).ok());
    auto segments = log.segment_count();
    REQUIRE(segments == 4);
    REQUIRE(log.close_clean().ok());
    auto names = disk.files.list(disk.directory).value();
    std::vector<std::string> snapshots;
    for (const auto& name : names) {
        if (name.ends_with(".snapshot")) snapshots.push_back(name);
    }
    CHECK(snapshots == std::vector<std::string>{
                           "00000000000000000002.snapshot", "00000000000000000004.snapshot",
                           "00000000000000000006.snapshot", "00000000000000000007.snapshot"});
    // The last stop's goes with the next start, unless a segment begins there.
    auto& again = disk.open(LastStop::clean);
    REQUIRE(append(again, produced(1, 7)).ok());
    disk.reopen();
    CHECK_FALSE(disk.files.exists(disk.directory + "/00000000000000000007.snapshot"));
    CHECK(disk.files.exists(disk.directory + "/00000000000000000006.snapshot"));
    CHECK(disk.files.exists(disk.directory + "/00000000000000000008.snapshot"));
}
