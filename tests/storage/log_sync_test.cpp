// SPDX-License-Identifier: Apache-2.0
//
// What is durable when, and what a failed sync means.
#include "base/mutant.hpp"
#include "tests/storage/support.hpp"

using namespace kq;
using namespace kq::test;

TEST_CASE("durable_end follows completed syncs, and covers what was there when they began",
          "[storage][sync]") {
    LogOnDisk disk;
    auto& log = disk.create();
    CHECK(log.needs_sync());  // its directory
    REQUIRE(append(log, BatchSpec{.records = 3}).ok());
    CHECK(log.durable_end() == Offset{0});
    auto job = log.begin_sync();
    REQUIRE(append(log, BatchSpec{.records = 2}).ok());
    auto result = job.run();
    CHECK(log.durable_end() == Offset{0});
    log.finish_sync(job, result);
    CHECK(log.durable_end() == Offset{3});
    CHECK(log.recovery_point() == Offset{3});
    CHECK(log.needs_sync());
    REQUIRE(sync(log).ok());
    CHECK(log.durable_end() == Offset{5});
    CHECK_FALSE(log.needs_sync());
}

TEST_CASE("a sync makes everything durable that a later start relies on", "[storage][sync]") {
    LogOnDisk disk;
    disk.options.segment_bytes = 500;
    auto& log = disk.create();
    for (int i = 0; i < 20; ++i)
        REQUIRE(append(log, produced(1, i), Epoch{i / 7}).ok());
    CHECK(log.wants_sync());
    REQUIRE(sync(log).ok());
    CHECK_FALSE(log.wants_sync());
    auto names = disk.files.list(disk.directory).value();
    CHECK(names.size() > 15);
    for (const auto& name : names) {
        // The active segment's index files do not exist yet; all others were synced.
        CAPTURE(name);
        CHECK(disk.files.is_durable(disk.directory + '/' + name));
    }
    auto recovery_point = log.recovery_point();
    disk.log.reset();
    disk.files.power_off_losing_all();
    auto& again = disk.open(LastStop::host_died, recovery_point);
    CHECK(again.log_end() == Offset{20});
    CHECK(again.latest_epoch() == Epoch{2});
    CHECK(again.epoch_entry(Epoch{1})->start == Offset{7});
    CHECK(append(again, produced(1, 15), Epoch{2}).value().duplicate);
    CHECK(again.topic_id() == disk.place().topic_id);
    CHECK(disk.files.exists(disk.directory + "/partition.metadata"));
}

TEST_CASE("an idle log costs nothing to sync or to close", "[storage][sync]") {
    LogOnDisk disk;
    auto& log = disk.create();
    REQUIRE(append(log, BatchSpec{}).ok());
    auto& again = disk.reopen();
    CHECK_FALSE(again.needs_sync());
    again.assign_epoch_start(Epoch{1}, again.log_end());
    CHECK_FALSE(again.needs_sync());  // an epoch without records may be forgotten
    auto syncs = disk.files.sync_count();
    REQUIRE(again.close_clean().ok());
    CHECK(disk.files.sync_count() == syncs);
}

TEST_CASE("a failed sync fails the log for good", "[storage][sync][faults]") {
    LogOnDisk disk;
    auto& log = disk.create();
    REQUIRE(append(log, BatchSpec{}).ok());
    REQUIRE(sync(log).ok());
    REQUIRE(append(log, BatchSpec{}).ok());
    disk.files.fail_next_sync(disk.path(Offset{0}, log_suffix));
    CHECK_FALSE(sync(log).ok());
    CHECK(log.durable_end() == Offset{1});
    CHECK(log.failed());
    CHECK(append(log, BatchSpec{}).code() == Errc::kafka_storage_error);
    CHECK(log.close_clean().code() == Errc::kafka_storage_error);
}

TEST_CASE("a segment that holds the recovery point has index files", "[storage][sync]") {
    LogOnDisk disk;
    auto& log = disk.create();
    REQUIRE(append(log, BatchSpec{}).ok());
    log.flush_indexes();
    auto index = disk.path(Offset{0}, offset_index_suffix);
    auto times = disk.path(Offset{0}, time_index_suffix);
    CHECK_FALSE(disk.files.exists(index));  // nothing is synced: whoever starts scans it all
    REQUIRE(sync(log).ok());
    log.flush_indexes();
    CHECK(disk.files.exists(index));
    CHECK(disk.files.exists(times));
    disk.log.reset();
    CHECK(disk.open(LastStop::process_died, Offset{1}).log_end() == Offset{1});
}

TEST_CASE("index entries wait in memory for the checkpoint, but not without a bound",
          "[storage][sync]") {
    LogOnDisk disk;
    disk.options.index_interval_bytes = 0;  // an entry for every batch but the first
    auto& log = disk.create();
    const auto index = disk.path(Offset{0}, offset_index_suffix);
    for (int i = 0; i < 4096; ++i)
        REQUIRE(append(log, BatchSpec{}).ok());
    CHECK_FALSE(disk.files.exists(index));
    REQUIRE(append(log, BatchSpec{}).ok());
    CHECK(disk.content(index).size() == 4096 * OffsetEntry::bytes);
    REQUIRE(append(log, BatchSpec{}).ok());
    REQUIRE(sync(log).ok());
    log.flush_indexes();
    CHECK(disk.content(index).size() == 4097 * OffsetEntry::bytes);
    for (std::int64_t from : {0, 1, 2000, 4095, 4096, 4097})
        CHECK(read(log, Offset{from}).value().first == Offset{from});
    CHECK(disk.reopen().opened().rebuilt_indexes == 0);
}

TEST_CASE("what a failed sync left in the cache is written again by the next process",
          "[storage][sync][faults]") {
    LogOnDisk disk;
    auto& log = disk.create();
    REQUIRE(append(log, produced(1, 0)).ok());
    REQUIRE(sync(log).ok());
    REQUIRE(append(log, produced(1, 1)).ok());
    disk.files.fail_next_sync(disk.path(Offset{0}, log_suffix));
    REQUIRE_FALSE(sync(log).ok());
    disk.log.reset();
    auto& again = disk.open(LastStop::process_died, Offset{1});
    CHECK(again.log_end() == Offset{2});  // the kernel still has it
    REQUIRE(sync(again).ok());
    CHECK(again.durable_end() == Offset{2});
    disk.log.reset();
    disk.files.power_off_losing_all();
    auto& last = disk.open(LastStop::host_died, Offset{1});
    CHECK(last.log_end() == Offset{2});
    CHECK(last.opened().findings.empty());
    // And no more of it.
    REQUIRE(sync(last).ok());
    auto names = disk.files.list(disk.place().directory);
    REQUIRE(names.ok());
    CHECK(std::count(names.value().begin(), names.value().end(), sync_failed_name) == 0);
}

TEST_CASE("a failed sync of any file or name fails the log", "[storage][sync][faults]") {
    LogOnDisk disk;
    disk.options.segment_bytes = 200;
    auto& log = disk.create();
    for (int i = 0; i < 5; ++i)
        REQUIRE(append(log, produced(1, i)).ok());
    // One after the other, every sync that the job does.
    auto which = GENERATE(range(0, 12));
    auto job = log.begin_sync();
    int seen = 0;
    disk.files.set_blocking_check([&](const char*) {
        if (seen++ == which) disk.files.fail_next_sync();
    });
    auto result = job.run();
    log.finish_sync(job, result);
    CAPTURE(which, seen);
    CHECK(seen == which + 1);  // it stops there
    CHECK_FALSE(result.ok());
    CHECK(log.failed());
    CHECK(log.durable_end() == Offset{0});
}

TEST_CASE("a small file that finds no room postpones the sync", "[storage][sync][faults]") {
    LogOnDisk disk;
    disk.options.segment_bytes = 200;
    auto& log = disk.create();
    for (int i = 0; i < 5; ++i)
        REQUIRE(append(log, produced(1, i)).ok());
    disk.files.set_capacity(disk.files.used_bytes() + 20);
    CHECK(sync(log).code() == Errc::disk_full);
    CHECK_FALSE(log.failed());
    CHECK(log.durable_end() == Offset{0});
    CHECK(append(log, produced(1, 5)).code() == Errc::disk_full);
    disk.files.set_capacity(std::uint64_t{1} << 30);
    REQUIRE(sync(log).ok());
    CHECK(log.durable_end() == Offset{5});
    CHECK(append(log, produced(1, 5)).ok());
    disk.log.reset();
    disk.files.power_off_losing_all();
    auto& again = disk.open(LastStop::host_died, Offset{5});
    CHECK(again.log_end() == Offset{5});
    CHECK(again.opened().findings.empty());
}

TEST_CASE("space is reserved ahead of busy segments and given back", "[storage][sync]") {
    LogOnDisk disk;
    disk.options.allocate_ahead_bytes = 1000;
    disk.options.segment_bytes = 2500;
    auto& log = disk.create();
    CHECK_FALSE(log.wants_space().has_value());
    while (log.size_bytes() < 300)
        REQUIRE(append(log, BatchSpec{}).ok());
    auto job = log.wants_space();
    REQUIRE(job.has_value());
    job->run();
    CHECK_FALSE(log.wants_space().has_value());
    // A tail of zeros would be damage to Kafka's tools.
    CHECK(disk.files.info(disk.path(Offset{0}, log_suffix)).value().size == log.size_bytes());
    while (log.size_bytes() < 900)
        REQUIRE(append(log, BatchSpec{}).ok());
    CHECK(log.wants_space().has_value());
    while (log.segment_count() == 1)
        REQUIRE(append(log, BatchSpec{}).ok());
    REQUIRE(sync(log).ok());
    CHECK(all_batches(disk.reopen()).size() > 20);
}
