// SPDX-License-Identifier: Apache-2.0
//
// Opening what a crash, a bit flip or another program left.
#include "protocol/crc32c.hpp"
#include "storage/index_entries.hpp"
#include "tests/storage/support.hpp"

using namespace kq;
using namespace kq::test;

TEST_CASE("a batch torn by a crash is cut off and its offset is used again",
          "[storage][recovery]") {
    // Three batches; the last one is there to every possible length.
    LogOnDisk disk;
    auto& log = fill(disk, 3);
    auto size = log.size_bytes();
    auto content = disk.content(disk.path(Offset{0}, log_suffix));
    auto batch = size / 3;
    disk.log.reset();
    for (auto length = 2 * batch; length <= size; ++length) {
        CAPTURE(length);
        auto file = disk.files.open(disk.path(Offset{0}, log_suffix), OpenMode::read_write).value();
        REQUIRE(file->truncate(0).ok());
        REQUIRE(file->pwrite(0, ByteView(content).first(length)).ok());
        auto& again = disk.open(LastStop::process_died);
        auto expected = length == size ? 3 : 2;
        CHECK(check_prefix(again) == expected);
        CHECK(again.opened().cut_bytes == (length == size ? 0 : length - 2 * batch));
        CHECK(append(again, produced(1, expected), Epoch{0}).value().first == Offset{expected});
        disk.log.reset();
    }
}

TEST_CASE("every kind of garbage behind the last batch is cut off", "[storage][recovery]") {
    LogOnDisk disk;
    auto& log = fill(disk, 3);
    auto size = log.size_bytes();
    disk.log.reset();
    auto file = disk.files.open(disk.path(Offset{0}, log_suffix), OpenMode::read_write).value();
    auto first = Bytes(size / 3);
    REQUIRE(file->pread(0, first).ok());
    SeededRandom random(GENERATE(1u, 2u, 3u));
    auto kind = GENERATE(range(0, 6));
    CAPTURE(kind);
    Bytes tail(700);
    switch (kind) {
        case 0:
            std::fill(tail.begin(), tail.end(), std::uint8_t{0});
            break;
        case 1:
            std::fill(tail.begin(), tail.end(), std::uint8_t{0xff});
            break;
        case 2:
            for (auto& byte : tail)
                byte = static_cast<std::uint8_t>(random.u64());
            break;
        case 3:
            tail = first;
            break;  // a whole batch of old offsets
        case 4:     // the next offset, but an epoch that falls
            tail = make_batch(BatchSpec{.base = Offset{3}, .leader_epoch = Epoch{0}});
            break;
        default:  // too far from the base
            tail = make_batch(BatchSpec{.base = Offset{std::int64_t{1} << 40}});
            break;
    }
    if (kind == 4) {
        auto raised = make_batch(BatchSpec{.base = Offset{2}, .leader_epoch = Epoch{7}});
        REQUIRE(file->truncate(size / 3 * 2).ok());
        REQUIRE(file->pwrite(size / 3 * 2, raised).ok());
        REQUIRE(file->pwrite(file->size(), tail).ok());
    } else {
        REQUIRE(file->pwrite(size, tail).ok());
    }
    auto& again = disk.open(LastStop::process_died);
    CHECK(check_prefix(again) == 3);
    CHECK(again.opened().cut_bytes == tail.size());
    CHECK(again.opened().findings.size() == 1);
    // A whole batch is no torn one, whatever offset or epoch it bears.
    CHECK(again.opened().records_missing == (kind >= 4));
}

TEST_CASE("a flipped bit in the scanned part ends the log before it",
          "[storage][recovery][faults]") {
    LogOnDisk disk;
    disk.options.segment_bytes = 250;
    auto& log = fill(disk, 12);
    REQUIRE(log.segment_count() == 4);
    REQUIRE(sync(log).ok());
    auto second = disk.path(Offset{3}, log_suffix);
    auto batch_bytes = disk.files.info(second).value().size / 3;
    disk.log.reset();
    // Every bit of the middle batch of the second segment.
    auto bits = batch_bytes * 8;
    for (std::uint64_t bit = 0; bit < bits; bit += 1) {
        LogOnDisk copy;
        copy.options = disk.options;
        REQUIRE(copy.files.mkdir(copy.directory).ok());
        for (const auto& name :
             {"00000000000000000000.log", "00000000000000000003.log", "00000000000000000006.log"}) {
            auto content = disk.content(disk.directory + '/' + name);
            auto file = copy.files.open(copy.directory + '/' + name, OpenMode::create).value();
            REQUIRE(file->pwrite(0, content).ok());
        }
        copy.files.flip_bit(second, batch_bytes + bit / 8, static_cast<int>(bit % 8));
        auto opened = copy.try_open(LastStop::host_died);
        CAPTURE(bit);
        // A magic of 3 with a right checksum is a newer format, and left alone.
        if (bit == 16 * 8) {
            CHECK(opened.code() == Errc::unsupported);
            CHECK(copy.files.exists(copy.path(Offset{6}, log_suffix)));
            continue;
        }
        REQUIRE(opened.ok());
        copy.log = std::move(opened).value();
        auto end = check_prefix(*copy.log);
        // The leader epoch lies outside the checksum: where it does not fall it may pass.
        bool is_epoch = bit / 8 >= 12 && bit / 8 < 16;
        if (is_epoch && end != 4) continue;
        CHECK(end == 4);
        CHECK(copy.log->opened().removed_segments == 1);
        CHECK_FALSE(copy.files.exists(copy.path(Offset{6}, log_suffix)));
    }
}

TEST_CASE("below the recovery point nothing is scanned", "[storage][recovery]") {
    LogOnDisk disk;
    disk.options.segment_bytes = 250;
    auto& log = fill(disk, 12);
    REQUIRE(sync(log).ok());
    auto last = log.size_bytes() / 4;
    disk.log.reset();
    auto& again = disk.open(LastStop::process_died, Offset{11});
    CHECK(again.opened().scanned_bytes == last);
    CHECK(check_prefix(again) == 12);
    CHECK(again.recovery_point() == Offset{11});
    CHECK(again.needs_sync());
    REQUIRE(sync(again).ok());
    CHECK(again.recovery_point() == Offset{12});
}

TEST_CASE("after a clean stop hardly anything is read", "[storage][recovery]") {
    LogOnDisk disk;
    disk.options.segment_bytes = 250;
    auto& log = fill(disk, 12);
    static_cast<void>(log);
    auto& again = disk.reopen();
    CHECK(again.opened().scanned_bytes == 0);
    CHECK(again.opened().rebuilt_indexes == 0);
    CHECK(again.durable_end() == Offset{12});
    CHECK(check_prefix(again) == 12);
    CHECK(append(again, produced(1, 7), Epoch{3}).value().first == Offset{7});
}

TEST_CASE("recovering twice is recovering once", "[storage][recovery]") {
    auto seed = GENERATE(range(1u, 31u));
    LogOnDisk disk;
    disk.options.segment_bytes = 700;
    auto& log = fill(disk, 10);
    REQUIRE(sync(log).ok());
    auto recovery_point = log.recovery_point();
    for (int i = 10; i < 25; ++i)
        REQUIRE(append(log, produced(1, i), Epoch{i / 5}).ok());
    disk.log.reset();
    SeededRandom random(seed);
    disk.files.power_off(random);
    auto& once = disk.open(LastStop::host_died, recovery_point);
    auto end = check_prefix(once);
    CHECK(end >= 10);
    auto epoch = once.latest_epoch();
    disk.log.reset();
    disk.files.kill();
    auto& twice = disk.open(LastStop::process_died, recovery_point);
    CHECK(check_prefix(twice) == end);
    CHECK(twice.latest_epoch() == epoch);
    CHECK(twice.opened().cut_bytes == 0);
    CHECK(twice.opened().removed_segments == 0);
    // And again with the power failing right behind the first recovery.
    disk.log.reset();
    disk.files.power_off(random);
    CHECK(check_prefix(disk.open(LastStop::host_died, recovery_point)) >= 10);
}

TEST_CASE("what was synced survives every crash; what is left is a prefix",
          "[storage][recovery][crash]") {
    auto seed = GENERATE(range(1u, 6001u));
    CAPTURE(seed);
    SeededRandom random(seed);
    LogOnDisk disk;
    disk.options.segment_bytes = 1000 + static_cast<std::int64_t>(random.below(3000));
    disk.options.index_interval_bytes = static_cast<std::int32_t>(random.below(500));
    disk.create();
    std::int64_t next = 0;
    int sequence = 0;
    Offset recovery_point{0};
    for (int crash = 0; crash < 4; ++crash) {
        auto& log = *disk.log;
        auto steps = random.below(60);
        for (std::uint64_t step = 0; step < steps; ++step) {
            if (random.chance(0.1)) {
                auto job = log.begin_sync();
                if (random.chance(0.3)) break;  // begun, never done
                auto result = job.run();
                if (random.chance(0.2)) break;  // done, never told
                log.finish_sync(job, result);
                if (random.chance(0.5)) recovery_point = log.recovery_point();
                continue;
            }
            auto records = 1 + static_cast<int>(random.below(4));
            auto spec = produced(1, sequence, records);
            spec.value_bytes = static_cast<std::size_t>(random.below(200));
            auto result = append(log, spec, Epoch{crash});
            if (!result.ok()) FAIL(result.error().text());
            REQUIRE(result.value().first == Offset{next});
            sequence += records;
            next += records;
        }
        auto durable = log.durable_end();
        auto end = log.log_end();
        bool power = random.chance(0.7);
        disk.log.reset();
        if (power) {
            disk.files.power_off(random);
        } else {
            disk.files.kill();
        }
        auto& again =
            disk.open(power ? LastStop::host_died : LastStop::process_died, recovery_point);
        next = check_prefix(again);
        CHECK(next <= end.value);
        CHECK(next >= durable.value);
        if (!power) CHECK(next == end.value);
        // The producer's last five batches are known: its next one follows, a repeat is known.
        sequence = static_cast<int>(next);
        if (next > 0) {
            const auto* entry = again.producers().find(ProducerId{1});
            REQUIRE(entry != nullptr);
            CHECK(entry->last_sequence() == Sequence{sequence - 1});
            auto batches = all_batches(again);
            auto known = entry->batches();
            CHECK(known.size() <= batches.size());
            // Within one epoch of the producer (always, here) five are known, or all there are.
            CHECK(known.size() == std::min<std::size_t>(5, batches.size()));
        }
        CHECK(again.latest_epoch() <= Epoch{crash});
    }
}

// ---- Caches

TEST_CASE("caches can be deleted or damaged: no record is lost", "[storage][recovery][caches]") {
    auto clean = GENERATE(true, false);
    auto damage = GENERATE(0, 1, 2);  // delete, flip, empty
    auto which = GENERATE(range(0, 7));
    CAPTURE(clean, damage, which);
    LogOnDisk disk;
    disk.options.segment_bytes = 700;
    auto& log = fill(disk, 30);
    REQUIRE(sync(log).ok());
    auto recovery_point = log.recovery_point();
    if (clean) REQUIRE(log.close_clean().ok());
    disk.log.reset();
    static const char* const kinds[] = {".index",     ".timeindex", ".snapshot", ".producers",
                                        "checkpoint", ".txnindex",  "metadata"};
    auto names = disk.files.list(disk.directory).value();
    for (const auto& name : names) {
        if (!name.ends_with(kinds[which])) continue;
        auto path = disk.directory + '/' + name;
        auto size = disk.files.info(path).value().size;
        if (damage == 0) {
            REQUIRE(disk.files.unlink(path).ok());
        } else if (damage == 1 && size > 0) {
            disk.files.flip_bit(path, size / 2, 3);
        } else {
            auto file = disk.files.open(path, OpenMode::read_write).value();
            REQUIRE(file->truncate(0).ok());
        }
    }
    auto& again = disk.open(clean ? LastStop::clean : LastStop::process_died, recovery_point);
    CHECK(check_prefix(again) == 30);
    for (std::int64_t from = 0; from < 30; ++from) {
        auto bytes = slice_bytes(read(again, Offset{from}, 1).value().slice);
        CHECK(headers_in(bytes)[0].base_offset == Offset{from});
    }
    CHECK(again.search_timestamp(wall_time(0)).run().value()->offset == Offset{0});
    CHECK(again.end_offset_of_epoch(Epoch{5}).end == Offset{30});
    CHECK(append(again, produced(1, 29), Epoch{6}).value().duplicate);
    CHECK(append(again, produced(1, 30), Epoch{6}).value().first == Offset{30});
    if (damage == 0) CHECK(again.epoch_of(Offset{12}) == Epoch{2});
}

TEST_CASE("the transaction index is made again from the log", "[storage][recovery][caches]") {
    LogOnDisk disk;
    disk.options.segment_bytes = 400;
    auto& log = disk.create();
    for (int i = 0; i < 6; ++i) {
        REQUIRE(append(log, in_transaction(produced(1, i, 1))).ok());
        REQUIRE(append(log, BatchSpec{.value_bytes = 60}).ok());
        REQUIRE(end_transaction(log, 1, i % 2 == 1, 0).ok());
    }
    auto all = log.aborted_transactions(Offset{0}, log.log_end());
    REQUIRE(all.size() == 3);
    SECTION("after a crash") {
        disk.log.reset();
        disk.files.kill();
        CHECK(disk.open(LastStop::process_died).aborted_transactions(Offset{0}, Offset{100}) ==
              all);
    }
    SECTION("where it is damaged") {
        REQUIRE(log.close_clean().ok());
        disk.log.reset();
        auto names = disk.files.list(disk.directory).value();
        for (const auto& name : names) {
            if (!name.ends_with(".txnindex")) continue;
            auto file = disk.files.open(disk.directory + '/' + name, OpenMode::read_write).value();
            REQUIRE(file->truncate(20).ok());
        }
        auto& again = disk.open(LastStop::clean);
        CHECK(again.aborted_transactions(Offset{0}, Offset{100}) == all);
        CHECK(disk.reopen().opened().findings.empty());
    }
    SECTION("an open transaction goes on") {
        REQUIRE(append(log, in_transaction(produced(1, 6, 1))).ok());
        auto end = log.log_end();
        disk.log.reset();
        disk.files.kill();
        auto& again = disk.open(LastStop::process_died);
        CHECK(again.last_stable_offset(end) == end - 1);
        REQUIRE(end_transaction(again, 1, false).ok());
        CHECK(again.last_stable_offset(end + 1) == end + 1);
    }
}

// ---- Formats

TEST_CASE("newer and older formats are refused, and left as they are", "[storage][recovery]") {
    LogOnDisk disk;
    auto& log = fill(disk, 3);
    REQUIRE(log.close_clean().ok());
    disk.log.reset();
    auto path = disk.path(Offset{0}, log_suffix);
    auto write_at_end = [&](ByteView bytes) {
        auto file = disk.files.open(path, OpenMode::read_write).value();
        REQUIRE(file->pwrite(file->size(), bytes).ok());
    };
    SECTION("a batch of magic 3") {
        auto batch = make_batch(BatchSpec{.base = Offset{3}});
        batch[BatchAt::magic] = 3;
        write_at_end(batch);
    }
    SECTION("a message of magic 1") {
        // int64 offset, int32 size, int32 CRC-32, magic, attributes, timestamp, key, value.
        Bytes message(34);
        std::fill(message.begin(), message.end(), std::uint8_t{0});
        store_be(message.data(), std::int64_t{3});
        store_be(message.data() + 8, std::int32_t{22});
        message[16] = 1;
        store_be(message.data() + 26, std::int32_t{-1});
        store_be(message.data() + 30, std::int32_t{-1});
        std::uint32_t crc = ~std::uint32_t{0};
        for (std::size_t i = 16; i < message.size(); ++i) {
            crc ^= message[i];
            for (int bit = 0; bit < 8; ++bit) {
                crc = (crc & 1) != 0 ? (crc >> 1) ^ 0xEDB88320u : crc >> 1;
            }
        }
        store_be(message.data() + 12, ~crc);
        write_at_end(message);
    }
    auto before = disk.content(path);
    for (auto last_stop : {LastStop::clean, LastStop::process_died, LastStop::host_died}) {
        auto opened = disk.try_open(last_stop);
        CHECK(opened.code() == Errc::unsupported);
        CHECK(opened.error().message.find("magic") != std::string::npos);
        CHECK(disk.content(path) == before);
    }
}

TEST_CASE("newer small files are refused", "[storage][recovery]") {
    LogOnDisk disk;
    auto& log = fill(disk, 30);
    REQUIRE(log.close_clean().ok());
    disk.log.reset();
    auto set = [&](const std::string& path, std::uint64_t position, std::uint8_t byte) {
        auto file = disk.files.open(path, OpenMode::read_write).value();
        REQUIRE(file->pwrite(position, ByteView(&byte, 1)).ok());
    };
    SECTION("leader-epoch-checkpoint") {
        // With the lines of version 0 behind it a newer version is one bit that turned (I29).
        set(disk.directory + "/leader-epoch-checkpoint", 0, '1');
        CHECK(disk.try_open(LastStop::clean).ok());
        disk.log.reset();
        auto newer = to_bytes(as_bytes(std::string_view("1\n1\n0 0 and more\n")));
        REQUIRE(replace_file(disk.files, disk.directory + "/leader-epoch-checkpoint", newer).ok());
        CHECK(disk.try_open(LastStop::clean).code() == Errc::unsupported);
        CHECK(disk.content(disk.directory + "/leader-epoch-checkpoint") == newer);
    }
    SECTION("a snapshot of the producers") {
        // A newer version has another shape; one bit of ours that turned is damage (I29).
        auto path = segment_path(disk.directory, Offset{30}, producer_snapshot_suffix);
        set(path, 1, 2);
        set(path, disk.content(path).size(), 0);
        CHECK(disk.try_open(LastStop::clean).code() == Errc::unsupported);
    }
}

TEST_CASE("a disk that cannot be read changes nothing", "[storage][recovery][faults]") {
    LogOnDisk disk;
    auto& log = fill(disk, 3);
    auto path = disk.path(Offset{0}, log_suffix);
    auto before = disk.content(path);
    static_cast<void>(log);
    disk.log.reset();
    disk.files.fail_reads(path);
    CHECK(disk.try_open(LastStop::process_died).code() == Errc::io_error);
    disk.files.clear_faults();
    CHECK(disk.content(path) == before);
    CHECK(check_prefix(disk.open(LastStop::process_died)) == 3);
}

// ---- Odd directories

TEST_CASE("an empty directory becomes a log at the log start", "[storage][recovery]") {
    LogOnDisk disk;
    auto& log = disk.open(LastStop::host_died, Offset{0}, Offset{40});
    CHECK(log.log_start() == Offset{40});
    CHECK(log.log_end() == Offset{40});
    CHECK(append(log, BatchSpec{}).value().first == Offset{40});
}

TEST_CASE("a log that ends before its start begins anew there", "[storage][recovery]") {
    LogOnDisk disk;
    fill(disk, 3);
    disk.log.reset();
    auto& log = disk.open(LastStop::host_died, Offset{0}, Offset{40});
    CHECK(log.log_start() == Offset{40});
    CHECK(log.log_end() == Offset{40});
    CHECK(log.producers().size() == 0);
}

TEST_CASE("index files without a segment, and temporary files, go", "[storage][recovery]") {
    LogOnDisk disk;
    auto& log = fill(disk, 3);
    REQUIRE(log.close_clean().ok());
    disk.log.reset();
    auto put = [&](const std::string& name) {
        REQUIRE(disk.files.open(disk.directory + '/' + name, OpenMode::create).ok());
    };
    const std::vector<std::string> gone{
        "00000000000000000099.index",         "00000000000000000099.timeindex",
        "00000000000000000099.txnindex",      "00000000000000000000.log.deleted",
        "00000000000000000000.index.cleaned", "leader-epoch-checkpoint.tmp",
        "00000000000000000077.snapshot.tmp",  "00000000000000000000.log.damaged.tmp"};
    const std::vector<std::string> stays{"quorum-state", "quorum-state.tmp", "somebody.else"};
    for (const auto& name : gone)
        put(name);
    for (const auto& name : stays)
        put(name);
    CHECK(check_prefix(disk.open(LastStop::clean)) == 3);
    for (const auto& name : gone) {
        CAPTURE(name);
        CHECK_FALSE(disk.files.exists(disk.directory + '/' + name));
    }
    for (const auto& name : stays)
        CHECK(disk.files.exists(disk.directory + '/' + name));
}

TEST_CASE("an interrupted compaction is finished or dropped, as Kafka does",
          "[storage][recovery]") {
    LogOnDisk disk;
    disk.options.segment_bytes = 250;
    disk.options.compact = true;
    auto& log = fill(disk, 12);
    REQUIRE(log.close_clean().ok());
    disk.log.reset();
    // One output for the first two segments: the batches 1 and 4 are left.
    auto first = disk.content(disk.path(Offset{0}, log_suffix));
    auto second = disk.content(disk.path(Offset{3}, log_suffix));
    auto size = first.size() / 3;
    Bytes output(first.begin() + static_cast<std::ptrdiff_t>(size),
                 first.begin() + static_cast<std::ptrdiff_t>(2 * size));
    append(output, ByteView(second).subspan(size, size));
    auto put = [&](const std::string& suffix, ByteView content) {
        auto file =
            disk.files.open(disk.path(Offset{0}, ".log") + suffix, OpenMode::create).value();
        REQUIRE(file->pwrite(0, content).ok());
    };
    SECTION("complete") {
        put(".swap", output);
        auto& again = disk.open(LastStop::process_died);
        std::vector<std::int64_t> offsets;
        for (const auto& header : all_batches(again))
            offsets.push_back(header.base_offset.value);
        CHECK(offsets == std::vector<std::int64_t>{1, 4, 6, 7, 8, 9, 10, 11});
        CHECK_FALSE(disk.files.exists(disk.path(Offset{3}, log_suffix)));
        CHECK(again.log_end() == Offset{12});
    }
    SECTION("not complete") {
        put(".swap", output);
        put(".cleaned", output);
        CHECK(check_prefix(disk.open(LastStop::process_died)) == 12);
        CHECK_FALSE(disk.files.exists(disk.path(Offset{0}, ".log.swap")));
    }
}
