// SPDX-License-Identifier: Apache-2.0
#include "consensus/committed_end.hpp"

#include "storage/kq_file.hpp"

namespace kq {
namespace {

constexpr KqFileKind file_kind{"mend", 1};
constexpr std::size_t note_bytes_max = 4096;

std::string path_in(const std::string& directory) {
    return directory + "/kq.committed-end";
}

}  // namespace

Status write_committed_end(FileSystem& files, const std::string& directory, Offset end,
                           Outlives outlives) {
    const auto path = path_in(directory);
    Bytes content;
    append_be(content, end.value);
    const auto note = wrap_kq_file(file_kind, content);
    auto file = files.open(path, OpenMode::read_write);
    if (!file.ok() && file.code() != Errc::not_found) return file.error();
    // In place it is the old note or the new one only where it covers the old one to the byte.
    if (!file.ok() || file.value()->size() != note.size()) return replace_file(files, path, note);
    KQ_TRY(file.value()->pwrite(0, note));
    return outlives == Outlives::power ? file.value()->sync() : done();
}

Result<Offset> read_committed_end(FileSystem& files, const Logger& logger,
                                  const std::string& directory) {
    const auto path = path_in(directory);
    const auto content = read_file(files, path, note_bytes_max);
    if (content.code() == Errc::not_found) return Offset{0};
    if (!content.ok() && content.code() != Errc::corrupt_file) return content.error();
    const auto opened = content.ok() ? unwrap_kq_file(file_kind, content.value())
                                     : Result<OpenedKqFile>(content.error());
    if (opened.code() == Errc::unsupported)
        return Error(Errc::unsupported, path + ": " + opened.error().message);
    if (!opened.ok() || opened.value().content.size() != sizeof(std::int64_t)) {
        logger.warn("the note of the committed end is ignored", {kv("path", path)});
        return Offset{0};
    }
    return Offset{load_be<std::int64_t>(opened.value().content.data())};
}

}  // namespace kq
