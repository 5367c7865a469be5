// SPDX-License-Identifier: Apache-2.0
//
// PERFORMANCE 5: no allocation per record.
#include "tests/wire/allocations.hpp"

#include <catch2/catch.hpp>

#include "protocol/batch_builder.hpp"
#include "protocol/batch_validator.hpp"

using namespace kq;
using namespace kq::test;

namespace {

constexpr int records = 300;

Bytes large_batch(Compression codec) {
    Compressor compressor;
    BatchBuilder builder({.compression = codec});
    Bytes value(100, 'v');
    for (int i = 0; i < records; ++i)
        builder.append(wall_time(i), as_bytes("k"), ByteView(value));
    return builder.finish(&compressor).value();
}

constexpr Compression codecs[] = {Compression::none, Compression::gzip, Compression::snappy,
                                  Compression::lz4, Compression::zstd};

}  // namespace

TEST_CASE("the meter counts what is out at one time", "[wire]") {
    AllocationMeter meter;
    { Bytes first(1000); }
    Bytes second(300);
    CHECK(meter.peak_bytes() == 1000);
    CHECK(meter.count() == 2);
}

TEST_CASE("validating a batch allocates nothing, however many records it has", "[wire]") {
    BatchValidator validator;
    std::vector<RecordError> errors;
    for (auto codec : codecs) {
        auto batch = large_batch(codec);
        REQUIRE(validator.validate(batch, {}, wall_time(0), errors).ok());  // contexts are made
        AllocationMeter meter;
        bool ok = validator.validate(batch, {}, wall_time(0), errors).ok();
        auto count = meter.count();
        CAPTURE(name_of(codec));
        CHECK(ok);
        CHECK(count == 0);
    }
}

TEST_CASE("reading a batch allocates one window at most, however many records it has", "[wire]") {
    Decompressor decompressor;
    for (auto codec : codecs) {
        auto batch = large_batch(codec);
        auto header = BatchHeader::parse(batch).value();
        auto read = [&] {
            int seen = 0;
            auto status = for_each_record(header, batch, decompressor, std::size_t{1} << 20,
                                          [&](const RecordView&) {
                                              ++seen;
                                              return done();
                                          });
            return status.ok() ? seen : -1;
        };
        REQUIRE(read() == records);
        AllocationMeter meter;
        int seen = read();
        auto count = meter.count();
        CAPTURE(name_of(codec));
        CHECK(seen == records);
        CHECK(count <= 1);
    }
}

TEST_CASE("building a batch of known size allocates once", "[wire]") {
    Bytes value(100, 'v');
    BatchBuilder builder({.expected_bytes = 40000});
    AllocationMeter meter;
    for (int i = 0; i < records; ++i)
        builder.append(wall_time(i), as_bytes("k"), ByteView(value));
    auto batch = builder.finish();
    auto count = meter.count();
    CHECK(batch.ok());
    CHECK(count == 1);
}
