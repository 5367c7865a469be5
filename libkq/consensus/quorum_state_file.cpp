// SPDX-License-Identifier: Apache-2.0
#include "consensus/quorum_state_file.hpp"

#include <algorithm>
#include <limits>

#include <Poco/Dynamic/Var.h>
#include <Poco/Exception.h>
#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>

namespace kq {
namespace {

constexpr std::size_t file_bytes_max = 1 << 20;

Error corrupt(const std::string& why) {
    return Error(Errc::corrupt_file, "quorum-state: " + why);
}

template <class T>
Result<T> integer(const Poco::JSON::Object& object, const char* name) {
    try {
        if (!object.has(name)) return corrupt(std::string(name) + " is missing");
        const auto value = object.getValue<Poco::Int64>(name);
        if (value < std::numeric_limits<T>::min() || value > std::numeric_limits<T>::max())
            return corrupt(std::string(name) + " is out of range");
        return static_cast<T>(value);
    } catch (const Poco::Exception&) {
        return corrupt(std::string(name) + " is no number");
    }
}

Result<Uuid> directory(const Poco::JSON::Object& object) {
    try {
        if (!object.has("votedDirectoryId")) return corrupt("votedDirectoryId is missing");
        auto id = Uuid::parse(object.getValue<std::string>("votedDirectoryId"));
        if (!id.ok()) return corrupt("votedDirectoryId is no id");
        return id;
    } catch (const Poco::Exception&) {
        return corrupt("votedDirectoryId is no text");
    }
}

Result<std::vector<BrokerId>> voters(const Poco::JSON::Object& object) {
    std::vector<BrokerId> ids;
    const auto array = object.getArray("currentVoters");
    if (array.isNull()) return ids;
    for (unsigned i = 0; i < array->size(); ++i) {
        const auto voter = array->getObject(i);
        if (voter.isNull()) return corrupt("a voter is no object");
        KQ_LET(const auto id, integer<std::int32_t>(*voter, "voterId"));
        ids.emplace_back(id);
    }
    return ids;
}

Result<QuorumStateFile> read_fields(const Poco::JSON::Object& object) {
    QuorumStateFile file;
    KQ_LET(file.data_version, integer<std::int16_t>(object, "data_version"));
    if (file.data_version < 0) return corrupt("data_version is negative");
    if (file.data_version > 1) {
        return Error(Errc::unsupported, "quorum-state: data_version " +
                                            std::to_string(file.data_version) +
                                            " is newer than this build");
    }
    KQ_LET(const auto leader, integer<std::int32_t>(object, "leaderId"));
    KQ_LET(const auto epoch, integer<std::int32_t>(object, "leaderEpoch"));
    KQ_LET(const auto voted, integer<std::int32_t>(object, "votedId"));
    if (epoch < -1) return corrupt("leaderEpoch is negative");
    file.election.leader = BrokerId{leader};
    file.election.epoch = Epoch{std::max(epoch, 0)};  // -1: none yet
    if (voted >= 0) file.election.voted = ReplicaKey{BrokerId{voted}, {}};
    if (file.data_version == 0) {
        file.cluster_id = object.optValue<std::string>("clusterId", "");
        KQ_LET(file.applied_offset, integer<std::int64_t>(object, "appliedOffset"));
        KQ_LET(file.current_voters, voters(object));
        return file;
    }
    KQ_LET(const auto voted_directory, directory(object));
    if (file.election.voted) file.election.voted->directory = voted_directory;
    return file;
}

std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

}  // namespace

Result<QuorumStateFile> parse_quorum_state(std::string_view text) {
    try {
        Poco::JSON::Parser parser;
        parser.setDepth(16);
        const auto parsed = parser.parse(std::string(text));
        if (parsed.type() != typeid(Poco::JSON::Object::Ptr)) return corrupt("no JSON object");
        return read_fields(*parsed.extract<Poco::JSON::Object::Ptr>());
    } catch (const Poco::Exception& problem) {
        return corrupt(problem.displayText());
    }
}

// Written by hand: the order of the fields is Kafka's, and a printer would sort them.
std::string format_quorum_state(const QuorumStateFile& state) {
    const auto& election = state.election;
    const auto voted = election.voted.value_or(ReplicaKey{no_broker, {}});
    std::string out = "{";
    if (state.data_version == 0) out += "\"clusterId\":" + quoted(state.cluster_id) + ',';
    out += "\"leaderId\":" + std::to_string(election.leader.value);
    out += ",\"leaderEpoch\":" + std::to_string(election.epoch.value);
    out += ",\"votedId\":" + std::to_string(voted.id.value);
    if (state.data_version == 0) {
        out += ",\"appliedOffset\":" + std::to_string(state.applied_offset);
        out += ",\"currentVoters\":[";
        for (std::size_t i = 0; i < state.current_voters.size(); ++i) {
            if (i > 0) out += ',';
            out += "{\"voterId\":" + std::to_string(state.current_voters[i].value) + '}';
        }
        out += ']';
    } else {
        out += ",\"votedDirectoryId\":" + quoted(voted.directory.text());
    }
    return out + ",\"data_version\":" + std::to_string(state.data_version) + '}';
}

Result<std::optional<QuorumStateFile>> read_quorum_state(FileSystem& files,
                                                         const std::string& path) {
    auto content = read_file(files, path, file_bytes_max);
    if (!content.ok()) {
        if (content.code() == Errc::not_found) return std::optional<QuorumStateFile>();
        return content.error();
    }
    KQ_LET(auto parsed, parse_quorum_state(as_text(content.value())));
    return std::optional<QuorumStateFile>(std::move(parsed));
}

Status write_quorum_state(FileSystem& files, const std::string& path,
                          const QuorumStateFile& state) {
    return replace_file(files, path, as_bytes(format_quorum_state(state)));
}

}  // namespace kq
