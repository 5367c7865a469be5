// SPDX-License-Identifier: Apache-2.0
#include "storage/checkpoints.hpp"

#include <charconv>

namespace kq {

namespace {

template <class Integer>
bool parse_number(std::string_view text, Integer& out) {
    auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), out);
    return failure == std::errc{} && end == text.data() + text.size();
}

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && is_space(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && is_space(text.back()))
        text.remove_suffix(1);
    return text;
}

// Takes the next line off `text`; false at the end.
bool next_line(std::string_view& text, std::string_view& line) {
    if (text.empty()) return false;
    auto end = text.find('\n');
    line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    return true;
}

// Takes the next word off `line`.
std::string_view next_word(std::string_view& line) {
    line = trimmed(line);
    std::size_t length = 0;
    while (length < line.size() && !is_space(line[length]))
        ++length;
    auto word = line.substr(0, length);
    line.remove_prefix(length);
    return word;
}

Error bad_line(std::size_t number, std::string_view what) {
    return Error{Errc::corrupt_file, "line " + std::to_string(number) + ": " + std::string(what)};
}

// The count, and as many lines; `on_line(line)` returns what is wrong with one.
template <class OnLine>
Status parse_lines(std::string_view text, OnLine on_line) {
    std::string_view line;
    std::int64_t count = 0;
    if (!next_line(text, line) || !parse_number(trimmed(line), count) || count < 0) {
        return bad_line(2, "not a number of lines");
    }
    std::int64_t found = 0;
    while (next_line(text, line)) {
        if (trimmed(line).empty() && text.empty()) break;
        ++found;
        std::string_view problem = on_line(line);
        if (!problem.empty()) return bad_line(static_cast<std::size_t>(found) + 2, problem);
    }
    if (found != count) {
        return Error{Errc::corrupt_file, std::to_string(count) + " lines are announced, " +
                                             std::to_string(found) + " are there"};
    }
    return done();
}

// The version line, then lines as above. A newer version is refused, but not where what follows is
// of version 0 to its last line: a new version is made for a new shape, so that is ours, with a bit
// turned in it, and these files are caches (I29).
template <class OnLine>
Status parse_counted_lines(std::string_view text, OnLine on_line) {
    if (text.empty()) return done();  // how Kafka creates the file
    std::string_view line;
    int version = 0;
    if (!next_line(text, line) || !parse_number(trimmed(line), version) || version < 0) {
        return bad_line(1, "not a version");
    }
    Status lines = parse_lines(text, on_line);
    if (version == 0) return lines;
    if (lines.ok()) return bad_line(1, "a newer version in the shape of version 0");
    return Error{Errc::unsupported,
                 "the file is of version " + std::to_string(version) + ", newer than 0"};
}

std::string counted_lines_head(std::size_t count) {
    return "0\n" + std::to_string(count) + '\n';
}

}  // namespace

Result<OffsetsByPartition> parse_offset_checkpoint(std::string_view text) {
    OffsetsByPartition offsets;
    KQ_TRY(parse_counted_lines(text, [&](std::string_view line) -> std::string_view {
        auto topic = next_word(line);
        std::int32_t partition = 0;
        std::int64_t offset = 0;
        if (topic.empty()) return "no topic";
        if (!parse_number(next_word(line), partition) || partition < 0) return "not a partition";
        if (!parse_number(next_word(line), offset)) return "not an offset";
        if (!trimmed(line).empty()) return "more than topic, partition and offset";
        offsets[TopicPartition{std::string(topic), PartitionIndex{partition}}] = Offset{offset};
        return {};
    }));
    return offsets;
}

std::string format_offset_checkpoint(const OffsetsByPartition& offsets) {
    std::string text = counted_lines_head(offsets.size());
    for (const auto& [partition, offset] : offsets) {
        text += partition.topic;
        text += ' ';
        text += std::to_string(partition.partition.value);
        text += ' ';
        text += std::to_string(offset.value);
        text += '\n';
    }
    return text;
}

Result<std::vector<EpochStart>> parse_epoch_checkpoint(std::string_view text) {
    std::vector<EpochStart> epochs;
    KQ_TRY(parse_counted_lines(text, [&](std::string_view line) -> std::string_view {
        std::int32_t epoch = 0;
        std::int64_t start = 0;
        if (!parse_number(next_word(line), epoch) || epoch < 0) return "not an epoch";
        if (!parse_number(next_word(line), start) || start < 0) return "not an offset";
        if (!trimmed(line).empty()) return "more than epoch and offset";
        if (!epochs.empty() &&
            (epochs.back().epoch.value >= epoch || epochs.back().start.value >= start)) {
            return "epochs and offsets do not ascend";
        }
        epochs.push_back({Epoch{epoch}, Offset{start}});
        return {};
    }));
    return epochs;
}

std::string format_epoch_checkpoint(const std::vector<EpochStart>& epochs) {
    std::string text = counted_lines_head(epochs.size());
    for (const auto& entry : epochs) {
        text += std::to_string(entry.epoch.value);
        text += ' ';
        text += std::to_string(entry.start.value);
        text += '\n';
    }
    return text;
}

Result<Uuid> parse_partition_metadata(std::string_view text) {
    std::string_view line;
    std::optional<int> version;
    std::optional<Uuid> topic_id;
    while (next_line(text, line)) {
        line = trimmed(line);
        if (line.empty()) continue;
        auto colon = line.find(':');
        auto key = trimmed(line.substr(0, colon));
        auto value =
            colon == std::string_view::npos ? std::string_view{} : trimmed(line.substr(colon + 1));
        if (key == "version") {
            int number = 0;
            if (!parse_number(value, number)) {
                return Error{Errc::corrupt_file, "not a version: " + std::string(value)};
            }
            version = number;
        } else if (key == "topic_id") {
            KQ_LET(topic_id, Uuid::parse(value));
        }
    }
    if (!version) return Error{Errc::corrupt_file, "no version"};
    if (*version != 0) {
        return Error{Errc::unsupported,
                     "the file is of version " + std::to_string(*version) + ", newer than 0"};
    }
    if (!topic_id || topic_id->is_zero()) return Error{Errc::corrupt_file, "no topic id"};
    return *topic_id;
}

std::string format_partition_metadata(const Uuid& topic_id) {
    return "version: 0\ntopic_id: " + topic_id.text();  // without a newline, like Kafka's
}

Result<std::optional<BrokerEpoch>> parse_clean_shutdown(std::string_view text) {
    text = trimmed(text);
    if (text.empty()) return std::optional<BrokerEpoch>{};
    // A flat JSON object of numbers: {"version":0,"brokerEpoch":14}.
    std::optional<std::int64_t> version;
    std::optional<std::int64_t> epoch;
    auto malformed = Error{Errc::corrupt_file, "not a clean-shutdown file"};
    if (text.front() != '{' || text.back() != '}') return malformed;
    text = text.substr(1, text.size() - 2);
    while (!trimmed(text).empty()) {
        auto comma = text.find(',');
        auto field = text.substr(0, comma);
        text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
        auto colon = field.find(':');
        if (colon == std::string_view::npos) return malformed;
        auto key = trimmed(field.substr(0, colon));
        std::int64_t value = 0;
        if (!parse_number(trimmed(field.substr(colon + 1)), value)) return malformed;
        if (key == "\"version\"") version = value;
        if (key == "\"brokerEpoch\"") epoch = value;
    }
    if (!version) return malformed;
    if (*version != 0) {
        return Error{Errc::unsupported,
                     "the file is of version " + std::to_string(*version) + ", newer than 0"};
    }
    if (!epoch || *epoch < 0) return std::optional<BrokerEpoch>{};
    return std::optional<BrokerEpoch>{BrokerEpoch{*epoch}};
}

std::string format_clean_shutdown(BrokerEpoch broker_epoch) {
    return "{\"version\":0,\"brokerEpoch\":" + std::to_string(broker_epoch.value) + '}';
}

}  // namespace kq
