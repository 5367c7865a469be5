// SPDX-License-Identifier: Apache-2.0
#include "base/file_system.hpp"

namespace kq {

Result<Bytes> read_file(FileSystem& files, const std::string& path, std::size_t limit) {
    KQ_LET(auto file, files.open(path, OpenMode::read));
    auto size = file->size();
    if (size > limit) {
        return Error{Errc::corrupt_file, "'" + path + "' has " + std::to_string(size) +
                                             " bytes, more than such a file ever holds"};
    }
    Bytes content(static_cast<std::size_t>(size));
    std::size_t filled = 0;
    while (filled < content.size()) {
        KQ_LET(auto count, file->pread(filled, MutableBytes(content).subspan(filled)));
        if (count == 0) break;  // it was cut meanwhile
        filled += count;
    }
    content.resize(filled);
    return content;
}

Status replace_file(FileSystem& files, const std::string& path, ByteView content) {
    std::string temporary = path + ".tmp";
    KQ_LET(auto file, files.open(temporary, OpenMode::create));
    KQ_TRY(file->truncate(0));  // what a crash left behind
    KQ_TRY(file->pwrite(0, content));
    KQ_TRY(file->sync());
    KQ_TRY(files.rename(temporary, path));
    return files.sync_dir(parent_of(path));
}

Status remove_tree(FileSystem& files, const std::string& path) {
    KQ_LET(auto names, files.list(path));
    for (const auto& name : names) {
        std::string child = path + '/' + name;
        KQ_LET(auto info, files.info(child));
        if (info.is_directory) {
            KQ_TRY(remove_tree(files, child));
        } else {
            KQ_TRY(files.unlink(child));
        }
    }
    return files.rmdir(path);
}

std::string parent_of(const std::string& path) {
    auto slash = path.find_last_of('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace kq
