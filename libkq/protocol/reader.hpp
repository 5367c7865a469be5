// SPDX-License-Identifier: Apache-2.0
//
// Reader: the walker that fills a message from bytes. Included by the .cpp of messages only.
//
// shape    after the first error every call does nothing; finish() tells it
// units    the budget counts bytes of memory that strings, bytes and arrays ask for
// errors   malformed: too short, a length that does not fit, a null that may not be, tags out of
//          order or of the wrong size, bytes left over, more memory than the budget
#pragma once

#include <bit>
#include <type_traits>

#include "protocol/codec.hpp"
#include "protocol/smallest.hpp"

namespace kq::wire {

class Reader {
public:
    Reader(ByteView body, int version, bool flexible)
        : at_(body.data()),
          end_(body.data() + body.size()),
          budget_(decode_budget(body.size())),
          version_(version),
          flexible_(flexible) {}

    int version() const { return version_; }

    template <class T>
    void field(const char*, T& value, Rule rule = always) {
        if (rule.covers(version_)) read(value, version_ >= rule.nullable_from);
    }

    // Known tags go to their fields, the others are skipped: a newer peer may send more.
    template <class... T>
    void tags(Tagged<T>... fields) {
        if (!flexible_) return;
        auto count = uvarint();
        std::int64_t previous = -1;
        for (std::uint32_t i = 0; i < count && error_ == nullptr; ++i) {
            auto tag = uvarint();
            auto size = uvarint();
            if (error_ != nullptr) return;
            if (tag <= previous) return fail("tagged fields out of order");
            if (size > left()) return fail("a tagged field is longer than the frame");
            previous = tag;

            const std::uint8_t* whole_end = end_;
            end_ = at_ + size;
            bool known = ((fields.tag == tag && fields.rule.covers(version_) &&
                           (read(fields.value, version_ >= fields.rule.nullable_from), true)) ||
                          ...);
            if (!known) at_ = end_;
            if (error_ == nullptr && at_ != end_) fail("a tagged field has the wrong size");
            end_ = whole_end;
        }
    }

    template <class T>
    void object(T& message) {
        message.walk(*this);
    }

    // What was not read yet, where something follows that is not part of the object.
    Result<ByteView> rest() const {
        if (error_ != nullptr) return Error{Errc::malformed, error_};
        return ByteView(at_, end_);
    }
    // The end of a body: nothing may be left over.
    Status finish() {
        if (error_ == nullptr && at_ != end_) fail("bytes are left over");
        if (error_ != nullptr) return Error{Errc::malformed, error_};
        return done();
    }

private:
    std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
    void fail(const char* reason) {
        if (error_ == nullptr) error_ = reason;
        at_ = end_;
    }
    bool need(std::size_t bytes) {
        if (left() >= bytes) return true;
        fail("the frame is too short");
        return false;
    }
    bool take_memory(std::size_t bytes) {
        if (bytes > budget_) {
            fail("the message takes too much memory");
            return false;
        }
        budget_ -= bytes;
        return true;
    }

    template <std::integral T>
    T integer() {
        if (!need(sizeof(T))) return 0;
        T value = load_be<T>(at_);
        at_ += sizeof(T);
        return value;
    }
    std::uint32_t uvarint() {
        std::uint32_t value = 0;
        for (int shift = 0; shift < 35; shift += 7) {
            if (!need(1)) return 0;
            std::uint8_t byte = *at_++;
            if (shift == 28 && byte > 0x0f) break;
            value |= static_cast<std::uint32_t>(byte & 0x7f) << shift;
            if ((byte & 0x80) == 0) return value;
        }
        fail("a varint is too long");
        return 0;
    }

    // The length of a string, bytes or an array; -1 is null.
    template <class Classic>
    std::int64_t length(bool nullable) {
        std::int64_t length = flexible_ ? static_cast<std::int64_t>(uvarint()) - 1
                                        : static_cast<std::int64_t>(integer<Classic>());
        if (error_ != nullptr) return 0;
        if (length < -1) {
            fail("a length is negative");
            return 0;
        }
        if (length == -1 && !nullable) {
            fail("a field that must have a value is null");
            return 0;
        }
        return length;
    }
    // The next `length` bytes. Requires: length >= 0.
    ByteView slice(std::int64_t length) {
        auto size = static_cast<std::size_t>(length);
        if (!need(size)) return {};
        ByteView bytes(at_, size);
        at_ += size;
        return bytes;
    }

    template <std::integral T>
    void read(T& out, bool) {
        if constexpr (std::is_same_v<T, bool>) {
            out = integer<std::uint8_t>() != 0;
        } else {
            out = integer<T>();
        }
    }
    void read(double& out, bool) { out = std::bit_cast<double>(integer<std::uint64_t>()); }
    void read(Uuid& out, bool) {
        auto bytes = slice(static_cast<std::int64_t>(out.bytes.size()));
        if (!bytes.empty()) std::copy(bytes.begin(), bytes.end(), out.bytes.begin());
    }
    void read(std::string& out, bool) { read_text(out, length<std::int16_t>(false)); }
    void read(Bytes& out, bool) { read_bytes(out, length<std::int32_t>(false)); }
    void read(Records& out, bool) {
        auto size = length<std::int32_t>(true);
        if (error_ == nullptr) out = size < 0 ? Records() : Records(slice(size));
    }
    template <class T>
    void read(std::vector<T>& out, bool) {
        read_array(out, length<std::int32_t>(false));
    }
    template <class T>
    void read(std::optional<T>& out, bool nullable) {
        std::int64_t size = 0;
        if constexpr (std::is_same_v<T, std::string>) {
            size = length<std::int16_t>(nullable);
            if (size >= 0) read_text(out.emplace(), size);
        } else if constexpr (std::is_same_v<T, Bytes>) {
            size = length<std::int32_t>(nullable);
            if (size >= 0) read_bytes(out.emplace(), size);
        } else if constexpr (is_vector<T>) {
            size = length<std::int32_t>(nullable);
            if (size >= 0) read_array(out.emplace(), size);
        } else {
            size = nullable ? integer<std::int8_t>() : 0;  // a marker stands before the struct
            // Not emplace(): clang 14 takes a struct nested in its message for one that cannot be
            // made from nothing, as long as the message is not complete.
            if (size >= 0) {
                out = T{};
                object(*out);
            }
        }
        if (size < 0) out.reset();
    }
    template <class T>
    requires std::is_class_v<T>
    void read(T& out, bool) { object(out); }

    void read_text(std::string& out, std::int64_t size) {
        auto bytes = slice(size);
        if (bytes.size() > 15 && !take_memory(bytes.size() + 1)) return;
        out.assign(as_text(bytes));
    }
    void read_bytes(Bytes& out, std::int64_t size) {
        auto bytes = slice(size);
        if (take_memory(bytes.size())) out = to_bytes(bytes);
    }
    template <class T>
    void read_array(std::vector<T>& out, std::int64_t count) {
        out.clear();
        if (count == 0) return;
        auto size = static_cast<std::uint64_t>(count);
        if (size > left() / smallest_size<T>(version_, flexible_)) {
            return fail("an array is longer than the frame");
        }
        if (!take_memory(size * sizeof(T))) return;
        out.resize(size);
        for (auto& element : out) {
            if (error_ != nullptr) return;
            read(element, false);
        }
    }

    const std::uint8_t* at_;
    const std::uint8_t* end_;
    std::size_t budget_;
    int version_;
    bool flexible_;
    const char* error_ = nullptr;
};

}  // namespace kq::wire
