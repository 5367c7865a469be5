// SPDX-License-Identifier: Apache-2.0
//
// meta.properties, of checkpoints.hpp: a Java properties file.

#include <charconv>

#include "storage/checkpoints.hpp"

namespace kq {

namespace {

using Properties = std::map<std::string, std::string, std::less<>>;

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\f' || c == '\r';
}

// One logical line of the file: key and value divided by '=', ':' or blanks; a backslash takes the
// meaning from what follows it. Values here are ids and numbers: \uXXXX does not occur.
void add_property(std::string_view line, Properties& into) {
    std::string key;
    std::string value;
    std::size_t at = 0;
    for (; at < line.size(); ++at) {
        char c = line[at];
        if (c == '\\' && at + 1 < line.size()) {
            key += line[++at];
        } else if (c == '=' || c == ':' || is_blank(c)) {
            break;
        } else {
            key += c;
        }
    }
    while (at < line.size() && is_blank(line[at]))
        ++at;
    if (at < line.size() && (line[at] == '=' || line[at] == ':')) ++at;
    while (at < line.size() && is_blank(line[at]))
        ++at;
    for (; at < line.size(); ++at) {
        if (line[at] == '\\' && at + 1 < line.size()) ++at;
        value += line[at];
    }
    while (!value.empty() && is_blank(value.back()))
        value.pop_back();
    into[std::move(key)] = std::move(value);
}

Properties parse_properties(std::string_view text) {
    Properties properties;
    while (!text.empty()) {
        auto end = text.find('\n');
        auto line = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
        while (!line.empty() && is_blank(line.front()))
            line.remove_prefix(1);
        if (line.empty() || line.front() == '#' || line.front() == '!') continue;
        add_property(line, properties);
    }
    return properties;
}

Result<std::string> required(const Properties& properties, std::string_view key) {
    auto found = properties.find(key);
    if (found == properties.end() || found->second.empty()) {
        return Error{Errc::corrupt_file, "no " + std::string(key)};
    }
    return found->second;
}

Result<std::int32_t> number(const Properties& properties, std::string_view key) {
    KQ_LET(auto text, required(properties, key));
    std::int32_t value = 0;
    auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc{} || end != text.data() + text.size() || value < 0) {
        return Error{Errc::corrupt_file, std::string(key) + " is not a number: " + text};
    }
    return value;
}

}  // namespace

Result<DirectoryIdentity> parse_meta_properties(std::string_view text) {
    auto properties = parse_properties(text);
    KQ_LET(auto version, number(properties, "version"));
    if (version != 1) {
        return Error{Errc::unsupported,
                     "the file is of version " + std::to_string(version) + "; only 1 is known" +
                         (version == 0 ? " (0 was written under ZooKeeper)" : "")};
    }
    DirectoryIdentity identity;
    KQ_LET(identity.cluster_id, required(properties, "cluster.id"));
    KQ_LET(auto node_id, number(properties, "node.id"));
    identity.node_id = BrokerId{node_id};
    // Kafka before 3.7 wrote none: zero asks for one to be drawn.
    if (properties.contains("directory.id")) {
        KQ_LET(auto directory_id, required(properties, "directory.id"));
        auto parsed = Uuid::parse(directory_id);
        if (!parsed.ok()) {
            return Error{Errc::corrupt_file, "directory.id is not an id: " + directory_id};
        }
        identity.directory_id = parsed.value();
    }
    return identity;
}

std::string format_meta_properties(const DirectoryIdentity& identity) {
    return "version=1\ncluster.id=" + identity.cluster_id +
           "\nnode.id=" + std::to_string(identity.node_id.value) +
           "\ndirectory.id=" + identity.directory_id.text() + '\n';
}

}  // namespace kq
