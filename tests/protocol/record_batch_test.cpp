// SPDX-License-Identifier: Apache-2.0
#include "protocol/record_batch.hpp"

#include <catch2/catch.hpp>

#include "protocol/batch_builder.hpp"
#include "tests/wire/golden.hpp"

using namespace kq;

namespace {

constexpr std::size_t mib = std::size_t{1} << 20;

Bytes small_batch(BatchOptions options = {}) {
    Compressor compressor;
    BatchBuilder builder(options);
    builder.append(wall_time(1700000000000), as_bytes("k1"), as_bytes("v1"));
    RecordHeaderView header{as_bytes("h"), as_bytes("x")};
    builder.append(wall_time(1700000000005), std::nullopt, as_bytes("hello"),
                   std::span(&header, 1));
    return builder.finish(&compressor).value();
}

}  // namespace

TEST_CASE("a batch is built as the protocol guide's vector says", "[protocol]") {
    CHECK(
        to_hex(small_batch()) ==
        "00000000000000000000004cffffffff0232deae190000000000010000018bcfe568000000018bcfe56805ff"
        "ffffffffffffffffffffffffff0000000214000000046b31047631001e000a02010a68656c6c6f0202680278");
    // The commit marker of producer 1000 at offset 42.
    auto marker = make_end_transaction_marker(true, 7, wall_time(1700000000000), Offset(42),
                                              Epoch(3), ProducerId(1000), ProducerEpoch(0));
    CHECK(to_hex(marker) ==
          "000000000000002a000000420000000302dbc180da0030000000000000018bcfe568000000018bcfe5680000"
          "000000000003e80000ffffffff0000000120000000080000"
          "00010c00000000000700");
}

TEST_CASE("an empty batch takes offsets and holds nothing", "[protocol]") {
    // docs/formats.md, "Segments"; computed by hand.
    auto batch = make_empty_batch(Offset(1), Offset(11), Epoch(0));
    CHECK(to_hex(batch) ==
          "00000000000000010000003100000000027065435500000000000affffff"
          "ffffffffffffffffffffffffffffffffffffffffffffffffffffff00000000");
    CHECK(check_crc(batch).ok());
    auto header = BatchHeader::parse(batch).value();
    CHECK(header.next_offset() == Offset(12));
    RecordReader reader(header, ByteView(batch).subspan(BatchAt::records));
    RecordView record;
    CHECK_FALSE(reader.next(record).value());
}

TEST_CASE("offset and epoch are assigned in place, outside the checksum", "[protocol]") {
    auto batch = small_batch();
    assign(batch, Offset(1000), Epoch(9));
    CHECK(check_crc(batch).ok());
    auto header = BatchHeader::parse(batch).value();
    CHECK(header.base_offset == Offset(1000));
    CHECK(header.last_offset() == Offset(1001));
    CHECK(header.leader_epoch == Epoch(9));
    batch[BatchAt::attributes] = 1;
    CHECK(check_crc(batch).code() == Errc::corrupt_message);
    seal(batch);
    CHECK(check_crc(batch).ok());
}

TEST_CASE("sequences wrap from the largest number to 0", "[protocol]") {
    constexpr auto max = std::numeric_limits<std::int32_t>::max();
    CHECK(sequence_after(Sequence(0), 5) == Sequence(5));
    CHECK(sequence_after(Sequence(max), 0) == Sequence(max));
    CHECK(sequence_after(Sequence(max), 1) == Sequence(0));
    CHECK(sequence_after(Sequence(max - 2), 5) == Sequence(2));
}

TEST_CASE("the size of a batch is known from its first twelve bytes", "[protocol]") {
    auto batch = small_batch();
    CHECK(batch_size_bytes(ByteView(batch).first(12)).value() == batch.size());
    CHECK(batch_size_bytes(ByteView(batch).first(11)).code() == Errc::corrupt_message);
    CHECK(BatchHeader::parse(ByteView(batch).first(60)).code() == Errc::corrupt_message);
    CHECK(BatchHeader::parse(ByteView(batch).first(61)).value().size_bytes == batch.size());
    store_be(batch.data() + BatchAt::length, 48);
    CHECK(batch_size_bytes(batch).code() == Errc::corrupt_message);
    store_be(batch.data() + BatchAt::length, -1);
    CHECK(batch_size_bytes(batch).code() == Errc::corrupt_message);
}

TEST_CASE("a header whose offsets would overflow is corrupt", "[protocol]") {
    auto batch = small_batch();
    assign(batch, Offset(std::numeric_limits<std::int64_t>::max() - 1), Epoch(0));
    CHECK(BatchHeader::parse(batch).code() == Errc::corrupt_message);
    assign(batch, Offset(-1), Epoch(0));
    CHECK(BatchHeader::parse(batch).code() == Errc::corrupt_message);
    assign(batch, Offset(0), Epoch(0));
    store_be(batch.data() + BatchAt::last_offset_delta, -1);
    CHECK(BatchHeader::parse(batch).code() == Errc::corrupt_message);
}

TEST_CASE("a record whose offset lies outside of its batch is invalid", "[protocol]") {
    // Its offset would overflow, or lie before the batch: a fuzzer found the first.
    Decompressor decompressor;
    auto batch = small_batch();
    constexpr std::size_t first_delta_at = BatchAt::records + 3;
    for (std::uint8_t zigzag_delta : {std::uint8_t{1}, std::uint8_t{4}}) {  // -1, 2
        batch[first_delta_at] = zigzag_delta;
        auto header = BatchHeader::parse(batch).value();
        auto ignore = [](const RecordView&) { return done(); };
        CHECK(for_each_record(header, batch, decompressor, mib, ignore).code() ==
              Errc::invalid_record);
    }
}

TEST_CASE("a record larger than the window is read whole", "[protocol]") {
    for (auto codec : {Compression::none, Compression::gzip, Compression::snappy, Compression::lz4,
                       Compression::zstd}) {
        CAPTURE(name_of(codec));
        Compressor compressor;
        Decompressor decompressor;
        BatchBuilder builder({.compression = codec});
        Bytes large(300000, 'x');
        builder.append(wall_time(5), as_bytes("a"), as_bytes("before"));
        builder.append(wall_time(6), as_bytes("b"), ByteView(large));
        builder.append(wall_time(4), as_bytes("c"), std::nullopt);
        auto batch = builder.finish(&compressor).value();
        auto header = BatchHeader::parse(batch).value();
        CHECK(header.max_timestamp == wall_time(6));
        std::vector<std::size_t> sizes;
        auto read =
            for_each_record(header, batch, decompressor, mib, [&](const RecordView& record) {
                sizes.push_back(record.value.has_value() ? record.value->size() : 0);
                return done();
            });
        CHECK(read.ok());
        CHECK(sizes == std::vector<std::size_t>{6, 300000, 0});
        auto cut_short = for_each_record(header, batch, decompressor, 1000,
                                         [](const RecordView&) { return done(); });
        CHECK(cut_short.code() ==
              (codec == Compression::none ? Errc::none : Errc::message_too_large));
    }
}

TEST_CASE("a visitor's error ends the walk and comes back", "[protocol]") {
    Decompressor decompressor;
    auto batch = small_batch();
    int seen = 0;
    auto read = for_each_record(BatchHeader::parse(batch).value(), batch, decompressor, mib,
                                [&](const RecordView&) -> Status {
                                    ++seen;
                                    return Error{Errc::cancelled};
                                });
    CHECK(read.code() == Errc::cancelled);
    CHECK(seen == 1);
}

TEST_CASE("a builder knows its size before it closes", "[protocol]") {
    BatchBuilder builder(BatchOptions{});
    CHECK(builder.size_bytes() == batch_header_bytes);
    auto bound = builder.size_bytes_with(as_bytes("key"), as_bytes("value"));
    builder.append(wall_time(1), as_bytes("key"), as_bytes("value"));
    CHECK(builder.size_bytes() <= bound);
    CHECK(bound <= builder.size_bytes() + 12);
    auto size = builder.size_bytes();
    builder.set_producer(ProducerId(7), ProducerEpoch(1), Sequence(40));
    auto batch = builder.finish().value();
    CHECK(batch.size() == size);
    auto header = BatchHeader::parse(batch).value();
    CHECK(header.producer_id == ProducerId(7));
    CHECK(header.base_sequence == Sequence(40));
    // It can be used again.
    CHECK(builder.empty());
    builder.append(wall_time(9), std::nullopt, std::nullopt);
    CHECK(BatchHeader::parse(builder.finish().value()).value().base_timestamp == wall_time(9));
}

TEST_CASE("a control record tells its type", "[protocol]") {
    Bytes value{0, 0, 0, 0, 0, 1};
    auto batch = make_control_batch(ControlType::snapshot_footer, value, wall_time(1), {});
    auto header = BatchHeader::parse(batch).value();
    CHECK(header.is_control());
    CHECK(!header.is_transactional());
    RecordReader reader(header, ByteView(batch).subspan(BatchAt::records));
    RecordView record;
    REQUIRE(reader.next(record).value());
    CHECK(control_type(record).value() == ControlType::snapshot_footer);
    CHECK(!reader.next(record).value());
    record.key = std::nullopt;
    CHECK(control_type(record).code() == Errc::invalid_record);
}
