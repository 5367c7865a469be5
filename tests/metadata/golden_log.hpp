// SPDX-License-Identifier: Apache-2.0
//
// Metadata logs and snapshots that Apache Kafka 4.3 wrote, from tests/wire/golden/metadata.
#pragma once

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "consensus/quorum_directory.hpp"
#include "protocol/compression.hpp"
#include "protocol/records/metadata_record.hpp"

namespace kq::sim {

inline Bytes golden_file(const std::string& name) {
    std::ifstream in(std::string(KQ_SOURCE_DIR) + "/tests/wire/golden/metadata/" + name,
                     std::ios::binary);
    REQUIRE(in);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    return to_bytes(as_bytes(text));
}

struct GoldenRecord {
    Offset offset;
    wire::VersionedRecord record;
};

// Every data record of a log or snapshot file, in order.
inline std::vector<GoldenRecord> golden_records(const std::string& name) {
    std::vector<GoldenRecord> records;
    const auto content = golden_file(name);
    Decompressor codecs;
    const auto walked = for_each_batch(content, [&](const BatchHeader& header, ByteView batch) {
        REQUIRE(check_crc(batch).ok());
        if (header.is_control()) return done();
        return for_each_record(header, batch, codecs, 1 << 20, [&](const RecordView& record) {
            auto decoded = wire::decode_metadata_record(record.value.value());
            REQUIRE(decoded.ok());
            // What is read is written again, byte for byte.
            CHECK(wire::encode_metadata_record(decoded.value().record, decoded.value().version) ==
                  to_bytes(*record.value));
            records.push_back({record.offset, std::move(decoded).value()});
            return done();
        });
    });
    REQUIRE(walked.ok());
    REQUIRE(walked.value() == content.size());
    return records;
}

}  // namespace kq::sim
