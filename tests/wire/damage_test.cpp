// SPDX-License-Identifier: Apache-2.0
//
// Every prefix and every bit flip of every golden message: refused or read, but within the memory
// that RELIABILITY 2 grants, and without a crash (which the sanitizers look for).
#include <set>

#include <catch2/catch.hpp>

#include "protocol/batch_validator.hpp"
#include "protocol/frames.hpp"
#include "protocol/records/metadata_record.hpp"
#include "tests/wire/allocations.hpp"
#include "tests/wire/frames_golden.hpp"

using namespace kq;
using namespace kq::test;

namespace {

// Catch2's macros cost far more than a decode: they are used once a message.
struct Damage {
    std::size_t tried = 0;
    std::size_t taken = 0;
    std::size_t over_budget = 0;
    std::size_t worst_bytes = 0;
    std::size_t wrong_error = 0;

    template <class Decode>
    void attempt(ByteView bytes, Decode&& decode) {
        AllocationMeter meter;
        Status status = decode(bytes);
        auto peak = meter.peak_bytes();
        ++tried;
        taken += status.ok() ? 1 : 0;
        worst_bytes = std::max(worst_bytes, peak);
        over_budget += peak > wire::decode_budget(bytes.size()) ? 1 : 0;
        if (!status.ok() && status.code() != Errc::malformed &&
            status.code() != Errc::unsupported) {
            ++wrong_error;
        }
    }
};

template <class Decode>
void hold_damaged(const Bytes& whole, Decode&& decode, bool may_have_bytes_behind = false) {
    Damage prefixes;
    for (std::size_t size = 0; size < whole.size(); ++size) {
        // A copy of its own, so that the sanitizers see every read past the end.
        Bytes prefix(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        prefixes.attempt(prefix, decode);
    }
    CHECK(prefixes.taken == 0);
    CHECK(prefixes.over_budget == 0);
    CHECK(prefixes.wrong_error == 0);

    Damage flips;
    Bytes flipped = whole;
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
        auto& byte = flipped[bit / 8];
        byte = static_cast<std::uint8_t>(byte ^ (1u << (bit % 8)));
        flips.attempt(flipped, decode);
        byte = static_cast<std::uint8_t>(byte ^ (1u << (bit % 8)));
    }
    CHECK(flips.over_budget == 0);
    CHECK(flips.wrong_error == 0);

    Bytes longer = whole;
    longer.push_back(0);
    Damage left_over;
    left_over.attempt(longer, decode);
    CHECK((left_over.taken == 0 || may_have_bytes_behind));
}

}  // namespace

TEST_CASE("every prefix and bit flip of every golden body is refused or read within its budget",
          "[wire][damage]") {
    std::set<std::tuple<std::string_view, int, Bytes>> seen;
    for (const auto& frame : golden_frames()) {
        auto body = to_bytes(frame.body());
        if (!seen.emplace(frame.schema->name, frame.version, body).second) continue;
        CAPTURE(frame.block.place);
        auto decode = [&](ByteView bytes) { return frame.schema->check(bytes, frame.version); };
        // librdkafka sends a few bytes too many there, and Kafka ignores them.
        hold_damaged(body, decode, frame.schema->name == "MetadataRequest");
    }
    CHECK(seen.size() > 400);
}

TEST_CASE("every prefix and bit flip of every golden record is refused or read within its budget",
          "[wire][damage]") {
    for (const auto& block : read_blocks("records/metadata.txt")) {
        CAPTURE(block.place);
        hold_damaged(from_hex(block["hex"]), [](ByteView bytes) -> Status {
            KQ_TRY(wire::decode_metadata_record(bytes));
            return done();
        });
    }
    for (const auto& block : read_blocks("records/control.txt")) {
        CAPTURE(block.place);
        auto head = words(block["record"]);
        const auto& schema = schema_of(head.at(0));
        auto body = from_hex(block["hex"]);
        if (schema.name == "EndTxnMarker") body.erase(body.begin(), body.begin() + 2);
        hold_damaged(body, [&](ByteView bytes) {
            return schema.check(bytes, std::stoi(head.at(1).substr(1)));
        });
    }
}

TEST_CASE("every prefix and bit flip of a header is refused or read", "[wire][damage]") {
    for (const auto& frame : golden_frames()) {
        auto content = ByteView(frame.bytes).subspan(wire::frame_size_bytes);
        Bytes header = to_bytes(content.first(content.size() - frame.body().size()));
        CAPTURE(frame.block.place);
        const auto& api = *wire::find_api(frame.schema->key);
        auto decode = [&](ByteView bytes) -> Status {
            if (frame.is_request) {
                KQ_TRY(wire::decode_request_header(bytes));
            } else {
                KQ_TRY(wire::decode_response_header(bytes, api, frame.version));
            }
            return done();
        };
        Damage prefixes;
        for (std::size_t size = 0; size < header.size(); ++size) {
            Bytes prefix(header.begin(), header.begin() + static_cast<std::ptrdiff_t>(size));
            prefixes.attempt(prefix, decode);
        }
        CHECK(prefixes.taken == 0);
        Damage flips;
        for (std::size_t bit = 0; bit < header.size() * 8; ++bit) {
            Bytes flipped = header;
            flipped[bit / 8] = static_cast<std::uint8_t>(flipped[bit / 8] ^ (1u << (bit % 8)));
            flips.attempt(flipped, decode);
        }
        CHECK(prefixes.over_budget + flips.over_budget == 0);
    }
}

TEST_CASE("every bit flip of a batch is refused, and with a mended crc refused or read",
          "[wire][damage]") {
    BatchValidator validator;
    Decompressor codecs;
    std::vector<RecordError> errors;
    constexpr std::size_t limit = std::size_t{1} << 20;
    for (const auto& block : read_blocks("batches/valid.txt")) {
        CAPTURE(block.place, block["batch"]);
        auto whole = from_hex(block["hex"]);
        if (whole.size() > 1000) continue;  // 300 records more show nothing new
        const BatchRules rules{.timestamp_after_max = std::nullopt, .unpacked_bytes_max = limit};
        std::size_t taken_without_crc = 0;
        for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
            Bytes batch = whole;
            batch[bit / 8] = static_cast<std::uint8_t>(batch[bit / 8] ^ (1u << (bit % 8)));
            bool under_crc = bit / 8 >= BatchAt::magic;
            auto verdict = validator.validate(batch, rules, wall_time(0), errors);
            if (verdict.ok() && under_crc) ++taken_without_crc;
            seal(batch);
            // Whatever a broker takes, a consumer can read: the validator is the only guard.
            verdict = validator.validate(batch, rules, wall_time(0), errors);
            auto header = BatchHeader::parse(batch);
            if (!header.ok() || header.value().size_bytes != batch.size()) {
                CHECK(!verdict.ok());
                continue;
            }
            auto read = for_each_record(header.value(), batch, codecs, limit,
                                        [](const RecordView&) { return done(); });
            if (verdict.ok()) CHECK(read.ok());
        }
        CHECK(taken_without_crc == 0);
    }
}
