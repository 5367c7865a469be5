// SPDX-License-Identifier: Apache-2.0
//
// A metadata log and its note of the committed end: what a crash may leave opens, whatever else
// lacks committed records is refused and left as it is.
#include "consensus/committed_end.hpp"

#include <algorithm>
#include <map>

#include "protocol/crc32c.hpp"
#include "tests/consensus/quorum_node_world.hpp"

using namespace kq;
using namespace kq::sim;

namespace {

const std::string log_path = directory + "/00000000000000000000.log";
const std::string note_path = directory + "/kq.committed-end";

std::map<std::string, Bytes> contents(NodeWorld& world) {
    std::map<std::string, Bytes> found;
    const auto names = world.files.list(directory).value();
    for (const auto& name : names)
        found[name] = read_file(world.files, directory + '/' + name, 1 << 20).value();
    return found;
}

Result<QuorumMembers> scan(NodeWorld& world) {
    return scan_metadata_records(world.files, directory, [](const auto&) { return done(); });
}

std::int64_t noted(NodeWorld& world) {
    return read_committed_end(world.files, Logger(), directory).value().value;
}

std::uint64_t size_of(NodeWorld& world, const std::string& path) {
    return world.files.info(path).value().size;
}

void cut(NodeWorld& world, const std::string& path, std::uint64_t size) {
    REQUIRE(world.files.open(path, OpenMode::read_write).value()->truncate(size).ok());
}

// By the check before anything is opened and by the start itself, twice; and nothing is changed.
void refused(NodeWorld& world, const std::string& why) {
    const auto before = contents(world);
    for (int i = 0; i < 2; ++i) {
        const auto scanned = scan(world);
        CAPTURE(why, scanned.error().message);
        CHECK(scanned.code() == Errc::corrupt_file);
        CHECK(scanned.error().message.find(why) != std::string::npos);
        CHECK(scanned.error().message.find("back from a copy") != std::string::npos);
        const auto started = world.start();
        CHECK(started.code() == Errc::corrupt_file);
        CHECK(started.error().message == scanned.error().message);
        if (i == 0) {
            world.stop();
        } else {
            world.kill(false);
        }
        CHECK(contents(world) == before);
    }
}

void take_snapshot(NodeWorld& world) {
    SnapshotContent content{world.node().committed_end(), world.node().epoch(), {}, {}};
    content.write =
        [values = world.listener().records](const std::function<Status(Bytes)>& write) -> Status {
        for (const auto& value : values)
            KQ_TRY(write(to_bytes(as_bytes(value))));
        return done();
    };
    std::optional<Status> taken;
    world.node().take_snapshot(std::move(content), [&](Status status) { taken = status; });
    REQUIRE(world.scheduler.run_until([&] { return taken.has_value(); }, minute));
    REQUIRE(taken->ok());
}

void append(NodeWorld& world, const std::string& value) {
    REQUIRE(world.append({value}).ok());
    world.settle();
    world.scheduler.run_for(100ms);  // so that it is noted
}

}  // namespace

TEST_CASE("the committed end is noted at once, synced now and then, and never when idle",
          "[quorum]") {
    NodeWorld world;
    world.format();
    world.lead();
    world.scheduler.run_for(100ms);
    CHECK(noted(world) == 3);
    CHECK(world.files.is_durable(note_path));  // the first of a start
    world.scheduler.run_for(1s);

    append(world, "a");
    CHECK(noted(world) == 4);
    CHECK_FALSE(world.files.is_durable(note_path));
    append(world, "b");
    CHECK(noted(world) == 5);
    CHECK_FALSE(world.files.is_durable(note_path));
    world.scheduler.run_for(5s);
    CHECK(world.files.is_durable(note_path));
    CHECK(noted(world) == 5);

    // Of a change there is one sync of the log and, later, one of the note; of no change nothing.
    const auto syncs = world.files.sync_count();
    world.scheduler.run_for(std::chrono::hours(1));
    CHECK(world.files.sync_count() == syncs);
    append(world, "c");
    world.scheduler.run_for(std::chrono::hours(1));
    CHECK(world.files.sync_count() == syncs + 2);

    append(world, "d");
    CHECK_FALSE(world.files.is_durable(note_path));
    take_snapshot(world);
    world.scheduler.run_for(100ms);
    CHECK(world.files.is_durable(note_path));
    append(world, "e");
    world.stop();
    CHECK(noted(world) == 8);
    CHECK(world.files.is_durable(note_path));
    world.lead();
    world.scheduler.run_for(100ms);
    CHECK(noted(world) > 8);  // the LeaderChange
    CHECK(noted(world) == world.node().log_end().value);
    CHECK(world.files.is_durable(note_path));
}

TEST_CASE("only what is on disk is noted", "[quorum]") {
    NodeWorld world;
    world.format();
    world.lead();
    world.scheduler.run_for(1s);
    SECTION("not while the sync runs") {
        world.process->pool.set_delay(5s, 5s);
        REQUIRE(world.append({"slow"}).ok());
        world.scheduler.run_for(4s);
        CHECK(noted(world) == 3);
        world.scheduler.run_for(20s);
        CHECK(noted(world) == 4);
    }
    SECTION("not what failed to be synced, at a stop either") {
        world.files.fail_next_sync(log_path);
        REQUIRE(world.append({"lost"}).ok());
        world.settle();
        REQUIRE(world.listener().failure);
        std::optional<Status> stopped;
        world.node().stop([&](Status status) { stopped = status; });
        REQUIRE(world.scheduler.run_until([&] { return stopped.has_value(); }, minute));
        CHECK(stopped->code() == Errc::kafka_storage_error);
        CHECK(noted(world) == 3);
    }
    SECTION("and a node that knows less than the note leaves it") {
        world.kill(false);
        REQUIRE(world.start().ok());
        world.stop();  // before it led, or just after
        CHECK(noted(world) >= 3);
    }
}

TEST_CASE("a note that cannot be written is none, or the end", "[quorum]") {
    NodeWorld world;
    world.format();
    world.lead();
    world.scheduler.run_for(1s);
    SECTION("a disk that fails is the end") {
        REQUIRE(world.append({"a"}).ok());
        world.settle();
        world.files.fail_next_sync(note_path);
        world.scheduler.run_for(10s);
        CHECK(world.listener().failure);
    }
    SECTION("one without room is asked again") {
        world.stop();
        REQUIRE(world.files.unlink(note_path).ok());
        world.lead();
        // The log's segment has its space; the small file has none.
        world.files.set_capacity(world.files.used_bytes());
        world.scheduler.run_for(30s);
        CHECK_FALSE(world.listener().failure);
        world.files.clear_faults();
        world.scheduler.run_for(30s);
        CHECK(noted(world) == 4);
        CHECK(world.files.is_durable(note_path));
    }
}

TEST_CASE("a log that is gone, cut or damaged is not taken for the cluster's", "[quorum][I22]") {
    NodeWorld world;
    world.options.log.segment_bytes = GENERATE(1 << 20, 400);
    world.format();
    world.lead();
    for (int i = 0; i < 20; ++i)
        append(world, "record " + std::to_string(i));
    const auto told = world.listener().records;
    const bool one_file = world.options.log.segment_bytes > 400;
    const auto how = GENERATE(0, 1, 2);
    CAPTURE(one_file, how);
    if (how == 0) world.stop();
    if (how == 1) world.kill(false);
    if (how == 2) {
        world.scheduler.run_for(10s);
        world.kill(true);
    }
    const auto whole = contents(world);
    std::vector<std::string> segments;
    for (const auto& [name, bytes] : whole) {
        if (name.ends_with(".log")) segments.push_back(directory + '/' + name);
    }
    REQUIRE((segments.size() == 1) == one_file);
    const auto last = segments.back();
    const auto middle = segments[segments.size() / 2];

    SECTION("gone") {
        for (const auto& path : segments)
            REQUIRE(world.files.unlink(path).ok());
        refused(world, "is gone");
    }
    SECTION("gone with its election state") {
        for (const auto& path : segments)
            REQUIRE(world.files.unlink(path).ok());
        REQUIRE(world.files.unlink(directory + "/quorum-state").ok());
        refused(world, "is gone, and what was committed at the offsets 0 to 22 is missing");
    }
    SECTION("of no bytes") {
        for (const auto& path : segments)
            cut(world, path, 0);
        refused(world, "ends at byte 0");
    }
    SECTION("its last part") {
        cut(world, last, size_of(world, last) * 2 / 3);
        refused(world, last + " is damaged at byte ");
    }
    SECTION("its last batch, at a boundary") {
        std::size_t before = 0;
        std::size_t at = 0;
        const auto bytes = read_file(world.files, last, 1 << 20).value();
        REQUIRE(for_each_batch(bytes, [&](const BatchHeader& header, ByteView batch) {
                    if (header.next_offset() == Offset{23}) before = at;
                    at += batch.size();
                    return done();
                }).ok());
        cut(world, last, before);
        refused(world, last + " ends at byte " + std::to_string(before) +
                           ", and what was committed at the offsets 22 to 22 is missing");
    }
    SECTION("a bit in the middle") {
        world.files.flip_bit(middle, size_of(world, middle) / 2, 3);
        refused(world, middle + " is damaged at byte ");
    }
    SECTION("a bit of the first base offset") {
        world.files.flip_bit(segments.front(), 7, 0);
        refused(world, "is damaged at byte 0");
    }
    SECTION("a file in the middle") {
        if (one_file) return;
        REQUIRE(world.files.unlink(middle).ok());
        refused(world, "the next file begins at offset");
    }

    // Put back, it is as it was.
    for (const auto& [name, bytes] : whole)
        REQUIRE(replace_file(world.files, directory + '/' + name, bytes).ok());
    world.lead();
    CHECK(world.listener().records == told);
}

TEST_CASE("what a snapshot has may be damaged, what only the log has may not", "[quorum][I22]") {
    NodeWorld world;
    world.format();
    world.lead();
    append(world, "a");
    append(world, "b");
    take_snapshot(world);
    world.scheduler.run_for(1s);
    const auto damage = size_of(world, log_path) - 5;
    SECTION("nothing beyond the snapshot") {
        world.kill(false);
        world.files.flip_bit(log_path, damage, 3);
        CHECK(scan(world).ok());
        world.lead();
        CHECK(world.listener().records == std::vector<std::string>{"a", "b"});
        append(world, "c");
        world.kill(false);
        world.lead();
        CHECK(world.listener().records == std::vector<std::string>{"a", "b", "c"});
    }
    SECTION("committed records beyond the snapshot") {
        append(world, "c");
        world.kill(false);
        world.files.flip_bit(log_path, damage, 3);
        refused(world, "what was committed at the offsets 5 to 5 is missing");
    }
    SECTION("records beyond the snapshot that no note knows") {
        append(world, "c");
        world.kill(false);
        REQUIRE(write_committed_end(world.files, directory, Offset{5}, Outlives::power).ok());
        world.files.flip_bit(log_path, damage, 3);
        refused(world, "what no snapshot has, from offset 5 on, is behind that");
        REQUIRE(world.files.unlink(note_path).ok());
        refused(world, "what no snapshot has, from offset 5 on, is behind that");
    }
    SECTION("a snapshot that reaches further than the log is all there is to have") {
        append(world, "c");
        take_snapshot(world);
        world.stop();
        cut(world, log_path, 50);
        CHECK(scan(world).ok());
        world.lead();
        CHECK(world.listener().snapshot_end == Offset{6});
    }
}

TEST_CASE("a note is a least, and a damaged one is no reason", "[quorum][I29]") {
    NodeWorld world;
    world.format();
    world.lead();
    append(world, "a");
    SECTION("the log goes on behind an old note") {
        world.kill(false);
        REQUIRE(write_committed_end(world.files, directory, Offset{1}, Outlives::power).ok());
        world.lead();
        CHECK(world.listener().records == std::vector<std::string>{"a"});
    }
    SECTION("no note, or a damaged one: the log is cut like any other, and the note made anew") {
        world.kill(false);
        const auto what = GENERATE(0, 1, 2, 3);
        if (what == 0) REQUIRE(world.files.unlink(note_path).ok());
        if (what == 1) world.files.flip_bit(note_path, 20, 1);
        if (what == 2) cut(world, note_path, 0);
        if (what == 3)
            REQUIRE(world.files.open(note_path, OpenMode::read_write)
                        .value()
                        ->pwrite(26, Bytes(10'000))
                        .ok());
        cut(world, log_path, size_of(world, log_path) - 1);
        CHECK(scan(world).ok());
        world.lead();
        CHECK(world.listener().records.empty());
        world.scheduler.run_for(1s);
        CHECK(noted(world) == 4);
        CHECK(size_of(world, note_path) == 26);
        CHECK(world.files.is_durable(note_path));
    }
    SECTION("one of a newer version stops the start") {
        world.kill(false);
        auto note = read_file(world.files, note_path, 100).value();
        note[9] = 2;
        // The head's checksum covers the version.
        store_be(note.data() + 14,
                 crc32c(ByteView(note).subspan(18), crc32c(ByteView(note).subspan(4, 10))));
        REQUIRE(replace_file(world.files, note_path, note).ok());
        CHECK(scan(world).code() == Errc::unsupported);
        CHECK(world.start().code() == Errc::unsupported);
    }
}

TEST_CASE("no crash of a first start leaves a directory that does not start",
          "[quorum][crash][I27]") {
    // After each of the first 150 steps of 10 worlds: 3,000 images, of a dead process or a dead
    // host.
    const bool power = GENERATE(false, true);
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        for (int steps = 0; steps < 150; ++steps) {
            CAPTURE(power, seed, steps);
            NodeWorld world(seed);
            world.format();
            world.process = std::make_unique<NodeWorld::Process>(world);
            world.node().start([](const Status&) {});
            bool appended = false;
            for (int i = 0; i < steps; ++i) {
                world.scheduler.step();
                if (!appended && world.listener().led) appended = world.append({"a", "b"}).ok();
            }
            const auto told = world.listener().records;
            world.kill(power);
            REQUIRE(scan(world).ok());
            world.lead();
            REQUIRE(world.listener().records.size() >= told.size());
        }
    }
}

TEST_CASE("a crash image opens with what was told, unless something else damaged it",
          "[quorum][crash][I22][I27]") {
    // 600 worlds of 10 lives: syncs that overlap with appends, small segments, snapshots, damage.
    int refusals = 0;
    int cuts = 0;
    for (std::uint64_t seed = 1; seed <= 600; ++seed) {
        CAPTURE(seed);
        NodeWorld world(seed);
        auto& dice = world.scheduler.random();
        world.options.log.segment_bytes = dice.below(2) == 0 ? 1 << 20 : 600;
        world.format();
        std::vector<std::string> told;
        int n = 0;
        for (int life = 0; life < 10; ++life) {
            world.lead();
            REQUIRE(world.listener().records.size() >= told.size());
            REQUIRE(std::equal(told.begin(), told.end(), world.listener().records.begin()));
            world.process->pool.set_delay(0ms, 20ms);
            for (auto left = dice.below(20); left > 0; --left) {
                REQUIRE(world.append({"r" + std::to_string(n++)}).ok());
                for (auto steps = dice.below(8); steps > 0; --steps)
                    world.scheduler.step();
                if (dice.below(20) == 0) world.scheduler.run_for(6s);
                if (dice.below(40) == 0) take_snapshot(world);
            }
            told = world.listener().records;
            const bool power = dice.below(2) == 0;
            world.kill(power);
            REQUIRE(scan(world).ok());
            if (dice.below(4) != 0) continue;

            // Something that is no crash.
            const auto whole = contents(world);
            const auto end = noted(world);
            std::vector<std::string> segments;
            for (const auto& [name, bytes] : whole) {
                if (name.ends_with(".log") && !bytes.empty()) segments.push_back(name);
            }
            if (segments.empty()) continue;
            const auto path = directory + '/' + segments[dice.below(segments.size())];
            const auto at = dice.below(size_of(world, path));
            if (dice.below(2) == 0) {
                world.files.flip_bit(path, at, static_cast<int>(dice.below(8)));
            } else {
                cut(world, path, at);
            }
            const auto damaged = contents(world);
            const auto scanned = scan(world);
            const auto started = world.start();
            REQUIRE(scanned.code() == started.code());
            if (started.ok()) {
                // It was behind what is known to be committed, or below a snapshot.
                REQUIRE(world.node().log_end().value >= end);
                world.kill(false);
                ++cuts;
            } else {
                REQUIRE(started.code() == Errc::corrupt_file);
                world.kill(false);
                REQUIRE(contents(world) == damaged);
                ++refusals;
            }
            const auto names = world.files.list(directory).value();
            for (const auto& name : names)
                REQUIRE(world.files.unlink(directory + '/' + name).ok());
            for (const auto& [name, bytes] : whole)
                REQUIRE(replace_file(world.files, directory + '/' + name, bytes).ok());
        }
    }
    CHECK(refusals > 200);
    CHECK(cuts > 20);
}
