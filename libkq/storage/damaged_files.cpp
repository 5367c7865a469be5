// SPDX-License-Identifier: Apache-2.0
#include "storage/damaged_files.hpp"

#include <algorithm>
#include <limits>

#include "protocol/record_batch.hpp"
#include "storage/batch_walk.hpp"

namespace kq {

namespace {

constexpr std::size_t piece_bytes = std::size_t{1} << 20;
// Who finds nothing in so much finds nothing.
constexpr std::uint64_t searched_bytes_max = std::uint64_t{64} << 20;

std::string free_name(const FileSystem& files, const std::string& path) {
    auto name = path + ".damaged";
    for (int number = 2; files.exists(name); ++number)
        name = path + ".damaged." + std::to_string(number);
    return name;
}

Result<bool> is_sound_batch(const File& file, std::uint64_t position, ByteView bytes,
                            Offset at_least) {
    auto header = parse_stored_header(bytes, file.size() - position);
    if (!header.ok() || header.value().base_offset < at_least ||
        header.value().base_offset - at_least > std::numeric_limits<std::int32_t>::max()) {
        return false;
    }
    KQ_LET(auto batch, read_batch(file, position, header.value()));
    return check_crc(batch).ok();
}

}  // namespace

Result<bool> holds_sound_batch(const File& file, std::uint64_t from, Offset at_least) {
    const auto end = std::min(file.size(), from + searched_bytes_max);
    Bytes buffer(piece_bytes);
    for (auto at = from + 1; at + batch_header_bytes <= end;) {
        KQ_LET(auto count, file.pread(at, buffer));
        if (count < batch_header_bytes) break;
        const auto last = count - batch_header_bytes;
        for (std::size_t i = 0; i <= last; ++i) {
            if (buffer[i + BatchAt::magic] != batch_magic) continue;
            KQ_LET(bool sound,
                   is_sound_batch(file, at + i, ByteView(buffer).subspan(i, count - i), at_least));
            if (sound) return true;
        }
        at += last + 1;
    }
    return false;
}

Result<std::string> keep_tail(FileSystem& files, const std::string& path, const File& file,
                              std::uint64_t from) {
    auto name = free_name(files, path);
    KQ_LET(auto copy, files.open(name, OpenMode::create_new));
    Bytes buffer(piece_bytes);
    for (auto at = from; at < file.size();) {
        KQ_LET(auto count, file.pread(at, buffer));
        if (count == 0) break;
        KQ_TRY(copy->pwrite(at - from, ByteView(buffer).first(count)));
        at += count;
    }
    KQ_TRY(copy->sync());
    KQ_TRY(files.sync_dir(parent_of(path)));
    return name;
}

Result<std::string> keep_whole(FileSystem& files, const std::string& path) {
    auto name = free_name(files, path);
    KQ_TRY(files.rename(path, name));
    KQ_TRY(files.sync_dir(parent_of(path)));
    return name;
}

}  // namespace kq
