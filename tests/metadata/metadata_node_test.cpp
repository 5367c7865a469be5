// SPDX-License-Identifier: Apache-2.0
#include "metadata/metadata_node.hpp"

#include <catch2/catch.hpp>

#include "consensus/quorum_directory.hpp"
#include "metadata/metadata_world.hpp"
#include "protocol/records/metadata_record.hpp"
#include "storage/checkpoints.hpp"

using namespace kq;
using kq::sim::MetadataWorld;

namespace {

std::string file_text(MetadataWorld& world, const std::string& name) {
    auto content = read_file(world.files, MetadataWorld::log_directory() + '/' + name);
    REQUIRE(content.ok());
    return std::string(as_text(content.value()));
}

// Names of the record types in the log files, in order.
std::vector<std::string> logged(MetadataWorld& world) {
    std::vector<std::string> names;
    const auto scanned = scan_metadata_records(
        world.files, MetadataWorld::log_directory(), [&](const RecordView& record) -> Status {
            KQ_LET(const auto decoded, wire::decode_metadata_record(*record.value));
            names.emplace_back(wire::info_of(decoded.record).name);
            return done();
        });
    REQUIRE(scanned.ok());
    return names;
}

// As before a start.
Status check(MetadataWorld& world) {
    return check_metadata_directory(world.files,
                                    {MetadataWorld::directory, {MetadataWorld::directory}},
                                    BrokerId{1}, world.config);
}

}  // namespace

TEST_CASE("a first start writes what Kafka's format step and first leader would", "[metadata]") {
    MetadataWorld world;
    world.start_broker(PreviousStop::first_start);
    CHECK(world.state().metadata_version() == 30);
    CHECK(world.state().feature("eligible.leader.replicas.version") == 1);
    CHECK(world.state().config(ConfigResourceType::broker, "").at("min.insync.replicas") == "1");
    REQUIRE(world.state().broker(BrokerId{1}) != nullptr);
    CHECK_FALSE(world.state().broker(BrokerId{1})->fenced);
    CHECK(world.state().controllers.size() == 1);
    CHECK(world.node().is_controller());
    CHECK(world.node().leader_id() == BrokerId{1});

    CHECK(logged(world) == std::vector<std::string>{
                               "BeginTransactionRecord", "FeatureLevelRecord", "FeatureLevelRecord",
                               "ConfigRecord", "EndTransactionRecord", "RegisterControllerRecord",
                               "RegisterBrokerRecord", "BrokerRegistrationChangeRecord"});
    // Epoch 1: LeaderChange, KRaftVersion and KRaftVoters in one batch, then the transaction.
    const auto* broker = world.state().broker(BrokerId{1});
    CHECK(broker->epoch == BrokerEpoch{3 + 5 + 1});
    CHECK(
        file_text(world, "quorum-state") ==
        R"({"leaderId":1,"leaderEpoch":1,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1})");
    CHECK(world.files.exists(std::string(MetadataWorld::directory) + "/bootstrap.checkpoint"));
    CHECK(world.files.exists(MetadataWorld::log_directory() +
                             "/00000000000000000000-0000000000.checkpoint"));
}

TEST_CASE("a restart replays the log to the same state", "[metadata]") {
    MetadataWorld world;
    const bool clean = GENERATE(true, false);
    CAPTURE(clean);
    world.start_broker(PreviousStop::first_start);
    REQUIRE(world.create("orders", 3, {{"retention.ms", "604800000"}}).topics[0].error_code == 0);
    REQUIRE(world.create("gone", 1).topics[0].error_code == 0);
    REQUIRE(world.remove("gone").responses[0].error_code == 0);
    REQUIRE(world.allocate().value().first == ProducerId{0});
    const auto before = world.images.back();
    if (clean) {
        world.stop();
    } else {
        world.kill();
    }
    world.start_broker(clean ? PreviousStop::clean : PreviousStop::process_died);
    const auto& now = world.state();
    REQUIRE(now.topic("orders") != nullptr);
    CHECK(*now.topic("orders") == *before->topic("orders"));
    CHECK(now.topic("gone") == nullptr);
    CHECK(now.config(ConfigResourceType::topic, "orders").at("retention.ms") == "604800000");
    CHECK(now.config(ConfigResourceType::topic, "gone").empty());
    CHECK(world.allocate().value().first == ProducerId{1000});
    CHECK(world.node().leader_epoch() == Epoch{2});
    CHECK(now.broker(BrokerId{1})->epoch > before->broker(BrokerId{1})->epoch);
}

TEST_CASE("an answer to an admin request waits until every loop has the change", "[metadata]") {
    MetadataWorld world;
    world.start_broker(PreviousStop::first_start);
    world.applies = false;
    const auto started = world.scheduler.now();
    const auto response = world.create("slow", 1);
    CHECK(response.topics[0].error_code == wire_code(Errc::request_timed_out));
    CHECK(world.scheduler.now() - started >= 30s);
    CHECK(world.state().topic("slow") != nullptr);  // the outcome was unknown: it happened

    world.applies = true;
    CHECK(world.create("quick", 1).topics[0].error_code == 0);
    CHECK(world.create("quick", 1).topics[0].error_code == wire_code(Errc::topic_already_exists));
}

TEST_CASE("what was answered survives a power cut, again and again", "[metadata]") {
    const auto seed = GENERATE(range(1, 40));
    CAPTURE(seed);
    MetadataWorld world(static_cast<std::uint64_t>(seed));
    std::set<std::string> topics;
    world.start_broker(PreviousStop::first_start);
    for (int life = 0; life < 6; ++life) {
        for (int i = 0; i < 4; ++i) {
            const auto name = "t" + std::to_string(life) + '-' + std::to_string(i);
            REQUIRE(world.create(name, 2).topics[0].error_code == 0);
            topics.insert(name);
        }
        if (life == 3) REQUIRE(world.snapshot().ok());
        const bool power = world.scheduler.random().chance(0.7);
        world.kill(power);
        world.start_broker(power ? PreviousStop::unknown : PreviousStop::process_died);
        for (const auto& name : topics) {
            CAPTURE(name);
            REQUIRE(world.state().topic(name) != nullptr);
            const auto* partition = world.state().partition(name, PartitionIndex{1});
            REQUIRE(partition != nullptr);
            CHECK(partition->leader == BrokerId{1});
            CHECK(partition->isr == std::vector{BrokerId{1}});
        }
    }
}

TEST_CASE("a first start that is cut off at any moment is begun again", "[metadata]") {
    const auto seed = GENERATE(range(1, 60));
    CAPTURE(seed);
    MetadataWorld world(static_cast<std::uint64_t>(seed));
    // Some of the first start happens, then the power fails.
    for (int i = 0; i < 3; ++i) {
        world.begin_start();
        for (std::uint64_t n = world.scheduler.random().below(120); n > 0; --n)
            world.scheduler.step();
        world.kill(true);
    }
    world.start_broker(PreviousStop::first_start);
    CHECK(world.state().metadata_version() == 30);
    CHECK(world.create("t").topics[0].error_code == 0);
}

TEST_CASE("a broker that may have lost records leaves every ISR before it leads again",
          "[metadata]") {
    MetadataWorld world;
    world.start_broker(PreviousStop::first_start);
    REQUIRE(world.create("t", 2).topics[0].error_code == 0);
    world.kill(true);
    world.start_broker(PreviousStop::unknown);
    const auto* partition = world.state().partition("t", PartitionIndex{0});
    // Elected as the last known leader, in a new epoch (KIP-966).
    CHECK(partition->leader == BrokerId{1});
    CHECK(partition->leader_epoch == Epoch{2});
    bool was_leaderless = false;
    bool was_recovering = false;
    for (const auto& image : world.images) {
        const auto* then = image->partition("t", PartitionIndex{0});
        if (then == nullptr) continue;
        was_leaderless |= !then->has_leader() && then->isr.empty();
        was_recovering |= then->leader_recovery_state == LeaderRecoveryState::recovering;
    }
    CHECK(was_leaderless);
    CHECK(was_recovering);
    // It leads with its log checked: nothing is left of that, and a later start changes nothing.
    for (int i = 0; i < 2; ++i) {
        partition = world.state().partition("t", PartitionIndex{i});
        CHECK(partition->leader_recovery_state == LeaderRecoveryState::recovered);
        CHECK(partition->isr == std::vector{BrokerId{1}});
    }
    const auto epoch = partition->partition_epoch;
    world.kill(false);
    world.start_broker(PreviousStop::process_died);
    CHECK(world.state().partition("t", PartitionIndex{1})->partition_epoch == epoch);
}

TEST_CASE("a drained broker leads nothing, is fenced, and leads again after a restart",
          "[metadata]") {
    MetadataWorld world;
    world.start_broker(PreviousStop::first_start);
    REQUIRE(world.create("t", 2).topics[0].error_code == 0);
    REQUIRE(world.drain().ok());
    CHECK(world.state().broker(BrokerId{1})->fenced);
    const auto* partition = world.state().partition("t", PartitionIndex{0});
    CHECK_FALSE(partition->has_leader());
    CHECK(partition->isr.empty());
    CHECK(partition->eligible_leader_replicas == std::vector{BrokerId{1}});
    CHECK(partition->last_known_elr == std::vector{BrokerId{1}});
    world.stop();
    world.start_broker(PreviousStop::clean);
    partition = world.state().partition("t", PartitionIndex{0});
    CHECK(partition->leader == BrokerId{1});
    CHECK(partition->isr == std::vector{BrokerId{1}});
    CHECK(partition->eligible_leader_replicas.empty());
    CHECK(partition->last_known_elr.empty());
    CHECK(partition->leader_recovery_state == LeaderRecoveryState::recovered);
}

TEST_CASE("a snapshot replaces the log below it", "[metadata]") {
    MetadataWorld world;
    REQUIRE(world.config.set("metadata.max.retention.bytes", "0").ok());
    world.start_broker(PreviousStop::first_start);
    for (int i = 0; i < 20; ++i)
        REQUIRE(world.create("t" + std::to_string(i), 2).topics[0].error_code == 0);
    REQUIRE(world.snapshot().ok());
    const auto end = world.state().applied_offset.value + 1;
    auto ids = list_snapshots(world.files, MetadataWorld::log_directory()).value();
    REQUIRE(ids.size() == 1);
    CHECK(ids[0].end.value == end);
    REQUIRE(world.create("after", 1).topics[0].error_code == 0);
    const auto before = world.images.back();
    world.kill();

    // From the snapshot and what follows it.
    world.start_broker(PreviousStop::process_died);
    CHECK(world.state().topics_by_name.size() == 21);
    for (const auto& [name, topic] : before->topics_by_name) {
        REQUIRE(world.state().topic(name) != nullptr);
        CHECK(*world.state().topic(name) == *topic);
    }
    CHECK(world.state().features == before->features);
}

TEST_CASE("snapshots are taken by themselves once enough was written", "[metadata]") {
    MetadataWorld world;
    REQUIRE(world.config.set("metadata.log.max.record.bytes.between.snapshots", "20000").ok());
    world.start_broker(PreviousStop::first_start);
    for (int i = 0; i < 60; ++i)
        REQUIRE(world.create("topic-" + std::to_string(i), 10).topics[0].error_code == 0);
    world.scheduler.run_for(1s);
    auto ids = list_snapshots(world.files, MetadataWorld::log_directory()).value();
    CHECK(ids.back().end > Offset{0});
    CHECK(ids.front().end > Offset{0});  // the one of the format step is gone
    world.stop();
    world.start_broker();
    CHECK(world.state().topics_by_name.size() == 60);
}

TEST_CASE("an idle node writes nothing and takes no snapshot of what did not change",
          "[metadata]") {
    MetadataWorld world;
    world.start_broker(PreviousStop::first_start);
    world.scheduler.run_for(std::chrono::hours(3));
    const auto syncs = world.files.sync_count();
    const auto ids = list_snapshots(world.files, MetadataWorld::log_directory()).value();
    world.scheduler.run_for(std::chrono::hours(5));
    CHECK(world.files.sync_count() == syncs);
    CHECK(list_snapshots(world.files, MetadataWorld::log_directory()).value() == ids);
    CHECK(world.images.size() < 10);
}

TEST_CASE("a metadata log that was lost is not made anew under what its brokers left",
          "[metadata]") {
    MetadataWorld world;
    world.start_broker(PreviousStop::first_start);
    world.stop();
    REQUIRE(remove_tree(world.files, MetadataWorld::log_directory()).ok());
    const std::string directory = MetadataWorld::directory;
    SECTION("with a trace of a broker there, start refuses") {
        const std::string trace = GENERATE("orders-0", ".kafka_cleanshutdown", "kq.boot");
        if (trace == "orders-0") {
            REQUIRE(world.files.mkdir(directory + "/orders-0").ok());
        } else {
            REQUIRE(replace_file(world.files, directory + '/' + trace, ByteView()).ok());
        }
        // Before anything is opened, and then.
        const auto checked = check(world);
        CHECK(checked.code() == Errc::corrupt_file);
        const auto started = world.start();
        REQUIRE_FALSE(started.ok());
        CHECK(started.code() == Errc::corrupt_file);
        CHECK(started.error().message == checked.error().message);
        for (const std::string& word :
             {MetadataWorld::log_directory() + " is gone", trace, std::string("from a copy")}) {
            CAPTURE(word, started.error().message);
            CHECK(started.error().message.find(word) != std::string::npos);
        }
        CHECK_FALSE(world.files.exists(MetadataWorld::log_directory()));
    }
    SECTION("without any, it is a directory that was formatted and never started") {
        REQUIRE(world.start().ok());
        CHECK(world.state().metadata_version() == 30);
    }
}

TEST_CASE("a metadata log elsewhere is pointed at", "[metadata]") {
    MetadataWorld world;
    world.start_broker(PreviousStop::first_start);
    world.stop();
    REQUIRE(world.files.mkdir("/other/orders-0").ok());
    const auto checked = check_metadata_directory(
        world.files, {"/other", {MetadataWorld::directory, "/other"}}, BrokerId{1}, world.config);
    CHECK(checked.code() == Errc::corrupt_file);
    CHECK(checked.error().message.find("there is one in " + MetadataWorld::log_directory() +
                                       ": see metadata.log.dir") != std::string::npos);
}

TEST_CASE("a quorum that this node is not the only voter of is refused before anything is opened",
          "[metadata]") {
    MetadataWorld world;
    const std::string directory = MetadataWorld::directory;
    const auto voters = [&](std::initializer_list<int> ids, const Uuid& own) {
        VoterSet set;
        for (int id : ids) {
            set[BrokerId{id}] = {
                {BrokerId{id}, id == 1 ? own : Uuid{}}, {{"CONTROLLER", "here", 9093}}, 0, 1};
        }
        REQUIRE(write_first_voters(world.files, world.log_directory(), set, WallTime{}).ok());
    };
    const auto identify = [&](int node) {
        REQUIRE(replace_file(
                    world.files, directory + "/meta.properties",
                    as_bytes(format_meta_properties({"c", BrokerId{node}, world.directory_id})))
                    .ok());
    };
    std::string why;  // of the refusal; none: it is not refused
    SECTION("itself alone") {
        voters({1}, world.directory_id);
        identify(1);
    }
    SECTION("others, too") {
        voters({1, 2, 3}, world.directory_id);
        identify(1);
        why = "has the voters 1, 2, 3; only quorums of one are built so far";
    }
    SECTION("others only") {
        voters({2}, Uuid{});
        identify(1);
        why = "node 1 is not in the metadata quorum";
    }
    SECTION("itself by another directory") {
        voters({1}, metadata_topic_id);
        identify(1);
        why = "by directory " + metadata_topic_id.text() + ", and this is " +
              world.directory_id.text();
    }
    SECTION("as configured, for a directory that was only formatted") {
        REQUIRE(world.config.set("controller.quorum.voters", "1@a:9093,2@b:9093").ok());
        identify(1);
        why = "has the voters 1, 2; only";
    }
    SECTION("another node's directory is refused as such, later") {
        voters({2}, Uuid{});
        identify(2);
    }
    const auto checked = check(world);
    if (why.empty()) {
        CHECK(checked.ok());
    } else {
        REQUIRE(checked.code() == Errc::unsupported);
        CAPTURE(checked.error().message);
        CHECK(checked.error().message.find(why) != std::string::npos);
    }
}

TEST_CASE("a disk that fails ends the node's part in the metadata", "[metadata]") {
    MetadataWorld world;
    world.start_broker(PreviousStop::first_start);
    world.files.fail_next_sync(MetadataWorld::log_directory() + "/00000000000000000000.log");
    const auto response = world.create("t");
    CHECK(response.topics[0].error_code != 0);
    REQUIRE(world.failure);
    CHECK(world.create("u").topics[0].error_code == wire_code(Errc::not_controller));
    world.stop();
    world.start_broker(PreviousStop::process_died);
    CHECK(world.create("u").topics[0].error_code == 0);
}

TEST_CASE("topics that are asked for come into being once", "[metadata]") {
    MetadataWorld world;
    REQUIRE(world.config.set("num.partitions", "4").ok());
    world.start_broker(PreviousStop::first_start);
    auto ask = [&](const std::set<std::string>& names) { world.auto_create(names); };
    ask({"logs", "..", "bad name"});
    ask({"logs"});
    ask({"__consumer_offsets"});
    REQUIRE(world.scheduler.run_until(
        [&] { return world.state().topic("__consumer_offsets") != nullptr; }, 10s));
    world.scheduler.run_for(1s);
    CHECK(world.state().topics_by_name.size() == 2);
    CHECK(world.state().topic("logs")->partition_count() == 4);
    const auto* offsets = world.state().topic("__consumer_offsets");
    CHECK(offsets->partition_count() == 50);
    CHECK(offsets->partition(PartitionIndex{0})->replicas.size() == 1);
    const auto& configs = world.state().config(ConfigResourceType::topic, "__consumer_offsets");
    CHECK(configs.at("cleanup.policy") == "compact");
    CHECK(configs.at("compression.type") == "producer");
    CHECK(configs.at("segment.bytes") == "104857600");
}

TEST_CASE("newer metadata is refused before anything is touched", "[metadata]") {
    MetadataWorld world;
    world.start_broker(PreviousStop::first_start);
    REQUIRE(world.create("t").topics[0].error_code == 0);
    world.stop();
    CHECK(check(world).ok());
    CHECK(
        check_metadata_directory(world.files, {"/nowhere", {"/nowhere"}}, BrokerId{1}, world.config)
            .ok());

    // A batch behind the end of the log, as a newer controller would have written it.
    const auto path = MetadataWorld::log_directory() + "/00000000000000000000.log";
    const auto log = read_file(world.files, path).value();
    Offset next{0};
    REQUIRE(for_each_batch(log, [&](const BatchHeader& header, ByteView) {
                next = header.next_offset();
                return done();
            }).ok());
    Bytes value;
    SECTION("an unknown record") {
        value = Bytes{1, 29, 0, 0, 0, 0, 1, 0};
    }
    SECTION("a known record in an unknown version") {
        value = wire::encode_metadata_record(wire::TopicRecord{"u", metadata_topic_id}, 0);
        value[2] = 1;
    }
    SECTION("an unknown metadata.version") {
        value = wire::encode_metadata_record(wire::FeatureLevelRecord{"metadata.version", 31}, 0);
    }
    SECTION("a record frame of another kind") {
        value = Bytes{2, 2, 0};
    }
    const auto batch = make_data_batch({&value, 1}, next, Epoch{1}, WallTime{}).value();
    auto file = world.files.open(path, OpenMode::read_write).value();
    REQUIRE(file->pwrite(log.size(), batch).ok());
    REQUIRE(file->sync().ok());
    const auto syncs = world.files.sync_count();
    const auto bytes = world.files.used_bytes();
    const auto refused = check(world);
    CHECK(refused.code() == Errc::unsupported);
    CHECK(world.files.sync_count() == syncs);
    CHECK(world.files.used_bytes() == bytes);

    // A torn end is nobody's newer format.
    REQUIRE(file->truncate(log.size() + batch.size() - 1).ok());
    CHECK(check(world).ok());
}

TEST_CASE("a directory whose bootstrap file is newer is refused, too", "[metadata]") {
    MetadataWorld world;
    const std::string path = std::string(MetadataWorld::directory) + "/bootstrap.checkpoint";
    REQUIRE(write_snapshot(world.files, path, {Epoch{0}, WallTime{}, {}}, WallTime{},
                           [](const auto& write) {
                               return write(wire::encode_metadata_record(
                                   wire::FeatureLevelRecord{"metadata.version", 99}, 0));
                           })
                .ok());
    CHECK(check(world).code() == Errc::unsupported);
}
