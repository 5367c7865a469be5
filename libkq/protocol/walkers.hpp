// SPDX-License-Identifier: Apache-2.0
//
// The bodies of the codec's functions. The .cpp of a message includes this and says
// KQ_WIRE_INSTANTIATE(its struct); nobody else does, or build time explodes.
#pragma once

#include "protocol/printer.hpp"
#include "protocol/reader.hpp"
#include "protocol/writer.hpp"

namespace kq::wire {

Error unsupported_version_error(std::string_view name, int version);
Error inexpressible_error(std::string_view name, int version, const char* field);
// Puts the chains where they belong between the pieces of `memory`.
Chain weave(Bytes memory, const std::vector<MemorySink::Hole>& holes);

template <class M>
Result<M> decode(ByteView body, int version) {
    if (!M::info.versions.contains(version)) {
        return unsupported_version_error(M::info.name, version);
    }
    M message;
    Reader reader(body, version, M::info.flexible(version));
    reader.object(message);
    KQ_TRY(reader.finish());
    return message;
}

template <class M>
Sizer sized(const M& message, int version) {
    KQ_CHECK(M::info.versions.contains(version));
    Sizer sizer(CountingSink{}, version, M::info.flexible(version));
    sizer.object(message);
    return sizer;
}

template <class M>
Status expressible(const M& message, int version) {
    if (!M::info.versions.contains(version)) {
        return unsupported_version_error(M::info.name, version);
    }
    const char* problem = sized(message, version).problem();
    if (problem != nullptr) return inexpressible_error(M::info.name, version, problem);
    return done();
}

template <class M>
std::size_t encoded_size(const M& message, int version) {
    return sized(message, version).sink().total();
}

template <class M>
void write_at(std::uint8_t* place, std::size_t size, const M& message, int version,
              std::vector<MemorySink::Hole>* holes) {
    Writer writer(MemorySink(place, holes), version, M::info.flexible(version));
    writer.object(message);
    KQ_CHECK(writer.sink().written() == size);
}

template <class M>
void encode(const M& message, int version, Bytes& out) {
    auto sizer = sized(message, version);
    KQ_CHECK_MSG(sizer.problem() == nullptr, sizer.problem());
    auto at = out.size();
    grow_to(out, at + sizer.sink().total());
    write_at(out.data() + at, sizer.sink().total(), message, version, nullptr);
}

template <class M>
void append_frame(ByteView header, const M& message, int version, Bytes& out) {
    auto sizer = sized(message, version);
    KQ_CHECK_MSG(sizer.problem() == nullptr, sizer.problem());
    auto size = header.size() + sizer.sink().total();
    append_be(out, static_cast<std::int32_t>(size));
    append(out, header);
    auto at = out.size();
    grow_to(out, at + sizer.sink().total());
    write_at(out.data() + at, sizer.sink().total(), message, version, nullptr);
}

template <class M>
Chain encode_frame(ByteView header, const M& message, int version) {
    auto sizer = sized(message, version);
    KQ_CHECK_MSG(sizer.problem() == nullptr, sizer.problem());
    auto head_bytes = sizeof(std::int32_t) + header.size();
    auto own_bytes = sizer.sink().total() - sizer.sink().in_chains();
    Bytes memory;
    memory.reserve(head_bytes + own_bytes);
    append_be(memory, static_cast<std::int32_t>(header.size() + sizer.sink().total()));
    append(memory, header);
    memory.resize(head_bytes + own_bytes);
    std::vector<MemorySink::Hole> holes;
    write_at(memory.data() + head_bytes, own_bytes, message, version, &holes);
    for (auto& hole : holes)
        hole.position += head_bytes;
    return weave(std::move(memory), holes);
}

template <class M>
std::string to_json(const M& message, int version) {
    Printer printer(version);
    printer.object(message);
    return std::move(printer).take();
}

}  // namespace kq::wire

#define KQ_WIRE_INSTANTIATE(M)                                      \
    template Result<M> decode<M>(ByteView, int);                    \
    template void encode<M>(const M&, int, Bytes&);                 \
    template std::size_t encoded_size<M>(const M&, int);            \
    template Status expressible<M>(const M&, int);                  \
    template Chain encode_frame<M>(ByteView, const M&, int);        \
    template void append_frame<M>(ByteView, const M&, int, Bytes&); \
    template std::string to_json<M>(const M&, int)
