// SPDX-License-Identifier: Apache-2.0
//
// Many logs closed at once: two syncs of the disk in place of several for each log, with the same
// outcome, whenever the power fails.
#include <map>

#include "base/mutant.hpp"
#include "tests/storage/support.hpp"

using namespace kq;
using namespace kq::test;

namespace {

// As many logs as are closed together, of every kind that a stop meets.
struct ManyLogs {
    explicit ManyLogs(int count = 80) {
        options.disk_reserve_bytes = 0;
        options.segment_bytes = 500;
        REQUIRE(files.mkdir("/data").ok());
        REQUIRE(files.sync_dir("/").ok());
        for (int i = 0; i < count; ++i) {
            auto log = Log::create(files, clock, place(i), options).value();
            log->assign_epoch_start(Epoch{3}, log->log_end());
            fill(*log, i);
            synced.push_back(log->durable_end());
            ends.push_back(log->log_end());
            logs.push_back(std::move(log));
        }
    }
    static void fill(Log& log, int i) {
        if (i % 4 == 0) return;  // without a record
        for (int at = 0; at < i % 9; ++at)
            REQUIRE(append(log, produced(1, at), Epoch{3}).ok());
        if (i % 4 == 1) REQUIRE(sync(log).ok());
        if (i % 8 == 1) REQUIRE(append(log, produced(2, 0), Epoch{4}).ok());
    }
    static LogPlace place(int i) {
        return {"/data/t-" + std::to_string(i), Uuid{{1, 2, 3}}, Logger{}};
    }
    std::vector<Log*> all() const {
        std::vector<Log*> list;
        for (const auto& log : logs)
            list.push_back(log.get());
        return list;
    }
    bool close() {
        const auto closed = Log::close_clean(files, all());
        return std::all_of(closed.begin(), closed.end(), [](const auto& s) { return s.ok(); });
    }
    std::unique_ptr<Log> open(int i, LastStop last_stop, Offset recovery_point) {
        auto opened = Log::open(files, clock, place(i), options,
                                {.last_stop = last_stop, .recovery_point = recovery_point});
        if (!opened.ok()) FAIL(opened.error().text());
        return std::move(opened).value();
    }
    std::map<std::string, Bytes> contents() {
        std::map<std::string, Bytes> all_files;
        for (std::size_t i = 0; i < logs.size(); ++i) {
            const auto directory = "/data/t-" + std::to_string(i);
            const auto names = files.list(directory).value();
            for (const auto& name : names)
                all_files[directory + '/' + name] =
                    read_file(files, directory + '/' + name).value();
        }
        return all_files;
    }

    TurnedClock clock;
    MemoryFileSystem files{clock, MemoryFileSystem::CrashModel::on};
    LogOptions options;
    std::vector<std::unique_ptr<Log>> logs;
    std::vector<Offset> synced;
    std::vector<Offset> ends;
};

}  // namespace

TEST_CASE("many logs are closed with two syncs of the disk", "[storage][close]") {
    ManyLogs disk;
    for (auto& log : disk.logs) {
        if (log->durable_end() < log->log_end()) REQUIRE(sync(*log).ok());
    }
    const auto syncs = disk.files.sync_count();
    REQUIRE(disk.close());
    CHECK(disk.files.sync_count() - syncs == 2);
}

TEST_CASE("logs closed together are what they are closed one by one", "[storage][close]") {
    ManyLogs together, alone;
    REQUIRE(together.close());
    for (auto& log : alone.logs)
        REQUIRE(log->close_clean().ok());
    const auto files = together.contents();
    CHECK(files == alone.contents());
    for (const auto& [path, content] : files) {
        CAPTURE(path);
        CHECK(together.files.is_durable(path));
    }
    together.logs.clear();
    together.files.power_off_losing_all();
    for (int i = 0; i < static_cast<int>(together.ends.size()); ++i) {
        CAPTURE(i);
        auto log = together.open(i, LastStop::clean, together.ends[static_cast<std::size_t>(i)]);
        CHECK(log->log_end() == together.ends[static_cast<std::size_t>(i)]);
        CHECK(log->opened().rebuilt_indexes == 0);
        CHECK(check_prefix(*log) == together.ends[static_cast<std::size_t>(i)].value);
    }
}

TEST_CASE("a disk that cannot be synced as a whole is synced file by file", "[storage][close]") {
    ManyLogs together, alone;
    together.files.forbid_sync_directories();
    REQUIRE(together.close());
    for (auto& log : alone.logs)
        REQUIRE(log->close_clean().ok());
    CHECK(together.contents() == alone.contents());
    for (const auto& [path, content] : together.contents()) {
        CAPTURE(path);
        CHECK(together.files.is_durable(path));
    }
}

TEST_CASE("a disk that fails while many logs are closed fails those it may concern",
          "[storage][close][faults][I31]") {
    ManyLogs disk;
    const auto path = GENERATE(as<std::string>{}, "/data/t-6/00000000000000000000.log",
                               "/data/t-10/00000000000000000000.index", "/data/t-12");
    disk.files.fail_next_sync(path);
    const auto closed = Log::close_clean(disk.files, disk.all());
    for (std::size_t i = 0; i < closed.size(); ++i) {
        CAPTURE(i);
        CHECK(closed[i].code() == Errc::io_error);
        CHECK(disk.logs[i]->failed());
        CHECK(disk.files.exists("/data/t-" + std::to_string(i) + "/kq.sync-failed"));
    }
    // It is not tried again.
    CHECK_FALSE(disk.close());
}

TEST_CASE("a log that failed before is none that keeps others from being closed",
          "[storage][close][faults]") {
    ManyLogs disk;
    disk.files.fail_next_sync("/data/t-6/00000000000000000000.log");
    REQUIRE_FALSE(sync(*disk.logs[6]).ok());
    const auto closed = Log::close_clean(disk.files, disk.all());
    for (std::size_t i = 0; i < closed.size(); ++i) {
        CAPTURE(i);
        CHECK(closed[i].ok() == (i != 6));
    }
}

TEST_CASE(
    "whenever the power fails while many logs are closed, each opens with all that was synced",
    "[storage][close][crash][I27]") {
    // 80 logs x 160 crash images: before and within the first sync, before the second, behind it.
    const auto point = GENERATE(range(0, 4));
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        CAPTURE(point, seed);
        ManyLogs disk;
        SeededRandom random(seed);
        int seen = 0;
        disk.files.set_blocking_check([&](std::string_view what) {
            if (what != "sync_directories") return;
            if (seen == point) disk.files.fail_next_sync();
            if (seen == 0 && point == 2) disk.files.fail_next_sync("/data/t-2");
            ++seen;
        });
        const bool clean = disk.close();
        disk.files.set_blocking_check(nullptr);
        CHECK(clean == (point == 3));
        disk.logs.clear();
        disk.files.power_off(random);
        for (int i = 0; i < static_cast<int>(disk.ends.size()); ++i) {
            CAPTURE(i);
            const auto at = static_cast<std::size_t>(i);
            auto log = disk.open(i, clean ? LastStop::clean : LastStop::host_died,
                                 clean ? disk.ends[at] : disk.synced[at]);
            CHECK(log->log_end() >= (clean ? disk.ends[at] : disk.synced[at]));
            CHECK(log->log_end() <= disk.ends[at]);
            CHECK(check_prefix(*log) == log->log_end().value);
        }
    }
}
