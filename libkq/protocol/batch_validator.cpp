// SPDX-License-Identifier: Apache-2.0
#include "protocol/batch_validator.hpp"

#include <algorithm>
#include <limits>

#include "protocol/record_walk.hpp"

namespace kq {
namespace {

constexpr std::size_t record_errors_max = 100;
constexpr std::size_t window_bytes = std::size_t{64} * 1024;

Error invalid(std::string why) {
    return {Errc::invalid_record, std::move(why)};
}

// That the bytes are one batch of magic 2 and nothing else. Of older message sets only the magic is
// looked at; it stands where ours stands.
Status check_only_batch(ByteView batch) {
    constexpr std::int32_t oldest_length_min = 14;  // of a message of magic 0
    if (batch.size() <= BatchAt::magic) return invalid("not exactly one batch");
    auto length = load_be<std::int32_t>(batch.data() + BatchAt::length);
    if (length < oldest_length_min) {
        return Error{Errc::corrupt_message, "a batch is shorter than its header"};
    }
    if (load_be<std::int8_t>(batch.data() + BatchAt::magic) != batch_magic) {
        return invalid("a batch has a magic other than 2");
    }
    KQ_LET(auto size, batch_size_bytes(batch));
    if (size > batch.size()) return invalid("not exactly one batch");
    if (size < batch.size()) {
        KQ_TRY(check_crc(batch.first(size)));
        return invalid("not exactly one batch");
    }
    return done();
}

// The header of a batch whose crc is right, so that what is wrong in it was meant.
Result<BatchHeader> parse_sound(ByteView batch) {
    auto header = BatchHeader::parse(batch);
    if (!header.ok()) return invalid(header.error().message);
    return header;
}

Status check_header(const BatchHeader& header) {
    if (header.base_offset != Offset(0)) return invalid("the base offset of a new batch is not 0");
    if (header.record_count <= 0) return invalid("a new batch holds no records");
    if (header.last_offset_delta != header.record_count - 1) {
        return invalid("the last offset of a batch does not fit its number of records");
    }
    if (header.is_control()) return invalid("a client may not write control batches");
    if (header.has_producer() &&
        (header.producer_epoch.value < 0 || header.base_sequence.value < 0)) {
        return invalid("a batch with a producer id has no epoch or no sequence");
    }
    if (header.is_transactional() && !header.has_producer()) {
        return invalid("a transactional batch has no producer id");
    }
    return done();
}

// The earliest and the latest timestamp that a record may have.
struct TimestampWindow {
    std::int64_t from = std::numeric_limits<std::int64_t>::min();
    std::int64_t to = std::numeric_limits<std::int64_t>::max();

    TimestampWindow(const BatchRules& rules, WallTime now) {
        if (rules.timestamp_type == TimestampType::log_append_time) return;
        std::int64_t out;
        if (rules.timestamp_before_max.has_value() &&
            !__builtin_sub_overflow(to_ms(now), rules.timestamp_before_max->count(), &out)) {
            from = out;
        }
        if (rules.timestamp_after_max.has_value() &&
            !__builtin_add_overflow(to_ms(now), rules.timestamp_after_max->count(), &out)) {
            to = out;
        }
    }
    bool holds(std::int64_t timestamp) const {
        return timestamp == to_ms(no_timestamp) || (from <= timestamp && timestamp <= to);
    }
};

std::string timestamp_text(const TimestampWindow& window, std::int64_t timestamp,
                           std::int32_t index) {
    return "timestamp " + std::to_string(timestamp) + " of the record at " + std::to_string(index) +
           " is outside [" + std::to_string(window.from) + ", " + std::to_string(window.to) + "]";
}

// What the records of a batch say together.
struct Walked {
    std::int64_t max_timestamp = to_ms(no_timestamp);
    std::int32_t max_timestamp_delta = 0;
    bool timestamps_refused = false;
};

Result<Walked> walk_records(const BatchHeader& header, RecordWalk walk, const BatchRules& rules,
                            WallTime now, std::vector<RecordError>& record_errors) {
    const TimestampWindow window(rules, now);
    auto refuse = [&](std::int32_t index, std::string why) {
        if (record_errors.size() < record_errors_max) {
            record_errors.push_back({index, std::move(why)});
        }
    };
    Walked out;
    RecordShape record;
    for (std::int32_t i = 0; i < header.record_count; ++i) {
        if (!walk.next(record)) {
            auto error = walk.status().error();
            return Error{error.code, "record " + std::to_string(i) + ": " + error.message};
        }
        if (record.offset_delta != i) {
            return invalid("record " + std::to_string(i) + " has offset delta " +
                           std::to_string(record.offset_delta));
        }
        if (rules.compacted && !record.has_key) {
            refuse(i, "a compacted topic takes no record without a key");
        }
        auto timestamp =
            static_cast<std::int64_t>(static_cast<std::uint64_t>(to_ms(header.base_timestamp)) +
                                      static_cast<std::uint64_t>(record.timestamp_delta));
        if (!window.holds(timestamp)) {
            refuse(i, timestamp_text(window, timestamp, i));
            out.timestamps_refused = true;
        }
        if (timestamp > out.max_timestamp) {
            out.max_timestamp = timestamp;
            out.max_timestamp_delta = i;
        }
    }
    KQ_TRY(walk.finish());
    return out;
}

}  // namespace

Result<ValidatedBatch> BatchValidator::validate(ByteView batch, const BatchRules& rules,
                                                WallTime now,
                                                std::vector<RecordError>& record_errors) {
    record_errors.clear();
    KQ_TRY(check_only_batch(batch));
    auto attributes = load_be<std::int16_t>(batch.data() + BatchAt::attributes);
    auto codec = compression_from_wire(attributes & BatchBit::compression);
    if (codec.ok() && codec.value() == Compression::zstd && rules.produce_version < 7) {
        return Error{Errc::unsupported_compression_type, "zstd needs Produce version 7"};
    }
    if (batch.size() > rules.max_message_bytes) {
        return Error{Errc::message_too_large, "a batch of " + std::to_string(batch.size()) +
                                                  " bytes; max.message.bytes is " +
                                                  std::to_string(rules.max_message_bytes)};
    }
    KQ_TRY(check_crc(batch));
    KQ_LET(auto header, parse_sound(batch));
    KQ_TRY(check_header(header));
    if (!codec.ok()) return Error{Errc::corrupt_message, codec.error().message};

    ByteView records = batch.subspan(BatchAt::records);
    RecordWalk walk(records);
    if (codec.value() != Compression::none) {
        KQ_TRY(decompressor_.begin(codec.value(), records,
                                   std::max(rules.unpacked_bytes_max, rules.max_message_bytes)));
        window_.resize(window_bytes);
        walk = RecordWalk(decompressor_, window_);
    }
    KQ_LET(auto walked, walk_records(header, walk, rules, now, record_errors));
    if (walked.timestamps_refused) {
        return Error{Errc::invalid_timestamp, "records have timestamps that the topic refuses"};
    }
    if (!record_errors.empty()) return invalid("records have no key");

    ValidatedBatch out;
    out.header = header;
    out.timestamp_type = rules.timestamp_type;
    out.compression = rules.compression.value_or(codec.value());
    out.recompress = out.compression != codec.value();
    if (rules.timestamp_type == TimestampType::log_append_time) {
        out.max_timestamp = now;
    } else {
        out.max_timestamp = wall_time(walked.max_timestamp);
        out.max_timestamp_delta = walked.max_timestamp_delta;
    }
    out.restamp =
        header.timestamp_type() != out.timestamp_type || header.max_timestamp != out.max_timestamp;
    return out;
}

Result<MutableBytes> BatchValidator::rewrite(MutableBytes batch, ValidatedBatch& validated,
                                             const BatchRules& rules) {
    if (validated.recompress) {
        Bytes unpacked;
        auto limit = std::max(rules.unpacked_bytes_max, rules.max_message_bytes);
        KQ_LET(ByteView plain,
               plain_records(validated.header, batch, decompressor_, unpacked, limit));
        rewritten_.assign(batch.begin(), batch.begin() + batch_header_bytes);
        auto level = rules.compression_level.value_or(default_level(validated.compression));
        KQ_TRY(compressor_.compress(validated.compression, level, plain, rewritten_));
        if (rewritten_.size() > rules.max_message_bytes) {
            return Error{Errc::message_too_large,
                         "recompressed, a batch is larger than max.message.bytes"};
        }
        store_be(rewritten_.data() + BatchAt::length,
                 static_cast<std::int32_t>(rewritten_.size() - batch_prefix_bytes));
        batch = rewritten_;
    }
    if (!validated.recompress && !validated.restamp) return batch;

    int attributes = validated.header.attributes;
    attributes &= ~(BatchBit::compression | BatchBit::log_append_time);
    attributes |= static_cast<int>(validated.compression);
    if (validated.timestamp_type == TimestampType::log_append_time) {
        attributes |= BatchBit::log_append_time;
    }
    store_be(batch.data() + BatchAt::attributes, static_cast<std::int16_t>(attributes));
    store_be(batch.data() + BatchAt::max_timestamp, to_ms(validated.max_timestamp));
    seal(batch);
    KQ_LET(validated.header, BatchHeader::parse(batch));
    validated.recompress = validated.restamp = false;
    return batch;
}

}  // namespace kq
