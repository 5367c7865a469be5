// SPDX-License-Identifier: Apache-2.0
//
// Damage that no crash makes: what is cut off is kept, what was there is told, and no offset that
// is known to have been given is given again.
#include <map>

#include "storage/damaged_files.hpp"
#include "tests/storage/support.hpp"

using namespace kq;
using namespace kq::test;

namespace {

// Twelve batches in four segments, synced; then the process is gone.
struct FourSegments : LogOnDisk {
    explicit FourSegments(bool fills = true) {
        only_replica = fills;
        options.segment_bytes = 250;
        auto& made = fill(*this, 12);
        REQUIRE(made.segment_count() == 4);
        REQUIRE(sync(made).ok());
        log.reset();
        segment_bytes = content(path(Offset{0}, log_suffix)).size();
    }
    std::string segment(std::int64_t base) const { return path(Offset{base}, log_suffix); }
    std::string damaged(std::int64_t base) const { return path(Offset{base}, ".log.damaged"); }
    // A bit of the records of the batch at this offset.
    void damage(std::int64_t offset) {
        auto base = offset / 3 * 3;
        files.flip_bit(segment(base),
                       segment_bytes / 3 * static_cast<std::uint64_t>(offset - base) + 70);
    }
    // The offsets from `from` on are taken by one empty batch, and the next one is `end`.
    void check_filled(Log& again, std::int64_t from, std::int64_t end) {
        CHECK(check_prefix(again) == end);
        const auto batches = all_batches(again);
        REQUIRE_FALSE(batches.empty());
        CHECK(batches.back().base_offset == Offset{from});
        CHECK(batches.back().record_count == 0);
        CHECK(batches.back().producer_id == no_producer);
        CHECK(batches.back().max_timestamp == no_timestamp);
        CHECK(again.opened().records_missing);
        CHECK(again.opened().missing == std::vector<MissingRecords>{{Offset{from}, Offset{end}}});
        CHECK(count_lines("records are missing") == starts_before + 1);
        CHECK(sink.contains(std::to_string(from) + ".." + std::to_string(end - 1)));
        // What the producer did there is not known, nor an epoch that began there.
        CHECK(again.producers().find(ProducerId{1})->last_sequence() ==
              Sequence{static_cast<std::int32_t>(from) - 1});
        CHECK(again.latest_epoch() == Epoch{static_cast<std::int32_t>(from - 1) / 5});
        CHECK(append(again, BatchSpec{}, Epoch{9}).value().first == Offset{end});
    }
    std::uint64_t segment_bytes = 0;
    std::size_t starts_before = 0;  // that told as well, and died
};

}  // namespace

TEST_CASE("sound batches behind damage are no part of the log, and are kept",
          "[storage][recovery][I1][I28]") {
    FourSegments disk(false);
    const auto last = disk.content(disk.segment(9));

    SECTION("in a segment with others behind it") {
        disk.damage(1);
        auto& again = disk.open(GENERATE(LastStop::process_died, LastStop::host_died));
        CHECK(check_prefix(again) == 1);
        CHECK(disk.damaged_files() == std::vector<std::string>{"00000000000000000000.log.damaged",
                                                               "00000000000000000003.log.damaged",
                                                               "00000000000000000006.log.damaged",
                                                               "00000000000000000009.log.damaged"});
        CHECK(disk.content(disk.damaged(9)) == last);
        CHECK(disk.content(disk.damaged(0)).size() == disk.segment_bytes / 3 * 2);
        CHECK(disk.count_lines("records are missing") == 1);
        CHECK(again.opened().missing == std::vector<MissingRecords>{{Offset{1}, Offset{12}}});
        // What comes next is not kept under the same names.
        REQUIRE(append(again, BatchSpec{}, Epoch{9}).ok());
        REQUIRE(append(again, BatchSpec{}, Epoch{9}).ok());
        REQUIRE(sync(again).ok());
        disk.log.reset();
        disk.damage(1);
        disk.open(LastStop::process_died);
        CHECK(disk.files.exists(disk.path(Offset{0}, ".log.damaged.2")));
        CHECK(disk.content(disk.damaged(9)) == last);
    }
    SECTION("in the last segment, whatever is damaged") {
        const auto where = GENERATE(3u, 9u, 16u, 18u, 70u);  // offset, length, magic, crc, record
        CAPTURE(where);
        disk.files.flip_bit(disk.segment(9), where, 3);
        auto& again = disk.open(LastStop::process_died);
        CHECK(check_prefix(again) == 9);
        REQUIRE(disk.damaged_files().size() == 1);
        CHECK(disk.content(disk.damaged(9)).size() == last.size());
    }
    SECTION("below the recovery point, with nothing behind it") {
        disk.files.flip_bit(disk.segment(9), last.size() - 1);
        auto& again = disk.open(LastStop::host_died, Offset{12});
        CHECK(check_prefix(again) == 11);
        CHECK(disk.damaged_files().size() == 1);
        CHECK(disk.count_lines("records are missing") == 1);
    }
    SECTION("but a torn end is not") {
        disk.only_replica = GENERATE(false, true);
        disk.cut(disk.segment(9), last.size() - 1);
        auto& again = disk.open(LastStop::host_died, Offset{9});
        CHECK(check_prefix(again) == 11);
        CHECK(disk.damaged_files().empty());
        CHECK_FALSE(again.opened().records_missing);
        CHECK_FALSE(disk.sink.contains("records are missing"));
        CHECK(append(again, BatchSpec{}, Epoch{9}).value().first == Offset{11});
    }
}

TEST_CASE("the only replica gives no offset twice that it knows was given",
          "[storage][recovery][I1][I2][I5]") {
    FourSegments disk;

    SECTION("damage, and segments behind it") {
        disk.damage(1);
        auto& again = disk.open(GENERATE(LastStop::process_died, LastStop::host_died));
        disk.check_filled(again, 1, 12);
        CHECK(disk.damaged_files().size() == 4);
        CHECK(again.segment_count() == 1);
    }
    SECTION("damage, and batches behind it in the last segment") {
        disk.damage(9);
        disk.check_filled(disk.open(LastStop::host_died), 9, 12);
    }
    SECTION("damage in the first batch of all") {
        disk.damage(0);
        auto& again = disk.open(LastStop::process_died);
        CHECK(check_prefix(again) == 12);
        CHECK(again.producers().size() == 0);
        CHECK(append(again, BatchSpec{}, Epoch{9}).value().first == Offset{12});
    }
    SECTION("the last batch of all, which is whole but for its offset") {
        disk.files.flip_bit(disk.segment(9), disk.segment_bytes / 3 * 2 + 6);
        disk.check_filled(disk.open(LastStop::host_died), 11, 12);
    }
    SECTION("a recovery point behind damage") {
        disk.files.flip_bit(disk.segment(9), disk.segment_bytes - 1);
        disk.check_filled(disk.open(LastStop::host_died, Offset{12}), 11, 12);
    }
    SECTION("a recovery point behind the end") {
        disk.cut(disk.segment(9), disk.segment_bytes / 3);
        disk.check_filled(disk.open(LastStop::host_died, Offset{12}), 10, 12);
        CHECK(disk.damaged_files().empty());
    }
    SECTION("a last segment that is gone") {
        REQUIRE(disk.files.unlink(disk.segment(9)).ok());
        disk.check_filled(disk.open(LastStop::host_died, Offset{12}), 9, 12);
    }
    SECTION("a segment that is gone, behind which nothing was synced") {
        REQUIRE(disk.files.unlink(disk.segment(6)).ok());
        disk.check_filled(disk.open(LastStop::host_died), 6, 12);
        CHECK(disk.damaged_files().size() == 1);
    }
    // It stays so.
    REQUIRE(sync(*disk.log).ok());
    using Stop = std::pair<LastStop, Offset>;
    for (const auto& [stop, recovery_point] :
         {Stop{LastStop::host_died, 0}, Stop{LastStop::host_died, 13}, Stop{LastStop::clean, 13}}) {
        auto& again = disk.open(stop, recovery_point);
        CHECK(check_prefix(again) == 13);
        CHECK(again.opened().findings.empty());
        CHECK_FALSE(again.opened().records_missing);
        CHECK(read(again, Offset{11}).value().bound > Offset{11});
        REQUIRE(again.close_clean().ok());
    }
    CHECK(disk.count_lines("records are missing") == 1);
}

TEST_CASE("records that are missing after a clean stop are noticed", "[storage][recovery][I28]") {
    FourSegments disk;
    disk.open(LastStop::process_died);
    REQUIRE(disk.log->close_clean().ok());
    const auto fills = GENERATE(true, false);
    disk.only_replica = fills;
    const auto last = disk.segment(9);

    SECTION("a part of the last segment") {
        disk.cut(last, disk.segment_bytes / 3);
        auto& again = disk.open(LastStop::clean, Offset{12});
        if (fills) {
            disk.check_filled(again, 10, 12);
        } else {
            CHECK(check_prefix(again) == 10);
            CHECK(disk.count_lines("records are missing") == 1);
        }
    }
    SECTION("the last segment") {
        REQUIRE(disk.files.unlink(last).ok());
        auto& again = disk.open(LastStop::clean, Offset{12});
        if (fills) {
            disk.check_filled(again, 9, 12);
        } else {
            CHECK(check_prefix(again) == 9);
            CHECK(disk.count_lines("records are missing") == 1);
        }
    }
    SECTION("all of them") {
        for (auto base : {0, 3, 6, 9})
            REQUIRE(disk.files.unlink(disk.segment(base)).ok());
        auto stop = GENERATE(LastStop::clean, LastStop::host_died);
        auto& again = disk.open(stop, Offset{12});
        const auto begin = fills ? Offset{12} : Offset{0};  // a leader has them, or nobody
        CHECK(again.log_start() == begin);
        CHECK(again.log_end() == begin);
        CHECK(disk.count_lines("records are missing") == 1);
        CHECK(disk.sink.contains("0..11"));
        CHECK(append(again, BatchSpec{}, Epoch{9}).value().first == begin);
    }
    SECTION("none") {
        CHECK(check_prefix(disk.open(LastStop::clean, Offset{12})) == 12);
        CHECK_FALSE(disk.sink.contains("records are missing"));
        CHECK(disk.log->opened().scanned_bytes == 0);
    }
}

TEST_CASE("a start that dies while it mends a log is made good by the next",
          "[storage][recovery][crash][I27]") {
    // At every sync of the start the disk gives up; then the process is killed or the power fails.
    const auto seed = GENERATE(range(1u, 61u));
    const auto kind = GENERATE(range(0, 4));
    FourSegments disk;
    std::int64_t from = 1;
    Offset recovery_point{0};
    switch (kind) {
        case 0:
            disk.damage(1);
            break;
        case 1:
            from = 10;
            disk.damage(10);
            break;
        case 2:
            from = 10;
            recovery_point = Offset{12};
            disk.cut(disk.segment(9), disk.segment_bytes / 3);
            break;
        default:
            from = 3;
            REQUIRE(disk.files.unlink(disk.segment(3)).ok());
            REQUIRE(disk.files.sync_dir(disk.directory).ok());
    }
    Bytes lost;  // the bytes that must be kept
    for (const auto base : {0, 3, 6, 9}) {
        if (disk.files.exists(disk.segment(base)))
            kq::append(lost, disk.content(disk.segment(base)));
    }
    SeededRandom random(seed);
    int deaths = 0;
    for (int attempt = 0; attempt < 3; ++attempt) {
        auto left = 1 + random.below(12);
        disk.files.set_blocking_check([&](const char*) {
            if (--left == 0) disk.files.fail_next_sync();
        });
        auto opened = disk.try_open(LastStop::host_died, recovery_point);
        disk.files.set_blocking_check(nullptr);
        disk.files.clear_faults();
        if (opened.ok()) break;
        ++deaths;
        random.chance(0.5) ? disk.files.kill() : disk.files.power_off(random);
    }
    CAPTURE(seed, kind, deaths);
    auto& again = disk.open(LastStop::host_died, recovery_point);
    CHECK(check_prefix(again) == 12);
    const auto batches = all_batches(again);
    for (std::int64_t i = 0; i < from; ++i)
        CHECK(batches.at(static_cast<std::size_t>(i)).record_count == 1);
    for (auto i = static_cast<std::size_t>(from); i < batches.size(); ++i)
        CHECK(batches[i].record_count == 0);
    CHECK(again.producers().find(ProducerId{1})->last_sequence() ==
          Sequence{static_cast<std::int32_t>(from) - 1});
    CHECK(append(again, BatchSpec{}, Epoch{9}).value().first == Offset{12});
    // Every batch is in the log or beside it.
    Bytes found;
    const auto names = disk.files.list(disk.directory).value();
    for (const auto& name : names) {
        if (name.find(".log") == std::string::npos) continue;
        kq::append(found, disk.content(disk.directory + '/' + name));
    }
    const auto batch_bytes = static_cast<std::ptrdiff_t>(disk.segment_bytes / 3);
    for (auto at = lost.begin(); lost.end() - at >= batch_bytes; at += batch_bytes)
        CHECK(std::search(found.begin(), found.end(), at, at + batch_bytes) != found.end());
}

TEST_CASE("an empty batch that is in the cache only is synced before what it stands for goes",
          "[storage][recovery][crash][I2]") {
    // A start wrote it and was killed; the next one gives up at some sync, and the power fails.
    const auto last_sync = GENERATE(range(1, 12));
    CAPTURE(last_sync);
    FourSegments disk;
    disk.damage(1);
    {
        auto file = disk.files.open(disk.segment(0), OpenMode::read_write).value();
        const auto batch = make_empty_batch(Offset{1}, Offset{11}, Epoch{0});
        REQUIRE(file->pwrite(disk.segment_bytes / 3, batch).ok());
    }
    disk.files.kill();
    int left = last_sync;
    disk.files.set_blocking_check([&](const char*) {
        if (--left == 0) disk.files.fail_next_sync();
    });
    static_cast<void>(disk.try_open(LastStop::process_died).ok());
    disk.files.set_blocking_check(nullptr);
    disk.files.clear_faults();
    disk.files.power_off_losing_all();
    disk.open(LastStop::host_died);
    CHECK(check_prefix(*disk.log) == 12);
    CHECK(append(*disk.log, BatchSpec{}, Epoch{9}).value().first == Offset{12});
}

TEST_CASE("whatever a power cut leaves, no offset of a batch that is kept is given again",
          "[storage][recovery][crash][I2]") {
    const auto seed = GENERATE(range(1u, 2001u));
    CAPTURE(seed);
    SeededRandom random(seed);
    LogOnDisk disk;
    disk.only_replica = true;
    disk.options.segment_bytes = 1000 + static_cast<std::int64_t>(random.below(3000));
    disk.options.index_interval_bytes = static_cast<std::int32_t>(random.below(500));
    disk.create();
    std::map<std::int64_t, std::uint64_t> sizes;  // of the values, by offset: what was written last
    Offset recovery_point{0};
    for (int crash = 0; crash < 3; ++crash) {
        auto& log = *disk.log;
        std::int64_t durable = log.durable_end().value;
        for (auto step = random.below(60); step > 0; --step) {
            if (random.chance(0.1)) {
                REQUIRE(sync(log).ok());
                if (random.chance(0.5)) recovery_point = log.recovery_point();
                continue;
            }
            BatchSpec spec;
            spec.value_bytes = 4 + static_cast<std::size_t>(random.below(200));
            const auto at = append(log, spec, Epoch{crash}).value().first;
            sizes[at.value] = spec.value_bytes;
        }
        durable = std::max(durable, log.durable_end().value);
        disk.log.reset();
        disk.files.power_off(random);
        auto& again = disk.open(LastStop::host_died, recovery_point);
        const auto end = check_prefix(again);
        CHECK(end >= durable);
        for (const auto& header : all_batches(again)) {
            if (header.record_count == 0) continue;
            REQUIRE(sizes.contains(header.base_offset.value));
            const auto extra = header.size_bytes - sizes[header.base_offset.value];
            CHECK(extra >= 61);  // the batch that was written at this offset, and no other
            CHECK(extra < 61 + 20);
        }
        for (const auto& name : disk.damaged_files()) {
            const auto file = disk.files.open(disk.directory + '/' + name, OpenMode::read).value();
            for (std::uint64_t at = 0; at < file->size(); ++at) {
                const auto batch = sound_batch_at(*file, at).value();
                if (!batch) continue;
                CHECK(batch->last_offset() < Offset{end});
                at += batch->size_bytes - 1;
            }
        }
    }
}

// ---- What is kept

TEST_CASE("a start that is killed again and again keeps one copy", "[storage][recovery][I27]") {
    FourSegments disk;
    disk.damage(9);
    const auto before = disk.content(disk.segment(9));
    for (int i = 0; i < 5; ++i) {
        disk.files.fail_writes(disk.segment(9));  // the filling
        CHECK(disk.try_open(LastStop::process_died).code() == Errc::io_error);
        disk.files.clear_faults();
        CHECK(disk.damaged_files() == std::vector<std::string>{"00000000000000000009.log.damaged"});
        CHECK(disk.content(disk.damaged(9)) == before);
        CHECK(disk.content(disk.segment(9)) == before);
    }
    disk.starts_before = 5;
    // One that was killed while it copied leaves no copy.
    REQUIRE(disk.files.rename(disk.damaged(9), disk.damaged(9) + ".tmp").ok());
    disk.cut(disk.damaged(9) + ".tmp", 20);
    disk.check_filled(disk.open(LastStop::process_died), 9, 12);
    CHECK(disk.damaged_files() == std::vector<std::string>{"00000000000000000009.log.damaged"});
    CHECK(disk.content(disk.damaged(9)) == before);
}

TEST_CASE("where there is no room for a copy nothing is cut, and nothing else changes",
          "[storage][recovery][disk_full]") {
    FourSegments disk;
    disk.damage(3);
    std::map<std::string, Bytes> before;
    const auto names = disk.files.list(disk.directory).value();
    for (const auto& name : names) {
        if (name.ends_with(".log")) before[name] = disk.content(disk.directory + '/' + name);
    }
    const auto lines = disk.sink.lines().size();
    disk.files.set_capacity(disk.files.used_bytes() + GENERATE(0u, 5u));
    for (int i = 0; i < 2; ++i) {
        const auto opened = disk.try_open(LastStop::process_died);
        REQUIRE(opened.code() == Errc::disk_full);
        const auto& message = opened.error().message;
        CAPTURE(message);
        CHECK(message.find("room for the " + std::to_string(disk.segment_bytes) + " bytes") !=
              std::string::npos);
        CHECK(message.find(disk.directory) != std::string::npos);
        CHECK(disk.damaged_files().empty());
        CHECK(disk.sink.lines().size() == lines);  // the caller tells, once
        for (const auto& [name, content] : before)
            CHECK(disk.content(disk.directory + '/' + name) == content);
    }
    disk.files.clear_faults();
    disk.check_filled(disk.open(LastStop::process_died), 3, 12);
}

TEST_CASE("a hole wider than a segment reaches", "[storage][recovery]") {
    FourSegments disk;
    const std::int64_t far = std::int64_t{5} << 31;
    SECTION("below a recovery point is filled by several empty batches") {
        auto& again = disk.open(LastStop::clean, Offset{far});
        CHECK(check_prefix(again) == far);
        CHECK(again.opened().missing == std::vector<MissingRecords>{{Offset{12}, Offset{far}}});
        CHECK(append(again, BatchSpec{}, Epoch{9}).value().first == Offset{far});
        REQUIRE(again.close_clean().ok());
        CHECK(check_prefix(disk.open(LastStop::clean, Offset{far + 1})) == far + 1);
    }
    SECTION("before a later segment is not made smaller than it was") {
        REQUIRE(disk.files.rename(disk.segment(9), disk.segment(far)).ok());
        const auto before = disk.content(disk.segment(6));
        const auto opened = disk.try_open(LastStop::host_died);
        CHECK(opened.code() == Errc::corrupt_file);
        CHECK(disk.content(disk.segment(6)) == before);
        CHECK(disk.files.exists(disk.segment(far)));
    }
    SECTION("that no log ever had is not believed") {
        auto& again = disk.open(LastStop::clean, Offset{std::int64_t{1} << 60});
        CHECK(check_prefix(again) == 12);
        CHECK_FALSE(again.opened().records_missing);
    }
}
