// SPDX-License-Identifier: Apache-2.0
//
// The reading half of compression.hpp. Everything here comes from a peer.
#include <algorithm>
#include <array>
#include <cstring>

#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include "protocol/compression.hpp"
#include "protocol/xerial.hpp"

namespace kq {
namespace {

// A context that had to take more than this is not kept for the next batch.
constexpr std::size_t kept_bytes_max = std::size_t{4} << 20;
// Kafka's own limit: what the levels up to 22 ask for. The window is touched only as far as there
// is output, which has a limit of its own.
constexpr int zstd_window_log_max = 27;

Error corrupt(Compression codec, const char* why) {
    return {Errc::corrupt_message, std::string(name_of(codec)) + " stream: " + why};
}

// What Java's reader of lz4 frames accepts: version 1, independent blocks, no dictionary, reserved
// bits clear, blocks of 64 KiB to 4 MiB.
bool is_kafka_lz4_frame(ByteView stream) {
    constexpr std::array<std::uint8_t, 4> magic{0x04, 0x22, 0x4d, 0x18};
    constexpr std::uint8_t version_and_blocks_and_reserved = 0xc0 | 0x20 | 0x03;
    constexpr std::uint8_t version_1_independent = 0x40 | 0x20;
    if (stream.size() < 7 || std::memcmp(stream.data(), magic.data(), magic.size()) != 0) {
        return false;
    }
    std::uint8_t flags = stream[4];
    std::uint8_t block = stream[5];
    return (flags & version_and_blocks_and_reserved) == version_1_independent &&
           (block & 0x8f) == 0 && (block >> 4) >= 4;
}

}  // namespace

struct Decompressor::Contexts {
    ~Contexts() {
        if (gzip_ready) inflateEnd(&gzip);
        LZ4F_freeDecompressionContext(lz4);
        ZSTD_freeDCtx(zstd);
    }
    Status begin_gzip();
    Status begin_lz4(ByteView stream);
    Status begin_zstd();
    void begin_snappy(ByteView& stream);
    Result<std::size_t> read_gzip(ByteView& stream, MutableBytes into);
    Result<std::size_t> read_lz4(ByteView& stream, MutableBytes into);
    Result<std::size_t> read_zstd(ByteView& stream, MutableBytes into);
    Result<std::size_t> read_snappy(ByteView& stream, MutableBytes into, std::size_t budget);
    Result<ByteView> next_snappy_block(ByteView& stream);
    Result<std::size_t> unpack_snappy(ByteView block, MutableBytes into, std::size_t budget);
    void forget_large();

    z_stream gzip{};
    bool gzip_ready = false;
    LZ4F_dctx* lz4 = nullptr;
    ZSTD_DCtx* zstd = nullptr;
    bool xerial_framed = false;
    Bytes snappy_block;    // unpacked
    ByteView snappy_rest;  // of it, not yet read
    bool ended = false;
};

Decompressor::Decompressor() : contexts_(std::make_unique<Contexts>()) {}
Decompressor::~Decompressor() = default;
Decompressor::Decompressor(Decompressor&&) noexcept = default;
Decompressor& Decompressor::operator=(Decompressor&&) noexcept = default;

Status Decompressor::begin(Compression codec, ByteView compressed, std::size_t limit_bytes) {
    codec_ = codec;
    rest_ = compressed;
    budget_ = limit_bytes;
    contexts_->ended = false;
    contexts_->forget_large();
    switch (codec) {
        case Compression::none:
            return done();
        case Compression::gzip:
            return contexts_->begin_gzip();
        case Compression::snappy:
            contexts_->begin_snappy(rest_);
            return done();
        case Compression::lz4:
            return contexts_->begin_lz4(rest_);
        case Compression::zstd:
            return contexts_->begin_zstd();
    }
    KQ_UNREACHABLE("codec");
}

Result<std::size_t> Decompressor::read(MutableBytes into) {
    std::size_t filled = 0;
    while (filled < into.size()) {
        KQ_LET(std::size_t count, read_some(into.subspan(filled)));
        if (count == 0) break;
        if (count > budget_) {
            return Error{Errc::message_too_large, "the batch unpacks to more than the limit"};
        }
        budget_ -= count;
        filled += count;
    }
    return filled;
}

// At least one byte, or 0 at the end of the stream.
Result<std::size_t> Decompressor::read_some(MutableBytes into) {
    if (contexts_->ended) return std::size_t{0};
    switch (codec_) {
        case Compression::none: {
            auto count = std::min(into.size(), rest_.size());
            std::copy_n(rest_.begin(), count, into.begin());
            rest_ = rest_.subspan(count);
            return count;
        }
        case Compression::gzip:
            return contexts_->read_gzip(rest_, into);
        case Compression::snappy:
            return contexts_->read_snappy(rest_, into, budget_);
        case Compression::lz4:
            return contexts_->read_lz4(rest_, into);
        case Compression::zstd:
            return contexts_->read_zstd(rest_, into);
    }
    KQ_UNREACHABLE("codec");
}

Result<Bytes> Decompressor::decompress(Compression codec, ByteView compressed,
                                       std::size_t limit_bytes) {
    constexpr std::size_t first_bytes = 4096;
    constexpr std::size_t usual_ratio = 4;
    KQ_TRY(begin(codec, compressed, limit_bytes));
    Bytes out;
    std::size_t size = 0;
    out.resize(std::max(compressed.size() * usual_ratio, first_bytes));
    while (true) {
        KQ_LET(std::size_t count, read(MutableBytes(out).subspan(size)));
        size += count;
        if (size < out.size()) break;
        grow_to(out, out.size() * 2);
    }
    out.resize(size);
    return out;
}

void Decompressor::Contexts::forget_large() {
    if (zstd != nullptr && ZSTD_sizeof_DCtx(zstd) > kept_bytes_max) {
        ZSTD_freeDCtx(zstd);
        zstd = nullptr;
    }
    snappy_rest = {};
    if (snappy_block.capacity() > kept_bytes_max) snappy_block = Bytes();
}

Status Decompressor::Contexts::begin_gzip() {
    constexpr int gzip_window_bits = 15 + 16;
    if (gzip_ready) {
        inflateReset(&gzip);
        return done();
    }
    gzip = z_stream{};
    if (inflateInit2(&gzip, gzip_window_bits) != Z_OK) {
        return Error{Errc::unknown_server_error, "gzip cannot start"};
    }
    gzip_ready = true;
    return done();
}

Result<std::size_t> Decompressor::Contexts::read_gzip(ByteView& stream, MutableBytes into) {
    gzip.next_out = into.data();
    gzip.avail_out = static_cast<uInt>(into.size());
    while (gzip.avail_out == into.size()) {
        gzip.next_in = const_cast<Bytef*>(stream.data());  // zlib reads it only
        gzip.avail_in = static_cast<uInt>(stream.size());
        int answer = inflate(&gzip, Z_NO_FLUSH);
        stream = stream.last(gzip.avail_in);
        if (answer == Z_STREAM_END) {
            // Another member may follow; whatever else does is ignored, as Java does.
            if (stream.size() >= 2 && stream[0] == 0x1f && stream[1] == 0x8b) {
                inflateReset(&gzip);
                continue;
            }
            ended = true;
            break;
        }
        if (answer == Z_BUF_ERROR) return corrupt(Compression::gzip, "it ends too early");
        if (answer != Z_OK) return corrupt(Compression::gzip, "it is damaged");
    }
    return into.size() - gzip.avail_out;
}

Status Decompressor::Contexts::begin_lz4(ByteView stream) {
    if (!is_kafka_lz4_frame(stream)) {
        return corrupt(Compression::lz4, "no frame of independent blocks");
    }
    if (lz4 == nullptr && LZ4F_isError(LZ4F_createDecompressionContext(&lz4, LZ4F_VERSION)) != 0) {
        return Error{Errc::unknown_server_error, "lz4 cannot start"};
    }
    LZ4F_resetDecompressionContext(lz4);
    return done();
}

Result<std::size_t> Decompressor::Contexts::read_lz4(ByteView& stream, MutableBytes into) {
    while (true) {
        std::size_t produced = into.size();
        std::size_t consumed = stream.size();
        auto answer =
            LZ4F_decompress(lz4, into.data(), &produced, stream.data(), &consumed, nullptr);
        if (LZ4F_isError(answer) != 0) {
            return corrupt(Compression::lz4, LZ4F_getErrorName(answer));
        }
        stream = stream.subspan(consumed);
        if (answer == 0) ended = true;  // bytes behind the frame are ignored, as Java does
        if (produced > 0 || ended) return produced;
        if (consumed == 0) return corrupt(Compression::lz4, "it ends too early");
    }
}

Status Decompressor::Contexts::begin_zstd() {
    if (zstd == nullptr) zstd = ZSTD_createDCtx();
    if (zstd == nullptr) return Error{Errc::unknown_server_error, "zstd cannot start"};
    ZSTD_DCtx_reset(zstd, ZSTD_reset_session_only);
    ZSTD_DCtx_setParameter(zstd, ZSTD_d_windowLogMax, zstd_window_log_max);
    return done();
}

Result<std::size_t> Decompressor::Contexts::read_zstd(ByteView& stream, MutableBytes into) {
    while (true) {
        ZSTD_inBuffer in{stream.data(), stream.size(), 0};
        ZSTD_outBuffer out{into.data(), into.size(), 0};
        auto answer = ZSTD_decompressStream(zstd, &out, &in);
        if (ZSTD_isError(answer) != 0) {
            return corrupt(Compression::zstd, ZSTD_getErrorName(answer));
        }
        stream = stream.subspan(in.pos);
        if (answer == 0 && stream.empty()) ended = true;  // else another frame must follow
        if (out.pos > 0 || ended) return out.pos;
        if (in.pos == 0) return corrupt(Compression::zstd, "it ends too early");
    }
}

void Decompressor::Contexts::begin_snappy(ByteView& stream) {
    xerial_framed = stream.size() >= Xerial::header.size() &&
                    std::memcmp(stream.data(), Xerial::header.data(), Xerial::magic_bytes) == 0;
    if (xerial_framed) stream = stream.subspan(Xerial::header.size());
}

// The next bare block, or nothing at the end.
Result<ByteView> Decompressor::Contexts::next_snappy_block(ByteView& stream) {
    if (!xerial_framed) return std::exchange(stream, ByteView());
    if (stream.size() < Xerial::length_bytes) {
        stream = {};  // less than a length is ignored, as Java does
        return ByteView();
    }
    auto size = load_be<std::int32_t>(stream.data());
    stream = stream.subspan(Xerial::length_bytes);
    if (size <= 0 || static_cast<std::size_t>(size) > stream.size()) {
        return corrupt(Compression::snappy, "a block has the wrong length");
    }
    auto block = stream.first(static_cast<std::size_t>(size));
    stream = stream.subspan(block.size());
    return block;
}

Result<std::size_t> Decompressor::Contexts::unpack_snappy(ByteView block, MutableBytes into,
                                                          std::size_t budget) {
    // Three bytes of a block make at most 64: a copy with an offset of two bytes.
    constexpr std::size_t ratio_max = 22;
    const auto* from = reinterpret_cast<const char*>(block.data());
    std::size_t size = 0;
    if (!snappy::GetUncompressedLength(from, block.size(), &size) ||
        size > block.size() * ratio_max) {
        return corrupt(Compression::snappy, "a block claims more than it can hold");
    }
    if (size > budget) {
        return Error{Errc::message_too_large, "the batch unpacks to more than the limit"};
    }
    bool direct = size <= into.size();
    if (!direct) {
        snappy_block.clear();
        grow_to(snappy_block, size);
    }
    auto* to = reinterpret_cast<char*>(direct ? into.data() : snappy_block.data());
    if (!snappy::RawUncompress(from, block.size(), to)) {
        return corrupt(Compression::snappy, "a block is damaged");
    }
    if (direct) return size;
    snappy_rest = snappy_block;
    return std::size_t{0};
}

Result<std::size_t> Decompressor::Contexts::read_snappy(ByteView& stream, MutableBytes into,
                                                        std::size_t budget) {
    while (snappy_rest.empty()) {
        KQ_LET(ByteView block, next_snappy_block(stream));
        if (block.empty()) {
            ended = true;
            return std::size_t{0};
        }
        KQ_LET(std::size_t direct, unpack_snappy(block, into, budget));
        if (direct > 0) return direct;
    }
    auto count = std::min(into.size(), snappy_rest.size());
    std::copy_n(snappy_rest.begin(), count, into.begin());
    snappy_rest = snappy_rest.subspan(count);
    return count;
}

}  // namespace kq
