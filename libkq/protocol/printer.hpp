// SPDX-License-Identifier: Apache-2.0
//
// Printer: the walker that writes a message as one line of JSON, with Kafka's field names. Included
// by the .cpp of messages only.
//
// shape    null is null, bytes and records are base64, ids their 22 characters, 64-bit integers are
//          numbers; fields that the version lacks and tagged fields at their default are left out
#pragma once

#include <type_traits>

#include "protocol/codec.hpp"
#include "protocol/smallest.hpp"
#include "protocol/writer.hpp"

namespace kq::wire {

// A JSON string with its quotes. What is no UTF-8 becomes U+FFFD.
void append_json_text(std::string& out, std::string_view text);
void append_json_number(std::string& out, std::int64_t number);
void append_json_number(std::string& out, double number);
void append_base64(std::string& out, ByteView bytes);

class Printer {
public:
    explicit Printer(int version) : version_(version) {}

    template <class T>
    void field(const char* name, T& value, Rule rule = always) {
        if (!rule.covers(version_)) return;
        print_name(name);
        print(value);
    }
    template <class... T>
    void tags(Tagged<T>... fields) {
        (print_tagged(fields), ...);
    }
    template <class T>
    void object(const T& message) {
        auto outer = std::exchange(object_, reinterpret_cast<const std::uint8_t*>(&message));
        auto outer_defaults =
            std::exchange(defaults_, reinterpret_cast<const std::uint8_t*>(&default_of<T>()));
        out_ += '{';
        first_ = true;
        const_cast<T&>(message).walk(*this);
        out_ += '}';
        first_ = false;
        object_ = outer;
        defaults_ = outer_defaults;
    }
    std::string take() && { return std::move(out_); }

private:
    template <class T>
    void print_tagged(const Tagged<T>& field) {
        if (!field.rule.covers(version_)) return;
        auto position = reinterpret_cast<const std::uint8_t*>(&field.value) - object_;
        if (field.value == *reinterpret_cast<const T*>(defaults_ + position)) return;
        print_name(field.name);
        print(field.value);
    }
    void print_name(const char* name) {
        if (!first_) out_ += ',';
        first_ = false;
        out_ += '"';
        out_ += name;
        out_ += "\":";
    }
    template <class T>
    void print(const T& value) {
        if constexpr (std::is_same_v<T, bool>) {
            out_ += value ? "true" : "false";
        } else if constexpr (std::is_integral_v<T>) {
            append_json_number(out_, static_cast<std::int64_t>(value));
        } else if constexpr (std::is_same_v<T, double>) {
            append_json_number(out_, value);
        } else if constexpr (std::is_same_v<T, std::string>) {
            append_json_text(out_, value);
        } else if constexpr (std::is_same_v<T, Uuid>) {
            append_json_text(out_, value.text());
        } else if constexpr (std::is_same_v<T, Bytes>) {
            print_base64(value);
        } else if constexpr (std::is_same_v<T, Records>) {
            print_records(value);
        } else if constexpr (is_vector<T>) {
            print_array(value);
        } else if constexpr (is_optional<T>) {
            if (value.has_value()) {
                print(*value);
            } else {
                out_ += "null";
            }
        } else {
            object(value);
        }
    }
    template <class T>
    void print_array(const std::vector<T>& array) {
        out_ += '[';
        bool first = true;
        for (const auto& element : array) {
            if (!first) out_ += ',';
            first = false;
            print(element);
        }
        out_ += ']';
    }
    void print_base64(ByteView bytes) {
        out_ += '"';
        append_base64(out_, bytes);
        out_ += '"';
    }
    void print_records(const Records& records) {
        if (records.is_null()) {
            out_ += "null";
        } else if (records.chain() != nullptr) {
            append_json_number(out_, static_cast<std::int64_t>(records.size_bytes()));
        } else {
            print_base64(records.view());
        }
    }

    std::string out_;
    int version_;
    bool first_ = true;
    const std::uint8_t* object_ = nullptr;
    const std::uint8_t* defaults_ = nullptr;
};

}  // namespace kq::wire
