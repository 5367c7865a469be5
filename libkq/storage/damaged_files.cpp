// SPDX-License-Identifier: Apache-2.0
#include "storage/damaged_files.hpp"

#include <algorithm>

#include "storage/batch_walk.hpp"
#include "storage/file_names.hpp"

namespace kq {

namespace {

constexpr std::size_t piece_bytes = std::size_t{1} << 20;
// Who finds nothing in so much finds nothing.
constexpr std::uint64_t searched_bytes_max = std::uint64_t{64} << 20;
// What only looks like a batch until its checksum is computed may claim any length.
constexpr std::uint64_t refuted_bytes_max = std::uint64_t{1} << 30;

std::string kept_name(const std::string& path, int number) {
    auto name = path + std::string(damaged_suffix);
    return number == 1 ? name : name + '.' + std::to_string(number);
}

Result<bool> is_sound(const File& file, std::uint64_t position, const BatchHeader& header) {
    KQ_LET(auto batch, read_batch(file, position, header));
    return check_crc(batch).ok();
}

// Whether the file of this name ends with the bytes of `file` from `from` on.
Result<bool> ends_with(FileSystem& files, const std::string& name, const File& file,
                       std::uint64_t from) {
    KQ_LET(auto copy, files.open(name, OpenMode::read));
    const auto length = file.size() - from;
    if (copy->size() < length) return false;
    const auto shift = copy->size() - length;
    Bytes ours(piece_bytes);
    Bytes theirs(piece_bytes);
    for (std::uint64_t at = 0; at < length;) {
        const auto wanted =
            static_cast<std::size_t>(std::min<std::uint64_t>(ours.size(), length - at));
        KQ_LET(auto count, file.pread(from + at, MutableBytes(ours).first(wanted)));
        KQ_LET(auto other, copy->pread(shift + at, MutableBytes(theirs).first(count)));
        if (count == 0 || other != count) return false;
        if (!std::equal(ours.begin(), ours.begin() + static_cast<std::ptrdiff_t>(count),
                        theirs.begin())) {
            return false;
        }
        at += count;
    }
    return true;
}

Status copy_tail(FileSystem& files, const std::string& to, const File& file, std::uint64_t from) {
    KQ_LET(auto copy, files.open(to, OpenMode::create));
    KQ_TRY(copy->truncate(0));
    Bytes buffer(piece_bytes);
    for (auto at = from; at < file.size();) {
        KQ_LET(auto count, file.pread(at, buffer));
        if (count == 0) break;
        KQ_TRY(copy->pwrite(at - from, ByteView(buffer).first(count)));
        at += count;
    }
    return copy->sync();
}

}  // namespace

Result<std::optional<BatchHeader>> sound_batch_at(const File& file, std::uint64_t position) {
    Bytes bytes(batch_header_bytes);
    KQ_LET(auto count, file.pread(position, bytes));
    auto header = parse_stored_header(ByteView(bytes).first(count), file.size() - position);
    if (!header.ok()) return std::optional<BatchHeader>{};
    KQ_LET(bool sound, is_sound(file, position, header.value()));
    return sound ? std::optional<BatchHeader>{header.value()} : std::nullopt;
}

Result<std::optional<Offset>> sound_end(const File& file, std::uint64_t from, Offset at_least,
                                        Offset below) {
    std::optional<Offset> found;
    Bytes buffer(piece_bytes);
    std::uint64_t searched = 0;
    std::uint64_t refuted = 0;
    auto at = from;
    while (at + batch_header_bytes <= file.size()) {
        KQ_LET(auto count, file.pread(at, buffer));
        if (count < batch_header_bytes) break;
        std::uint64_t step = 0;  // into the buffer, or beyond it
        while (step + batch_header_bytes <= count) {
            if (searched == searched_bytes_max || refuted > refuted_bytes_max) return found;
            const auto bytes =
                ByteView(buffer).first(count).subspan(static_cast<std::size_t>(step));
            ++searched;
            ++step;
            if (bytes[BatchAt::magic] != batch_magic) continue;
            const auto position = at + step - 1;
            auto parsed = parse_stored_header(bytes, file.size() - position);
            if (!parsed.ok()) continue;
            const auto& header = parsed.value();
            if (header.base_offset < at_least || header.last_offset() >= below) continue;
            KQ_LET(bool sound, is_sound(file, position, header));
            if (!sound) {
                refuted += header.size_bytes;
                continue;
            }
            found = std::max(found.value_or(header.next_offset()), header.next_offset());
            --searched;
            step += header.size_bytes - 1;
        }
        at += step;
    }
    return found;
}

std::string name_to_keep(const FileSystem& files, const std::string& path) {
    int number = 1;
    while (files.exists(kept_name(path, number)))
        ++number;
    return kept_name(path, number);
}

// A start that is killed again and again behind this finds its first copy each time. Whatever was
// written over the beginning of the damage since, the rest is what the copy ends with.
Result<std::string> keep_tail(FileSystem& files, const std::string& path, const File& file,
                              std::uint64_t from) {
    for (int number = 1; files.exists(kept_name(path, number)); ++number) {
        KQ_LET(bool same, ends_with(files, kept_name(path, number), file, from));
        if (same) return kept_name(path, number);
    }
    const auto temporary = path + std::string(unfinished_copy_suffix);
    auto copied = copy_tail(files, temporary, file, from);
    if (!copied.ok()) {
        static_cast<void>(files.unlink(temporary).ok());
        if (copied.code() != Errc::disk_full) return copied.error();
        return Error{Errc::disk_full,
                     path + " is damaged at " + std::to_string(from) + ", and " + parent_of(path) +
                         " has no room for the " + std::to_string(file.size() - from) +
                         " bytes from there on, which are kept before they are cut off"};
    }
    auto name = name_to_keep(files, path);
    KQ_TRY(files.rename(temporary, name));
    KQ_TRY(files.sync_dir(parent_of(path)));
    return name;
}

Status keep_whole(FileSystem& files, const std::string& path, const std::string& name) {
    KQ_TRY(files.rename(path, name));
    return files.sync_dir(parent_of(path));
}

}  // namespace kq
