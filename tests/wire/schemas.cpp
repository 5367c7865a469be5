// SPDX-License-Identifier: Apache-2.0
#include "tests/wire/schemas.hpp"

#include <stdexcept>
#include <vector>

#include "protocol/messages/all.hpp"
#include "protocol/records/control_record.hpp"
#include "protocol/records/metadata_record.hpp"

namespace kq::test {
namespace {

template <class M>
Result<RoundTrip> round_trip(ByteView body, int version) {
    KQ_LET(auto message, wire::decode<M>(body, version));
    RoundTrip out;
    out.json = wire::to_json(message, version);
    out.size = wire::encoded_size(message, version);
    out.is_expressible = wire::expressible(message, version).ok();
    wire::encode(message, version, out.bytes);
    return out;
}

template <class M>
Status check(ByteView body, int version) {
    KQ_TRY(wire::decode<M>(body, version));
    return done();
}

template <class M>
Schema record_schema() {
    return {M::info.name,          M::info.versions, M::info.type,
            M::info.flexible_from, round_trip<M>,    check<M>};
}

template <std::size_t... i>
std::vector<Schema> metadata_schemas(std::index_sequence<i...>) {
    return {record_schema<std::variant_alternative_t<i, wire::MetadataRecord>>()...};
}

}  // namespace

std::span<const Schema> all_messages() {
#define KQ_ROWS(api, request, response)    \
    Schema{#request,                       \
           wire::api.versions,             \
           wire::api.key,                  \
           wire::api.flexible_from,        \
           round_trip<wire::request>,      \
           check<wire::request>},          \
        Schema{#response,                  \
               wire::api.versions,         \
               wire::api.key,              \
               wire::api.flexible_from,    \
               round_trip<wire::response>, \
               check<wire::response>},
    static const std::vector<Schema> table{KQ_WIRE_FOR_EACH_API(KQ_ROWS)};
#undef KQ_ROWS
    return table;
}

std::span<const Schema> all_records() {
    static const std::vector<Schema> table = [] {
        auto rows =
            metadata_schemas(std::make_index_sequence<std::variant_size_v<wire::MetadataRecord>>());
        for (const auto& row :
             {record_schema<wire::EndTxnMarker>(), record_schema<wire::LeaderChangeMessage>(),
              record_schema<wire::SnapshotHeaderRecord>(),
              record_schema<wire::SnapshotFooterRecord>(),
              record_schema<wire::KRaftVersionRecord>(), record_schema<wire::VotersRecord>()}) {
            rows.push_back(row);
        }
        return rows;
    }();
    return table;
}

const Schema& schema_of(std::string_view name) {
    for (const auto& schema : all_messages()) {
        if (schema.name == name) return schema;
    }
    for (const auto& schema : all_records()) {
        if (schema.name == name) return schema;
    }
    throw std::runtime_error("no schema " + std::string(name));
}

}  // namespace kq::test
