// SPDX-License-Identifier: Apache-2.0
//
// Gaps between offsets: compaction's, a lost segment's, and those of a base offset that is damaged.
#include "tests/storage/support.hpp"

using namespace kq;
using namespace kq::test;

namespace {

constexpr Offset anywhere{std::numeric_limits<std::int64_t>::max()};

// Twelve batches in four segments, closed.
struct Closed : LogOnDisk {
    Closed() {
        options.segment_bytes = 250;
        auto& made = fill(*this, 12);
        REQUIRE(made.segment_count() == 4);
        REQUIRE(made.close_clean().ok());
        log.reset();
        batch_bytes = content(segment(0)).size() / 3;
    }
    std::string segment(std::int64_t base) const { return path(Offset{base}, log_suffix); }
    void remove(std::int64_t base) {
        for (auto suffix : {log_suffix, offset_index_suffix, time_index_suffix})
            REQUIRE(files.unlink(path(Offset{base}, suffix)).ok());
    }
    // As compaction does it: the second batch of the segment is gone.
    void compact(std::int64_t base) {
        auto bytes = content(segment(base));
        const auto at = bytes.begin() + static_cast<std::ptrdiff_t>(batch_bytes);
        bytes.erase(at, at + static_cast<std::ptrdiff_t>(batch_bytes));
        REQUIRE(replace_file(files, segment(base), bytes).ok());
        for (auto suffix : {offset_index_suffix, time_index_suffix})
            REQUIRE(files.unlink(path(Offset{base}, suffix)).ok());
    }
    std::vector<std::int64_t> offsets() {
        std::vector<std::int64_t> found;
        for (const auto& header : all_batches(*log))
            found.push_back(header.base_offset.value);
        return found;
    }
    std::uint64_t batch_bytes = 0;
};

}  // namespace

TEST_CASE("a segment that is missing in the middle is noticed at every start",
          "[storage][recovery][I28]") {
    Closed disk;
    const auto stop = GENERATE(LastStop::clean, LastStop::process_died);
    const auto loss = GENERATE(range(0, 4));
    CAPTURE(loss);
    std::int64_t from = 3;
    std::int64_t end = 6;
    switch (loss) {
        case 0:
            disk.remove(3);
            break;
        case 1:
            from = 0;
            disk.cut(disk.segment(0), 0);
            end = 3;
            break;
        case 2:  // its end
            from = 5;
            disk.cut(disk.segment(3), 2 * disk.batch_bytes + 7);
            break;
        default:  // two in a row
            disk.remove(3);
            disk.remove(6);
            end = 9;
    }
    for (int start = 0; start < 2; ++start) {
        auto& again = disk.open(stop, Offset{12});
        CHECK(again.log_end() == Offset{12});
        CHECK(again.opened().records_missing);
        CHECK(again.opened().missing == std::vector<MissingRecords>{{Offset{from}, Offset{end}}});
        CHECK(disk.count_lines("records are missing") == static_cast<std::size_t>(start) + 1);
        CHECK(disk.sink.contains(std::to_string(from) + ".." + std::to_string(end - 1)));
        // What is there is served; who asks for the rest is told.
        for (auto offset = std::int64_t{0}; offset < 12; ++offset) {
            CAPTURE(offset);
            const auto got = read(again, Offset{offset});
            if (offset >= from && offset < end) {
                CHECK(got.code() == Errc::corrupt_file);
            } else {
                REQUIRE(got.ok());
                CHECK(got.value().first == Offset{offset});
            }
        }
        disk.log.reset();
    }
    // Somebody who knows that it was compaction's sees nothing wrong.
    const auto lines = disk.sink.lines().size();
    if (loss == 0 || loss == 3) {
        disk.cleaned_end = anywhere;
        CHECK_FALSE(disk.open(stop, Offset{12}).opened().records_missing);
        CHECK(disk.sink.lines().size() == lines);
        CHECK(read(*disk.log, Offset{4}).value().first == Offset{end});
    }
}

TEST_CASE("segments that wait for their deletion may be missing", "[storage][recovery]") {
    Closed disk;
    disk.remove(3);
    auto& again = disk.open(LastStop::clean, Offset{12}, Offset{7});
    CHECK_FALSE(again.opened().records_missing);
    CHECK(again.log_start() == Offset{7});
    // Where the log begins in the hole, what lies below is not missed.
    CHECK(disk.open(LastStop::clean, Offset{12}, Offset{5}).opened().missing ==
          std::vector<MissingRecords>{{Offset{5}, Offset{6}}});
}

TEST_CASE("the end of a closed segment is found by its index, or without it",
          "[storage][recovery][I29]") {
    Closed disk;
    const auto index = disk.path(Offset{3}, offset_index_suffix);
    const auto entries = disk.content(index).size() / 8;
    REQUIRE(entries > 0);
    SECTION("its last entry points into a batch") {
        disk.files.flip_bit(index, entries * 8 - 1, 1);
        auto& again = disk.open(LastStop::clean, Offset{12});
        CHECK_FALSE(again.opened().records_missing);
        CHECK(again.opened().rebuilt_indexes == 1);
        CHECK(check_prefix(again) == 12);
        REQUIRE(again.close_clean().ok());
        CHECK(disk.open(LastStop::clean, Offset{12}).opened().rebuilt_indexes == 0);
    }
    SECTION("its last batch has another offset") {
        const auto missing_index = GENERATE(false, true);
        const auto byte = GENERATE(2u, 4u, 7u);
        CAPTURE(missing_index, byte);
        if (missing_index) REQUIRE(disk.files.unlink(index).ok());
        disk.files.flip_bit(disk.segment(3), 2 * disk.batch_bytes + byte, 6);
        auto& again = disk.open(LastStop::clean, Offset{12});
        CHECK(again.opened().missing == std::vector<MissingRecords>{{Offset{5}, Offset{6}}});
        CHECK(read(again, Offset{6}).value().first == Offset{6});
    }
}

TEST_CASE("a gap between segments ends a log only where a crash may have made it",
          "[storage][recovery]") {
    Closed disk;
    // The second segment lost its last batch, exactly.
    disk.cut(disk.segment(3), 2 * disk.batch_bytes);
    SECTION("it was not synced") {
        auto& again = disk.open(LastStop::host_died, Offset{5});
        CHECK(again.log_end() == Offset{5});
        CHECK(again.opened().removed_segments == 2);
        CHECK(all_batches(again).size() == 5);
        CHECK(read(again, Offset{5}).value().first == Offset{5});
    }
    SECTION("the log is compacted, or nobody knows") {
        disk.options.compact = GENERATE(true, false);
        if (!disk.options.compact) disk.cleaned_end = GENERATE(as<Offset>{}, anywhere, Offset{7});
        auto& again = disk.open(LastStop::host_died);
        CHECK(again.log_end() == Offset{12});
        CHECK(again.opened().removed_segments == 0);
        CHECK_FALSE(again.opened().records_missing);
        CHECK(all_batches(again).size() == 11);
        CHECK(read(again, Offset{5}).value().first == Offset{6});
    }
    SECTION("it was synced") {
        auto& again = disk.open(LastStop::host_died, Offset{6});
        CHECK(again.log_end() == Offset{12});
        CHECK(again.opened().missing == std::vector<MissingRecords>{{Offset{5}, Offset{6}}});
        CHECK(again.segment_count() == 4);
        CHECK(read(again, Offset{5}).code() == Errc::corrupt_file);
        CHECK(read(again, Offset{6}).value().first == Offset{6});
    }
}

TEST_CASE("a gap within a segment was no crash's", "[storage][recovery][I29]") {
    Closed disk;
    const auto base = GENERATE(3, 9);
    disk.compact(base);
    auto expected = std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    expected.erase(expected.begin() + base + 1);
    SECTION("nobody knows what was compacted") {
        disk.cleaned_end = anywhere;
        disk.open(GENERATE(LastStop::clean, LastStop::host_died));
        CHECK(disk.offsets() == expected);
    }
    SECTION("it is known") {
        disk.cleaned_end = Offset{base + 3};
        disk.open(LastStop::host_died);
        CHECK(disk.offsets() == expected);
    }
    SECTION("it lies below the recovery point") {
        auto& again = disk.open(LastStop::host_died, Offset{base + 3});
        CHECK(again.log_end() == Offset{12});
        CHECK(again.opened().cut_bytes == 0);
        CHECK(read(again, Offset{base + 2}).value().first == Offset{base + 2});
    }
    SECTION("a damaged offset is no gap") {
        disk.cleaned_end = anywhere;
        disk.files.flip_bit(disk.segment(6), 7, 3);
        auto& again = disk.open(LastStop::host_died);
        CHECK(again.log_end() == Offset{6});
        CHECK(disk.damaged_files().size() == 2);
    }
}
