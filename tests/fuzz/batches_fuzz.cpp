// SPDX-License-Identifier: Apache-2.0
//
// Record batches and compressed streams: what a leader takes, a consumer can read, as it came and
// rewritten.
//
// input    one byte: bits 0-2 the codec that a topic asks for (5-7: producer), bit 3 LogAppendTime,
//          bit 4 compacted, bit 7: the rest is not a batch but a stream of the codec in bits 0-2;
//          then the bytes. The checksum is mended first, or nearly nothing would get past it.
#include <cstdlib>

#include "protocol/batch_validator.hpp"

using namespace kq;

namespace {

constexpr std::size_t limit = std::size_t{4} << 20;

void require(bool what) {
    if (!what) std::abort();
}

// How many records there are, or -1 where they cannot be read.
std::int64_t count_records(ByteView batch, Decompressor& codecs) {
    auto header = BatchHeader::parse(batch);
    if (!header.ok() || header.value().size_bytes != batch.size()) return -1;
    std::int64_t count = 0;
    auto read = for_each_record(header.value(), batch, codecs, limit, [&](const RecordView& r) {
        ByteView rest = r.header_bytes;
        for (std::int32_t i = 0; i < r.header_count; ++i)
            RecordView::next_header(rest);
        ++count;
        return done();
    });
    return read.ok() ? count : -1;
}

void run_batch(std::uint8_t choice, Bytes batch) {
    BatchRules rules{.max_message_bytes = limit, .unpacked_bytes_max = limit};
    rules.timestamp_after_max = std::nullopt;
    rules.compacted = (choice & 0x10) != 0;
    if ((choice & 0x08) != 0) rules.timestamp_type = TimestampType::log_append_time;
    auto codec = compression_from_wire(choice & 0x07);
    if (codec.ok()) rules.compression = codec.value();
    if (batch.size() >= batch_header_bytes) seal(batch);

    BatchValidator validator;
    Decompressor codecs;
    std::vector<RecordError> errors;
    auto verdict = validator.validate(batch, rules, wall_time(1700000000000), errors);
    auto count = count_records(batch, codecs);
    if (!verdict.ok()) return;
    require(count == verdict.value().header.record_count);
    auto validated = verdict.value();
    auto rewritten = validator.rewrite(batch, validated, rules);
    if (!rewritten.ok()) return;  // too large for the topic
    require(check_crc(rewritten.value()).ok());
    require(count_records(rewritten.value(), codecs) == count);
    require(!validated.recompress && !validated.restamp);
}

// The same bytes come out whatever the window.
void run_stream(Compression codec, ByteView stream) {
    Decompressor codecs;
    auto whole = codecs.decompress(codec, stream, limit);
    if (!codecs.begin(codec, stream, limit).ok()) return require(!whole.ok());
    Bytes window(97);
    std::size_t at = 0;
    while (true) {
        auto count = codecs.read(window);
        if (!count.ok()) return require(!whole.ok());
        if (whole.ok()) {
            require(at + count.value() <= whole.value().size());
            require(std::memcmp(whole.value().data() + at, window.data(), count.value()) == 0);
        }
        at += count.value();
        if (count.value() < window.size()) break;
    }
    require(whole.ok() && at == whole.value().size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    ByteView rest(data + 1, size - 1);
    if ((data[0] & 0x80) == 0) {
        run_batch(data[0], to_bytes(rest));
    } else if (auto codec = compression_from_wire(data[0] & 0x07); codec.ok()) {
        run_stream(codec.value(), rest);
    }
    return 0;
}
