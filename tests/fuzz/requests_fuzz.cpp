// SPDX-License-Identifier: Apache-2.0
//
// Every request, response and metadata record: what was read is written again, and reads the same.
//
// input    one byte: 0 request, 1 response, 2 metadata record, 3 control record; for 0 a frame
//          without its size; for 1 int16 key, int16 version, the body; for 2 the value; for 3 four
//          bytes of key, then the value
#include <cstdlib>

#include "protocol/frames.hpp"
#include "protocol/messages/all.hpp"
#include "protocol/records/control_record.hpp"
#include "protocol/records/metadata_record.hpp"

using namespace kq;

namespace {

void require(bool what) {
    if (!what) std::abort();
}

// Written again, a message is a fixed point: its bytes read back to bytes that are the same.
template <class M>
void round_trip(ByteView body, int version) {
    auto message = wire::decode<M>(body, version);
    if (!message.ok()) return;
    require(wire::expressible(message.value(), version).ok());
    Bytes written;
    wire::encode(message.value(), version, written);
    require(written.size() == wire::encoded_size(message.value(), version));
    auto again = wire::decode<M>(written, version);
    require(again.ok());
    require(wire::to_json(again.value(), version) == wire::to_json(message.value(), version));
    Bytes written_again;
    wire::encode(again.value(), version, written_again);
    require(written_again == written);
}

void run_request(ByteView frame) {
    auto request = wire::decode_request_header(frame);
    if (!request.ok()) return;
    const auto& header = request.value().header;
    wire::encode_request_header(header);
    switch (header.api_key) {
#define KQ_CASE(api, Request, Response) \
    case wire::api.key:                 \
        return round_trip<wire::Request>(request.value().body, header.api_version);
        KQ_WIRE_FOR_EACH_API(KQ_CASE)
#undef KQ_CASE
        default:
            return;
    }
}

void run_response(ByteView bytes) {
    if (bytes.size() < 4) return;
    auto key = load_be<std::int16_t>(bytes.data());
    auto version = load_be<std::int16_t>(bytes.data() + 2);
    switch (key) {
#define KQ_CASE(api, Request, Response) \
    case wire::api.key:                 \
        return round_trip<wire::Response>(bytes.subspan(4), version);
        KQ_WIRE_FOR_EACH_API(KQ_CASE)
#undef KQ_CASE
        default:
            return;
    }
}

void run_metadata_record(ByteView value) {
    auto record = wire::decode_metadata_record(value);
    if (!record.ok()) return;
    auto written = wire::encode_metadata_record(record.value().record, record.value().version);
    auto again = wire::decode_metadata_record(written);
    require(again.ok());
    require(wire::to_json(again.value()) == wire::to_json(record.value()));
}

void run_control_record(ByteView bytes) {
    if (bytes.size() < 4) return;
    auto record = wire::decode_control_record(bytes.first(4), bytes.subspan(4));
    if (!record.ok()) return;
    auto key = wire::encode_control_key(wire::type_of(record.value()));
    auto value = wire::encode_control_value(record.value());
    auto again = wire::decode_control_record(key, value);
    require(again.ok());
    require(again.value() == record.value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    ByteView rest(data + 1, size - 1);
    switch (data[0] % 4) {
        case 0:
            run_request(rest);
            break;
        case 1:
            run_response(rest);
            break;
        case 2:
            run_metadata_record(rest);
            break;
        default:
            run_control_record(rest);
    }
    return 0;
}
