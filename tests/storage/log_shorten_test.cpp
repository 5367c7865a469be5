// SPDX-License-Identifier: Apache-2.0
//
// Truncation, log start, retention.
#include "tests/storage/support.hpp"

using namespace kq;
using namespace kq::test;

namespace {

constexpr std::int64_t start_ms = 1'700'000'000'000;

// Ten batches of five records, about two to a segment, a minute apart.
Log& fill(LogOnDisk& disk) {
    disk.options.segment_bytes = 400;
    disk.options.index_interval_bytes = 100;
    auto& log = disk.create();
    for (int i = 0; i < 10; ++i) {
        auto spec = produced(1, i * 5, 5);
        spec.timestamp_ms = start_ms + i * 60'000;
        REQUIRE(append(log, spec, Epoch{i / 4}).ok());
    }
    REQUIRE(sync(log).ok());
    return log;
}

std::vector<std::int64_t> bases(Log& log) {
    std::vector<std::int64_t> result;
    for (const auto& header : all_batches(log))
        result.push_back(header.base_offset.value);
    return result;
}

Status remove(DeleteJob job) {
    return job.run();
}

}  // namespace

// ---- At the end

TEST_CASE("truncation drops whole batches, epochs and producers' batches", "[storage][shorten]") {
    auto end = GENERATE(50, 49, 45, 41, 40, 26, 25, 24, 20, 11, 10, 5, 1, 0);
    CAPTURE(end);
    LogOnDisk disk;
    auto& log = fill(disk);
    REQUIRE(sync(log).ok());
    REQUIRE(log.truncate_to(Offset{end}).ok());
    auto kept = end / 5;
    CHECK(log.log_end() == Offset{kept * 5});
    CHECK(log.durable_end() == log.log_end());
    CHECK(log.recovery_point() <= log.log_end());
    CHECK(bases(log).size() == static_cast<std::size_t>(kept));
    CHECK(log.latest_epoch() == (kept == 0 ? no_epoch : Epoch{(kept - 1) / 4}));
    if (kept > 0) {
        auto repeated = append(log, produced(1, (kept - 1) * 5, 5), Epoch{9});
        CHECK(repeated.value().duplicate);
    }
    if (kept < 10) {
        // The producer goes on where the log ends now.
        CHECK(append(log, produced(1, kept * 5, 5), Epoch{9}).value().first == Offset{kept * 5});
    }
    auto all = bases(log);
    auto& again = disk.reopen();
    CHECK(bases(again) == all);
    CHECK(again.opened().findings.empty());
}

TEST_CASE("a cut file is not written to again", "[storage][shorten]") {
    LogOnDisk disk;
    disk.options.segment_bytes = 1 << 20;
    auto& log = disk.create();
    for (int i = 0; i < 4; ++i)
        REQUIRE(append(log, BatchSpec{.fill = 'a'}).ok());
    auto slice = read(log, Offset{0}).value().slice;
    auto before = slice_bytes({slice.file, 0, slice.length / 2});
    REQUIRE(log.truncate_to(Offset{2}).ok());
    REQUIRE(append(log, BatchSpec{.fill = 'b'}, Epoch{1}).ok());
    CHECK(slice_bytes({slice.file, 0, slice.length / 2}) == before);
    Bytes beyond(10);
    CHECK(slice.file->pread(slice.length / 2, beyond).value() == 0);
    CHECK(log.segment_count() == 2);

    auto all = read(log, Offset{0}).value().slice;
    REQUIRE(log.truncate_to(Offset{0}).ok());
    REQUIRE(append(log, BatchSpec{.fill = 'c'}, Epoch{2}).ok());
    CHECK(slice_bytes({all.file, 0, before.size()}) == before);
}

TEST_CASE("truncation to nothing, and a new start", "[storage][shorten]") {
    LogOnDisk disk;
    auto& log = fill(disk);
    REQUIRE(log.truncate_fully_and_start_at(Offset{1000}).ok());
    CHECK(log.log_start() == Offset{1000});
    CHECK(log.log_end() == Offset{1000});
    CHECK(log.latest_epoch() == no_epoch);
    CHECK(log.producers().size() == 0);
    CHECK(append(log, BatchSpec{}, Epoch{3}).value().first == Offset{1000});
    auto& again = disk.reopen();
    CHECK(again.log_start() == Offset{1000});
    CHECK(bases(again) == std::vector<std::int64_t>{1000});
    // Below the log start there is nothing to keep either.
    REQUIRE(again.truncate_to(Offset{500}).ok());
    CHECK(again.log_start() == Offset{500});
    CHECK(again.log_end() == Offset{500});
}

TEST_CASE("a crash while a log is truncated leaves a prefix", "[storage][shorten][crash]") {
    auto point = GENERATE(range(0, 24));
    auto seed = GENERATE(1u, 2u, 3u);
    LogOnDisk disk;
    auto& log = fill(disk);
    REQUIRE(sync(log).ok());
    int seen = 0;
    disk.files.set_blocking_check([&](const char*) {
        if (seen++ == point) disk.files.fail_writes();
        if (seen > point) disk.files.fail_next_sync();
    });
    static_cast<void>(log.truncate_to(Offset{15}).ok());
    disk.log.reset();
    disk.files.set_blocking_check(nullptr);
    disk.files.clear_faults();
    SeededRandom random(seed);
    disk.files.power_off(random);
    CAPTURE(point, seed, seen);
    auto& again = disk.open(LastStop::host_died, Offset{15});
    auto found = bases(again);
    CHECK(found.size() >= 3);
    CHECK(found.size() <= 10);
    for (std::size_t i = 0; i < found.size(); ++i) {
        CHECK(found[i] == static_cast<std::int64_t>(i) * 5);
    }
    auto end = again.log_end();
    CHECK(append(again, BatchSpec{}, Epoch{9}).value().first == end);
}

// ---- At the start

TEST_CASE("retention by time counts the youngest record of a segment", "[storage][shorten]") {
    LogOnDisk disk;
    auto& log = fill(disk);
    disk.options.retention_ms = Millis{60'000};
    log.set_options(disk.options);
    REQUIRE(log.segment_count() == 5);
    auto at = [](int minutes) { return wall_time(start_ms + minutes * 60'000 + 4); };
    // The first segment's youngest is of minute 1.
    CHECK(log.delete_old_segments(at(2), log.log_end()).empty());
    auto job = log.delete_old_segments(at(2) + Millis{1}, log.log_end());
    CHECK_FALSE(job.empty());
    CHECK(job.log_start() == Offset{10});
    CHECK(log.log_start() == Offset{10});
    CHECK(disk.files.exists(disk.path(Offset{0}, log_suffix)));  // until the job has run
    REQUIRE(job.run().ok());
    CHECK_FALSE(disk.files.exists(disk.path(Offset{0}, log_suffix)));
    CHECK_FALSE(disk.files.exists(disk.path(Offset{0}, offset_index_suffix)));
    CHECK(bases(log).front() == 10);
    CHECK(log.epoch_of(Offset{10}) == Epoch{0});

    // Everything, the active segment too: the end and the producers stay known.
    // The last one goes when the snapshot of the producers behind it is durable.
    REQUIRE(remove(log.delete_old_segments(at(1000), log.log_end())).ok());
    CHECK(log.log_start() == Offset{40});
    REQUIRE(sync(log).ok());
    REQUIRE(remove(log.delete_old_segments(at(1000), log.log_end())).ok());
    CHECK(log.log_start() == Offset{50});
    CHECK(log.segment_count() == 1);
    CHECK(log.size_bytes() == 0);
    CHECK(append(log, produced(1, 45, 5), Epoch{2}).value().duplicate);
    auto& again = disk.reopen();
    CHECK(again.log_end() == Offset{50});
    CHECK(append(again, produced(1, 45, 5), Epoch{2}).value().duplicate);
    CHECK(append(again, produced(1, 50, 1), Epoch{2}).value().first == Offset{50});
}

TEST_CASE("retention by time after a restart", "[storage][shorten]") {
    LogOnDisk disk;
    fill(disk);
    disk.options.retention_ms = Millis{60'000};
    auto& log = disk.reopen();
    auto now = wall_time(start_ms + 200'000);
    CHECK(log.delete_old_segments(now, log.log_end()).empty());  // nobody has looked yet
    auto ages = log.wants_ages(now);
    REQUIRE(ages);
    REQUIRE(ages->run().ok());
    log.finish_ages(*ages);
    CHECK_FALSE(log.wants_ages(now));
    auto job = log.delete_old_segments(now, log.log_end());
    CHECK(job.log_start() == Offset{10});
}

TEST_CASE("a damaged time index deletes nothing", "[storage][shorten][faults]") {
    LogOnDisk disk;
    fill(disk);
    disk.options.retention_ms = Millis{60'000};
    REQUIRE(disk.log->close_clean().ok());
    disk.log.reset();
    auto times = disk.path(Offset{0}, time_index_suffix);
    auto size = disk.files.info(times).value().size;
    REQUIRE(size >= 12);
    disk.files.flip_bit(times, size - 12 + 2, 0);  // of the last timestamp: years earlier or later
    auto& log = disk.open(LastStop::clean);
    auto now = wall_time(start_ms + 1);
    if (auto ages = log.wants_ages(now)) {
        REQUIRE(ages->run().ok());
        log.finish_ages(*ages);
    }
    CHECK(log.delete_old_segments(now, log.log_end()).empty());
    CHECK(log.log_start() == Offset{0});
}

TEST_CASE("segments without timestamps age by their files", "[storage][shorten]") {
    LogOnDisk disk;
    disk.options.segment_bytes = 100;
    disk.options.retention_ms = Millis{60'000};
    auto& log = disk.create();
    BatchSpec spec;
    spec.timestamp_ms = -1;
    REQUIRE(append(log, spec).ok());
    REQUIRE(append(log, spec).ok());
    CHECK(log.delete_old_segments(disk.clock.wall(), log.log_end()).empty());
    disk.clock.advance(Millis{60'001});
    CHECK(log.delete_old_segments(disk.clock.wall(), log.log_end()).log_start() == Offset{2});
}

TEST_CASE("retention by size leaves at least so much", "[storage][shorten]") {
    LogOnDisk disk;
    auto& log = fill(disk);
    disk.options.retention_ms = Millis{-1};
    auto segment = static_cast<std::int64_t>(log.size_bytes()) / 5;
    struct Row {
        std::int64_t retention_bytes;
        std::int64_t log_start;
    };
    auto row = GENERATE_COPY(Row{-1, 0}, Row{5 * segment, 0}, Row{4 * segment + 1, 0},
                             Row{4 * segment, 10}, Row{2 * segment + 5, 20}, Row{0, 50});
    CAPTURE(row.retention_bytes, segment);
    disk.options.retention_bytes = row.retention_bytes;
    log.set_options(disk.options);
    REQUIRE(remove(log.delete_old_segments(disk.clock.wall(), log.log_end())).ok());
    REQUIRE(sync(log).ok());
    REQUIRE(remove(log.delete_old_segments(disk.clock.wall(), log.log_end())).ok());
    CHECK(log.log_start() == Offset{row.log_start});
}

TEST_CASE("nothing at or above the high watermark is deleted", "[storage][shorten]") {
    LogOnDisk disk;
    auto& log = fill(disk);
    disk.options.retention_bytes = 0;
    log.set_options(disk.options);
    auto job = log.delete_old_segments(disk.clock.wall(), Offset{29});
    CHECK(job.log_start() == Offset{20});
}

TEST_CASE("a compacted topic loses segments below its log start only", "[storage][shorten]") {
    LogOnDisk disk;
    auto& log = fill(disk);
    disk.options.delete_old = false;
    disk.options.compact = true;
    disk.options.retention_bytes = 0;
    disk.options.retention_ms = Millis{0};
    log.set_options(disk.options);
    CHECK(log.delete_old_segments(wall_time(start_ms * 2), log.log_end()).empty());
    log.advance_log_start(Offset{27});
    auto job = log.delete_old_segments(wall_time(start_ms * 2), log.log_end());
    CHECK(job.log_start() == Offset{27});
    REQUIRE(job.run().ok());
    CHECK(bases(log).front() == 25);  // its batch holds 27
    CHECK(log.segment_count() == 3);
    // The log start is not in the files.
    REQUIRE(log.close_clean().ok());
    CHECK(disk.open(LastStop::clean, Offset{0}, Offset{27}).log_start() == Offset{27});
}

TEST_CASE("a plan of retention changes nothing that readers see", "[storage][shorten]") {
    LogOnDisk disk;
    auto& log = fill(disk);
    disk.options.retention_bytes = 0;
    log.set_options(disk.options);
    CHECK(log.start_after_retention(disk.clock.wall(), Offset{25}) == Offset{20});
    CHECK(log.log_start() == Offset{0});
    CHECK(bases(log).size() == 10);
    auto job = log.delete_segments_before(Offset{20});
    CHECK(job.log_start() == Offset{20});
    CHECK(log.log_start() == Offset{20});
    CHECK(log.start_after_retention(disk.clock.wall(), Offset{25}) == Offset{20});
}

TEST_CASE("segments are set aside under Kafka's names, and unlinked later", "[storage][shorten]") {
    LogOnDisk disk;
    auto& log = fill(disk);
    auto job = log.delete_segments_before(Offset{20});
    auto count = [&](std::string_view suffix) {
        std::size_t found = 0;
        auto names = disk.files.list(disk.directory).value();
        for (const auto& name : names)
            found += name.ends_with(suffix) ? 1 : 0;
        return found;
    };
    auto logs_before = count(log_suffix);
    REQUIRE(job.set_aside().ok());
    CHECK(count(log_suffix) == logs_before - 2);
    CHECK(disk.files.exists(disk.path(Offset{0}, ".log.deleted")));
    CHECK(disk.files.exists(disk.path(Offset{10}, ".log.deleted")));
    CHECK(disk.files.exists(disk.path(Offset{10}, ".timeindex.deleted")));
    CHECK(disk.files.exists(disk.path(Offset{10}, ".snapshot.deleted")));
    CHECK_FALSE(disk.files.exists(disk.path(Offset{20}, ".log.deleted")));

    SECTION("by the job") {
        REQUIRE(job.unlink_set_aside().ok());
        CHECK(count(".deleted") == 0);
        REQUIRE(job.unlink_set_aside().ok());  // somebody was there before: the directory is gone
    }
    SECTION("by the next start after a clean stop") {
        auto& again = disk.reopen();
        CHECK(count(".deleted") == 0);
        CHECK(again.log_start() == Offset{20});
        CHECK(again.opened().findings.empty());
    }
    SECTION("by the next start after a power cut") {
        disk.log.reset();
        SeededRandom random(GENERATE(range(1u, 9u)));
        disk.files.power_off(random);
        auto& again = disk.open(LastStop::host_died, Offset{50}, Offset{20});
        CHECK(count(".deleted") == 0);
        CHECK(again.log_start() == Offset{20});
        CHECK(bases(again).front() == 20);
        CHECK(again.log_end() == Offset{50});
        CHECK(again.opened().findings.empty());
    }
}

TEST_CASE("a crash while segments are set aside leaves no hole", "[storage][shorten][crash]") {
    auto point = GENERATE(range(0, 4));
    auto seed = GENERATE(range(1u, 9u));
    LogOnDisk disk;
    auto& log = fill(disk);
    auto job = log.delete_segments_before(Offset{40});
    int seen = 0;
    disk.files.set_blocking_check([&](const char*) {
        if (seen++ == point) disk.files.fail_next_sync();
    });
    CHECK_FALSE(job.set_aside().ok());
    disk.files.set_blocking_check(nullptr);
    disk.log.reset();
    SeededRandom random(seed);
    disk.files.power_off(random);
    CAPTURE(point, seed);
    // The log start was persisted before: it never goes back.
    auto& again = disk.open(LastStop::host_died, Offset{50}, Offset{40});
    CHECK(again.log_start() == Offset{40});
    CHECK(again.log_end() == Offset{50});
}

TEST_CASE("a crash amid a deletion leaves no hole", "[storage][shorten][crash]") {
    auto point = GENERATE(range(0, 4));
    auto seed = GENERATE(range(1u, 9u));
    LogOnDisk disk;
    auto& log = fill(disk);
    REQUIRE(sync(log).ok());
    disk.options.retention_bytes = 0;
    log.set_options(disk.options);
    auto job = log.delete_old_segments(disk.clock.wall(), Offset{40});
    int seen = 0;
    disk.files.set_blocking_check([&](const char*) {
        if (seen++ == point) disk.files.fail_next_sync();
    });
    auto result = job.run();
    CHECK(result.ok() == (point >= 4));
    disk.files.set_blocking_check(nullptr);
    disk.log.reset();
    SeededRandom random(seed);
    disk.files.power_off(random);
    CAPTURE(point, seed);
    auto& again = disk.open(LastStop::host_died, Offset{50});
    auto found = bases(again);
    REQUIRE_FALSE(found.empty());
    CHECK(found.front() == again.log_start().value);
    CHECK(found.back() == 45);
    for (std::size_t i = 1; i < found.size(); ++i)
        CHECK(found[i] == found[i - 1] + 5);
}
