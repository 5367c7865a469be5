// SPDX-License-Identifier: Apache-2.0
//
// IndexFile: the entries of one index of the active segment: the newest in memory, all of them in
// the file sooner or later.
//
// shape    entries [0, flushed()) are in the file, [in_memory_from(), count()) in memory;
//          in_memory_from() <= flushed() <= count()
// owner    its Segment
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/file_system.hpp"
#include "base/result.hpp"
#include "storage/index_entries.hpp"

namespace kq {

template <class Entry>
class IndexFile {
public:
    explicit IndexFile(std::string path) : path_(std::move(path)) {}

    const std::string& path() const { return path_; }
    std::size_t count() const { return in_memory_from_ + entries_.size(); }
    std::size_t flushed() const { return flushed_; }
    std::size_t unflushed() const { return count() - flushed_; }
    std::size_t in_memory_from() const { return in_memory_from_; }
    std::span<const Entry> in_memory() const { return entries_; }
    std::span<const Entry> not_flushed() const {
        return std::span<const Entry>(entries_).subspan(flushed_ - in_memory_from_);
    }
    const std::optional<Entry>& last() const { return last_; }

    void push(const Entry& entry) {
        entries_.push_back(entry);
        last_ = entry;
    }
    // The file holds `count` entries already, none of them in memory.
    void start_behind(std::size_t count, const std::optional<Entry>& last) {
        entries_.clear();
        in_memory_from_ = flushed_ = count;
        last_ = last;
    }
    void start_empty() { start_behind(0, std::nullopt); }

    // Writes what the file lacks; makes the file even if there is nothing to write.
    Status flush(FileSystem& files);
    // Lets go of all but the newest `keep` entries that are in the file.
    void forget_flushed(std::size_t keep);
    // All entries, which are no longer kept here. Requires: in_memory_from() == 0.
    std::vector<Entry> take() {
        auto entries = std::move(entries_);
        start_behind(entries.size(), last_);
        return entries;
    }

private:
    std::string path_;
    std::vector<Entry> entries_;
    std::size_t in_memory_from_ = 0;
    std::size_t flushed_ = 0;
    std::optional<Entry> last_;
};

template <class Entry>
Status IndexFile<Entry>::flush(FileSystem& files) {
    KQ_LET(auto file, files.open(path_, OpenMode::create));
    auto position = std::uint64_t{flushed_} * Entry::bytes;
    if (file->size() < position) {
        return Error{Errc::corrupt_file, path_ + " was cut while it was in use"};
    }
    if (file->size() > position) KQ_TRY(file->truncate(position));  // left by somebody else
    auto missing = not_flushed();
    if (missing.empty()) return done();
    Bytes bytes;
    bytes.reserve(missing.size() * Entry::bytes);
    for (const auto& entry : missing)
        append_entry(bytes, entry);
    KQ_TRY(file->pwrite(position, bytes));
    flushed_ = count();
    return done();
}

template <class Entry>
void IndexFile<Entry>::forget_flushed(std::size_t keep) {
    auto in_file = flushed_ - in_memory_from_;
    if (in_file <= keep) return;
    auto gone = in_file - keep;
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(gone));
    in_memory_from_ += gone;
}

}  // namespace kq
