// SPDX-License-Identifier: Apache-2.0
#include "storage/kq_file.hpp"

#include <string>

#include "protocol/crc32c.hpp"

namespace kq {

namespace {

constexpr std::string_view magic = "kq.f";
constexpr std::size_t kind_at = 4;
constexpr std::size_t version_at = 8;
constexpr std::size_t length_at = 10;
constexpr std::size_t crc_at = 14;
constexpr std::size_t content_at = 18;

std::uint32_t checksum(ByteView file) {
    return crc32c(file.subspan(content_at), crc32c(file.subspan(kind_at, crc_at - kind_at)));
}

}  // namespace

Bytes wrap_kq_file(const KqFileKind& kind, ByteView content) {
    KQ_CHECK(kind.letters.size() == 4);
    Bytes file(as_bytes(magic).begin(), as_bytes(magic).end());
    append(file, as_bytes(kind.letters));
    append_be(file, kind.version);
    append_be(file, static_cast<std::uint32_t>(content.size()));
    append_be(file, std::uint32_t{0});
    append(file, content);
    store_be(file.data() + crc_at, checksum(file));
    return file;
}

Result<OpenedKqFile> unwrap_kq_file(const KqFileKind& kind, ByteView file) {
    if (file.size() < content_at || as_text(file.first(magic.size())) != magic) {
        return Error{Errc::corrupt_file, "not a file of kq's"};
    }
    if (as_text(file.subspan(kind_at, 4)) != kind.letters) {
        return Error{Errc::corrupt_file, "a file of another kind"};
    }
    if (load_be<std::uint32_t>(file.data() + length_at) != file.size() - content_at ||
        load_be<std::uint32_t>(file.data() + crc_at) != checksum(file)) {
        return Error{Errc::corrupt_file, "the file is cut or damaged"};
    }
    auto version = load_be<std::int16_t>(file.data() + version_at);
    if (version < 0 || version > kind.version) {
        return Error{Errc::unsupported, "the file is of version " + std::to_string(version) +
                                            ", newer than " + std::to_string(kind.version)};
    }
    return OpenedKqFile{version, file.subspan(content_at)};
}

}  // namespace kq
