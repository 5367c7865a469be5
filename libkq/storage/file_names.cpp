// SPDX-License-Identifier: Apache-2.0
#include "storage/file_names.hpp"

#include <algorithm>
#include <charconv>

namespace kq {

namespace {

constexpr std::size_t file_name_max = 255;
constexpr std::size_t topic_name_max = 249;

bool is_topic_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

bool is_hex_digit(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// "<topic>-<partition>"; the partition is behind the last '-'.
std::optional<TopicPartition> parse_topic_partition(std::string_view name) {
    auto dash = name.rfind('-');
    if (dash == std::string_view::npos) return std::nullopt;
    auto topic = name.substr(0, dash);
    auto digits = name.substr(dash + 1);
    std::int32_t partition = 0;
    auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), partition);
    if (failure != std::errc{} || end != digits.data() + digits.size() || partition < 0) {
        return std::nullopt;
    }
    if (digits.size() > 1 && digits[0] == '0') return std::nullopt;  // "-00": not one we would make
    if (!is_legal_topic_name(topic)) return std::nullopt;
    return TopicPartition{std::string(topic), PartitionIndex{partition}};
}

}  // namespace

std::string twenty_digits(Offset offset) {
    char digits[20];
    auto value = static_cast<std::uint64_t>(offset.value);
    for (int i = 19; i >= 0; --i) {
        digits[i] = static_cast<char>('0' + value % 10);
        value /= 10;
    }
    return std::string(digits, 20);
}

std::string segment_path(const std::string& directory, Offset base, std::string_view suffix) {
    std::string path;
    path.reserve(directory.size() + 21 + suffix.size());
    path.append(directory).append(1, '/').append(twenty_digits(base)).append(suffix);
    return path;
}

std::string earlier_batches_path(const std::string& directory, Offset offset) {
    return directory + '/' + std::string(earlier_batches_prefix) + twenty_digits(offset) +
           std::string(earlier_batches_suffix);
}

std::optional<Offset> offset_in_name(std::string_view name, std::string_view suffix) {
    if (name.size() != 20 + suffix.size() || name.substr(20) != suffix) return std::nullopt;
    std::int64_t offset = 0;
    auto [end, failure] = std::from_chars(name.data(), name.data() + 20, offset);
    if (failure != std::errc{} || end != name.data() + 20 || name[0] == '-') return std::nullopt;
    return Offset{offset};
}

std::optional<Offset> offset_in_earlier_batches_name(std::string_view name) {
    if (!name.starts_with(earlier_batches_prefix)) return std::nullopt;
    return offset_in_name(name.substr(earlier_batches_prefix.size()), earlier_batches_suffix);
}

bool is_legal_topic_name(std::string_view name) {
    return !name.empty() && name.size() <= topic_name_max && name != "." && name != ".." &&
           std::all_of(name.begin(), name.end(), is_topic_character);
}

std::optional<DirectoryName> parse_directory_name(std::string_view name) {
    if (name == "remote-log-index-cache") return DirectoryName{DirectoryKind::remote_cache, {}};

    struct Suffix {
        std::string_view text;
        DirectoryKind kind;
    };
    static constexpr Suffix suffixes[] = {{"-delete", DirectoryKind::deleted},
                                          {"-future", DirectoryKind::future},
                                          {"-stray", DirectoryKind::stray}};
    for (const auto& suffix : suffixes) {
        if (!name.ends_with(suffix.text)) continue;
        auto stem = name.substr(0, name.size() - suffix.text.size());
        auto dot = stem.rfind('.');
        if (dot == std::string_view::npos) return std::nullopt;
        auto id = stem.substr(dot + 1);
        if (id.size() != 32 || !std::all_of(id.begin(), id.end(), is_hex_digit)) {
            return std::nullopt;
        }
        auto partition = parse_topic_partition(stem.substr(0, dot));
        if (!partition) return std::nullopt;
        return DirectoryName{suffix.kind, std::move(*partition)};
    }
    auto partition = parse_topic_partition(name);
    if (!partition) return std::nullopt;
    return DirectoryName{DirectoryKind::partition, std::move(*partition)};
}

std::string renamed_directory_name(const TopicPartition& partition, const Uuid& id,
                                   std::string_view suffix) {
    std::string rest = '-' + std::to_string(partition.partition.value) + '.' +
                       to_hex(ByteView(id.bytes)) + '-' + std::string(suffix);
    auto topic_bytes = std::min(partition.topic.size(), file_name_max - rest.size());
    return partition.topic.substr(0, topic_bytes) + rest;
}

}  // namespace kq
