// SPDX-License-Identifier: Apache-2.0
#include "protocol/records/control_record.hpp"

namespace kq::wire {
namespace {

constexpr std::size_t key_bytes = 4;
constexpr std::size_t version_bytes = 2;

Error unknown(const char* what, int number) {
    return {Errc::unsupported,
            std::string("control record with unknown ") + what + " " + std::to_string(number)};
}

template <class Record>
Result<ControlRecord> decode_as(ByteView body, int version) {
    if (!Record::info.versions.contains(version)) return unknown("version", version);
    KQ_LET(auto record, decode<Record>(body, version));
    return ControlRecord(std::move(record));
}

Result<ControlRecord> decode_end_transaction(bool commit, ByteView body, int version) {
    if (!EndTxnMarker::info.versions.contains(version)) return unknown("version", version);
    KQ_LET(auto marker, decode<EndTxnMarker>(body, version));
    return ControlRecord(EndTransaction{commit, marker});
}

}  // namespace

Result<ControlRecord> decode_control_record(ByteView key, ByteView value) {
    if (key.size() < key_bytes || value.size() < version_bytes) {
        return Error{Errc::malformed, "a control record is cut"};
    }
    auto type = load_be<std::int16_t>(key.data() + 2);
    auto version = load_be<std::int16_t>(value.data());
    switch (static_cast<ControlType>(type)) {
        case ControlType::abort:
        case ControlType::commit:
            return decode_end_transaction(static_cast<ControlType>(type) == ControlType::commit,
                                          value.subspan(version_bytes), version);
        case ControlType::leader_change:
            return decode_as<LeaderChangeMessage>(value, version);
        case ControlType::snapshot_header:
            return decode_as<SnapshotHeaderRecord>(value, version);
        case ControlType::snapshot_footer:
            return decode_as<SnapshotFooterRecord>(value, version);
        case ControlType::kraft_version:
            return decode_as<KRaftVersionRecord>(value, version);
        case ControlType::kraft_voters:
            return decode_as<VotersRecord>(value, version);
    }
    return unknown("type", type);
}

ControlType type_of(const ControlRecord& record) {
    if (const auto* end = std::get_if<EndTransaction>(&record)) {
        return end->commit ? ControlType::commit : ControlType::abort;
    }
    // The alternatives stand in the order of their types, behind abort and commit.
    return static_cast<ControlType>(record.index() + 1);
}

Bytes encode_control_value(const ControlRecord& record) {
    Bytes out;
    if (const auto* end = std::get_if<EndTransaction>(&record)) {
        append_be(out, EndTxnMarker::info.versions.max);
        encode(end->marker, EndTxnMarker::info.versions.max, out);
        return out;
    }
    std::visit(
        [&](const auto& held) {
            if constexpr (!std::is_same_v<std::decay_t<decltype(held)>, EndTransaction>) {
                encode(held, held.version, out);
            }
        },
        record);
    return out;
}

Bytes encode_control_key(ControlType type) {
    Bytes out;
    append_be(out, std::int16_t{0});
    append_be(out, static_cast<std::int16_t>(type));
    return out;
}

}  // namespace kq::wire
