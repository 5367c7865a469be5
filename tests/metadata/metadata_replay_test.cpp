// SPDX-License-Identifier: Apache-2.0
#include "metadata/metadata_replay.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

#include "metadata/carried_records.hpp"
#include "metadata/golden_log.hpp"

using namespace kq;
using kq::sim::golden_records;

namespace {

Uuid id_of(std::uint8_t n) {
    Uuid id;
    id.bytes[15] = n;
    return id;
}

MetadataState replayed(const std::vector<wire::MetadataRecord>& records) {
    MetadataReplay replay;
    REQUIRE(replay.apply(records).ok());
    return replay.state();
}

// The state written as records, and read back.
MetadataState through_records(const MetadataState& state) {
    std::vector<wire::MetadataRecord> records;
    REQUIRE(write_as_records(state, [&](const wire::MetadataRecord& record) {
                const auto bytes = wire::encode_metadata_record(
                    record, record_version(record, state.metadata_version()));
                auto decoded = wire::decode_metadata_record(bytes);
                REQUIRE(decoded.ok());
                records.push_back(std::move(decoded.value().record));
                return done();
            }).ok());
    return replayed(records);
}

// Records of a snapshot as lines of JSON, sorted; without those whose lists Kafka's hash tables
// order.
std::vector<std::string> lines(const std::vector<wire::VersionedRecord>& records) {
    std::vector<std::string> result;
    for (const auto& versioned : records) {
        if (std::holds_alternative<wire::RegisterBrokerRecord>(versioned.record) ||
            std::holds_alternative<wire::RegisterControllerRecord>(versioned.record))
            continue;
        auto copy = versioned;
        if (auto* quota = std::get_if<wire::ClientQuotaRecord>(&copy.record)) {
            std::sort(quota->entity.begin(), quota->entity.end(),
                      [](const auto& a, const auto& b) { return a.entity_type < b.entity_type; });
        }
        result.push_back(to_json(copy) + " v" + std::to_string(copy.version));
    }
    std::sort(result.begin(), result.end());
    return result;
}

wire::RegisterBrokerRecord broker(std::int32_t id, std::int64_t epoch) {
    wire::RegisterBrokerRecord record;
    record.broker_id = id;
    record.broker_epoch = epoch;
    record.incarnation_id = id_of(static_cast<std::uint8_t>(100 + id));
    record.end_points.push_back({"PLAINTEXT", "host" + std::to_string(id), 9092, 0});
    record.log_dirs = {id_of(static_cast<std::uint8_t>(200 + id))};
    return record;
}

wire::PartitionRecord partition(const Uuid& topic, std::int32_t index,
                                std::vector<std::int32_t> replicas) {
    wire::PartitionRecord record;
    record.topic_id = topic;
    record.partition_id = index;
    record.directories.resize(replicas.size());
    record.leader = replicas.front();
    record.isr = replicas;
    record.replicas = std::move(replicas);
    record.leader_epoch = 0;
    record.partition_epoch = 0;
    return record;
}

}  // namespace

TEST_CASE("Kafka's log, replayed up to a snapshot, is what the snapshot says", "[metadata]") {
    struct Row {
        std::vector<std::string> log;  // files: a snapshot to start from, then log segments
        std::string snapshot;
        std::int64_t from;
        std::int64_t end;
    };
    const Row row = GENERATE(values<Row>({
        {{"single/00000000000000000000.log"},
         "single/00000000000000000065-0000000001.checkpoint",
         0,
         65},
        {{"single/00000000000000000000.log"},
         "single/00000000000000000312-0000000001.checkpoint",
         0,
         312},
        {{"cluster/00000000000000005024-0000000026.checkpoint", "cluster/00000000000000004876.log",
          "cluster/00000000000000005110.log"},
         "cluster/00000000000000005197-0000000026.checkpoint",
         5024,
         5197},
    }));
    CAPTURE(row.snapshot);
    MetadataReplay replay;
    for (const auto& name : row.log) {
        const bool is_snapshot = name.ends_with(".checkpoint");
        for (const auto& golden : golden_records(name)) {
            if (!is_snapshot && (golden.offset.value < row.from || golden.offset.value >= row.end))
                continue;
            REQUIRE(replay.apply({&golden.record.record, 1}).ok());
        }
    }
    CHECK_FALSE(replay.is_in_transaction());

    std::vector<wire::MetadataRecord> records;
    std::vector<wire::VersionedRecord> versioned;
    for (auto& golden : golden_records(row.snapshot)) {
        records.push_back(golden.record.record);
        versioned.push_back(golden.record);
    }
    const auto snapshot = replayed(records);
    CHECK(replay.state() == snapshot);
    CHECK(replay.state().metadata_version() == 30);
    CHECK(compare(replay.state(), snapshot).empty());

    // And what we would write is what Kafka wrote.
    std::vector<wire::VersionedRecord> ours;
    REQUIRE(write_as_records(snapshot, [&](const wire::MetadataRecord& record) {
                ours.push_back({record, record_version(record, snapshot.metadata_version())});
                return done();
            }).ok());
    CHECK(lines(ours) == lines(versioned));
    CHECK(through_records(snapshot) == snapshot);
}

TEST_CASE("a state written as records and read back is equal, whatever is in it", "[metadata]") {
    wire::AccessControlEntryRecord acl;
    acl.id = id_of(9);
    acl.resource_name = "orders";
    wire::UserScramCredentialRecord scram;
    scram.name = "alice";
    scram.mechanism = 1;
    wire::DelegationTokenRecord token;
    token.token_id = "token";
    wire::ClientQuotaRecord quota;
    quota.entity = {{"user", "alice"}, {"client-id", std::nullopt}};
    quota.key = "producer_byte_rate";
    quota.value = 1024.5;
    auto registered = broker(2, 7);
    registered.rack = std::nullopt;
    registered.fenced = false;
    registered.in_controlled_shutdown = true;
    registered.cordoned_log_dirs = {id_of(202)};
    wire::RegisterControllerRecord controller;
    controller.controller_id = 1;
    controller.end_points.push_back({"CONTROLLER", "c1", 9093, 0});
    auto odd = partition(id_of(1), 1, {2, 1});
    odd.isr = {};
    odd.leader = -1;
    odd.leader_recovery_state = 1;
    odd.adding_replicas = {2};
    odd.removing_replicas = {1};
    odd.eligible_leader_replicas = {{1}};
    odd.last_known_elr = {{2}};
    odd.directories = {id_of(202), Uuid{}};
    const auto state = replayed(
        {wire::FeatureLevelRecord{"metadata.version", 30},
         wire::FeatureLevelRecord{"share.version", 1}, wire::ZkMigrationStateRecord{3},
         broker(1, 5), registered, controller, wire::TopicRecord{"orders", id_of(1)},
         partition(id_of(1), 0, {1, 2}), odd, wire::ConfigRecord{2, "orders", "retention.ms", "5"},
         wire::ConfigRecord{16, "metrics", "interval.ms", "100"},
         wire::ConfigRecord{32, "group", "consumer.session.timeout.ms", "1"},
         wire::ProducerIdsRecord{1, 5, 3000}, acl, scram, token, quota});
    CHECK(state.partition_count == 2);
    CHECK(through_records(state) == state);
    // At an older level what that level cannot say is lost, and nothing else.
    auto older = state;
    older.features.insert_or_assign("metadata.version", std::int16_t{29});
    CHECK_FALSE(through_records(older).broker(BrokerId{2})->cordoned_log_dirs);
}

TEST_CASE("applied one by one, in runs, or from a snapshot in between: the same state",
          "[metadata]") {
    // I24: live state == replay of the log == replay of a snapshot and what follows it.
    const auto log = golden_records("single/00000000000000000000.log");
    std::vector<wire::MetadataRecord> records;
    for (const auto& golden : log)
        records.push_back(golden.record.record);
    const auto whole = replayed(records);
    const auto cut = GENERATE(as<std::size_t>{}, 12, 40, 100, 200, 300);
    CAPTURE(cut);
    REQUIRE(cut < records.size());
    const std::vector<wire::MetadataRecord> head(
        records.begin(), records.begin() + static_cast<std::ptrdiff_t>(cut));
    MetadataReplay replay(through_records(replayed(head)));
    MetadataDelta delta;
    const auto before = replay.state();
    for (std::size_t i = cut; i < records.size(); i += 7) {
        const auto count = std::min<std::size_t>(7, records.size() - i);
        REQUIRE(replay.apply({records.data() + i, count}, &delta).ok());
    }
    CHECK(replay.state() == whole);
    // What the delta lists is what is different.
    const auto difference = compare(before, replay.state());
    for (const auto& [id, change] : difference.changed_topics) {
        REQUIRE(delta.changed_topics.contains(id));
        const auto& noted = delta.changed_topics.at(id);
        CHECK(noted.created == change.created);
        CHECK(std::includes(noted.partitions.begin(), noted.partitions.end(),
                            change.partitions.begin(), change.partitions.end()));
    }
    CHECK(delta.deleted_topics.size() == difference.deleted_topics.size());
    for (const auto& resource : difference.changed_configs)
        CHECK(delta.changed_configs.contains(resource));
    CHECK(delta.changed_brokers == difference.changed_brokers);
}

TEST_CASE("an older image does not change when a newer one is made of it", "[metadata]") {
    MetadataReplay replay;
    std::vector<wire::MetadataRecord> records{wire::TopicRecord{"t", id_of(1)}};
    for (std::int32_t i = 0; i < 1000; ++i)
        records.push_back(partition(id_of(1), i, {1}));
    REQUIRE(replay.apply(records).ok());
    const MetadataState before = replay.state();
    wire::PartitionChangeRecord change;
    change.topic_id = id_of(1);
    change.partition_id = 700;
    change.leader = -1;
    change.isr = std::vector<std::int32_t>{};
    const std::vector<wire::MetadataRecord> later{change, wire::TopicRecord{"u", id_of(2)},
                                                  partition(id_of(2), 0, {1})};
    REQUIRE(replay.apply(later).ok());
    CHECK(before.partition("t", PartitionIndex{700})->leader == BrokerId{1});
    CHECK(before.topic("u") == nullptr);
    CHECK(before.partition_count == 1000);
    const auto* now = replay.state().partition("t", PartitionIndex{700});
    CHECK(now->leader == no_broker);
    CHECK(now->leader_epoch == Epoch{1});
    CHECK(now->partition_epoch == PartitionEpoch{1});
    CHECK(replay.state().partition("t", PartitionIndex{699})->partition_epoch == PartitionEpoch{0});
    // What did not change is shared, not copied.
    CHECK(before.partition("t", PartitionIndex{5}) ==
          replay.state().partition("t", PartitionIndex{5}));
}

TEST_CASE("records of a transaction take effect together or not at all", "[metadata]") {
    MetadataReplay replay;
    auto apply = [&](wire::MetadataRecord record) { return replay.apply({&record, 1}); };
    REQUIRE(apply(wire::BeginTransactionRecord{"first"}).ok());
    REQUIRE(apply(wire::TopicRecord{"a", id_of(1)}).ok());
    CHECK(replay.is_in_transaction());
    CHECK(replay.state().topic("a") == nullptr);
    MetadataReplay copy = replay;  // in the middle, too
    REQUIRE(apply(wire::EndTransactionRecord{}).ok());
    CHECK(replay.state().topic("a") != nullptr);

    wire::MetadataRecord abort = wire::AbortTransactionRecord{};
    REQUIRE(copy.apply({&abort, 1}).ok());
    CHECK(copy.state().topic("a") == nullptr);
    CHECK_FALSE(copy.is_in_transaction());
    CHECK_FALSE(copy.apply({&abort, 1}).ok());
    REQUIRE(apply(wire::BeginTransactionRecord{}).ok());
    CHECK(apply(wire::BeginTransactionRecord{}).code() == Errc::corrupt_file);
}

TEST_CASE("a record that speaks of what is not there is refused", "[metadata]") {
    const wire::MetadataRecord record = GENERATE(values<wire::MetadataRecord>(
        {partition(id_of(7), 0, {1}),
         wire::PartitionChangeRecord{.partition_id = 0, .topic_id = id_of(7)},
         wire::PartitionChangeRecord{.partition_id = 5, .topic_id = id_of(1)},
         wire::RemoveTopicRecord{id_of(7)}, wire::TopicRecord{"orders", id_of(8)},
         wire::TopicRecord{"other", id_of(1)}, wire::ClearElrRecord{"other"},
         wire::FenceBrokerRecord{3, 5}, wire::FenceBrokerRecord{1, 6},
         wire::UnregisterBrokerRecord{3, 5},
         wire::BrokerRegistrationChangeRecord{.broker_id = 1, .broker_epoch = 6, .fenced = 1},
         wire::BrokerRegistrationChangeRecord{.broker_id = 1, .broker_epoch = 5, .fenced = 7}}));
    CAPTURE(wire::info_of(record).name);
    MetadataReplay replay;
    const std::vector<wire::MetadataRecord> start{
        broker(1, 5), wire::TopicRecord{"orders", id_of(1)}, partition(id_of(1), 0, {1})};
    REQUIRE(replay.apply(start).ok());
    CHECK(replay.apply({&record, 1}).code() == Errc::corrupt_file);
}

TEST_CASE("a metadata.version outside what this build reads is refused by its name", "[metadata]") {
    const std::int16_t level = GENERATE(as<std::int16_t>{}, 6, 31, 100);
    wire::MetadataRecord record = wire::FeatureLevelRecord{"metadata.version", level};
    MetadataReplay replay;
    const auto applied = replay.apply({&record, 1});
    REQUIRE_FALSE(applied.ok());
    CHECK(applied.code() == Errc::unsupported);
    CHECK(applied.error().message.find(std::to_string(level)) != std::string::npos);
    record = wire::FeatureLevelRecord{"share.version", 77};  // none of ours: carried
    CHECK(replay.apply({&record, 1}).ok());
    CHECK(replay.state().feature("share.version") == 77);
}

TEST_CASE("settings and features go when their record says so", "[metadata]") {
    MetadataReplay replay;
    auto apply = [&](wire::MetadataRecord record) { REQUIRE(replay.apply({&record, 1}).ok()); };
    apply(wire::ConfigRecord{4, "", "log.retention.ms", "5"});
    apply(wire::ConfigRecord{4, "1", "log.retention.ms", "6"});
    CHECK(replay.state().configs.size() == 2);
    apply(wire::ConfigRecord{4, "", "log.retention.ms", std::nullopt});
    CHECK(replay.state().configs.size() == 1);
    CHECK(replay.state().config(ConfigResourceType::broker, "").empty());
    CHECK(replay.state().config(ConfigResourceType::broker, "1").at("log.retention.ms") == "6");
    apply(wire::FeatureLevelRecord{"group.version", 1});
    apply(wire::FeatureLevelRecord{"group.version", 0});
    CHECK(replay.state().features.empty());
}

TEST_CASE("clearing eligible replicas touches only who has some", "[metadata]") {
    auto with_elr = partition(id_of(1), 0, {1, 2});
    with_elr.eligible_leader_replicas = {{2}};
    auto last_known = partition(id_of(2), 0, {1});
    last_known.last_known_elr = {{1}};
    MetadataReplay replay(replayed({wire::TopicRecord{"a", id_of(1)}, with_elr,
                                    wire::TopicRecord{"b", id_of(2)}, last_known}));
    SECTION("of one topic") {
        wire::MetadataRecord record = wire::ClearElrRecord{"a"};
        REQUIRE(replay.apply({&record, 1}).ok());
        CHECK(replay.state().partition("a", PartitionIndex{0})->eligible_leader_replicas.empty());
        CHECK_FALSE(replay.state().partition("b", PartitionIndex{0})->last_known_elr.empty());
    }
    SECTION("of all") {
        wire::MetadataRecord record = wire::ClearElrRecord{""};
        REQUIRE(replay.apply({&record, 1}).ok());
        CHECK(replay.state().partition("b", PartitionIndex{0})->last_known_elr.empty());
    }
}

TEST_CASE("record versions follow the level of the cluster", "[metadata]") {
    wire::BrokerRegistrationChangeRecord fence;
    fence.fenced = 1;
    auto cordon = fence;
    cordon.cordoned_log_dirs.emplace();
    auto shutdown = fence;
    shutdown.in_controlled_shutdown = 1;
    struct Row {
        wire::MetadataRecord record;
        std::int16_t level;
        std::int16_t version;
    };
    const Row row = GENERATE_COPY(values<Row>({
        {wire::RegisterBrokerRecord{}, 30, 4},
        {wire::RegisterBrokerRecord{}, 29, 3},
        {wire::RegisterBrokerRecord{}, 16, 2},
        {wire::RegisterBrokerRecord{}, 7, 1},
        {wire::PartitionRecord{}, 30, 2},
        {wire::PartitionRecord{}, 22, 1},
        {wire::PartitionRecord{}, 16, 0},
        {wire::PartitionChangeRecord{}, 23, 2},
        {wire::TopicRecord{}, 30, 0},
        {fence, 30, 0},
        {shutdown, 30, 1},
        {cordon, 30, 3},
    }));
    CAPTURE(wire::info_of(row.record).name, row.level);
    CHECK(record_version(row.record, row.level) == row.version);
}
