// SPDX-License-Identifier: Apache-2.0
#include "storage/segment_scan.hpp"

#include <algorithm>
#include <limits>

#include "base/mutant.hpp"
#include "protocol/crc32c.hpp"
#include "storage/batch_walk.hpp"

namespace kq {

namespace {

constexpr std::size_t window_bytes = std::size_t{1} << 20;

// A part of the file in memory that moves forward.
class Window {
public:
    Window(const File& file, std::uint64_t file_bytes)
        : file_(file),
          file_bytes_(file_bytes),
          buffer_(static_cast<std::size_t>(std::min<std::uint64_t>(window_bytes, file_bytes))) {}

    // At least `wanted` bytes from `position` on, or all that the file and the window can hold.
    Result<ByteView> at(std::uint64_t position, std::size_t wanted) {
        bool inside = position >= begin_ && position + wanted <= begin_ + filled_;
        if (!inside) KQ_TRY(fill(position));
        return ByteView(buffer_).subspan(static_cast<std::size_t>(position - begin_),
                                         filled_ - static_cast<std::size_t>(position - begin_));
    }

    std::uint64_t file_bytes() const { return file_bytes_; }

private:
    Status fill(std::uint64_t position) {
        std::size_t kept = 0;
        if (position >= begin_ && position < begin_ + filled_) {
            auto skip = static_cast<std::size_t>(position - begin_);
            kept = filled_ - skip;
            std::memmove(buffer_.data(), buffer_.data() + skip, kept);
        }
        begin_ = position;
        filled_ = kept;
        while (filled_ < buffer_.size() && begin_ + filled_ < file_bytes_) {
            KQ_LET(auto got, file_.pread(begin_ + filled_, MutableBytes(buffer_).subspan(filled_)));
            if (got == 0) break;
            filled_ += got;
        }
        return done();
    }

    const File& file_;
    std::uint64_t file_bytes_;
    std::uint64_t begin_ = 0;
    std::size_t filled_ = 0;
    Bytes buffer_;
};

// The checksum of a batch that may be larger than the window.
Result<std::uint32_t> stored_crc(Window& window, std::uint64_t position, std::size_t size_bytes) {
    std::uint32_t crc = 0;
    std::size_t done_bytes = BatchAt::attributes;
    while (done_bytes < size_bytes) {
        KQ_LET(auto bytes, window.at(position + done_bytes,
                                     std::min(size_bytes - done_bytes, window_bytes / 2)));
        if (bytes.empty()) break;
        auto piece = bytes.first(std::min(bytes.size(), size_bytes - done_bytes));
        crc = crc32c(piece, crc);
        done_bytes += piece.size();
    }
    return crc;
}

std::uint32_t crc32_ieee(ByteView bytes) {
    std::uint32_t crc = ~std::uint32_t{0};
    for (auto byte : bytes) {
        crc ^= byte;
        for (int bit = 0; bit < 8; ++bit)
            crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1u)));
    }
    return ~crc;
}

// Whether the bytes that are no batch of magic 2 are a whole one of another magic: then the file is
// not damaged but in a format that this version does not know, and must be left as it is.
Result<std::optional<Error>> other_format(Window& window, std::uint64_t position,
                                          std::uint64_t left) {
    KQ_LET(auto head, window.at(position, batch_header_bytes));
    if (head.size() <= BatchAt::attributes) return std::optional<Error>{};
    auto magic = static_cast<std::int8_t>(head[BatchAt::magic]);
    auto length = load_be<std::int32_t>(head.data() + BatchAt::length);
    if (magic == batch_magic || length < 14) return std::optional<Error>{};
    auto size = static_cast<std::uint64_t>(length) + batch_prefix_bytes;
    if (size > left) return std::optional<Error>{};

    bool whole = false;
    if (magic == 0 || magic == 1) {
        // int64 offset, int32 size, int32 crc of all behind it.
        KQ_LET(auto message, window.at(position, static_cast<std::size_t>(size)));
        whole = message.size() >= size &&
                load_be<std::uint32_t>(message.data() + batch_prefix_bytes) ==
                    crc32_ieee(message.subspan(16, static_cast<std::size_t>(size) - 16));
    } else if (magic == batch_magic + 1 && size >= batch_header_bytes) {
        // Where 2 has it. Higher numbers are more likely a flipped bit than the format after next.
        auto claimed = load_be<std::uint32_t>(head.data() + BatchAt::crc);
        KQ_LET(auto found, stored_crc(window, position, static_cast<std::size_t>(size)));
        whole = claimed == found;
    }
    if (!whole) return std::optional<Error>{};
    return std::optional<Error>{
        Error{Errc::unsupported, "at " + std::to_string(position) + ": a batch of magic " +
                                     std::to_string(magic) + "; only 2 is known"}};
}

// Whether what stands behind a batch that follows a gap has later offsets: it has not, where there
// is no gap but a base offset that is damaged.
Result<bool> is_followed(Window& window, const ScanStart& start, const ScanResult& so_far,
                         const BatchHeader& header) {
    if (header.next_offset() > start.limit) return false;
    const auto position = so_far.sound_bytes + header.size_bytes;
    if (position >= window.file_bytes()) return true;
    KQ_LET(auto bytes, window.at(position, batch_header_bytes));
    auto next = parse_stored_header(bytes, window.file_bytes() - position);
    return !next.ok() || next.value().base_offset >= header.next_offset();
}

// Why a batch with a readable header does not belong here, or nothing.
Result<std::optional<std::string>> find_damage(Window& window, const ScanStart& start,
                                               const ScanResult& so_far,
                                               const BatchHeader& header) {
    using Found = std::optional<std::string>;
    if (header.base_offset < so_far.next) {
        return Found{"offset " + std::to_string(header.base_offset.value) + " where at least " +
                     std::to_string(so_far.next.value) + " should stand"};
    }
    if (header.base_offset > so_far.next) {
        KQ_LET(bool fits, is_followed(window, start, so_far, header));
        if (!fits || header.base_offset >= start.gaps_below) {
            return Found{"offset " + std::to_string(header.base_offset.value) + " where " +
                         std::to_string(so_far.next.value) + " should stand"};
        }
    }
    if (header.last_offset() - start.base > std::numeric_limits<std::int32_t>::max()) {
        return Found{"offset " + std::to_string(header.last_offset().value) +
                     " is too far from the segment's base"};
    }
    if (so_far.sound_bytes + header.size_bytes > std::numeric_limits<std::int32_t>::max()) {
        return Found{"more than an index can point at"};
    }
    if (header.leader_epoch < so_far.last_epoch) {
        return Found{"leader epoch " + std::to_string(header.leader_epoch.value) + " after " +
                     std::to_string(so_far.last_epoch.value)};
    }
    if (mutant(Mutant::keep_torn_tail)) return Found{};
    KQ_LET(auto crc, stored_crc(window, so_far.sound_bytes, header.size_bytes));
    if (crc != header.crc) return Found{"a wrong checksum"};
    return Found{};
}

}  // namespace

Result<ScanResult> scan_segment(const File& file, const ScanStart& start,
                                const OnScannedBatch& on_batch) {
    auto file_bytes = file.size();
    Window window(file, file_bytes);
    ScanResult result;
    result.next = start.next_expected;
    result.last_epoch = start.epoch_floor;

    while (result.sound_bytes < file_bytes) {
        auto position = result.sound_bytes;
        auto left = file_bytes - position;
        KQ_LET(auto bytes, window.at(position, batch_header_bytes));
        auto header = parse_stored_header(bytes, left);
        if (!header.ok()) {
            KQ_LET(auto other, other_format(window, position, left));
            if (other) return *other;
            result.damage = header.error().message;
            break;
        }
        KQ_LET(result.damage, find_damage(window, start, result, header.value()));
        if (result.damage) break;

        ByteView batch;
        if (header.value().is_control()) {
            KQ_LET(batch, window.at(position, header.value().size_bytes));
            if (batch.size() >= header.value().size_bytes) {
                batch = batch.first(header.value().size_bytes);
            }
        }
        KQ_TRY(on_batch(header.value(), position, batch));
        result.sound_bytes += header.value().size_bytes;
        result.next = header.value().next_offset();
        result.last_epoch = header.value().leader_epoch;
    }
    return result;
}

}  // namespace kq
