// SPDX-License-Identifier: Apache-2.0
#include "protocol/batch_validator.hpp"

#include <catch2/catch.hpp>

#include "protocol/batch_builder.hpp"
#include "tests/wire/golden.hpp"

using namespace kq;

namespace {

const auto now = wall_time(1700000000000);

Bytes batch_of(std::vector<std::int64_t> timestamps, Compression codec = Compression::none) {
    Compressor compressor;
    BatchBuilder builder({.compression = codec});
    for (auto timestamp : timestamps) {
        builder.append(wall_time(timestamp), as_bytes("key"), as_bytes("value"));
    }
    return builder.finish(&compressor).value();
}

struct Verdict {
    Result<ValidatedBatch> result;
    std::vector<RecordError> errors;
};
Verdict judge(ByteView batch, const BatchRules& rules = {}) {
    BatchValidator validator;
    std::vector<RecordError> errors;
    auto result = validator.validate(batch, rules, now, errors);
    return {std::move(result), std::move(errors)};
}

std::vector<std::int64_t> timestamps_in(ByteView batch) {
    Decompressor codecs;
    std::vector<std::int64_t> out;
    auto header = BatchHeader::parse(batch).value();
    auto read = for_each_record(header, batch, codecs, 1 << 20, [&](const RecordView& record) {
        out.push_back(to_ms(record.timestamp));
        return done();
    });
    REQUIRE(read.ok());
    return out;
}

constexpr Compression codecs[] = {Compression::none, Compression::gzip, Compression::snappy,
                                  Compression::lz4, Compression::zstd};

}  // namespace

TEST_CASE("a good batch is left as it is, and its largest timestamp is found", "[protocol]") {
    const std::int64_t t = to_ms(now);
    for (auto codec : codecs) {
        CAPTURE(name_of(codec));
        auto batch = batch_of({t, t + 9, t + 3, t + 9}, codec);
        auto verdict = judge(batch);
        REQUIRE(verdict.result.ok());
        const auto& validated = verdict.result.value();
        CHECK(validated.max_timestamp == wall_time(t + 9));
        CHECK(validated.max_timestamp_delta == 1);
        CHECK(!validated.restamp);
        CHECK(!validated.recompress);
        auto before = batch;
        BatchValidator validator;
        auto copy = validated;
        CHECK(validator.rewrite(batch, copy, {}).value().data() == batch.data());
        CHECK(batch == before);
    }
}

TEST_CASE("a batch is as large as the topic allows and not a byte larger", "[protocol]") {
    auto batch = batch_of({to_ms(now)});
    CHECK(judge(batch, {.max_message_bytes = batch.size()}).result.ok());
    CHECK(judge(batch, {.max_message_bytes = batch.size() - 1}).result.code() ==
          Errc::message_too_large);
}

TEST_CASE("what a batch unpacks to is bounded", "[protocol]") {
    Compressor compressor;
    Bytes zeros(3'000'000, 0);
    for (auto codec : codecs) {
        if (codec == Compression::none) continue;
        CAPTURE(name_of(codec));
        BatchBuilder builder({.compression = codec});
        builder.append(now, std::nullopt, ByteView(zeros));
        auto batch = builder.finish(&compressor).value();
        BatchRules rules{.unpacked_bytes_max = 2'000'000};
        CHECK(judge(batch, rules).result.code() == Errc::message_too_large);
        rules.unpacked_bytes_max = 4'000'000;
        CHECK(judge(batch, rules).result.ok());
        // A topic with a larger max.message.bytes takes as much as that.
        CHECK(judge(batch, {.max_message_bytes = 4'000'000, .unpacked_bytes_max = 1}).result.ok());
    }
}

TEST_CASE("timestamps outside the window are refused, one record at a time", "[protocol]") {
    const std::int64_t t = to_ms(now);
    BatchRules rules{.timestamp_before_max = Millis(10), .timestamp_after_max = Millis(20)};
    CHECK(judge(batch_of({t - 10, t + 20}), rules).result.ok());
    auto refused = judge(batch_of({t - 11, t, t + 21}), rules);
    CHECK(refused.result.code() == Errc::invalid_timestamp);
    REQUIRE(refused.errors.size() == 2);
    CHECK(refused.errors[0].batch_index == 0);
    CHECK(refused.errors[1].batch_index == 2);
    // A record without a timestamp is always in time, and the topic's own time knows no window.
    CHECK(judge(batch_of({-1}), rules).result.ok());
    rules.timestamp_type = TimestampType::log_append_time;
    CHECK(judge(batch_of({0, t * 2}), rules).result.ok());
    // The ends of time do not overflow.
    rules = {.timestamp_before_max = Millis(std::numeric_limits<std::int64_t>::max()),
             .timestamp_after_max = Millis(std::numeric_limits<std::int64_t>::max())};
    CHECK(judge(batch_of({t, 0}), rules).result.ok());
}

TEST_CASE("a compacted topic takes no record without a key", "[protocol]") {
    BatchBuilder builder(BatchOptions{});
    builder.append(now, as_bytes("k"), as_bytes("v"));
    builder.append(now, std::nullopt, as_bytes("v"));
    builder.append(now, as_bytes(""), std::nullopt);
    auto batch = builder.finish().value();
    CHECK(judge(batch).result.ok());
    auto refused = judge(batch, {.compacted = true});
    CHECK(refused.result.code() == Errc::invalid_record);
    REQUIRE(refused.errors.size() == 1);
    CHECK(refused.errors[0].batch_index == 1);
}

TEST_CASE("zstd needs version 7 of Produce", "[protocol]") {
    auto batch = batch_of({to_ms(now)}, Compression::zstd);
    CHECK(judge(batch, {.produce_version = 7}).result.ok());
    CHECK(judge(batch, {.produce_version = 6}).result.code() == Errc::unsupported_compression_type);
    CHECK(judge(batch_of({to_ms(now)}, Compression::lz4), {.produce_version = 3}).result.ok());
}

TEST_CASE("LogAppendTime stamps the batch in place and seals it anew", "[protocol]") {
    for (auto codec : codecs) {
        CAPTURE(name_of(codec));
        auto batch = batch_of({5, 7, 6}, codec);
        BatchRules rules{.timestamp_type = TimestampType::log_append_time};
        auto validated = judge(batch, rules).result.value();
        CHECK(validated.restamp);
        CHECK(validated.max_timestamp == now);
        BatchValidator validator;
        auto out = validator.rewrite(batch, validated, rules).value();
        CHECK(out.data() == batch.data());
        CHECK(check_crc(out).ok());
        CHECK(validated.header.timestamp_type() == TimestampType::log_append_time);
        CHECK(timestamps_in(out) == std::vector<std::int64_t>(3, to_ms(now)));
    }
}

TEST_CASE("a wrong largest timestamp and a type set by the client are mended", "[protocol]") {
    auto batch = batch_of({5, 7, 6});
    store_be(batch.data() + BatchAt::max_timestamp, std::int64_t{6});
    store_be(batch.data() + BatchAt::attributes, BatchBit::log_append_time);
    seal(batch);
    auto validated = judge(batch).result.value();
    CHECK(validated.max_timestamp == wall_time(7));
    CHECK(validated.max_timestamp_delta == 1);
    REQUIRE(validated.restamp);
    BatchValidator validator;
    auto out = validator.rewrite(batch, validated, {}).value();
    CHECK(check_crc(out).ok());
    CHECK(timestamps_in(out) == std::vector<std::int64_t>{5, 7, 6});
    CHECK(validated.header.max_timestamp == wall_time(7));
}

TEST_CASE("a topic with a codec of its own gets its batches in it", "[protocol]") {
    for (auto from : codecs) {
        for (auto to : codecs) {
            CAPTURE(name_of(from), name_of(to));
            auto batch = batch_of({5, 7, 6}, from);
            BatchRules rules{.compression = to};
            auto validated = judge(batch, rules).result.value();
            CHECK(validated.recompress == (from != to));
            BatchValidator validator;
            auto out = validator.rewrite(batch, validated, rules).value();
            CHECK(check_crc(out).ok());
            CHECK(BatchHeader::parse(out).value().compression().value() == to);
            CHECK(BatchHeader::parse(out).value().size_bytes == out.size());
            CHECK(validated.header.size_bytes == out.size());
            CHECK(timestamps_in(out) == std::vector<std::int64_t>{5, 7, 6});
        }
    }
    // What grows past the limit of the topic is refused, as Kafka does.
    Compressor compressor;
    BatchBuilder builder({.compression = Compression::zstd});
    Bytes zeros(50000, 0);
    builder.append(now, std::nullopt, ByteView(zeros));
    auto batch = builder.finish(&compressor).value();
    BatchRules rules{.max_message_bytes = 1000, .compression = Compression::none};
    auto validated = judge(batch, rules).result.value();
    BatchValidator validator;
    CHECK(validator.rewrite(batch, validated, rules).code() == Errc::message_too_large);
}

TEST_CASE("a validator can be used again after a refusal", "[protocol]") {
    BatchValidator validator;
    std::vector<RecordError> errors;
    for (auto codec : codecs) {
        auto good = batch_of({5, 7, 6}, codec);
        auto bad = good;
        bad.back() = static_cast<std::uint8_t>(bad.back() ^ 0x55);
        seal(bad);
        (void)validator.validate(bad, {}, now, errors);
        CHECK(validator.validate(good, {}, now, errors).ok());
    }
}
