// SPDX-License-Identifier: Apache-2.0
//
// The codec: what a message says about itself (ApiInfo, RecordInfo, Rule, tagged), and the
// functions that turn bytes into messages and back. How the bytes look is known by the walkers
// alone (protocol/reader.hpp, writer.hpp, printer.hpp); which fields there are, in which order and
// in which versions, by the walk() of each message alone.
//
// shape    a message is a struct whose members hold their defaults; `info` names its schema;
//          walk(w) calls w.field(name, member, rule) in wire order and ends with w.tags(...).
//          Nullable fields are std::optional, arrays std::vector, ids and offsets bare integers.
// errors   malformed            the bytes do not follow the schema, or ask for more memory than
//                               8 x their size + 64 KiB
//          unsupported_version  a version outside the schema
// source   Kafka protocol guide, "Protocol Primitive Types"; KIP-482 (tagged fields)
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/chain.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"

namespace kq::wire {

struct Versions {
    std::int16_t min = 0;
    std::int16_t max = 0;
    constexpr bool contains(int version) const { return min <= version && version <= max; }
    friend constexpr bool operator==(const Versions&, const Versions&) = default;
};

inline constexpr std::int16_t never = 32767;  // a version that does not come

// A pair of request and response.
struct ApiInfo {
    std::int16_t key;
    std::string_view name;
    Versions versions;           // that can be read and written
    std::int16_t flexible_from;  // compact lengths and tagged fields from this version on
    // The smallest version to announce, where it is not the smallest that is served: Produce.
    std::int16_t advertised_from = -1;

    constexpr bool flexible(int version) const { return version >= flexible_from; }
    constexpr Versions advertised() const {
        return {advertised_from >= 0 ? advertised_from : versions.min, versions.max};
    }
};

// A record of the metadata log, or the value of a control record.
struct RecordInfo {
    std::int16_t type;
    std::string_view name;
    Versions versions;
    std::int16_t flexible_from = 0;

    constexpr bool flexible(int version) const { return version >= flexible_from; }
};

// In which versions a field is there, and in which of them it may be null.
struct Rule {
    std::int16_t from = 0;
    std::int16_t to = never;
    std::int16_t nullable_from = 0;  // of a std::optional; earlier versions need a value
    bool droppable = false;

    constexpr bool covers(int version) const { return from <= version && version <= to; }
    // Written at a version that lacks the field, its value is dropped. Without this only the
    // default can be written there.
    constexpr Rule ignorable() const {
        Rule rule = *this;
        rule.droppable = true;
        return rule;
    }
    constexpr Rule nullable_since(std::int16_t version) const {
        Rule rule = *this;
        rule.nullable_from = version;
        return rule;
    }
};

inline constexpr Rule always{};
constexpr Rule since(std::int16_t from) {
    return {.from = from};
}
constexpr Rule since_until(std::int16_t from, std::int16_t last) {
    return {.from = from, .to = last};
}
constexpr Rule until(std::int16_t last) {
    return {.to = last};
}

// A field of the tagged section. A walk() lists them in ascending order of their tags.
template <class T>
struct Tagged {
    std::uint32_t tag;
    const char* name;
    T& value;
    Rule rule;
};
template <class T>
Tagged<T> tagged(std::uint32_t tag, const char* name, T& value, Rule rule = always) {
    return {tag, name, value, rule};
}

// The bytes of a `records` field. Read, they are a view into the frame; written, a view or a Chain,
// whose memory and file slices go to the socket as they are.
class Records {
public:
    Records() = default;  // null
    Records(ByteView bytes) : view_(bytes), null_(false) {}
    Records(Chain chain) : chain_(std::make_shared<const Chain>(std::move(chain))), null_(false) {}

    bool is_null() const { return null_; }
    bool empty() const { return size_bytes() == 0; }
    std::uint64_t size_bytes() const {
        return chain_ != nullptr ? chain_->size_bytes() : view_.size();
    }
    // Requires: not made from a Chain. Valid as long as the frame it was read from.
    ByteView view() const {
        KQ_CHECK(chain_ == nullptr);
        return view_;
    }
    // Null unless made from a Chain.
    const Chain* chain() const { return chain_.get(); }
    friend bool operator==(const Records& a, const Records& b);

private:
    ByteView view_;
    std::shared_ptr<const Chain> chain_;
    bool null_ = true;
};

// The same bytes as `part`, for the owner of the frame they lie in: a leader writes the base offset
// and the epoch of a batch where it was received. Requires: `part` lies inside `frame`.
MutableBytes mutable_part(MutableBytes frame, ByteView part);

// What decoding `frame_bytes` bytes may allocate.
constexpr std::size_t decode_budget(std::size_t frame_bytes) {
    return frame_bytes * 8 + std::size_t{64} * 1024;
}

// The functions below exist for every struct of messages/ and records/; each is compiled once, in
// the .cpp of its message.

// The body of a frame, or the body of a record. Nothing may be left over.
template <class M>
Result<M> decode(ByteView body, int version);

// Appends to `out`. Requires: expressible(message, version), and no file slices in records.
template <class M>
void encode(const M& message, int version, Bytes& out);

// As many bytes as encode() appends, records included.
template <class M>
std::size_t encoded_size(const M& message, int version);

// Whether every field that the version lacks holds its default or may be dropped. The error names
// the first that does not.
template <class M>
Status expressible(const M& message, int version);

// A frame: its size, `header`, the message. The records stay where they are.
template <class M>
Chain encode_frame(ByteView header, const M& message, int version);

// The same, appended to `out`. Requires: no file slices in records.
template <class M>
void append_frame(ByteView header, const M& message, int version, Bytes& out);

// One line, with Kafka's field names; fields that the version lacks and tagged fields at their
// default are left out; bytes and records are base64.
template <class M>
std::string to_json(const M& message, int version);

}  // namespace kq::wire
