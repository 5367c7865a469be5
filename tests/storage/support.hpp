// SPDX-License-Identifier: Apache-2.0
//
// What tests of storage share: a clock to turn, batches to append, a log on a disk in memory.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "base/memory_file_system.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "protocol/batch_builder.hpp"
#include "protocol/batch_validator.hpp"
#include "protocol/compression.hpp"
#include "protocol/record_batch.hpp"
#include "storage/file_names.hpp"
#include "storage/log.hpp"

namespace kq::test {

class TurnedClock final : public Clock {
public:
    MonoTime mono() const override { return mono_; }
    WallTime wall() const override { return wall_; }
    void advance(Millis by) {
        mono_ += by;
        wall_ += by;
    }
    void jump_wall(Millis by) { wall_ += by; }

private:
    MonoTime mono_{std::chrono::hours{1000}};
    WallTime wall_ = wall_time(1'700'000'000'000);
};

struct BatchSpec {
    int records = 1;
    std::size_t value_bytes = 10;
    std::int64_t timestamp_ms = 1'700'000'000'000;  // of the first record; 1 ms more for each
    ProducerId producer = no_producer;
    ProducerEpoch epoch{-1};
    Sequence sequence{-1};
    bool transactional = false;
    Compression compression = Compression::none;
    std::uint8_t fill = 'v';
    Offset base{0};
    Epoch leader_epoch = no_epoch;
};

inline Bytes make_batch(const BatchSpec& spec) {
    BatchOptions options;
    options.compression = spec.compression;
    options.producer_id = spec.producer;
    options.producer_epoch = spec.epoch;
    options.base_sequence = spec.sequence;
    options.transactional = spec.transactional;
    options.base_offset = spec.base;
    options.leader_epoch = spec.leader_epoch;
    BatchBuilder builder(options);
    Bytes value(spec.value_bytes, spec.fill);
    for (int i = 0; i < spec.records; ++i) {
        builder.append(wall_time(spec.timestamp_ms + i), std::nullopt, ByteView(value));
    }
    Compressor codecs;
    return builder.finish(&codecs).value();
}

inline BatchSpec produced(std::int64_t producer, std::int32_t sequence, int records = 1,
                          std::int16_t epoch = 0) {
    BatchSpec spec;
    spec.producer = ProducerId{producer};
    spec.epoch = ProducerEpoch{epoch};
    spec.sequence = Sequence{sequence};
    spec.records = records;
    return spec;
}

inline BatchSpec in_transaction(BatchSpec spec) {
    spec.transactional = true;
    return spec;
}

inline ValidatedBatch validated(ByteView batch) {
    ValidatedBatch result;
    result.header = BatchHeader::parse(batch).value();
    result.max_timestamp = result.header.max_timestamp;
    return result;
}

inline Result<AppendResult> append(Log& log, Bytes batch, Epoch epoch = Epoch{0},
                                   AppendOrigin origin = AppendOrigin::client) {
    auto checked = validated(batch);
    return log.append_as_leader(LeaderBatch{batch, &checked}, epoch, origin);
}
inline Result<AppendResult> append(Log& log, const BatchSpec& spec, Epoch epoch = Epoch{0}) {
    return append(log, make_batch(spec), epoch);
}

inline Result<AppendResult> end_transaction(Log& log, std::int64_t producer, bool commit,
                                            std::int16_t epoch = 0,
                                            std::int32_t coordinator_epoch = 1) {
    auto marker = make_end_transaction_marker(commit, coordinator_epoch,
                                              wall_time(1'700'000'000'000), Offset{0}, Epoch{0},
                                              ProducerId{producer}, ProducerEpoch{epoch});
    return append(log, std::move(marker), Epoch{0}, AppendOrigin::coordinator);
}

inline Status sync(Log& log) {
    auto job = log.begin_sync();
    auto result = job.run();
    log.finish_sync(job, result);
    return result;
}

// As a loop and its pool do it together: a read that would block is warmed up and repeated.
inline Result<ReadResult> read(Log& log, Offset from, std::uint32_t max_bytes = 1 << 20,
                               std::optional<Offset> upper_bound = std::nullopt,
                               bool at_least_one = true) {
    for (int attempt = 0; attempt < 3; ++attempt) {
        auto result = log.read(from, max_bytes, upper_bound.value_or(log.log_end()), at_least_one);
        if (result.code() != Errc::would_block) return result;
        auto job = log.warm_up(from);
        KQ_TRY(job.run());
        log.finish_warm_up(std::move(job));
    }
    return Error{Errc::would_block, "still cold after it was warmed up"};
}

inline Bytes slice_bytes(const FileSlice& slice) {
    Bytes bytes(static_cast<std::size_t>(slice.length));
    std::size_t filled = 0;
    while (filled < bytes.size()) {
        auto got = slice.file->pread(slice.position + filled, MutableBytes(bytes).subspan(filled));
        REQUIRE(got.ok());
        REQUIRE(got.value() > 0);
        filled += got.value();
    }
    return bytes;
}

// The headers of all whole batches in `bytes`, each with a right checksum.
inline std::vector<BatchHeader> headers_in(ByteView bytes) {
    std::vector<BatchHeader> headers;
    while (!bytes.empty()) {
        auto header = BatchHeader::parse(bytes);
        REQUIRE(header.ok());
        REQUIRE(header.value().size_bytes <= bytes.size());
        REQUIRE(check_crc(bytes.first(header.value().size_bytes)).ok());
        headers.push_back(header.value());
        bytes = bytes.subspan(header.value().size_bytes);
    }
    return headers;
}

// Every batch of the log, read from its start as a consumer does.
inline std::vector<BatchHeader> all_batches(Log& log) {
    std::vector<BatchHeader> headers;
    auto from = log.log_start();
    while (from < log.log_end()) {
        auto result = read(log, from, 4096);
        REQUIRE(result.ok());
        if (result.value().slice.length == 0) break;
        auto bytes = slice_bytes(result.value().slice);
        for (const auto& header : headers_in(bytes)) {
            headers.push_back(header);
            from = header.next_offset();
        }
        REQUIRE(from <= result.value().bound);
    }
    return headers;
}

// A partition's log on a disk in memory that can crash.
struct LogOnDisk {
    TurnedClock clock;
    MemoryFileSystem files{clock, MemoryFileSystem::CrashModel::on};
    LogOptions options;
    std::string directory = "/data/t-0";
    std::unique_ptr<Log> log;
    MemoryLogSink sink;
    bool only_replica = false;
    Offset cleaned_end{0};

    LogOnDisk() {
        options.disk_reserve_bytes = 0;
        REQUIRE(files.mkdir("/data").ok());
        REQUIRE(files.sync_dir("/").ok());
    }
    LogPlace place() {
        return {directory, Uuid{{7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7}}, Logger(sink)};
    }
    Log& create() {
        log = Log::create(files, clock, place(), options).value();
        return *log;
    }
    Result<std::unique_ptr<Log>> try_open(LastStop last_stop, Offset recovery_point = Offset{0},
                                          Offset log_start = Offset{0}) {
        return Log::open(files, clock, place(), options,
                         {.last_stop = last_stop,
                          .recovery_point = recovery_point,
                          .log_start = log_start,
                          .cleaned_end = cleaned_end,
                          .fill_lost_offsets = only_replica});
    }
    Log& open(LastStop last_stop, Offset recovery_point = Offset{0}, Offset log_start = Offset{0}) {
        log.reset();
        auto opened = try_open(last_stop, recovery_point, log_start);
        if (!opened.ok()) FAIL(opened.error().text());
        log = std::move(opened).value();
        return *log;
    }
    // A clean stop and start.
    Log& reopen() {
        REQUIRE(log->close_clean().ok());
        return open(LastStop::clean);
    }
    std::string path(Offset base, std::string_view suffix) const {
        return segment_path(directory, base, suffix);
    }
    Bytes content(const std::string& path) { return read_file(files, path).value(); }
    void cut(const std::string& path, std::uint64_t size) {
        REQUIRE(files.open(path, OpenMode::read_write).value()->truncate(size).ok());
    }
    // What recovery cut off and kept.
    std::vector<std::string> damaged_files() const {
        std::vector<std::string> found;
        auto names = files.list(directory).value();
        for (auto& name : names) {
            if (name.find(".damaged") != std::string::npos) found.push_back(name);
        }
        return found;
    }
    std::size_t count_lines(std::string_view text) const {
        auto lines = sink.lines();
        return static_cast<std::size_t>(std::count_if(
            lines.begin(), lines.end(),
            [&](const std::string& line) { return line.find(text) != std::string::npos; }));
    }
};

// `count` batches of one record of producer 1, an epoch for five of them; `segment_bytes` as set
// before: 250 makes segments of three.
inline Log& fill(LogOnDisk& disk, int count) {
    disk.options.index_interval_bytes = 150;
    auto& log = disk.create();
    for (int i = 0; i < count; ++i)
        REQUIRE(append(log, produced(1, i), Epoch{i / 5}).ok());
    return log;
}

// Offsets 0, 1, 2, … and how far.
inline std::int64_t check_prefix(Log& log) {
    std::int64_t next = log.log_start().value;
    for (const auto& header : all_batches(log)) {
        CHECK(header.base_offset.value == next);
        next = header.next_offset().value;
    }
    CHECK(log.log_end().value == next);
    return next;
}

}  // namespace kq::test
