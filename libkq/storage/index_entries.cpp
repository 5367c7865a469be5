// SPDX-License-Identifier: Apache-2.0
#include "storage/index_entries.hpp"

#include <algorithm>
#include <string>

namespace kq {

namespace {

constexpr std::int16_t transaction_version = 0;

Error bad_entry(std::size_t number, std::string_view what) {
    return Error{Errc::corrupt_file, "entry " + std::to_string(number) + ": " + std::string(what)};
}

Status check_size(ByteView file, std::size_t entry_bytes) {
    if (file.size() % entry_bytes == 0) return done();
    return Error{Errc::corrupt_file, std::to_string(file.size()) + " bytes are no multiple of " +
                                         std::to_string(entry_bytes)};
}

}  // namespace

void append_entry(Bytes& out, const OffsetEntry& entry) {
    append_be(out, entry.relative_offset);
    append_be(out, entry.position);
}

void append_entry(Bytes& out, const TimeEntry& entry) {
    append_be(out, entry.timestamp_ms);
    append_be(out, entry.relative_offset);
}

void append_entry(Bytes& out, const AbortedTransaction& entry) {
    append_be(out, transaction_version);
    append_be(out, entry.producer.value);
    append_be(out, entry.first.value);
    append_be(out, entry.last.value);
    append_be(out, entry.last_stable.value);
}

Result<std::vector<OffsetEntry>> parse_offset_index(ByteView file, std::uint64_t segment_bytes) {
    KQ_TRY(check_size(file, OffsetEntry::bytes));
    std::vector<OffsetEntry> entries;
    entries.reserve(file.size() / OffsetEntry::bytes);
    for (std::size_t at = 0; at < file.size(); at += OffsetEntry::bytes) {
        OffsetEntry entry{load_be<std::int32_t>(file.data() + at),
                          load_be<std::int32_t>(file.data() + at + 4)};
        // No entry is all zeros: the first comes behind the first batch. This is Kafka's reserve.
        if (entry == OffsetEntry{}) break;
        if (entry.relative_offset < 0 || entry.position <= 0 ||
            static_cast<std::uint64_t>(entry.position) >= segment_bytes) {
            return bad_entry(entries.size(), "it points outside the segment");
        }
        if (!entries.empty() && (entries.back().relative_offset >= entry.relative_offset ||
                                 entries.back().position >= entry.position)) {
            return bad_entry(entries.size(), "it does not ascend");
        }
        entries.push_back(entry);
    }
    return entries;
}

Result<std::vector<TimeEntry>> parse_time_index(ByteView file) {
    KQ_TRY(check_size(file, TimeEntry::bytes));
    std::vector<TimeEntry> entries;
    entries.reserve(file.size() / TimeEntry::bytes);
    for (std::size_t at = 0; at < file.size(); at += TimeEntry::bytes) {
        TimeEntry entry{load_be<std::int64_t>(file.data() + at),
                        load_be<std::int32_t>(file.data() + at + 8)};
        if (entry == TimeEntry{0, 0} && !entries.empty()) break;  // Kafka's reserve
        if (entry.timestamp_ms < 0 || entry.relative_offset < 0) {
            return bad_entry(entries.size(), "a negative number");
        }
        if (!entries.empty() && (entries.back().timestamp_ms >= entry.timestamp_ms ||
                                 entries.back().relative_offset > entry.relative_offset)) {
            return bad_entry(entries.size(), "it does not ascend");
        }
        entries.push_back(entry);
    }
    // A file of nothing but zeros is an empty one that Kafka had open; a record of 1970 is not.
    if (entries.size() == 1 && entries[0] == TimeEntry{0, 0} && file.size() > TimeEntry::bytes) {
        entries.clear();
    }
    return entries;
}

Result<std::vector<AbortedTransaction>> parse_transaction_index(ByteView file) {
    KQ_TRY(check_size(file, AbortedTransaction::bytes));
    std::vector<AbortedTransaction> entries;
    entries.reserve(file.size() / AbortedTransaction::bytes);
    for (std::size_t at = 0; at < file.size(); at += AbortedTransaction::bytes) {
        const auto* place = file.data() + at;
        auto version = load_be<std::int16_t>(place);
        if (version > transaction_version) {
            return Error{Errc::unsupported, "entry " + std::to_string(entries.size()) +
                                                " is of version " + std::to_string(version)};
        }
        AbortedTransaction entry{
            ProducerId{load_be<std::int64_t>(place + 2)}, Offset{load_be<std::int64_t>(place + 10)},
            Offset{load_be<std::int64_t>(place + 18)}, Offset{load_be<std::int64_t>(place + 26)}};
        if (version < 0 || entry.first.value < 0 || entry.last < entry.first) {
            return bad_entry(entries.size(), "no transaction");
        }
        if (!entries.empty() && entries.back().last >= entry.last) {
            return bad_entry(entries.size(), "it does not ascend");
        }
        entries.push_back(entry);
    }
    return entries;
}

const OffsetEntry* find_offset(std::span<const OffsetEntry> entries, std::int32_t relative_offset) {
    auto after = std::upper_bound(
        entries.begin(), entries.end(), relative_offset,
        [](std::int32_t value, const OffsetEntry& entry) { return value < entry.relative_offset; });
    return after == entries.begin() ? nullptr : &*std::prev(after);
}

const OffsetEntry* find_position(std::span<const OffsetEntry> entries, std::int64_t position) {
    auto after = std::upper_bound(
        entries.begin(), entries.end(), position,
        [](std::int64_t value, const OffsetEntry& entry) { return value < entry.position; });
    return after == entries.begin() ? nullptr : &*std::prev(after);
}

const TimeEntry* find_timestamp(std::span<const TimeEntry> entries, std::int64_t timestamp_ms) {
    auto after = std::upper_bound(
        entries.begin(), entries.end(), timestamp_ms,
        [](std::int64_t value, const TimeEntry& entry) { return value < entry.timestamp_ms; });
    return after == entries.begin() ? nullptr : &*std::prev(after);
}

}  // namespace kq
