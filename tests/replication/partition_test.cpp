// SPDX-License-Identifier: Apache-2.0
//
// Partition: every event in every role, appends and what refuses them.
#include "replication/partition.hpp"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/replication/partition_world.hpp"

using namespace kq;
using sim::assignment;
using sim::BatchMaker;
using sim::me;
using sim::PartitionWorld;
using sim::second;
using sim::third;

namespace {

enum class Where { opening, idle, follower, leader, failed };

std::string name_of_role(const Role& role) {
    static const char* const names[] = {"Offline", "Idle", "Follower", "Leader"};
    return names[role.index()];
}

void bring_to(PartitionWorld& world, Where where) {
    switch (where) {
        case Where::opening:
            return;
        case Where::idle:
            world.open();
            return;
        case Where::follower:
            world.open();
            world.step(assignment(second, 3, {me, second}));
            return;
        case Where::leader:
            world.open();
            world.step(assignment(me, 3, {me}, {me, second}));
            return;
        case Where::failed:
            bring_to(world, Where::leader);
            world.step(TakenOffline{Error(Errc::io_error, "the disk is gone")});
            return;
    }
}

Errc first_code(const Effects& effects) {
    REQUIRE(effects.outcomes.size() == 1);
    return effects.outcomes.front().code;
}

}  // namespace

TEST_CASE("the role follows the image, whatever the role before", "[replication][partition]") {
    struct Row {
        Where where;
        PartitionAssignment event;
        const char* role;
    };
    const Row rows[] = {
        {Where::opening, assignment(me, 4, {me}), "Offline"},  // taken once the log is open
        {Where::idle, assignment(me, 4, {me}), "Leader"},
        {Where::idle, assignment(second, 4, {second}), "Follower"},
        {Where::idle, assignment(no_broker, 4, {second}), "Idle"},
        {Where::follower, assignment(me, 4, {me}), "Leader"},
        {Where::follower, assignment(third, 4, {third}), "Follower"},
        {Where::follower, assignment(no_broker, 4, {me}), "Idle"},
        {Where::leader, assignment(second, 4, {second}), "Follower"},
        {Where::leader, assignment(me, 4, {me}), "Leader"},
        {Where::leader, assignment(no_broker, 4, {me}), "Idle"},
        {Where::failed, assignment(me, 4, {me}), "Offline"},
        // What is older than what is known changes nothing (I7).
        {Where::follower, assignment(me, 2, {me}), "Follower"},
        {Where::leader, assignment(second, 2, {second}), "Leader"},
        {Where::leader, assignment(second, 4, {second}, {}, 1), "Leader"},
    };
    for (const Row& row : rows) {
        CAPTURE(static_cast<int>(row.where), row.event.leader.value, row.event.leader_epoch.value);
        PartitionWorld world;
        bring_to(world, row.where);
        world.step(row.event);
        CHECK(name_of_role(world.partition.role()) == row.role);
    }
}

TEST_CASE("an assignment that came while the log was being opened counts", "[replication]") {
    PartitionWorld world;
    world.step(assignment(me, 7, {me}));
    CHECK(world.partition.check_leader(no_epoch) == Errc::not_leader_or_follower);
    world.open();
    REQUIRE(name_of_role(world.partition.role()) == "Leader");
    CHECK(world.partition.check_leader(Epoch{7}) == Errc::none);
}

TEST_CASE("an append is taken by the leader only", "[replication][partition]") {
    struct Row {
        Where where;
        Errc code;
    };
    const Row rows[] = {{Where::opening, Errc::not_leader_or_follower},
                        {Where::idle, Errc::not_leader_or_follower},
                        {Where::follower, Errc::not_leader_or_follower},
                        {Where::leader, Errc::none},
                        {Where::failed, Errc::kafka_storage_error}};
    for (const Row& row : rows) {
        CAPTURE(static_cast<int>(row.where));
        PartitionWorld world;
        bring_to(world, row.where);
        const Effects effects = world.append({BatchMaker{}}, 1);
        CHECK(first_code(effects) == row.code);
        CHECK(effects.appended == (row.code == Errc::none));
    }
}

TEST_CASE("a read is given by the leader only, under its epoch", "[replication][partition]") {
    struct Row {
        Where where;
        int epoch;
        Errc code;
    };
    const Row rows[] = {
        {Where::opening, -1, Errc::not_leader_or_follower},
        {Where::idle, -1, Errc::not_leader_or_follower},
        {Where::follower, -1, Errc::not_leader_or_follower},
        {Where::follower, 2, Errc::fenced_leader_epoch},
        {Where::leader, -1, Errc::none},
        {Where::leader, 3, Errc::none},
        {Where::leader, 2, Errc::fenced_leader_epoch},
        {Where::leader, 4, Errc::unknown_leader_epoch},
        {Where::failed, -1, Errc::kafka_storage_error},
    };
    for (const Row& row : rows) {
        CAPTURE(static_cast<int>(row.where), row.epoch);
        PartitionWorld world;
        bring_to(world, row.where);
        FetchPosition position;
        position.current_leader_epoch = Epoch{row.epoch};
        CHECK(world.partition.locate(position).code == row.code);
        CHECK(world.partition.check_leader(Epoch{row.epoch}) == row.code);
    }
}

TEST_CASE("a follower's fetch counts only for a leader, in its own epoch", "[replication]") {
    for (const Where where : {Where::opening, Where::idle, Where::follower, Where::failed}) {
        CAPTURE(static_cast<int>(where));
        PartitionWorld world;
        bring_to(world, where);
        const Effects effects = world.step(FollowerFetched{second, Epoch{3}, Offset{0}});
        CHECK_FALSE(effects.high_watermark_moved);
    }
    PartitionWorld world;
    world.open();
    world.step(assignment(me, 3, {me, second}));
    world.append({BatchMaker{}}, 1);
    world.step(FollowerFetched{second, Epoch{2}, Offset{1}});
    CHECK(world.high_watermark() == Offset{0});  // it holds a record of an older epoch (I6)
    world.step(FollowerFetched{second, Epoch{3}, Offset{2}});
    CHECK(world.high_watermark() == Offset{0});  // beyond our own end
    world.step(FollowerFetched{second, Epoch{3}, Offset{1}});
    CHECK(world.high_watermark() == Offset{1});
}

TEST_CASE("going offline fails every watch, in every role", "[replication][partition]") {
    for (const Where where : {Where::idle, Where::follower, Where::leader}) {
        CAPTURE(static_cast<int>(where));
        PartitionWorld world;
        bring_to(world, where);
        Errc heard = Errc::none;
        const auto id = world.partition.watch(WatchKind::log_end, Offset{1},
                                              [&](const Status& status) { heard = status.code(); });
        REQUIRE(id.ok());
        Effects effects = world.step(TakenOffline{Error(Errc::io_error, "gone")});
        call_all(std::move(effects.fired));
        CHECK(heard == Errc::kafka_storage_error);
        CHECK(world.partition.watch_count() == 0);
        CHECK_FALSE(
            world.partition.watch(WatchKind::log_end, Offset{1}, [](const Status&) {}).ok());
    }
}

TEST_CASE("losing the leadership fails every watch", "[replication][partition]") {
    const PartitionAssignment changes[] = {assignment(second, 4, {second}),
                                           assignment(no_broker, 4, {me}), assignment(me, 4, {me})};
    for (const PartitionAssignment& change : changes) {
        PartitionWorld world;
        bring_to(world, Where::leader);
        Errc heard = Errc::none;
        REQUIRE(world.partition
                    .watch(WatchKind::high_watermark, Offset{1},
                           [&](const Status& status) { heard = status.code(); })
                    .ok());
        Effects effects = world.step(change);
        call_all(std::move(effects.fired));
        CHECK(heard == Errc::not_leader_or_follower);
        CHECK(world.partition.watch_count() == 0);
    }
}

TEST_CASE("batches of one turn are written together and get consecutive offsets", "[replication]") {
    PartitionWorld world;
    world.lead_alone();
    const Effects effects =
        world.append({BatchMaker{.records = 3}, BatchMaker{.records = 2}, BatchMaker{}}, 1);
    REQUIRE(effects.outcomes.size() == 3);
    CHECK(effects.outcomes[0].first == Offset{0});
    CHECK(effects.outcomes[1].first == Offset{3});
    CHECK(effects.outcomes[2].first == Offset{5});
    CHECK(effects.outcomes[2].last == Offset{5});
    CHECK(world.log_end() == Offset{6});
}

TEST_CASE("a bad batch is refused without keeping its neighbours out", "[replication]") {
    PartitionWorld world;
    world.lead_alone();
    std::vector<Bytes> batches{BatchMaker{}.make(), BatchMaker{}.make(), BatchMaker{}.make()};
    batches[1].back() ^= 1;
    const Effects effects = world.append_bytes(std::move(batches), 1);
    REQUIRE(effects.outcomes.size() == 3);
    CHECK(effects.outcomes[0].code == Errc::none);
    CHECK(effects.outcomes[1].code == Errc::corrupt_message);
    CHECK(effects.outcomes[2].code == Errc::none);
    CHECK(effects.outcomes[2].first == Offset{1});
    CHECK(world.log_end() == Offset{2});
}

TEST_CASE("what is repeated, missing or fenced of a producer", "[replication][I12][I13]") {
    PartitionWorld world;
    world.lead_alone();
    const auto from = [](int sequence, int epoch = 0, int records = 1) {
        return BatchMaker{.records = records,
                          .producer = 42,
                          .epoch = static_cast<std::int16_t>(epoch),
                          .sequence = sequence};
    };
    CHECK(first_code(world.append({from(0, 0, 2)}, 1)) == Errc::none);
    CHECK(first_code(world.append({from(2)}, 1)) == Errc::none);

    const Effects repeated = world.append({from(0, 0, 2)}, 1);
    CHECK(first_code(repeated) == Errc::none);
    CHECK(repeated.outcomes[0].first == Offset{0});
    CHECK(repeated.outcomes[0].last == Offset{1});
    CHECK(first_code(world.append({from(4)}, 1)) == Errc::out_of_order_sequence_number);
    CHECK(first_code(world.append({from(1, 1)}, 1)) == Errc::out_of_order_sequence_number);
    CHECK(first_code(world.append({from(0, 1)}, 1)) == Errc::none);
    CHECK(first_code(world.append({from(3, 0)}, 1)) == Errc::invalid_producer_epoch);
    CHECK(world.log_end() == Offset{4});

    SECTION("within one turn each batch is checked after those before it") {
        const Effects effects = world.append({from(1, 1), from(2, 1), from(2, 1), from(4, 1)}, 1);
        REQUIRE(effects.outcomes.size() == 4);
        CHECK(effects.outcomes[0].first == Offset{4});
        CHECK(effects.outcomes[1].first == Offset{5});
        CHECK(effects.outcomes[2].first == Offset{5});
        CHECK(effects.outcomes[3].code == Errc::out_of_order_sequence_number);
        CHECK(world.log_end() == Offset{6});
    }
}

TEST_CASE("a transactional batch without a transaction changes nothing", "[replication]") {
    PartitionWorld world;
    world.lead_alone();
    const BatchMaker maker{.producer = 42, .epoch = 0, .sequence = 0, .transactional = true};
    CHECK(first_code(world.append({maker}, 1)) == Errc::transaction_abortable);
    Bytes bytes = maker.make();
    const ProducedBatch old{bytes, 1, 10};
    Effects effects;
    world.partition.step(Appended{std::span(&old, 1), wall_time(1), &world.validator}, effects);
    CHECK(first_code(effects) == Errc::invalid_txn_state);
    CHECK(world.log_end() == Offset{0});
}

TEST_CASE("a batch larger than a segment may be is refused", "[replication]") {
    PartitionSettings settings;
    settings.segment_bytes = 200;
    PartitionWorld world(settings);
    world.lead_alone();
    CHECK(first_code(world.append({BatchMaker{.value = std::string(300, 'x')}}, 1)) ==
          Errc::record_list_too_large);
    CHECK(world.log_end() == Offset{0});
}

TEST_CASE("a topic with its own codec stores batches in it", "[replication]") {
    PartitionSettings settings;
    settings.batch_rules.compression = Compression::zstd;
    PartitionWorld world(settings);
    world.lead_alone();
    const Effects effects = world.append({BatchMaker{.records = 3, .value = std::string(500, 'x')},
                                          BatchMaker{.value = std::string(500, 'y')}},
                                         1);
    REQUIRE(effects.outcomes.size() == 2);
    CHECK(effects.outcomes[1].first == Offset{3});
    for (const Offset offset : {Offset{0}, Offset{3}}) {
        FetchPosition position;
        position.offset = offset;
        position.max_bytes = 1;
        position.at_least_one = true;
        const Located located = world.partition.locate(position);
        REQUIRE(located.code == Errc::none);
        Bytes bytes(static_cast<std::size_t>(located.records.length));
        REQUIRE(located.records.file->pread(located.records.position, bytes).ok());
        const auto header = BatchHeader::parse(bytes);
        REQUIRE(header.ok());
        CHECK(header.value().compression().value() == Compression::zstd);
        CHECK(check_crc(bytes).ok());
    }
}

TEST_CASE("a failed write takes the partition offline and says so", "[replication]") {
    PartitionWorld world;
    world.lead_alone();
    world.files.fail_writes();
    const Effects effects = world.append({BatchMaker{}}, 1);
    CHECK(first_code(effects) == Errc::kafka_storage_error);
    CHECK(effects.disk_failed.has_value());
    CHECK(name_of_role(world.partition.role()) == "Offline");
}

TEST_CASE("a full disk refuses batches and nothing else", "[replication]") {
    PartitionWorld world;
    world.lead_alone();
    world.append({BatchMaker{}}, 1);
    world.files.set_capacity(world.files.used_bytes());
    const Effects refused = world.append({BatchMaker{}}, 1);
    CHECK(first_code(refused) == Errc::kafka_storage_error);
    CHECK_FALSE(refused.disk_failed.has_value());
    CHECK(world.partition.locate({.offset = Offset{0}, .max_bytes = 1000}).code == Errc::none);
    world.files.clear_faults();
    world.files.set_capacity(std::uint64_t{1} << 40);
    CHECK(first_code(world.append({BatchMaker{}}, 1)) == Errc::none);
    CHECK(world.log_end() == Offset{2});
}
