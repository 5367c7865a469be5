// SPDX-License-Identifier: Apache-2.0
#include "consensus/quorum_state_file.hpp"

#include <fstream>
#include <iterator>

#include <catch2/catch.hpp>

#include "base/memory_file_system.hpp"
#include "base/sim_loop.hpp"

using namespace kq;

namespace {

std::string golden(const std::string& name) {
    std::ifstream in(std::string(KQ_SOURCE_DIR) + "/tests/wire/golden/metadata/" + name);
    REQUIRE(in);
    return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("Kafka's quorum-state files are read, and written byte for byte", "[quorum]") {
    const auto single = golden("single/quorum-state");
    auto state = parse_quorum_state(single).value();
    CHECK(state.data_version == 0);
    CHECK(state.election == ElectionState{Epoch{1}, BrokerId{1}, std::nullopt});
    CHECK(state.current_voters == std::vector{BrokerId{1}});
    CHECK(format_quorum_state(state) == single);

    const auto cluster = golden("cluster/quorum-state");
    state = parse_quorum_state(cluster).value();
    CHECK(state.data_version == 1);
    CHECK(state.election.epoch == Epoch{27});
    REQUIRE(state.election.voted);
    CHECK(state.election.voted->id == BrokerId{2});
    CHECK(state.election.voted->directory.text() == "AAAAAAAAAAAAAAAAAAAA2g");
    CHECK(format_quorum_state(state) == cluster);
}

TEST_CASE("fields in another order and unknown ones are fine", "[quorum]") {
    const auto state = parse_quorum_state(
        R"({"data_version":1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","new":[1,{}],
            "votedId":-1,"leaderEpoch":12,"leaderId":-1})");
    REQUIRE(state.ok());
    CHECK(state.value().election == ElectionState{Epoch{12}, no_broker, std::nullopt});
}

TEST_CASE("a quorum-state that cannot be one is refused", "[quorum]") {
    struct Row {
        const char* text;
        Errc code;
    };
    const Row row = GENERATE(values<Row>({
        {"", Errc::corrupt_file},
        {"{", Errc::corrupt_file},
        {"[]", Errc::corrupt_file},
        {"null", Errc::corrupt_file},
        {"{}", Errc::corrupt_file},
        {R"({"data_version":2})", Errc::unsupported},
        {R"({"data_version":-1})", Errc::corrupt_file},
        {R"({"data_version":"x"})", Errc::corrupt_file},
        {R"({"data_version":1,"leaderId":1,"leaderEpoch":1,"votedId":-1})", Errc::corrupt_file},
        {R"({"data_version":1,"leaderId":1,"leaderEpoch":-7,"votedId":-1,
             "votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA"})",
         Errc::corrupt_file},
        {R"({"data_version":1,"leaderId":1,"leaderEpoch":99999999999,"votedId":-1,
             "votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA"})",
         Errc::corrupt_file},
        {R"({"data_version":1,"leaderId":1,"leaderEpoch":1,"votedId":-1,"votedDirectoryId":"?"})",
         Errc::corrupt_file},
        {R"({"data_version":1,"leaderId":1,"leaderEpoch":1,"votedId":-1,"votedDirectoryId":5})",
         Errc::corrupt_file},
        {R"({"data_version":0,"leaderId":1,"leaderEpoch":1,"votedId":-1,"appliedOffset":0,
             "currentVoters":[3]})",
         Errc::corrupt_file},
    }));
    CAPTURE(row.text);
    const auto parsed = parse_quorum_state(row.text);
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.code() == row.code);
}

TEST_CASE("every prefix and every flipped bit of a quorum-state is read or refused", "[quorum]") {
    const auto text = golden("cluster/quorum-state");
    for (std::size_t length = 0; length < text.size(); ++length)
        CHECK_FALSE(parse_quorum_state(text.substr(0, length)).ok());
    for (std::size_t bit = 0; bit < text.size() * 8; ++bit) {
        auto damaged = text;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
        const auto parsed = parse_quorum_state(damaged);
        if (parsed.ok()) CHECK(parsed.value().election.epoch >= Epoch{0});
    }
}

TEST_CASE("a quorum-state survives the power failing once it was written", "[quorum]") {
    SimScheduler world(5);
    MemoryFileSystem files(world.clock(), MemoryFileSystem::CrashModel::on);
    REQUIRE(files.mkdir("/q").ok());
    REQUIRE(files.sync_dir("/").ok());
    CHECK_FALSE(read_quorum_state(files, "/q/quorum-state").value());
    QuorumStateFile state;
    for (int epoch = 1; epoch < 20; ++epoch) {
        state.election = {Epoch{epoch}, no_broker, ReplicaKey{BrokerId{epoch}, metadata_topic_id}};
        REQUIRE(write_quorum_state(files, "/q/quorum-state", state).ok());
        files.power_off(world.random());
        CHECK(read_quorum_state(files, "/q/quorum-state").value() == state);
    }
}
