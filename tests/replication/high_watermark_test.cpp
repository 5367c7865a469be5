// SPDX-License-Identifier: Apache-2.0
//
// Where the high watermark is, when acks=all may be answered, and what a reader sees.
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "base/mutant.hpp"
#include "replication/partition.hpp"
#include "tests/replication/partition_world.hpp"

using namespace kq;
using sim::assignment;
using sim::BatchMaker;
using sim::me;
using sim::PartitionWorld;
using sim::second;
using sim::third;

namespace {

PartitionSettings with(Durability durability, int min_insync = 1) {
    PartitionSettings settings;
    settings.durability = durability;
    settings.min_insync_replicas = min_insync;
    return settings;
}

Errc code_of(const Effects& effects) {
    REQUIRE(effects.outcomes.size() == 1);
    return effects.outcomes.front().code;
}

}  // namespace

TEST_CASE("when a batch may be seen", "[replication][high_watermark]") {
    // One batch, appended by a leader; the followers in sync have fetched it or not; the disk has
    // it or not. Seen: the high watermark is past it.
    struct Row {
        Durability durability;
        int acks;
        int in_sync;
        bool fetched;  // by all followers in sync
        bool synced;
        bool seen;
    };
    const Row rows[] = {
        {Durability::replicated, -1, 1, false, false, true},
        {Durability::replicated, 1, 1, false, false, true},
        {Durability::replicated, -1, 2, false, false, false},
        {Durability::replicated, -1, 2, false, true, false},
        {Durability::replicated, -1, 2, true, false, true},
        {Durability::automatic, -1, 1, false, false, false},
        {Durability::automatic, -1, 1, false, true, true},
        {Durability::automatic, 1, 1, false, false, true},
        {Durability::automatic, 0, 1, false, false, true},
        {Durability::automatic, -1, 2, true, false, true},
        {Durability::automatic, -1, 2, false, true, false},
        {Durability::flushed, -1, 1, false, false, false},
        {Durability::flushed, -1, 1, false, true, true},
        {Durability::flushed, -1, 2, true, false, false},
        {Durability::flushed, -1, 2, true, true, true},
        {Durability::flushed, 1, 2, true, false, true},
    };
    for (const Row& row : rows) {
        CAPTURE(static_cast<int>(row.durability), row.acks, row.in_sync, row.fetched, row.synced);
        PartitionWorld world(with(row.durability));
        world.open();
        std::vector<BrokerId> isr{me};
        if (row.in_sync > 1) isr.push_back(second);
        world.step(assignment(me, 1, isr, {me, second}));
        if (row.in_sync > 1) world.step(FollowerFetched{second, Epoch{1}, Offset{0}});

        const Effects effects =
            world.append({BatchMaker{.records = 2}}, static_cast<std::int16_t>(row.acks));
        REQUIRE(code_of(effects) == Errc::none);
        CHECK(effects.outcomes[0].safe_at.has_value() == (row.acks == -1));
        if (row.fetched) world.step(FollowerFetched{second, Epoch{1}, Offset{2}});
        if (row.synced) world.sync();
        CHECK(world.high_watermark() == Offset{row.seen ? 2 : 0});
    }
}

TEST_CASE("a sync is asked for when somebody waits for it, and not otherwise", "[replication]") {
    PartitionWorld alone(with(Durability::automatic));
    alone.lead_alone();
    CHECK(alone.append({BatchMaker{}}, -1).sync_wanted);
    alone.sync();
    CHECK_FALSE(alone.append({BatchMaker{}}, 1).sync_wanted);
    CHECK_FALSE(alone.append({BatchMaker{}}, 0).sync_wanted);

    PartitionWorld replicated(with(Durability::replicated));
    replicated.lead_alone();
    CHECK_FALSE(replicated.append({BatchMaker{}}, -1).sync_wanted);

    PartitionSettings every_two = with(Durability::replicated);
    every_two.flush_messages = 2;
    PartitionWorld counting(every_two);
    counting.lead_alone();
    CHECK_FALSE(counting.append({BatchMaker{}}, 1).sync_wanted);
    CHECK(counting.append({BatchMaker{}}, 1).sync_wanted);
}

TEST_CASE("a batch behind one that waits for the disk waits with it", "[replication]") {
    PartitionWorld world;
    world.lead_alone();
    world.append({BatchMaker{}}, 1);
    CHECK(world.high_watermark() == Offset{1});
    world.append({BatchMaker{}}, -1);
    world.append({BatchMaker{}}, 1);
    // Nothing goes back: the first is seen already, though it is not on the disk.
    CHECK(world.high_watermark() == Offset{1});
    world.sync();
    CHECK(world.high_watermark() == Offset{3});
}

TEST_CASE("a sync covers what was there when it began", "[replication]") {
    PartitionWorld world;
    world.lead_alone();
    world.append({BatchMaker{}}, -1);
    SyncJob job = world.partition.log()->begin_sync();
    world.append({BatchMaker{}}, -1);
    Status status = job.run();
    const Effects effects = world.step(Synced{&job, std::move(status)});
    CHECK(world.high_watermark() == Offset{1});
    CHECK(effects.sync_wanted);  // for the second
    world.sync();
    CHECK(world.high_watermark() == Offset{2});
}

TEST_CASE("a failed sync ends the partition; what waited is told, nothing is shown", "[I31]") {
    PartitionWorld world;
    world.lead_alone();
    const Effects appended = world.append({BatchMaker{}}, -1);
    Errc heard = Errc::none;
    REQUIRE(world.partition
                .watch(WatchKind::high_watermark, *appended.outcomes[0].safe_at,
                       [&](const Status& status) { heard = status.code(); })
                .ok());
    Effects effects = world.sync(true);
    CHECK(effects.disk_failed.has_value());
    call_all(std::move(effects.fired));
    CHECK(heard == Errc::kafka_storage_error);
    CHECK(world.high_watermark() == Offset{0});
}

TEST_CASE("the high watermark is the smallest position in sync", "[replication][I4]") {
    PartitionWorld world(with(Durability::replicated));
    world.open();
    world.step(assignment(me, 1, {me, second, third}));
    world.append({BatchMaker{.records = 10}}, 1);
    CHECK(world.high_watermark() == Offset{0});  // nobody has been heard from
    world.step(FollowerFetched{second, Epoch{1}, Offset{10}});
    CHECK(world.high_watermark() == Offset{0});
    world.step(FollowerFetched{third, Epoch{1}, Offset{4}});
    CHECK(world.high_watermark() == Offset{4});
    // Without the slow one; partition epochs order changes within a leader epoch.
    world.step(assignment(me, 1, {me, second}, {me, second, third}, 2));
    CHECK(world.high_watermark() == Offset{10});
    // Back in sync, and slower than what was shown: it does not go back (I5).
    world.step(assignment(me, 1, {me, second, third}, {me, second, third}, 3));
    CHECK(world.high_watermark() == Offset{10});
}

TEST_CASE("the high watermark rests while too few are in sync", "[replication][I4]") {
    struct Row {
        int min_insync;
        int replicas;
        int in_sync;
        bool moves;
    };
    const Row rows[] = {{1, 1, 1, true},  {2, 1, 1, true},  // no more than there are
                        {2, 3, 1, false}, {2, 3, 2, true}, {3, 3, 2, false}, {5, 2, 2, true}};
    for (const Row& row : rows) {
        CAPTURE(row.min_insync, row.replicas, row.in_sync);
        const std::vector<BrokerId> all{me, second, third};
        const auto first = [&](int n) {
            return std::vector<BrokerId>(all.begin(), all.begin() + n);
        };
        PartitionWorld world(with(Durability::replicated, row.min_insync));
        world.open();
        world.step(assignment(me, 1, first(row.in_sync), first(row.replicas)));
        CHECK(code_of(world.append({BatchMaker{}}, 1)) == Errc::none);
        for (const BrokerId replica : first(row.in_sync)) {
            if (replica != me) world.step(FollowerFetched{replica, Epoch{1}, Offset{1}});
        }
        CHECK(world.high_watermark() == Offset{row.moves ? 1 : 0});
        const Errc all_code = code_of(world.append({BatchMaker{}}, -1));
        CHECK(all_code == (row.moves ? Errc::none : Errc::not_enough_replicas));
        CHECK(world.log_end() == Offset{row.moves ? 2 : 1});
    }
}

TEST_CASE("who waits is told when the in-sync set becomes too small", "[replication]") {
    PartitionWorld world(with(Durability::replicated, 2));
    world.open();
    world.step(assignment(me, 1, {me, second}));
    const Effects appended = world.append({BatchMaker{}}, -1);
    Errc heard = Errc::none;
    REQUIRE(world.partition
                .watch(WatchKind::high_watermark, *appended.outcomes[0].safe_at,
                       [&](const Status& status) { heard = status.code(); })
                .ok());
    Effects effects = world.step(assignment(me, 1, {me}, {me, second}, 2));
    call_all(std::move(effects.fired));
    CHECK(heard == Errc::not_enough_replicas_after_append);
    CHECK(world.high_watermark() == Offset{0});
    CHECK(world.log_end() == Offset{1});  // it was appended
}

TEST_CASE("a reopened log shows everything it holds at once", "[replication][I5]") {
    PartitionWorld world(with(Durability::replicated));
    world.lead_alone();
    world.append({BatchMaker{.records = 5}}, 1);
    REQUIRE(world.partition.log()->close_clean().ok());

    const auto reopen = [&] {
        OpenHints hints;
        hints.last_stop = LastStop::clean;
        return Log::open(world.files, world.world.clock(), {"/data/t-0", Uuid{{1}}, Logger()},
                         LogOptions{}, hints)
            .value();
    };
    // The checkpoint is older than what readers have seen.
    PartitionWorld again(with(Durability::automatic));
    again.step(LogOpened{reopen(), Offset{2}});
    CHECK(again.high_watermark() == Offset{2});
    again.step(assignment(me, 2, {me}));
    CHECK(again.high_watermark() == Offset{5});

    SECTION("a checkpoint beyond the log's bounds is brought into them") {
        PartitionWorld beyond;
        beyond.step(LogOpened{reopen(), Offset{50}});
        CHECK(beyond.high_watermark() == Offset{5});
    }
#ifdef KQ_MUTANTS
    SECTION("mutant high_watermark_back breaks this") {
        active_mutant = Mutant::high_watermark_back;
        PartitionWorld broken;
        broken.step(LogOpened{reopen(), Offset{2}});
        broken.step(assignment(me, 2, {me}));
        active_mutant = Mutant::none;
        CHECK(broken.high_watermark() == Offset{0});
    }
#endif
}

TEST_CASE("readers get what is visible to them", "[replication]") {
    PartitionWorld world;
    world.lead_alone();
    world.append({BatchMaker{.records = 2}}, -1);
    world.sync();
    world.append({BatchMaker{}}, -1);  // in the log, not on the disk

    const auto at = [&](int offset, Visibility visibility) {
        FetchPosition position;
        position.offset = Offset{offset};
        position.visibility = visibility;
        position.max_bytes = 1 << 20;
        return world.partition.locate(position);
    };
    const Located consumer = at(0, Visibility::high_watermark);
    CHECK(consumer.high_watermark == Offset{2});
    CHECK(consumer.last_stable == Offset{2});
    CHECK(consumer.log_start == Offset{0});
    CHECK(consumer.visible_end == Offset{2});
    CHECK(consumer.records.length > 0);
    CHECK(at(0, Visibility::log_end).records.length > consumer.records.length);

    // Between the high watermark and the end: nothing, and no error.
    CHECK(at(2, Visibility::high_watermark).code == Errc::none);
    CHECK(at(2, Visibility::high_watermark).records.length == 0);
    CHECK(at(3, Visibility::high_watermark).code == Errc::none);
    CHECK(at(4, Visibility::high_watermark).code == Errc::offset_out_of_range);
    CHECK(at(-1, Visibility::high_watermark).code == Errc::offset_out_of_range);
}

TEST_CASE("a reader of another history is told where it leaves ours", "[replication][KIP-320]") {
    PartitionWorld world(with(Durability::replicated));
    world.open();
    world.step(assignment(me, 2, {me}));
    world.append({BatchMaker{.records = 3}}, 1);
    world.step(assignment(me, 5, {me}));
    world.append({BatchMaker{.records = 2}}, 1);

    const auto fetch = [&](int offset, int last_epoch) {
        FetchPosition position;
        position.offset = Offset{offset};
        position.last_fetched_epoch = Epoch{last_epoch};
        position.max_bytes = 1 << 20;
        return world.partition.locate(position);
    };
    CHECK_FALSE(fetch(3, 2).diverging.has_value());
    CHECK_FALSE(fetch(5, 5).diverging.has_value());
    // It has four records of epoch 2, which ended after three.
    REQUIRE(fetch(4, 2).diverging.has_value());
    CHECK(*fetch(4, 2).diverging == EpochEnd{Epoch{2}, Offset{3}});
    CHECK(fetch(4, 2).records.length == 0);
    // Epoch 4 never was: the largest below it is 2.
    REQUIRE(fetch(4, 4).diverging.has_value());
    CHECK(*fetch(4, 4).diverging == EpochEnd{Epoch{2}, Offset{3}});
    // Nothing is known of an epoch above all of ours.
    CHECK(fetch(5, 6).code == Errc::offset_out_of_range);
}
