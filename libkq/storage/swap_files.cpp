// SPDX-License-Identifier: Apache-2.0
#include "storage/swap_files.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "storage/batch_walk.hpp"
#include "storage/file_names.hpp"

namespace kq {

namespace {

constexpr std::string_view cleaned = ".cleaned";
constexpr std::string_view swap_suffix = ".swap";
constexpr std::string_view temporary = ".tmp";

constexpr std::array<std::string_view, 4> segment_suffixes = {
    log_suffix, offset_index_suffix, time_index_suffix, transaction_index_suffix};

// The base offset of "<20 digits>.<segment kind>".
std::optional<Offset> base_in_name(std::string_view name) {
    for (auto suffix : segment_suffixes) {
        if (auto base = offset_in_name(name, suffix)) return base;
    }
    return std::nullopt;
}

std::string_view without(std::string_view name, std::string_view suffix) {
    return name.substr(0, name.size() - suffix.size());
}

// A small file that replace_file() was writing, or a copy of something damaged (keep_tail).
bool is_our_temporary(std::string_view name) {
    if (name.ends_with(unfinished_copy_suffix)) {
        return base_in_name(without(name, unfinished_copy_suffix)).has_value();
    }
    if (!name.ends_with(temporary)) return false;
    auto stem = without(name, temporary);
    return stem == epoch_file_name || stem == partition_metadata_name || base_in_name(stem) ||
           offset_in_name(stem, producer_snapshot_suffix) || offset_in_earlier_batches_name(stem);
}

Result<Offset> next_offset_of(FileSystem& files, const std::string& path, Offset base) {
    KQ_LET(auto file, files.open(path, OpenMode::read));
    HeaderWalk walk(*file, 0, file->size(), MayWait::yes);
    BatchHeader header;
    Offset next = base;
    while (true) {
        KQ_LET(bool more, walk.next(header));
        if (!more) return next;
        next = header.next_offset();
    }
}

class Settler {
public:
    Settler(FileSystem& files, const std::string& directory) : files_(files), dir_(directory) {}

    Status remove(const std::string& name) {
        changed_ = true;
        return files_.unlink(path(name));
    }
    Status rename(const std::string& from, const std::string& to) {
        changed_ = true;
        return files_.rename(path(from), path(to));
    }
    Status step_is_durable() { return files_.sync_dir(dir_); }
    std::string path(const std::string& name) const { return dir_ + '/' + name; }
    bool changed() const { return changed_; }

private:
    FileSystem& files_;
    const std::string& dir_;
    bool changed_ = false;
};

}  // namespace

Result<bool> settle_temporary_files(FileSystem& files, const std::string& directory,
                                    const std::vector<std::string>& names) {
    Settler settler(files, directory);
    Offset first_cleaned{std::numeric_limits<std::int64_t>::max()};
    std::vector<std::string> swaps;
    std::vector<std::string> rest;
    for (const auto& name : names) {
        if (name.ends_with(deleted_suffix) || is_our_temporary(name)) {
            KQ_TRY(settler.remove(name));
        } else if (name.ends_with(cleaned) && base_in_name(without(name, cleaned))) {
            first_cleaned = std::min(first_cleaned, *base_in_name(without(name, cleaned)));
            KQ_TRY(settler.remove(name));
        } else if (name.ends_with(swap_suffix) && base_in_name(without(name, swap_suffix))) {
            swaps.push_back(name);
        } else {
            rest.push_back(name);
        }
    }
    auto incomplete = [&](const std::string& name) {
        return *base_in_name(without(name, swap_suffix)) >= first_cleaned;
    };
    for (const auto& name : swaps) {
        if (incomplete(name)) KQ_TRY(settler.remove(name));
    }
    std::erase_if(swaps, incomplete);

    // The segments that the complete outputs were made from.
    Offset from{std::numeric_limits<std::int64_t>::max()};
    Offset to{0};
    for (const auto& name : swaps) {
        auto base = offset_in_name(without(name, swap_suffix), log_suffix);
        if (!base) continue;
        from = std::min(from, *base);
        KQ_LET(auto next, next_offset_of(files, settler.path(name), *base));
        to = std::max(to, next);
    }
    for (const auto& name : rest) {
        auto base = base_in_name(name);
        if (base && *base >= from && *base < to) KQ_TRY(settler.remove(name));
    }
    if (!swaps.empty()) KQ_TRY(settler.step_is_durable());
    for (const auto& name : swaps) {
        KQ_TRY(settler.rename(name, std::string(without(name, swap_suffix))));
    }
    return settler.changed();
}

}  // namespace kq
