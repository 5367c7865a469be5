// SPDX-License-Identifier: Apache-2.0
//
// Record batches that Java wrote: read, compared record by record, built again; and those that a
// broker must refuse.
#include <catch2/catch.hpp>

#include "protocol/batch_builder.hpp"
#include "protocol/batch_validator.hpp"
#include "protocol/crc32c.hpp"
#include "protocol/printer.hpp"
#include "protocol/record_batch.hpp"
#include "tests/wire/golden.hpp"
#include "tests/wire/json.hpp"

using namespace kq;
using namespace kq::test;

namespace {

constexpr std::size_t limit = std::size_t{64} << 20;

std::string text(std::string_view value) {
    std::string out;
    wire::append_json_text(out, value);
    return out;
}

// As in the golden files: base64, but length and checksum of what is longer than 64 bytes.
std::string bytes_json(std::optional<ByteView> bytes) {
    if (!bytes.has_value()) return "null";
    if (bytes->size() > 64) {
        return "{\"length\":" + std::to_string(bytes->size()) +
               ",\"crc32c\":" + std::to_string(crc32c(*bytes)) + "}";
    }
    std::string out = "\"";
    wire::append_base64(out, *bytes);
    return out + '"';
}

const char* control_name(ControlType type) {
    static constexpr const char* names[] = {"ABORT",           "COMMIT",          "LEADER_CHANGE",
                                            "SNAPSHOT_HEADER", "SNAPSHOT_FOOTER", "KRAFT_VERSION",
                                            "KRAFT_VOTERS"};
    return names[static_cast<std::size_t>(type)];
}

std::string record_json(const BatchHeader& header, const RecordView& record) {
    auto sequence = header.base_sequence.value < 0
                        ? header.base_sequence
                        : sequence_after(header.base_sequence, record.offset_delta);
    std::string out = "{\"offset\":" + std::to_string(record.offset.value) +
                      ",\"timestamp\":" + std::to_string(to_ms(record.timestamp)) +
                      ",\"sequence\":" + std::to_string(sequence.value) +
                      ",\"sizeInBytes\":" + std::to_string(record.size_bytes) +
                      ",\"key\":" + bytes_json(record.key) +
                      ",\"value\":" + bytes_json(record.value) + ",\"headers\":[";
    ByteView rest = record.header_bytes;
    for (std::int32_t i = 0; i < record.header_count; ++i) {
        auto one = RecordView::next_header(rest);
        if (i > 0) out += ',';
        out += "{\"key\":" + text(as_text(one.key)) + ",\"value\":" + bytes_json(one.value) + "}";
    }
    CHECK(rest.empty());
    out += ']';
    if (header.is_control()) {
        out += ",\"controlType\":" + text(control_name(control_type(record).value()));
    }
    return out + '}';
}

std::string header_json(const BatchHeader& header) {
    auto flag = [](bool value) { return std::string(value ? "true" : "false"); };
    bool append_time = header.timestamp_type() == TimestampType::log_append_time;
    std::string out =
        "\"baseOffset\":" + std::to_string(header.base_offset.value) +
        ",\"lastOffset\":" + std::to_string(header.last_offset().value) +
        ",\"sizeInBytes\":" + std::to_string(header.size_bytes) +
        ",\"magic\":2,\"partitionLeaderEpoch\":" + std::to_string(header.leader_epoch.value) +
        ",\"crc\":" + std::to_string(header.crc) +
        ",\"baseTimestamp\":" + std::to_string(to_ms(header.base_timestamp)) +
        ",\"maxTimestamp\":" + std::to_string(to_ms(header.max_timestamp)) +
        ",\"timestampType\":" + text(append_time ? "LogAppendTime" : "CreateTime") +
        ",\"compression\":" + text(name_of(header.compression().value())) +
        ",\"producerId\":" + std::to_string(header.producer_id.value) +
        ",\"producerEpoch\":" + std::to_string(header.producer_epoch.value) +
        ",\"baseSequence\":" + std::to_string(header.base_sequence.value) +
        ",\"lastSequence\":" + std::to_string(header.last_sequence().value) +
        ",\"isTransactional\":" + flag(header.is_transactional()) +
        ",\"isControlBatch\":" + flag(header.is_control());
    if (header.delete_horizon().has_value()) {
        out += ",\"deleteHorizonMs\":" + std::to_string(to_ms(*header.delete_horizon()));
    }
    return out + ",\"recordCount\":" + std::to_string(header.record_count);
}

// Both ways to read the records: all unpacked at once, and through a window.
std::string batch_json(ByteView batch, Decompressor& codecs) {
    auto header = BatchHeader::parse(batch).value();
    CHECK(check_crc(batch).ok());
    std::string records;
    auto add = [&](const RecordView& record) {
        if (!records.empty()) records += ',';
        records += record_json(header, record);
    };
    auto streamed = for_each_record(header, batch, codecs, limit, [&](const RecordView& record) {
        add(record);
        return done();
    });
    if (!streamed.ok()) FAIL(streamed.error().text());
    auto once = std::exchange(records, std::string());

    if (header.record_count > 0) {
        Bytes unpacked;
        RecordReader reader(header, plain_records(header, batch, codecs, unpacked, limit).value());
        RecordView record;
        while (reader.next(record).value())
            add(record);
        CHECK(records == once);
    }
    return "{" + header_json(header) + ",\"records\":[" + once + "]}";
}

std::vector<ByteView> batches_in(ByteView bytes) {
    std::vector<ByteView> out;
    while (!bytes.empty()) {
        auto size = batch_size_bytes(bytes).value();
        REQUIRE(size <= bytes.size());
        out.push_back(bytes.first(size));
        bytes = bytes.subspan(size);
    }
    return out;
}

// The same batch, made by our builder from its header and records.
Bytes built_again(ByteView batch, Decompressor& codecs, Compressor& compressor) {
    auto header = BatchHeader::parse(batch).value();
    BatchBuilder builder({.compression = header.compression().value(),
                          .base_offset = header.base_offset,
                          .leader_epoch = header.leader_epoch,
                          .producer_id = header.producer_id,
                          .producer_epoch = header.producer_epoch,
                          .base_sequence = header.base_sequence,
                          .transactional = header.is_transactional(),
                          .control = header.is_control()});
    auto copied = for_each_record(header, batch, codecs, limit, [&](const RecordView& record) {
        std::vector<RecordHeaderView> headers;
        ByteView rest = record.header_bytes;
        for (std::int32_t i = 0; i < record.header_count; ++i) {
            headers.push_back(RecordView::next_header(rest));
        }
        builder.append(record.timestamp, record.key, record.value, headers);
        return done();
    });
    REQUIRE(copied.ok());
    return builder.finish(&compressor).value();
}

// Offsets follow each other from the base, the first record has the base timestamp.
bool is_as_a_producer_makes_it(ByteView batch, Decompressor& codecs) {
    auto header = BatchHeader::parse(batch).value();
    if (header.record_count == 0 || header.record_count != header.last_offset_delta + 1 ||
        header.timestamp_type() != TimestampType::create_time || header.delete_horizon()) {
        return false;
    }
    bool first = true;
    bool as_made = true;
    auto read = for_each_record(header, batch, codecs, limit, [&](const RecordView& record) {
        if (std::exchange(first, false)) as_made = record.timestamp == header.base_timestamp;
        return done();
    });
    return read.ok() && as_made;
}

}  // namespace

TEST_CASE("batches that Java wrote read as Java reads them", "[wire]") {
    Decompressor codecs;
    auto blocks = read_blocks("batches/valid.txt");
    CHECK(blocks.size() == 68);
    for (const auto& block : blocks) {
        CAPTURE(block.place, block["batch"]);
        auto bytes = from_hex(block["hex"]);
        std::string json;
        for (auto batch : batches_in(bytes)) {
            if (!json.empty()) json += ',';
            json += batch_json(batch, codecs);
        }
        CHECK(canonical_json('[' + json + ']') == canonical_json(block["body"]));
    }
}

TEST_CASE("a batch built from the records of one that Java wrote is the same batch", "[wire]") {
    Decompressor codecs;
    Compressor compressor;
    int same_bytes = 0;
    for (const auto& block : read_blocks("batches/valid.txt")) {
        auto bytes = from_hex(block["hex"]);
        for (auto batch : batches_in(bytes)) {
            CAPTURE(block.place, block["batch"]);
            if (!is_as_a_producer_makes_it(batch, codecs)) continue;
            auto again = built_again(batch, codecs, compressor);
            auto header = BatchHeader::parse(batch).value();
            if (!header.is_compressed()) {
                CHECK(to_hex(again) == to_hex(batch));
                ++same_bytes;
                continue;
            }
            // Another compressor gives other bytes, but the same records.
            Bytes ours;
            Bytes theirs;
            auto again_header = BatchHeader::parse(again).value();
            CHECK(check_crc(again).ok());
            CHECK(
                std::ranges::equal(plain_records(again_header, again, codecs, ours, limit).value(),
                                   plain_records(header, batch, codecs, theirs, limit).value()));
        }
    }
    CHECK(same_bytes > 15);
}

TEST_CASE("message sets of magic 0 and 1 are refused by name", "[wire]") {
    BatchValidator validator;
    std::vector<RecordError> errors;
    for (const auto& block : read_blocks("batches/legacy.txt")) {
        CAPTURE(block.place);
        auto bytes = from_hex(block["hex"]);
        CHECK(BatchHeader::parse(bytes).code() == Errc::corrupt_message);
        CHECK(validator.validate(bytes, {}, wall_time(0), errors).code() == Errc::invalid_record);
    }
}

namespace {

// Where our answer is not Kafka's, and why.
const std::map<std::string, std::pair<Errc, const char*>> differences{
    {"attributes-bit-flip", {Errc::corrupt_message, "Produce asks for the right to write first"}},
    {"control-commit-from-client", {Errc::invalid_record, "the same"}},
    {"transactional-without-producer", {Errc::invalid_record, "the same"}},
    {"transactional-unknown", {Errc::none, "the same"}},
    {"sequence-gap", {Errc::none, "the producer table knows"}},
    {"epoch-old", {Errc::none, "the same"}},
    {"lz4-damaged-stream", {Errc::invalid_record, "the damage hit an offset delta"}},
    {"trailing-garbage", {Errc::invalid_record, "not exactly one batch"}},
    {"magic-3", {Errc::invalid_record, "a retry would not help"}},
    {"magic-minus-1", {Errc::invalid_record, "the same"}},
    {"record-key-length-minus-2", {Errc::invalid_record, "no length"}},
    {"record-offset-delta-gap", {Errc::invalid_record, "deltas are inconsistent"}},
    {"record-offset-delta-repeated", {Errc::invalid_record, "the same"}},
    {"record-offset-delta-negative", {Errc::invalid_record, "the same"}},
};

Errc expected_answer(const Block& block) {
    auto found = differences.find(block["batch"]);
    if (found != differences.end()) return found->second.first;
    int kafka = std::stoi(words(block["broker"]).at(1));
    // Unknown codecs and broken streams: Kafka knows no better than UNKNOWN_SERVER_ERROR.
    if (kafka == -1) return Errc::corrupt_message;
    return static_cast<Errc>(kafka);
}

BatchRules rules_of(const std::string& topic) {
    BatchRules rules{.produce_version = 12};
    if (topic == "g-compact") rules.compacted = true;
    if (topic == "g-small") rules.max_message_bytes = 100;
    if (topic == "g-strict") {
        rules.timestamp_before_max = rules.timestamp_after_max = std::chrono::hours(1);
    }
    return rules;
}

}  // namespace

TEST_CASE("damaged and forbidden batches get the answer they deserve", "[wire]") {
    const auto now = wall_time(1795256960000);  // when Kafka gave its own answers
    BatchValidator validator;
    std::vector<RecordError> errors;
    int refused = 0;
    for (const auto& block : read_blocks("batches/invalid.txt")) {
        if (block["hex"] == "null") continue;  // a null has no bytes to look at
        CAPTURE(block.place, block["batch"], block["broker"]);
        auto bytes = from_hex(block["hex"]);
        auto before = bytes;
        auto verdict = validator.validate(bytes, rules_of(block["topic"]), now, errors);
        CHECK(name_of(verdict.code()) == name_of(expected_answer(block)));
        CHECK(bytes == before);
        refused += verdict.ok() ? 0 : 1;
        // Where Kafka names records, so do we.
        auto message = block["broker"];
        CHECK((message.find(", record ") != std::string::npos) == !errors.empty());
        for (const auto& error : errors) {
            auto named = ", record " + std::to_string(error.batch_index) + ' ';
            CHECK(message.find(named) != std::string::npos);
        }
    }
    CHECK(refused > 60);
}
