// SPDX-License-Identifier: Apache-2.0
#include "tests/storage/support.hpp"

using namespace kq;
using namespace kq::test;

namespace {

// Twenty batches of five records, two or three to a segment.
void fill(LogOnDisk& disk, int batches = 20) {
    disk.options.segment_bytes = 500;
    disk.options.index_interval_bytes = 100;
    auto& log = disk.create();
    for (int i = 0; i < batches; ++i) {
        REQUIRE(append(log, BatchSpec{.records = 5, .timestamp_ms = 1'700'000'000'000 + i * 1000})
                    .ok());
    }
}

}  // namespace

TEST_CASE("a read begins with the batch that contains the offset", "[storage][read]") {
    LogOnDisk disk;
    fill(disk);
    auto& log = *disk.log;
    for (std::int64_t from = 0; from < 100; ++from) {
        auto result = read(log, Offset{from}, 1);
        REQUIRE(result.ok());
        auto headers = headers_in(slice_bytes(result.value().slice));
        REQUIRE(headers.size() == 1);  // one whole batch, whatever its size
        CHECK(headers[0].base_offset == Offset{from / 5 * 5});
        CHECK(result.value().first == Offset{from / 5 * 5});
        CHECK(result.value().bound >= headers[0].next_offset());
    }
    CHECK(read(log, Offset{100}).value().slice.length == 0);
    CHECK(read(log, Offset{101}).code() == Errc::offset_out_of_range);
    CHECK(read(log, Offset{-1}).code() == Errc::offset_out_of_range);
}

TEST_CASE("limits: bytes, the upper bound, at least one batch", "[storage][read]") {
    LogOnDisk disk;
    auto& log = disk.create();
    for (int i = 0; i < 10; ++i)
        REQUIRE(append(log, BatchSpec{.records = 2}).ok());
    auto batch_bytes = static_cast<std::uint32_t>(log.size_bytes() / 10);

    CHECK(read(log, Offset{0}, batch_bytes - 1, std::nullopt, false).value().slice.length == 0);
    CHECK(read(log, Offset{0}, batch_bytes - 1).value().slice.length == batch_bytes);
    CHECK(read(log, Offset{0}, 0).value().slice.length == batch_bytes);
    CHECK(read(log, Offset{0}, 3 * batch_bytes + 5).value().slice.length == 3 * batch_bytes);
    CHECK(read(log, Offset{0}, 3 * batch_bytes + 5).value().bound == Offset{6});
    CHECK(read(log, Offset{0}, 1 << 20).value().slice.length == log.size_bytes());
    for (std::int64_t bound = 0; bound <= 20; bound += 2) {
        auto result = read(log, Offset{4}, 1 << 20, Offset{bound}).value();
        CHECK(result.slice.length ==
              std::uint64_t(std::max<std::int64_t>(bound - 4, 0) / 2) * batch_bytes);
        if (result.slice.length > 0) CHECK(result.bound == Offset{bound});
    }
}

TEST_CASE("closed segments are read through their index files", "[storage][read]") {
    LogOnDisk disk;
    fill(disk);
    auto& log = disk.reopen();
    REQUIRE(log.segment_count() > 6);
    CHECK(log.read(Offset{0}, 100, log.log_end(), true).code() == Errc::would_block);
    CHECK(all_batches(log).size() == 20);
    // Few of them stay open; each can be read again.
    for (int round = 0; round < 2; ++round) {
        for (std::int64_t from = 99; from >= 0; from -= 7) {
            CHECK(
                headers_in(slice_bytes(read(log, Offset{from}, 1).value().slice))[0].base_offset ==
                Offset{from / 5 * 5});
        }
    }
}

TEST_CASE("old entries of an active segment's index are found in its file", "[storage][read]") {
    LogOnDisk disk;
    disk.options.index_interval_bytes = 1;
    auto& log = disk.create();
    for (int i = 0; i < 600; ++i)
        REQUIRE(append(log, BatchSpec{}).ok());
    auto& again = disk.reopen();
    for (int i = 600; i < 1200; ++i)
        REQUIRE(append(again, BatchSpec{}).ok());
    CHECK(again.read(Offset{1199}, 1, again.log_end(), true).ok());
    CHECK(again.read(Offset{5}, 1, again.log_end(), true).code() == Errc::would_block);
    for (std::int64_t from : {0, 1, 5, 599, 600, 601, 900, 1199}) {
        auto bytes = slice_bytes(read(again, Offset{from}, 1).value().slice);
        CHECK(headers_in(bytes)[0].base_offset == Offset{from});
    }
    auto some = read(again, Offset{10}, 5000).value();
    CHECK(headers_in(slice_bytes(some.slice)).back().next_offset() == some.bound);
}

TEST_CASE("a slice outlives the deletion of its segment", "[storage][read]") {
    LogOnDisk disk;
    fill(disk);
    auto& log = *disk.log;
    auto slice = read(log, Offset{0}, 1).value().slice;
    log.advance_log_start(Offset{50});
    auto job = log.delete_old_segments(disk.clock.wall(), log.log_end());
    REQUIRE(job.run().ok());
    CHECK(headers_in(slice_bytes(slice)).size() == 1);
    CHECK(read(log, Offset{49}).code() == Errc::offset_out_of_range);
    CHECK(read(log, Offset{50}).ok());
}

TEST_CASE("a damaged index is made again, and serves the same batches", "[storage][read][faults]") {
    LogOnDisk disk;
    disk.options.index_interval_bytes = 100;
    disk.options.segment_bytes = 3000;
    auto& log = disk.create();
    for (int i = 0; i < 100; ++i)
        REQUIRE(append(log, BatchSpec{.value_bytes = 50}).ok());
    REQUIRE(log.close_clean().ok());
    auto index = disk.path(Offset{0}, offset_index_suffix);
    auto good = disk.content(index);
    REQUIRE(good.size() > 64);
    auto bit = GENERATE(0, 5, 17, 30, 33, 61, 62, 63, 64 + 31, 64 + 63, 200, 255, 300, 333);
    CAPTURE(bit);
    disk.files.flip_bit(index, static_cast<std::uint64_t>(bit / 8), bit % 8);
    auto& again = disk.open(LastStop::clean);
    CHECK(all_batches(again).size() == 100);
    for (std::int64_t from = 0; from < 100; ++from) {
        auto bytes = slice_bytes(read(again, Offset{from}, 1).value().slice);
        CHECK(headers_in(bytes)[0].base_offset == Offset{from});
    }
}

// The checksum of a batch does not cover its base offset, and a clean stop is not followed by a
// scan.
TEST_CASE("a batch whose offset is damaged is an error, not something to wait for",
          "[storage][read][faults]") {
    LogOnDisk disk;
    fill(disk);
    REQUIRE(disk.log->close_clean().ok());
    auto batches = headers_in(disk.content(disk.path(Offset{0}, log_suffix)));
    REQUIRE(batches.size() > 1);
    auto base_at = batches[0].size_bytes;  // of the second batch, offsets 5 to 9
    auto bit = GENERATE(0, 2, 3, 6, 7);
    CAPTURE(bit);
    disk.files.flip_bit(disk.path(Offset{0}, log_suffix), base_at + 7, bit);
    auto& again = disk.open(LastStop::clean);
    CHECK(read(again, Offset{0}, 1).ok());
    for (std::int64_t from = 5; from < 10; ++from) {
        auto result = read(again, Offset{from}, 1);
        // Where the turned bit keeps `from` within the batch nobody can tell.
        if (result.ok()) CHECK(result.value().first <= Offset{from});
        bool served = result.ok() && result.value().slice.length > 0;
        CHECK((served || result.code() == Errc::corrupt_file));
    }
    CHECK(read(again, Offset{5}, 1).code() == (bit < 3 ? Errc::none : Errc::corrupt_file));
}

// ---- By timestamp

TEST_CASE("records are found by timestamp", "[storage][read][timestamps]") {
    LogOnDisk disk;
    fill(disk);
    bool restarted = GENERATE(false, true);
    auto& log = restarted ? disk.reopen() : *disk.log;
    auto at = [](std::int64_t ms) { return wall_time(1'700'000'000'000 + ms); };
    struct Row {
        std::int64_t asked;
        std::int64_t offset;
        std::int64_t timestamp;
    };
    for (auto row : {Row{-5, 0, 0}, Row{0, 0, 0}, Row{1, 1, 1}, Row{5, 5, 1000},
                     Row{3002, 17, 3002}, Row{18999, 95, 19000}, Row{19004, 99, 19004}}) {
        CAPTURE(row.asked);
        auto found = log.search_timestamp(at(row.asked)).run();
        REQUIRE(found.ok());
        REQUIRE(found.value().has_value());
        CHECK(found.value()->offset == Offset{row.offset});
        CHECK(found.value()->timestamp == at(row.timestamp));
        CHECK(found.value()->leader_epoch == Epoch{0});
    }
    CHECK_FALSE(log.search_timestamp(at(19005)).run().value().has_value());
    CHECK(log.search_max_timestamp().run().value()->offset == Offset{99});

    log.advance_log_start(Offset{42});
    CHECK(log.search_timestamp(at(0)).run().value()->offset == Offset{42});
}

TEST_CASE("timestamps that jump about", "[storage][read][timestamps]") {
    LogOnDisk disk;
    disk.options.index_interval_bytes = 0;
    disk.options.segment_bytes = 300;
    disk.options.segment_ms = Millis{std::chrono::hours{1000}};
    auto& log = disk.create();
    const std::vector<std::int64_t> timestamps{500, 300, 900, 100, 900, 800, 1000, 200, 1000, 5};
    for (auto timestamp : timestamps) {
        REQUIRE(append(log, BatchSpec{.timestamp_ms = timestamp}).ok());
    }
    for (std::int64_t asked = 0; asked <= 1001; asked += 7) {
        CAPTURE(asked);
        std::optional<Offset> expected;
        for (std::size_t i = 0; i < timestamps.size() && !expected; ++i) {
            if (timestamps[i] >= asked) expected = Offset{static_cast<std::int64_t>(i)};
        }
        auto found = log.search_timestamp(wall_time(asked)).run().value();
        CHECK(found.has_value() == expected.has_value());
        if (found) CHECK(found->offset == *expected);
    }
    CHECK(log.search_max_timestamp().run().value()->offset == Offset{6});
    log.advance_log_start(Offset{7});
    CHECK(log.search_max_timestamp().run().value()->offset == Offset{8});
    log.advance_log_start(Offset{9});
    CHECK(log.search_max_timestamp().run().value()->offset == Offset{9});
}

TEST_CASE("records without timestamps have none to be found by", "[storage][read][timestamps]") {
    LogOnDisk disk;
    auto& log = disk.create();
    CHECK_FALSE(log.search_max_timestamp().run().value().has_value());
    BatchSpec spec;
    spec.timestamp_ms = -1;
    REQUIRE(append(log, spec).ok());
    CHECK_FALSE(log.search_max_timestamp().run().value().has_value());
    CHECK_FALSE(log.search_timestamp(wall_time(0)).run().value().has_value());
}

TEST_CASE("timestamps are found in compressed batches", "[storage][read][timestamps]") {
    LogOnDisk disk;
    auto& log = disk.create();
    for (auto codec :
         {Compression::gzip, Compression::snappy, Compression::lz4, Compression::zstd}) {
        REQUIRE(append(log, BatchSpec{.records = 10, .compression = codec}).ok());
    }
    CHECK(log.search_timestamp(wall_time(1'700'000'000'007)).run().value()->offset == Offset{7});
}

TEST_CASE("a search survives damaged index files", "[storage][read][timestamps][faults]") {
    LogOnDisk disk;
    fill(disk);
    auto& log = disk.reopen();
    auto suffix = GENERATE(time_index_suffix, offset_index_suffix);
    for (auto base : {Offset{0}, Offset{15}}) {
        if (!disk.files.exists(disk.path(base, suffix))) continue;
        disk.files.flip_bit(disk.path(base, suffix), 1, 7);
    }
    CHECK(log.search_timestamp(wall_time(1'700'000'003'002)).run().value()->offset == Offset{17});
}
