// SPDX-License-Identifier: Apache-2.0
//
// smallest_size: the fewest bytes an element of an array can take on the wire. An array that claims
// more elements than fit into what is left of the frame is refused before memory is taken.
#pragma once

#include <algorithm>
#include <type_traits>

#include "protocol/codec.hpp"

namespace kq::wire {

template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;
template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

// The walker that adds up the fixed parts: integers, and the lengths of what may be empty.
class Smallest {
public:
    Smallest(int version, bool flexible) : version_(version), flexible_(flexible) {}

    template <class T>
    void field(const char*, T& value, Rule rule = always) {
        if (rule.covers(version_)) add(value);
    }
    template <class... T>
    void tags(Tagged<T>...) {
        if (flexible_) ++size_;
    }
    template <class T>
    void add(T& value) {
        if constexpr (std::is_same_v<T, Uuid>) {
            size_ += sizeof(value.bytes);
        } else if constexpr (std::is_arithmetic_v<T>) {
            size_ += sizeof(T);
        } else if constexpr (std::is_same_v<T, std::string> ||
                             std::is_same_v<T, std::optional<std::string>>) {
            size_ += flexible_ ? 1 : 2;
        } else if constexpr (std::is_same_v<T, Bytes> || std::is_same_v<T, std::optional<Bytes>> ||
                             std::is_same_v<T, Records> || is_vector<T>) {
            size_ += flexible_ ? 1 : 4;
        } else if constexpr (is_optional<T>) {
            if constexpr (is_vector<typename T::value_type>) {
                size_ += flexible_ ? 1 : 4;
            } else {
                size_ += 1;
            }
        } else {
            value.walk(*this);
        }
    }
    std::size_t size() const { return std::max<std::size_t>(size_, 1); }

private:
    std::size_t size_ = 0;
    int version_;
    bool flexible_;
};

template <class T>
std::size_t smallest_size(int version, bool flexible) {
    Smallest walker(version, flexible);
    T element{};
    walker.add(element);
    return walker.size();
}

}  // namespace kq::wire
