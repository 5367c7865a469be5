// SPDX-License-Identifier: Apache-2.0
#include "protocol/records/metadata_record.hpp"

#include "protocol/varint.hpp"

namespace kq::wire {
namespace {

constexpr std::uint32_t frame_version = 1;

Error unknown(const char* what, std::uint32_t number) {
    return {Errc::unsupported,
            std::string("metadata record with unknown ") + what + " " + std::to_string(number)};
}

// Tries the alternatives one after the other: the list of types is the variant itself.
template <std::size_t i = 0>
Result<VersionedRecord> decode_as(std::uint32_t type, std::uint32_t version, ByteView body) {
    if constexpr (i == std::variant_size_v<MetadataRecord>) {
        return unknown("type", type);
    } else {
        using Record = std::variant_alternative_t<i, MetadataRecord>;
        if (type != static_cast<std::uint32_t>(Record::info.type)) {
            return decode_as<i + 1>(type, version, body);
        }
        if (version > static_cast<std::uint32_t>(Record::info.versions.max)) {
            return unknown((std::string(Record::info.name) + " version").c_str(), version);
        }
        KQ_LET(auto record, decode<Record>(body, static_cast<int>(version)));
        return VersionedRecord{std::move(record), static_cast<std::int16_t>(version)};
    }
}

}  // namespace

Result<VersionedRecord> decode_metadata_record(ByteView value) {
    VarintReader reader(value);
    auto frame = reader.unsigned_varint();
    auto type = reader.unsigned_varint();
    auto version = reader.unsigned_varint();
    if (!reader.ok()) return Error{Errc::malformed, "a metadata record is cut"};
    if (frame != frame_version) return unknown("frame version", frame);
    return decode_as(type, version, reader.rest());
}

Bytes encode_metadata_record(const MetadataRecord& record, int version) {
    Bytes out;
    append_unsigned_varint(out, frame_version);
    append_unsigned_varint(out, static_cast<std::uint32_t>(info_of(record).type));
    append_unsigned_varint(out, static_cast<std::uint32_t>(version));
    std::visit([&](const auto& held) { encode(held, version, out); }, record);
    return out;
}

const RecordInfo& info_of(const MetadataRecord& record) {
    return std::visit([](const auto& held) -> const RecordInfo& { return held.info; }, record);
}

std::string to_json(const VersionedRecord& record) {
    return std::visit([&](const auto& held) { return to_json(held, record.version); },
                      record.record);
}

}  // namespace kq::wire
