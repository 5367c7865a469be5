// SPDX-License-Identifier: Apache-2.0
#include "metadata/partition_change.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

#include "base/random.hpp"
#include "metadata/metadata_replay.hpp"

using namespace kq;

namespace {

using Ids = std::vector<int>;

std::vector<BrokerId> brokers(const Ids& ids) {
    std::vector<BrokerId> result;
    for (int id : ids)
        result.emplace_back(id);
    return result;
}

Ids numbers(const std::vector<BrokerId>& ids) {
    Ids result;
    for (auto id : ids)
        result.push_back(id.value);
    return result;
}

struct Row {
    const char* what;
    // As it is.
    Ids replicas, isr, eligible, last_known;
    int leader;
    // What happens.
    Ids up;
    Ids target_isr;
    Ids lost_data;
    Election election;
    int min_insync;
    bool eligible_on;
    // What comes of it; leader -2: no record at all.
    int new_leader;
    Ids new_isr, new_eligible, new_last_known;
    bool recovering;
};

const TopicIdPartition place{metadata_topic_id, PartitionIndex{3}};

PartitionRegistration partition_of(const Row& row) {
    PartitionRegistration partition;
    partition.replicas = brokers(row.replicas);
    partition.directories.resize(row.replicas.size());
    partition.isr = brokers(row.isr);
    partition.eligible_leader_replicas = brokers(row.eligible);
    partition.last_known_elr = brokers(row.last_known);
    partition.leader = BrokerId{row.leader};
    partition.leader_epoch = Epoch{4};
    partition.partition_epoch = PartitionEpoch{9};
    return partition;
}

// The partition after the record, as an image holds it.
PartitionRegistration applied(const PartitionRegistration& before,
                              const wire::PartitionChangeRecord& record) {
    MetadataState state;
    EditSession edit;
    TopicImage topic("t", place.topic_id);
    topic.put(edit, place.partition, before);
    state.topics_by_id.put(edit, place.topic_id, std::make_shared<const TopicImage>(topic));
    state.topics_by_name.put(edit, "t", std::make_shared<const TopicImage>(topic));
    MetadataReplay replay(std::move(state));
    wire::MetadataRecord any = record;
    REQUIRE(replay.apply({&any, 1}).ok());
    return *replay.state().partition(place);
}

PartitionSurroundings around(const Ids& up, int min_insync, bool eligible_on) {
    PartitionSurroundings surroundings;
    surroundings.may_lead = [up](BrokerId id) {
        return std::find(up.begin(), up.end(), id.value) != up.end();
    };
    surroundings.default_directory = [](BrokerId) { return Uuid{}; };
    surroundings.min_insync_replicas = min_insync;
    surroundings.eligible_leader_replicas = eligible_on;
    return surroundings;
}

}  // namespace

TEST_CASE("who leads a partition, and who may, row by row", "[metadata]") {
    constexpr auto online = Election::online;
    constexpr auto preferred = Election::preferred;
    // clang-format off
    const Row row = GENERATE(values<Row>({
        // What; replicas, ISR, eligible, last known leader, leader;   who is up, wanted ISR, lost data, election,
        // min.insync.replicas, eligible leaders on;   the new leader, ISR, eligible, last known leader, recovering.
        {"nothing to do",
            {1, 2, 3}, {1, 2, 3}, {}, {}, 1,   {1, 2, 3}, {1, 2, 3}, {}, online, 2, true,   -2, {}, {}, {}, false},
        {"a follower leaves",
            {1, 2, 3}, {1, 2, 3}, {}, {}, 1,   {1, 2}, {1, 2}, {}, online, 2, true,   1, {1, 2}, {}, {}, false},
        {"the leader leaves",
            {1, 2, 3}, {1, 2, 3}, {}, {}, 1,   {2, 3}, {2, 3}, {}, online, 2, true,   2, {2, 3}, {}, {}, false},
        {"below min insync: who left stays eligible",
            {1, 2, 3}, {1, 2}, {}, {}, 1,   {2}, {2}, {}, online, 2, true,   2, {2}, {1}, {}, false},
        {"the last one leaves",
            {1, 2}, {1}, {2}, {}, 1,   {}, {}, {}, online, 2, true,   -1, {}, {1, 2}, {1}, false},
        {"alone and leaving",
            {1}, {1}, {}, {}, 1,   {}, {}, {}, online, 1, true,   -1, {}, {1}, {1}, false},
        {"back again, eligible",
            {1}, {}, {1}, {1}, -1,   {1}, {}, {}, online, 1, true,   1, {1}, {}, {}, false},
        {"an eligible one leads; the others stay eligible",
            {1, 2, 3}, {}, {2, 3}, {1}, -1,   {3}, {}, {}, online, 2, true,   3, {3}, {2}, {}, false},
        {"enough in sync: nobody is eligible beside",
            {1, 2, 3}, {}, {2, 3}, {1}, -1,   {3}, {}, {}, online, 1, true,   3, {3}, {}, {}, false},
        {"lost data: neither in sync nor eligible",
            {1, 2}, {1}, {2}, {}, 1,   {}, {}, {1}, online, 2, true,   -1, {}, {2}, {1}, false},
        {"alone with lost data: last known leader",
            {1}, {1}, {}, {}, 1,   {}, {}, {1}, online, 1, true,   -1, {}, {}, {1}, false},
        {"the last known leader is back",
            {1}, {}, {}, {1}, -1,   {1}, {}, {}, online, 1, true,   1, {1}, {}, {}, true},
        {"the last known leader waits for the eligible",
            {1, 2}, {}, {2}, {1}, -1,   {1}, {}, {}, online, 2, true,   -2, {}, {}, {}, false},
        {"unclean: anybody who is up",
            {1, 2, 3}, {1}, {}, {}, 1,   {3}, {}, {1}, Election::unclean, 1, true,   3, {3}, {}, {}, true},
        {"clean before unclean",
            {1, 2, 3}, {1, 2}, {}, {}, 1,   {2, 3}, {2}, {}, Election::unclean, 1, true,   2, {2}, {}, {}, false},
        {"preferred leader",
            {1, 2, 3}, {2, 1, 3}, {}, {}, 2,   {1, 2, 3}, {2, 1, 3}, {}, preferred, 2, true,   1, {2, 1, 3}, {}, {}, false},
        {"preferred leader is not in sync",
            {1, 2, 3}, {2, 3}, {}, {}, 2,   {1, 2, 3}, {2, 3}, {}, preferred, 2, true,   -2, {}, {}, {}, false},
        {"a fenced leader hands over",
            {1, 2}, {1, 2}, {}, {}, 1,   {2}, {1, 2}, {}, online, 1, true,   2, {1, 2}, {}, {}, false},
        {"the ISR grows: eligibility ends",
            {1, 2, 3}, {1}, {2}, {}, 1,   {1, 2, 3}, {1, 3}, {}, online, 2, true,   1, {1, 3}, {}, {}, false},
        {"without the feature the last one stays in the ISR",
            {1, 2}, {1}, {}, {}, 1,   {}, {}, {}, online, 1, false,   -1, {1}, {}, {}, false},
        {"and leads again",
            {1, 2}, {1}, {}, {}, -1,   {1}, {1}, {}, online, 1, false,   1, {1}, {}, {}, false},
    }));
    // clang-format on
    CAPTURE(row.what);
    const auto before = partition_of(row);
    PartitionChange change;
    change.election = row.election;
    change.isr = brokers(row.target_isr);
    for (int id : row.lost_data)
        change.may_have_lost_data.insert(BrokerId{id});
    const auto record =
        change_partition(place, before, change, around(row.up, row.min_insync, row.eligible_on));
    if (row.new_leader == -2) {
        CHECK_FALSE(record);
        return;
    }
    REQUIRE(record);
    const auto now = applied(before, *record);
    CHECK(now.leader.value == row.new_leader);
    CHECK(numbers(now.isr) == row.new_isr);
    CHECK(numbers(now.eligible_leader_replicas) == row.new_eligible);
    CHECK(numbers(now.last_known_elr) == row.new_last_known);
    CHECK((now.leader_recovery_state == LeaderRecoveryState::recovering) == row.recovering);
    // An election is a new leader epoch; every change a new partition epoch.
    CHECK(now.leader_epoch == Epoch{row.new_leader == row.leader ? 4 : 5});
    CHECK(now.partition_epoch == PartitionEpoch{10});
}

TEST_CASE("a reassignment goes on until the target is in sync, then the rest leaves",
          "[metadata]") {
    PartitionRegistration partition;
    partition.replicas = brokers({1, 2});
    partition.directories.resize(2);
    partition.isr = brokers({1, 2});
    partition.leader = BrokerId{1};
    const auto surroundings = around({1, 2, 3, 4}, 1, true);

    PartitionChange start;
    start.replicas = brokers({3, 4, 1, 2});
    start.adding = brokers({3, 4});
    start.removing = brokers({1, 2});
    auto record = change_partition(place, partition, start, surroundings);
    REQUIRE(record);
    partition = applied(partition, *record);
    CHECK(numbers(partition.adding_replicas) == Ids{3, 4});
    CHECK(partition.leader == BrokerId{1});
    CHECK(partition.directories.size() == 4);

    PartitionChange join;
    join.isr = brokers({1, 2, 3});
    partition = applied(partition, *change_partition(place, partition, join, surroundings));
    CHECK(numbers(partition.replicas) == Ids{3, 4, 1, 2});

    join.isr = brokers({1, 2, 3, 4});
    const auto epoch = partition.leader_epoch;
    partition = applied(partition, *change_partition(place, partition, join, surroundings));
    CHECK(numbers(partition.replicas) == Ids{3, 4});
    CHECK(numbers(partition.isr) == Ids{3, 4});
    CHECK(partition.adding_replicas.empty());
    CHECK(partition.removing_replicas.empty());
    CHECK(partition.leader == BrokerId{3});
    CHECK(partition.leader_epoch > epoch);
    CHECK(partition.directories.size() == 2);
}

TEST_CASE("removing a replica raises the leader epoch even when the leader stays", "[metadata]") {
    PartitionRegistration partition;
    partition.replicas = brokers({1, 2, 3});
    partition.directories.resize(3);
    partition.isr = brokers({1, 2});
    partition.leader = BrokerId{1};
    PartitionChange change;
    change.replicas = brokers({1, 2});
    const auto record = change_partition(place, partition, change, around({1, 2, 3}, 1, true));
    REQUIRE(record);
    CHECK(record->leader == 1);
    CHECK(applied(partition, *record).leader_epoch > partition.leader_epoch);
}

TEST_CASE("whatever happens to a partition, its leader is one of those who may lead",
          "[metadata]") {
    // I6, I10, I11 over random histories: the leader is in the ISR; a broker that lost data is in
    // no ISR and not eligible unless it came back as the last known leader; epochs never go back.
    const auto seed = GENERATE(range(1, 60));
    CAPTURE(seed);
    SeededRandom random(static_cast<std::uint64_t>(seed));
    PartitionRegistration partition;
    partition.replicas = brokers({1, 2, 3});
    partition.directories.resize(3);
    partition.isr = brokers({1, 2, 3});
    partition.leader = BrokerId{1};
    Ids up{1, 2, 3};
    const int min_insync = static_cast<int>(1 + random.below(3));
    for (int step = 0; step < 200; ++step) {
        const int broker = static_cast<int>(1 + random.below(3));
        const BrokerId id{broker};
        PartitionChange change;
        change.isr = partition.isr;
        bool lost = false;
        const bool is_up = std::find(up.begin(), up.end(), broker) != up.end();
        if (is_up && random.chance(0.5)) {
            std::erase(up, broker);
            std::erase(*change.isr, id);
            lost = random.chance(0.3);
            if (lost) change.may_have_lost_data.insert(id);
        } else if (!is_up) {
            up.push_back(broker);
        } else if (partition.has_leader() && !partition.is_in_isr(id)) {
            change.isr->push_back(id);  // caught up with the leader
        }
        const auto record =
            change_partition(place, partition, change, around(up, min_insync, true));
        if (!record) continue;
        const auto now = applied(partition, *record);
        REQUIRE(now.leader_epoch >= partition.leader_epoch);
        REQUIRE(now.partition_epoch > partition.partition_epoch);
        if (now.leader != partition.leader) REQUIRE(now.leader_epoch > partition.leader_epoch);
        if (now.has_leader()) {
            REQUIRE(now.is_in_isr(now.leader));
            REQUIRE(std::find(up.begin(), up.end(), now.leader.value) != up.end());
        } else {
            for (auto member : now.isr)
                REQUIRE(std::find(up.begin(), up.end(), member.value) == up.end());
            REQUIRE((!now.eligible_leader_replicas.empty() || now.last_known_elr.size() == 1));
        }
        for (auto member : now.eligible_leader_replicas)
            REQUIRE_FALSE(now.is_in_isr(member));
        if (lost) {
            REQUIRE_FALSE(now.is_in_isr(id));
            const auto& eligible = now.eligible_leader_replicas;
            REQUIRE(std::find(eligible.begin(), eligible.end(), id) == eligible.end());
        }
        if (static_cast<int>(now.isr.size()) >= min_insync)
            REQUIRE(now.eligible_leader_replicas.empty());
        partition = now;
    }
}
