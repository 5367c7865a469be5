// SPDX-License-Identifier: Apache-2.0
#include "storage/snapshot_file.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/check.hpp"
#include "protocol/record_batch.hpp"
#include "storage/batch_walk.hpp"
#include "storage/file_names.hpp"

namespace kq {

namespace {

constexpr std::string_view checkpoint_suffix = ".checkpoint";
constexpr std::string_view part_suffix = ".part";
constexpr std::size_t epoch_digits = 10;
constexpr std::size_t offset_digits = 20;
constexpr std::size_t write_bytes = std::size_t{1} << 20;
constexpr std::size_t snapshot_file_bytes_max = std::size_t{2} << 30;

}  // namespace

std::string SnapshotId::file_name() const {
    // Epochs have ten digits.
    auto epoch_text = twenty_digits(Offset{epoch.value}).substr(offset_digits - epoch_digits);
    return twenty_digits(end) + '-' + epoch_text + std::string(checkpoint_suffix);
}

std::optional<SnapshotId> SnapshotId::parse(std::string_view file_name) {
    constexpr auto stem_bytes = offset_digits + 1 + epoch_digits;
    if (file_name.size() != stem_bytes + checkpoint_suffix.size() ||
        !file_name.ends_with(checkpoint_suffix) || file_name[offset_digits] != '-') {
        return std::nullopt;
    }
    auto end = offset_in_name(file_name.substr(0, offset_digits), "");
    std::int32_t epoch = 0;
    const auto* digits = file_name.data() + offset_digits + 1;
    auto [stop, failure] = std::from_chars(digits, digits + epoch_digits, epoch);
    if (!end || failure != std::errc{} || stop != digits + epoch_digits || epoch < 0) {
        return std::nullopt;
    }
    return SnapshotId{*end, Epoch{epoch}};
}

// ---- SnapshotWriter

SnapshotWriter::SnapshotWriter(FileSystem& files, std::string path, std::shared_ptr<File> file)
    : files_(&files), path_(std::move(path)), file_(std::move(file)) {}

SnapshotWriter::SnapshotWriter(SnapshotWriter&& other) noexcept
    : files_(other.files_),
      path_(std::move(other.path_)),
      file_(std::exchange(other.file_, nullptr)),
      pending_(std::move(other.pending_)),
      written_(other.written_) {}

SnapshotWriter::~SnapshotWriter() {
    if (file_ == nullptr) return;
    static_cast<void>(files_->unlink(path_ + std::string(part_suffix)).ok());
}

Result<SnapshotWriter> SnapshotWriter::create(FileSystem& files, std::string path) {
    KQ_LET(auto file, files.open(path + std::string(part_suffix), OpenMode::create));
    KQ_TRY(file->truncate(0));
    return SnapshotWriter(files, std::move(path), std::move(file));
}

Status SnapshotWriter::append(ByteView batch) {
    KQ_CHECK(file_ != nullptr);
    kq::append(pending_, batch);
    if (pending_.size() < write_bytes) return done();
    return flush();
}

Status SnapshotWriter::flush() {
    KQ_TRY(file_->pwrite(written_, pending_));
    written_ += pending_.size();
    pending_.clear();
    return done();
}

Status SnapshotWriter::finish() {
    KQ_CHECK(file_ != nullptr);
    KQ_TRY(flush());
    KQ_TRY(file_->sync());
    KQ_TRY(files_->rename(path_ + std::string(part_suffix), path_));
    file_.reset();
    return files_->sync_dir(parent_of(path_));
}

// ---- SnapshotReader

Result<SnapshotReader> SnapshotReader::open(FileSystem& files, const std::string& path) {
    SnapshotReader reader;
    KQ_LET(auto content, read_file(files, path, snapshot_file_bytes_max));
    reader.content_ = std::make_unique<const Bytes>(std::move(content));
    ByteView rest(*reader.content_);
    auto at = [&] {
        return path + ": at " + std::to_string(reader.content_->size() - rest.size()) + ": ";
    };
    while (!rest.empty()) {
        auto header = parse_stored_header(rest, rest.size());
        if (!header.ok()) return Error{header.code(), at() + header.error().message};
        auto batch = rest.first(header.value().size_bytes);
        auto crc = check_crc(batch);
        if (!crc.ok()) return Error{Errc::corrupt_file, at() + crc.error().message};
        reader.batches_.push_back(batch);
        rest = rest.subspan(batch.size());
    }
    return reader;
}

// ---- A directory of them

Result<std::vector<SnapshotId>> list_snapshots(FileSystem& files, const std::string& directory) {
    std::vector<SnapshotId> found;
    KQ_LET(auto names, files.list(directory));
    for (const auto& name : names) {
        if (auto id = SnapshotId::parse(name)) found.push_back(*id);
    }
    std::sort(found.begin(), found.end());
    return found;
}

Status remove_unfinished_snapshots(FileSystem& files, const std::string& directory) {
    KQ_LET(auto names, files.list(directory));
    for (const auto& name : names) {
        std::string_view view = name;
        for (auto suffix : {part_suffix, deleted_suffix}) {
            if (!view.ends_with(suffix)) continue;
            auto stem = view.substr(0, view.size() - suffix.size());
            if (SnapshotId::parse(stem)) KQ_TRY(files.unlink(directory + '/' + name));
        }
    }
    return done();
}

}  // namespace kq
