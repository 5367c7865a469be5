// SPDX-License-Identifier: Apache-2.0
#include "metadata/topic_names.hpp"

#include <algorithm>

namespace kq {
namespace {

constexpr std::size_t name_bytes_max = 249;  // a directory name with its partition stays below 255

bool is_legal(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

}  // namespace

Status check_topic_name(std::string_view name) {
    auto invalid = [&](const std::string& why) {
        return Error{Errc::invalid_topic_exception, "topic name is illegal: " + why};
    };
    if (name.empty()) return invalid("it is empty");
    if (name == "." || name == "..") return invalid("it is '.' or '..'");
    if (name.size() > name_bytes_max) return invalid("it is longer than 249 characters");
    if (!std::all_of(name.begin(), name.end(), is_legal)) {
        return invalid("it has a character other than letters, digits, '.', '_' and '-'");
    }
    return done();
}

std::string topic_collision_key(std::string_view name) {
    std::string key(name);
    std::replace(key.begin(), key.end(), '.', '_');
    return key;
}

bool is_internal_topic(std::string_view name) {
    return name == consumer_offsets_topic || name == transaction_state_topic ||
           name == share_group_state_topic;
}

}  // namespace kq
