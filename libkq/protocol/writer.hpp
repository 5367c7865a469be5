// SPDX-License-Identifier: Apache-2.0
//
// BasicWriter: the walker that turns a message into bytes. With a CountingSink it only counts
// (Sizer), with a MemorySink it writes (Writer), so that the rules stand here once. Included by the
// .cpp of messages only.
//
// shape    a message is counted first, so that memory is taken once and exactly
#pragma once

#include <bit>
#include <type_traits>
#include <utility>

#include "protocol/codec.hpp"
#include "protocol/smallest.hpp"
#include "protocol/varint.hpp"

namespace kq::wire {

// Where the default of every field stands: in an object that nobody touched.
template <class T>
const T& default_of() {
    static const T object{};
    return object;
}

class CountingSink {
public:
    template <std::integral T>
    void integer(T) {
        total_ += sizeof(T);
    }
    void uvarint(std::uint32_t value) { total_ += unsigned_varint_size(value); }
    void bytes(ByteView view) { total_ += view.size(); }
    void chain(const Chain& chain) {
        total_ += chain.size_bytes();
        in_chains_ += chain.size_bytes();
    }
    std::size_t total() const { return total_; }
    std::size_t in_chains() const { return in_chains_; }

private:
    std::size_t total_ = 0;
    std::size_t in_chains_ = 0;
};

class MemorySink {
public:
    // What belongs between the bytes before `position` and those after it.
    struct Hole {
        std::size_t position;
        const Chain* chain;
    };
    // Writes from `at` on. With `holes`, chains are left out and noted there; without, the memory
    // in them is copied.
    MemorySink(std::uint8_t* at, std::vector<Hole>* holes) : start_(at), at_(at), holes_(holes) {}

    template <std::integral T>
    void integer(T value) {
        store_be(at_, value);
        at_ += sizeof(T);
    }
    void uvarint(std::uint32_t value) { at_ = put_unsigned_varint(at_, value); }
    void bytes(ByteView view) {
        if (view.empty()) return;
        std::memcpy(at_, view.data(), view.size());
        at_ += view.size();
    }
    void chain(const Chain& chain) {
        if (holes_ != nullptr) {
            holes_->push_back({written(), &chain});
            return;
        }
        for (const auto& piece : chain.pieces()) {
            const auto* memory = std::get_if<SharedBytes>(&piece);
            KQ_CHECK_MSG(memory != nullptr, "file slices can only be encoded into a Chain");
            bytes(memory->view());
        }
    }
    std::size_t written() const { return static_cast<std::size_t>(at_ - start_); }

private:
    std::uint8_t* start_;
    std::uint8_t* at_;
    std::vector<Hole>* holes_;
};

template <class Sink>
class BasicWriter {
public:
    BasicWriter(Sink sink, int version, bool flexible)
        : sink_(sink), version_(version), flexible_(flexible) {}

    int version() const { return version_; }
    Sink& sink() { return sink_; }
    // The first field that this version cannot express, or null.
    const char* problem() const { return problem_; }

    template <class T>
    void field(const char* name, T& value, Rule rule = always) {
        if (rule.covers(version_)) {
            write(name, value, version_ >= rule.nullable_from);
        } else {
            check_absent(name, value, rule);
        }
    }

    template <class... T>
    void tags(Tagged<T>... fields) {
        (check_tag(fields), ...);
        if (!flexible_) return;
        sink_.uvarint((0u + ... + (present(fields) ? 1u : 0u)));
        (write_tagged(fields), ...);
    }

    // walk() is written once, for objects that a Reader may fill; this walker only looks.
    template <class T>
    void object(const T& message) {
        auto outer = std::exchange(object_, reinterpret_cast<const std::uint8_t*>(&message));
        auto outer_defaults =
            std::exchange(defaults_, reinterpret_cast<const std::uint8_t*>(&default_of<T>()));
        const_cast<T&>(message).walk(*this);
        object_ = outer;
        defaults_ = outer_defaults;
    }

private:
    // A field lies as far into the untouched object as into this one.
    template <class T>
    bool is_default(const T& value) const {
        auto position = reinterpret_cast<const std::uint8_t*>(&value) - object_;
        return value == *reinterpret_cast<const T*>(defaults_ + position);
    }
    void note_problem(const char* name) {
        if (problem_ == nullptr) problem_ = name;
    }
    template <class T>
    void check_absent(const char* name, const T& value, Rule rule) {
        if (!rule.droppable && !is_default(value)) note_problem(name);
    }
    template <class T>
    void check_tag(const Tagged<T>& field) {
        if (!field.rule.covers(version_)) check_absent(field.name, field.value, field.rule);
    }
    template <class T>
    bool present(const Tagged<T>& field) const {
        return field.rule.covers(version_) && !is_default(field.value);
    }
    template <class T>
    void write_tagged(const Tagged<T>& field) {
        if (!present(field)) return;
        bool nullable = version_ >= field.rule.nullable_from;
        BasicWriter<CountingSink> counter(CountingSink{}, version_, flexible_);
        counter.write(field.name, field.value, nullable);
        sink_.uvarint(field.tag);
        sink_.uvarint(static_cast<std::uint32_t>(counter.sink().total()));
        write(field.name, field.value, nullable);
    }

    template <class Classic>
    void length(std::size_t size) {
        if (flexible_) {
            sink_.uvarint(static_cast<std::uint32_t>(size + 1));
        } else {
            sink_.integer(static_cast<Classic>(size));
        }
    }
    template <class Classic>
    void null(const char* name, bool nullable) {
        if (!nullable) note_problem(name);
        if (flexible_) {
            sink_.uvarint(0);
        } else {
            sink_.integer(static_cast<Classic>(-1));
        }
    }

    template <std::integral T>
    void write(const char*, const T& value, bool) {
        if constexpr (std::is_same_v<T, bool>) {
            sink_.integer(static_cast<std::uint8_t>(value ? 1 : 0));
        } else {
            sink_.integer(value);
        }
    }
    void write(const char*, const double& value, bool) {
        sink_.integer(std::bit_cast<std::uint64_t>(value));
    }
    void write(const char*, const Uuid& value, bool) { sink_.bytes(value.bytes); }
    void write(const char* name, const std::string& value, bool) {
        if (value.size() > 32767 && !flexible_) note_problem(name);
        length<std::int16_t>(value.size());
        sink_.bytes(as_bytes(value));
    }
    void write(const char*, const Bytes& value, bool) {
        length<std::int32_t>(value.size());
        sink_.bytes(value);
    }
    void write(const char* name, const Records& value, bool) {
        if (value.is_null()) return null<std::int32_t>(name, true);
        length<std::int32_t>(value.size_bytes());
        if (value.chain() != nullptr) {
            sink_.chain(*value.chain());
        } else {
            sink_.bytes(value.view());
        }
    }
    template <class T>
    void write(const char* name, const std::vector<T>& value, bool) {
        length<std::int32_t>(value.size());
        for (const auto& element : value)
            write(name, element, false);
    }
    template <class T>
    void write(const char* name, const std::optional<T>& value, bool nullable) {
        using Classic =
            std::conditional_t<std::is_same_v<T, std::string>, std::int16_t, std::int32_t>;
        if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, Bytes> || is_vector<T>) {
            if (!value.has_value()) return null<Classic>(name, nullable);
        } else {
            if (!value.has_value() && !nullable) return note_problem(name);
            if (nullable) sink_.integer(static_cast<std::int8_t>(value.has_value() ? 1 : -1));
            if (!value.has_value()) return;
        }
        write(name, *value, false);
    }
    template <class T>
    requires std::is_class_v<T>
    void write(const char*, const T& value, bool) { object(value); }

    template <class Other>
    friend class BasicWriter;

    Sink sink_;
    int version_;
    bool flexible_;
    const std::uint8_t* object_ = nullptr;    // whose walk() is running
    const std::uint8_t* defaults_ = nullptr;  // an untouched object of the same type
    const char* problem_ = nullptr;
};

using Sizer = BasicWriter<CountingSink>;
using Writer = BasicWriter<MemorySink>;

}  // namespace kq::wire
