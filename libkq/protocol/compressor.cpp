// SPDX-License-Identifier: Apache-2.0
//
// The writing half of compression.hpp.
#include <algorithm>
#include <array>

#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include "protocol/compression.hpp"
#include "protocol/xerial.hpp"

namespace kq {
namespace {

struct Row {
    Compression codec;
    std::string_view name;
    int default_level;
    int level_min;
    int level_max;
};
constexpr std::array rows{
    Row{Compression::none, "none", 0, 0, 0},        Row{Compression::gzip, "gzip", -1, 1, 9},
    Row{Compression::snappy, "snappy", 0, 0, 0},    Row{Compression::lz4, "lz4", 9, 1, 17},
    Row{Compression::zstd, "zstd", 3, -131072, 22},
};

const Row& row_of(Compression codec) {
    return rows[static_cast<std::size_t>(codec)];
}

Error library_failed(Compression codec, const char* why) {
    return {Errc::unknown_server_error, std::string(name_of(codec)) + " cannot compress: " + why};
}

// Kafka takes the fast compressor at the default level, and the high-compression one otherwise;
// the library knows the first as levels below 3.
int library_lz4_level(int level) {
    return level == row_of(Compression::lz4).default_level ? 0 : std::clamp(level, 3, 12);
}

}  // namespace

std::string_view name_of(Compression codec) {
    return row_of(codec).name;
}

Result<Compression> compression_from_name(std::string_view name) {
    for (const auto& row : rows) {
        if (row.name == name) return row.codec;
    }
    return Error{Errc::unsupported_compression_type,
                 "no compression is called '" + std::string(name) + "'"};
}

Result<Compression> compression_from_wire(int number) {
    if (number < 0 || number >= static_cast<int>(rows.size())) {
        return Error{Errc::unsupported_compression_type,
                     "no compression has the number " + std::to_string(number)};
    }
    return static_cast<Compression>(number);
}

int default_level(Compression codec) {
    return row_of(codec).default_level;
}

bool is_valid_level(Compression codec, int level) {
    const Row& row = row_of(codec);
    return level == row.default_level || (row.level_min <= level && level <= row.level_max);
}

struct Compressor::Contexts {
    ~Contexts() {
        if (gzip_ready) deflateEnd(&gzip);
        LZ4F_freeCompressionContext(lz4);
        ZSTD_freeCCtx(zstd);
    }
    Status compress_gzip(int level, ByteView plain, Bytes& out);
    Status compress_snappy(ByteView plain, Bytes& out);
    Status compress_lz4(int level, ByteView plain, Bytes& out);
    Status compress_zstd(int level, ByteView plain, Bytes& out);

    z_stream gzip{};
    bool gzip_ready = false;
    int gzip_level = 0;
    LZ4F_cctx* lz4 = nullptr;
    ZSTD_CCtx* zstd = nullptr;
};

Compressor::Compressor() : contexts_(std::make_unique<Contexts>()) {}
Compressor::~Compressor() = default;
Compressor::Compressor(Compressor&&) noexcept = default;
Compressor& Compressor::operator=(Compressor&&) noexcept = default;

Status Compressor::compress(Compression codec, int level, ByteView plain, Bytes& out) {
    KQ_CHECK(is_valid_level(codec, level));
    switch (codec) {
        case Compression::none:
            append(out, plain);
            return done();
        case Compression::gzip:
            return contexts_->compress_gzip(level, plain, out);
        case Compression::snappy:
            return contexts_->compress_snappy(plain, out);
        case Compression::lz4:
            return contexts_->compress_lz4(level, plain, out);
        case Compression::zstd:
            return contexts_->compress_zstd(level, plain, out);
    }
    KQ_UNREACHABLE("codec");
}

Status Compressor::Contexts::compress_gzip(int level, ByteView plain, Bytes& out) {
    constexpr int gzip_window_bits = 15 + 16;  // 16: with the header and trailer of gzip
    constexpr int memory_level = 8;
    if (gzip_ready && gzip_level != level) {
        deflateEnd(&gzip);
        gzip_ready = false;
    }
    if (!gzip_ready) {
        gzip = z_stream{};
        if (deflateInit2(&gzip, level, Z_DEFLATED, gzip_window_bits, memory_level,
                         Z_DEFAULT_STRATEGY) != Z_OK) {
            return library_failed(Compression::gzip, "no memory");
        }
        gzip_ready = true;
        gzip_level = level;
    } else {
        deflateReset(&gzip);
    }
    auto at = out.size();
    grow_to(out, at + deflateBound(&gzip, plain.size()));
    gzip.next_in = const_cast<Bytef*>(plain.data());  // zlib reads it only
    gzip.avail_in = static_cast<uInt>(plain.size());
    gzip.next_out = out.data() + at;
    gzip.avail_out = static_cast<uInt>(out.size() - at);
    int answer = deflate(&gzip, Z_FINISH);
    out.resize(out.size() - gzip.avail_out);
    if (answer != Z_STREAM_END) return library_failed(Compression::gzip, "no end of stream");
    return done();
}

Status Compressor::Contexts::compress_snappy(ByteView plain, Bytes& out) {
    append(out, Xerial::header);
    while (!plain.empty()) {
        auto block = plain.first(std::min(plain.size(), Xerial::block_bytes));
        plain = plain.subspan(block.size());
        auto at = out.size();
        grow_to(out, at + Xerial::length_bytes + snappy::MaxCompressedLength(block.size()));
        std::size_t size = 0;
        snappy::RawCompress(reinterpret_cast<const char*>(block.data()), block.size(),
                            reinterpret_cast<char*>(out.data() + at + Xerial::length_bytes), &size);
        store_be(out.data() + at, static_cast<std::int32_t>(size));
        grow_to(out, at + Xerial::length_bytes + size);
    }
    return done();
}

Status Compressor::Contexts::compress_lz4(int level, ByteView plain, Bytes& out) {
    if (lz4 == nullptr && LZ4F_isError(LZ4F_createCompressionContext(&lz4, LZ4F_VERSION)) != 0) {
        return library_failed(Compression::lz4, "no memory");
    }
    LZ4F_preferences_t preferences{};
    preferences.frameInfo.blockSizeID = LZ4F_max64KB;
    preferences.frameInfo.blockMode = LZ4F_blockIndependent;  // Java reads no linked blocks
    preferences.compressionLevel = library_lz4_level(level);
    auto at = out.size();
    grow_to(out, at + LZ4F_HEADER_SIZE_MAX + LZ4F_compressBound(plain.size(), &preferences));
    auto room = [&] { return out.size() - at; };
    auto wrote = LZ4F_compressBegin(lz4, out.data() + at, room(), &preferences);
    if (LZ4F_isError(wrote) == 0) {
        at += wrote;
        wrote =
            LZ4F_compressUpdate(lz4, out.data() + at, room(), plain.data(), plain.size(), nullptr);
    }
    if (LZ4F_isError(wrote) == 0) {
        at += wrote;
        wrote = LZ4F_compressEnd(lz4, out.data() + at, room(), nullptr);
    }
    if (LZ4F_isError(wrote) != 0) {
        return library_failed(Compression::lz4, LZ4F_getErrorName(wrote));
    }
    grow_to(out, at + wrote);
    return done();
}

Status Compressor::Contexts::compress_zstd(int level, ByteView plain, Bytes& out) {
    if (zstd == nullptr) zstd = ZSTD_createCCtx();
    if (zstd == nullptr) return library_failed(Compression::zstd, "no memory");
    auto at = out.size();
    grow_to(out, at + ZSTD_compressBound(plain.size()));
    auto wrote = ZSTD_compressCCtx(zstd, out.data() + at, out.size() - at, plain.data(),
                                   plain.size(), level);
    if (ZSTD_isError(wrote) != 0) {
        return library_failed(Compression::zstd, ZSTD_getErrorName(wrote));
    }
    grow_to(out, at + wrote);
    return done();
}

}  // namespace kq
