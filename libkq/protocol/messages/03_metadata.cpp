// SPDX-License-Identifier: Apache-2.0
#include "protocol/messages/03_metadata.hpp"

#include "protocol/walkers.hpp"

namespace kq::wire {

template <>
Result<MetadataRequest> decode<MetadataRequest>(ByteView body, int version) {
    if (!MetadataRequest::info.versions.contains(version)) {
        return unsupported_version_error(MetadataRequest::info.name, version);
    }
    MetadataRequest message;
    Reader reader(body, version, MetadataRequest::info.flexible(version));
    reader.object(message);
    KQ_LET([[maybe_unused]] ByteView behind, reader.rest());
    return message;
}

#ifdef __clang__
#pragma clang diagnostic ignored "-Winstantiation-after-specialization"  // decode() is ours, above
#endif
KQ_WIRE_INSTANTIATE(MetadataRequest);
KQ_WIRE_INSTANTIATE(MetadataResponse);

}  // namespace kq::wire
