// SPDX-License-Identifier: Apache-2.0
//
// Holds every message and record, at every version, against facts.tsv (made by make_facts.py).
#include <fstream>
#include <map>

#include <catch2/catch.hpp>

#include "protocol/messages/all.hpp"
#include "protocol/records/control_record.hpp"
#include "protocol/records/metadata_record.hpp"
#include "protocol/smallest.hpp"

using namespace kq;

namespace {

struct Span {
    int first = 1;
    int last = 0;
    bool holds(int version) const { return first <= version && version <= last; }
};

struct Fact {
    Span versions;
    std::string path;
    std::string type;
    Span nullable;
    std::string default_value;
    std::string tag;
    bool ignorable;
};

struct MessageFacts {
    Span versions;
    std::string key;
    std::string flexible_from;
    std::vector<Fact> fields;
    bool held = false;  // against a struct
};

Span span_of(const std::string& text) {
    if (text == "-") return {};
    auto dash = text.find('-');
    return {std::stoi(text.substr(0, dash)), std::stoi(text.substr(dash + 1))};
}

std::map<std::string, MessageFacts> read_facts() {
    std::ifstream in(std::string(KQ_SOURCE_DIR) + "/tests/wire/facts.tsv");
    REQUIRE(in);
    std::map<std::string, MessageFacts> facts;
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with('#')) continue;
        std::vector<std::string> cells;
        std::size_t start = 0;
        for (auto tab = line.find('\t'); tab != std::string::npos; tab = line.find('\t', start)) {
            cells.push_back(line.substr(start, tab - start));
            start = tab + 1;
        }
        cells.push_back(line.substr(start));
        auto& message = facts[cells.at(0)];
        if (cells.at(2) == "*") {
            message.versions = span_of(cells[1]);
            message.key = cells.at(3);
            message.flexible_from = cells.at(5);
        } else {
            message.fields.push_back({span_of(cells[1]), cells[2], cells.at(3),
                                      span_of(cells.at(4)), cells.at(5), cells.at(6),
                                      cells.at(7) == "ignorable"});
        }
    }
    return facts;
}

template <class T>
std::string type_name() {
    if constexpr (std::is_same_v<T, bool>) {
        return "bool";
    } else if constexpr (std::is_same_v<T, double>) {
        return "float64";
    } else if constexpr (std::is_integral_v<T>) {
        return (std::is_signed_v<T> ? "int" : "uint") + std::to_string(sizeof(T) * 8);
    } else if constexpr (std::is_same_v<T, std::string>) {
        return "string";
    } else if constexpr (std::is_same_v<T, Bytes>) {
        return "bytes";
    } else if constexpr (std::is_same_v<T, Uuid>) {
        return "uuid";
    } else if constexpr (std::is_same_v<T, wire::Records>) {
        return "records";
    } else if constexpr (wire::is_vector<T>) {
        return "[]" + type_name<typename T::value_type>();
    } else if constexpr (wire::is_optional<T>) {
        return type_name<typename T::value_type>();
    } else {
        return "struct";
    }
}

template <class T>
std::string default_text(const T& value) {
    if constexpr (std::is_same_v<T, bool>) {
        return value ? "true" : "false";
    } else if constexpr (std::is_arithmetic_v<T>) {
        return std::to_string(static_cast<std::int64_t>(value));
    } else if constexpr (std::is_same_v<T, std::string>) {
        return '"' + value + '"';
    } else if constexpr (std::is_same_v<T, Bytes>) {
        return '"' + to_hex(value) + '"';
    } else if constexpr (std::is_same_v<T, Uuid>) {
        return value.is_zero() ? "0" : value.text();
    } else if constexpr (std::is_same_v<T, wire::Records>) {
        return value.is_null() ? "null" : "records";
    } else if constexpr (wire::is_vector<T>) {
        return value.empty() ? "[]" : "[...]";
    } else if constexpr (wire::is_optional<T>) {
        return value.has_value() ? default_text(*value) : "null";
    } else {
        return "{}";
    }
}

// The walker that writes down what a walk() says, one line a field that the version has.
class Notes {
public:
    explicit Notes(int version) : version_(version) {}

    template <class T>
    void field(const char* name, T& value, wire::Rule rule = wire::always) {
        note(name, value, rule, "-");
    }
    template <class... T>
    void tags(wire::Tagged<T>... fields) {
        std::int64_t previous = -1;
        [[maybe_unused]] auto in_order = [&](std::int64_t tag) {
            CHECK(previous < tag);
            previous = tag;
        };
        (in_order(fields.tag), ...);
        (note(fields.name, fields.value, fields.rule, std::to_string(fields.tag)), ...);
        ++ends;
    }

    std::vector<std::string> lines;
    std::vector<std::string> droppable;  // paths that the version lacks
    std::vector<std::string> lacking;    // all of those
    int ends = 0;                        // how often a struct was closed

private:
    template <class T>
    void note(const char* name, T& value, wire::Rule rule, const std::string& tag) {
        auto path = prefix_ + name;
        if (!rule.covers(version_)) {
            lacking.push_back(path);
            if (rule.droppable) droppable.push_back(path);
            return;
        }
        bool nullable = std::is_same_v<T, wire::Records> ||
                        (wire::is_optional<T> && version_ >= rule.nullable_from);
        lines.push_back(path + ' ' + type_name<T>() + (nullable ? " nullable " : " - ") +
                        default_text(value) + ' ' + tag);
        into(value, path);
    }
    template <class T>
    void into(T& value, const std::string& path) {
        if constexpr (wire::is_optional<T>) {
            typename T::value_type element{};
            into(element, path);
        } else if constexpr (wire::is_vector<T>) {
            if constexpr (std::is_class_v<typename T::value_type>) {
                typename T::value_type element{};
                into(element, path + "[]");
            }
        } else if constexpr (requires { value.walk(*this); }) {
            auto outer = std::exchange(prefix_, path + '.');
            int before = ends;
            value.walk(*this);
            CHECK(ends > before);  // every struct ends with its tags
            prefix_ = outer;
        }
    }

    int version_;
    std::string prefix_;
};

std::vector<std::string> expected_lines(const MessageFacts& facts, int version) {
    std::vector<std::string> lines;
    for (const auto& fact : facts.fields) {
        if (!fact.versions.holds(version)) continue;
        lines.push_back(fact.path + ' ' + fact.type +
                        (fact.nullable.holds(version) ? " nullable " : " - ") + fact.default_value +
                        ' ' + fact.tag);
    }
    return lines;
}

// Kafka writes tagged fields behind the others, whatever their place in the list; a struct inside
// one brings its own fields along. The order of those without a tag is the order on the wire.
std::vector<std::string> untagged(const std::vector<std::string>& lines) {
    std::vector<std::string> tagged_paths;
    std::vector<std::string> out;
    for (const auto& line : lines) {
        auto path = line.substr(0, line.find(' '));
        bool inside = std::ranges::any_of(tagged_paths, [&](const std::string& outer) {
            return path.starts_with(outer + '.') || path.starts_with(outer + "[]");
        });
        if (!line.ends_with(" -")) tagged_paths.push_back(path);
        if (line.ends_with(" -") && !inside) out.push_back(line);
    }
    return out;
}

template <class M>
void hold(std::map<std::string, MessageFacts>& facts, std::string_view name, std::int16_t key) {
    CAPTURE(name);
    REQUIRE(facts.contains(std::string(name)));
    auto& message = facts[std::string(name)];
    message.held = true;
    CHECK(M::info.versions.min == message.versions.first);
    CHECK(M::info.versions.max == message.versions.last);
    if (message.key != "-") CHECK(std::to_string(key) == message.key);
    CHECK((M::info.flexible_from == wire::never ? "-" : std::to_string(M::info.flexible_from)) ==
          message.flexible_from);

    for (int version = M::info.versions.min; version <= M::info.versions.max; ++version) {
        CAPTURE(version);
        Notes notes(version);
        M object{};
        object.walk(notes);
        auto expected = expected_lines(message, version);
        CHECK(untagged(notes.lines) == untagged(expected));
        std::ranges::sort(notes.lines);
        std::ranges::sort(expected);
        CHECK(notes.lines == expected);

        for (const auto& fact : message.fields) {
            if (std::ranges::find(notes.lacking, fact.path) == notes.lacking.end()) continue;
            CAPTURE(fact.path);
            CHECK((std::ranges::find(notes.droppable, fact.path) != notes.droppable.end()) ==
                  fact.ignorable);
        }
    }
}

template <std::size_t... i>
void hold_metadata(std::map<std::string, MessageFacts>& facts, std::index_sequence<i...>) {
    (hold<std::variant_alternative_t<i, wire::MetadataRecord>>(
         facts, std::variant_alternative_t<i, wire::MetadataRecord>::info.name,
         std::variant_alternative_t<i, wire::MetadataRecord>::info.type),
     ...);
}

}  // namespace

TEST_CASE("every message and record says what the official field lists say", "[wire]") {
    auto facts = read_facts();
#define KQ_HOLD(api, request, response)                  \
    hold<wire::request>(facts, #request, wire::api.key); \
    hold<wire::response>(facts, #response, wire::api.key);
    KQ_WIRE_FOR_EACH_API(KQ_HOLD)
#undef KQ_HOLD
    hold_metadata(facts, std::make_index_sequence<std::variant_size_v<wire::MetadataRecord>>());
    hold<wire::EndTxnMarker>(facts, "EndTxnMarker", 0);
    hold<wire::LeaderChangeMessage>(facts, "LeaderChangeMessage", 2);
    hold<wire::SnapshotHeaderRecord>(facts, "SnapshotHeaderRecord", 3);
    hold<wire::SnapshotFooterRecord>(facts, "SnapshotFooterRecord", 4);
    hold<wire::KRaftVersionRecord>(facts, "KRaftVersionRecord", 5);
    hold<wire::VotersRecord>(facts, "VotersRecord", 6);
    for (const auto& [name, message] : facts) {
        CAPTURE(name);
        CHECK(message.held);
    }
}
