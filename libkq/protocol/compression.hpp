// SPDX-License-Identifier: Apache-2.0
//
// Compression of record batches: gzip, snappy, lz4 and zstd, both ways. A Compressor and a
// Decompressor keep the contexts of the libraries, so that each loop makes them once.
//
// shape    gzip    RFC 1952
//          snappy  written in xerial's framing (32 KiB blocks); read in that, or as one bare block
//          lz4     frame format 1.5.1 with independent blocks: linked ones are refused, for Java
//                  consumers cannot read them
//          zstd    frames; windows above 128 MiB are refused
// owner    one loop or thread
// errors   corrupt_message    the stream is not what its codec says, or ends too early
//          message_too_large  it unpacks to more than the limit
//          unsupported_compression_type  no codec has this number
// source   Kafka protocol guide, "Record Batch"; the formats' own specifications
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace kq {

enum class Compression : std::int8_t { none = 0, gzip = 1, snappy = 2, lz4 = 3, zstd = 4 };

std::string_view name_of(Compression codec);  // "none", "gzip", ...
Result<Compression> compression_from_name(std::string_view name);
Result<Compression> compression_from_wire(int number);

// What is used where nobody asked for a level. Kafka's defaults.
int default_level(Compression codec);
// Whether `level` may be asked for: gzip 1-9 and -1, lz4 1-17, zstd -131072-22, others none.
bool is_valid_level(Compression codec, int level);

class Compressor {
public:
    Compressor();
    ~Compressor();
    Compressor(Compressor&&) noexcept;
    Compressor& operator=(Compressor&&) noexcept;

    // Appends the compressed form of `plain`, one stream, to `out`.
    Status compress(Compression codec, int level, ByteView plain, Bytes& out);

private:
    struct Contexts;
    std::unique_ptr<Contexts> contexts_;
};

// Unpacks one stream after the other, through whatever window the caller reads into. Memory does
// not follow the sizes that a stream claims: a codec's own window aside (gzip 32 KiB, lz4 4 MiB,
// zstd as its frame says), only a bare snappy block is unpacked at once, and its claim is refused
// where its bytes cannot hold that much.
class Decompressor {
public:
    Decompressor();
    ~Decompressor();
    Decompressor(Decompressor&&) noexcept;
    Decompressor& operator=(Decompressor&&) noexcept;

    // Starts on `compressed`, which stays as it is until the last read(). After `limit_bytes` of
    // output read() answers message_too_large.
    Status begin(Compression codec, ByteView compressed, std::size_t limit_bytes);
    // Fills `into` from the front; fewer bytes than it holds only at the end of the stream.
    // Requires: begin() went well, and no read() failed since.
    Result<std::size_t> read(MutableBytes into);

    // The whole stream at once. Grows with what comes out, never by what is claimed.
    Result<Bytes> decompress(Compression codec, ByteView compressed, std::size_t limit_bytes);

private:
    struct Contexts;
    Result<std::size_t> read_some(MutableBytes into);

    std::unique_ptr<Contexts> contexts_;
    Compression codec_ = Compression::none;
    ByteView rest_;  // of the stream
    std::size_t budget_ = 0;
};

}  // namespace kq
