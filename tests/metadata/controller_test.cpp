// SPDX-License-Identifier: Apache-2.0
#include "metadata/controller.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

#include "metadata/placement.hpp"

using namespace kq;

namespace {

Uuid id_of(int n) {
    Uuid id;
    id.bytes[14] = static_cast<std::uint8_t>(n / 256);
    id.bytes[15] = static_cast<std::uint8_t>(n);
    return id;
}

// A cluster of brokers 1..n with one log directory each, changed by the decisions on it.
struct Cluster {
    explicit Cluster(int brokers, int level = 30) {
        apply({wire::FeatureLevelRecord{"metadata.version", static_cast<std::int16_t>(level)},
               wire::FeatureLevelRecord{"eligible.leader.replicas.version", 1}});
        for (int i = 1; i <= brokers; ++i)
            add_broker(i);
    }
    void add_broker(int id, std::optional<std::string> rack = std::nullopt, bool fenced = false) {
        wire::RegisterBrokerRecord record;
        record.broker_id = id;
        record.broker_epoch = 10 + id;
        record.incarnation_id = id_of(500 + id);
        record.end_points.push_back({"PLAINTEXT", "host", 9092, 0});
        record.log_dirs = {id_of(900 + id)};
        record.fenced = fenced;
        record.rack = std::move(rack);
        apply({record});
    }
    void apply(std::vector<wire::MetadataRecord> changes) {
        for (auto& record : changes)
            fit_to_level(record, replay.state().metadata_version());
        REQUIRE(replay.apply(changes).ok());
    }
    const MetadataState& state() const { return replay.state(); }
    ControllerContext context() { return {random, config, room}; }

    wire::CreateTopicsResponse create(wire::CreateTopicsRequest request) {
        auto decision = create_topics(state(), request, context());
        apply(decision.records);
        records = decision.records.size();
        return decision.response;
    }
    wire::CreateTopicsResponse::CreatableTopicResult create(
        const std::string& name, std::int32_t partitions = 1, std::int16_t replicas = 1,
        std::vector<wire::CreateTopicsRequest::CreatableTopicConfig> configs = {}) {
        wire::CreateTopicsRequest request;
        request.topics.push_back({name, partitions, replicas, {}, std::move(configs)});
        return create(request).topics.at(0);
    }

    MetadataReplay replay;
    SeededRandom random{7};
    ConfigSet config{ConfigScope::broker};
    PartitionRoom room;
    std::size_t records = 0;  // of the last decision
};

}  // namespace

TEST_CASE("a topic is created with what was asked for and the defaults for the rest",
          "[metadata]") {
    Cluster cluster(3);
    REQUIRE(cluster.config.set("num.partitions", "5").ok());
    REQUIRE(cluster.config.set("default.replication.factor", "2").ok());
    auto result = cluster.create("orders", 3, 3, {{"retention.ms", "1000"}});
    CHECK(result.error_code == 0);
    CHECK_FALSE(result.error_message);
    CHECK(result.num_partitions == 3);
    CHECK(result.replication_factor == 3);
    const auto* topic = cluster.state().topic("orders");
    REQUIRE(topic != nullptr);
    CHECK(topic->id() == result.topic_id);
    CHECK(topic->partition_count() == 3);
    for (const auto& [index, partition] : topic->partitions()) {
        CHECK(partition->replicas.size() == 3);
        CHECK(partition->isr == partition->replicas);
        CHECK(partition->leader == partition->replicas.front());
        CHECK(partition->leader_epoch == Epoch{0});
        CHECK(partition->directories[0] == id_of(900 + partition->replicas[0].value));
    }
    // All settings are described, with where they come from.
    auto described = [&](const std::string& name) {
        const auto& configs = *result.configs;
        auto found = std::find_if(configs.begin(), configs.end(),
                                  [&](const auto& c) { return c.name == name; });
        REQUIRE(found != configs.end());
        return *found;
    };
    CHECK(described("retention.ms").value == "1000");
    CHECK(described("retention.ms").config_source == 1);
    CHECK(described("cleanup.policy").value == "delete");
    CHECK(described("cleanup.policy").config_source == 5);
    CHECK(described("segment.bytes").value == "1073741824");

    result = cluster.create("defaults", -1, -1);
    CHECK(result.num_partitions == 5);
    CHECK(result.replication_factor == 2);
}

TEST_CASE("what is wrong with a new topic is said, and nothing is written", "[metadata]") {
    Cluster cluster(2);
    REQUIRE(cluster.create("taken.name").error_code == 0);
    struct Row {
        wire::CreateTopicsRequest::CreatableTopic topic;
        Errc code;
    };
    const std::string long_name(250, 'a');
    const std::string too_long((std::size_t{1} << 20) + 1, 'x');
    std::string too_many = "0:1";
    while (too_many.size() <= std::size_t{1} << 20)
        too_many += ",0:1";
    const Row row = GENERATE_COPY(values<Row>({
        {{"", 1, 1, {}, {}}, Errc::invalid_topic_exception},
        {{".", 1, 1, {}, {}}, Errc::invalid_topic_exception},
        {{"..", 1, 1, {}, {}}, Errc::invalid_topic_exception},
        {{"a b", 1, 1, {}, {}}, Errc::invalid_topic_exception},
        {{"\xc3\xa4", 1, 1, {}, {}}, Errc::invalid_topic_exception},
        {{long_name, 1, 1, {}, {}}, Errc::invalid_topic_exception},
        {{"taken_name", 1, 1, {}, {}}, Errc::invalid_topic_exception},
        {{"__cluster_metadata", 1, 1, {}, {}}, Errc::invalid_request},
        {{"taken.name", 1, 1, {}, {}}, Errc::topic_already_exists},
        {{"t", 0, 1, {}, {}}, Errc::invalid_partitions},
        {{"t", -2, 1, {}, {}}, Errc::invalid_partitions},
        {{"t", 1, 0, {}, {}}, Errc::invalid_replication_factor},
        {{"t", 1, -2, {}, {}}, Errc::invalid_replication_factor},
        {{"t", 1, 3, {}, {}}, Errc::invalid_replication_factor},
        {{"t", 10001, 1, {}, {}}, Errc::policy_violation},
        {{"t", 1, 1, {}, {{"no.such.setting", "1"}}}, Errc::invalid_config},
        {{"t", 1, 1, {}, {{"retention.ms", "many"}}}, Errc::invalid_config},
        {{"t", 1, 1, {}, {{"retention.ms", std::nullopt}}}, Errc::invalid_config},
        {{"t", 1, 1, {}, {{"cleanup.policy", "shred"}}}, Errc::invalid_config},
        {{"t", 1, 1, {}, {{"min.insync.replicas", "0"}}}, Errc::invalid_config},
        {{"t", 1, 1, {}, {{"remote.storage.enable", "true"}}}, Errc::invalid_config},
        {{"t", 1, 1, {}, {{too_long, "1"}}}, Errc::invalid_config},
        {{"t", 1, 1, {}, {{"follower.replication.throttled.replicas", too_many}}},
         Errc::invalid_config},
        {{"t", 1, 1, {}, {{"max.compaction.lag.ms", "5"}, {"min.compaction.lag.ms", "6"}}},
         Errc::invalid_config},
        {{"t", -1, -1, {{0, {1}}, {0, {2}}}, {}}, Errc::invalid_replica_assignment},
        {{"t", -1, -1, {{1, {1}}}, {}}, Errc::invalid_replica_assignment},
        {{"t", -1, -1, {{-1, {1}}}, {}}, Errc::invalid_replica_assignment},
        {{"t", -1, -1, {{0, {}}}, {}}, Errc::invalid_replica_assignment},
        {{"t", -1, -1, {{0, {1, 1}}}, {}}, Errc::invalid_replica_assignment},
        {{"t", -1, -1, {{0, {7}}}, {}}, Errc::invalid_replica_assignment},
        {{"t", -1, -1, {{0, {1, 2}}, {1, {1}}}, {}}, Errc::invalid_replica_assignment},
        {{"t", 1, -1, {{0, {1}}}, {}}, Errc::invalid_request},
        {{"t", -1, 1, {{0, {1}}}, {}}, Errc::invalid_request},
    }));
    CAPTURE(row.topic.name, row.topic.num_partitions, row.topic.replication_factor);
    wire::CreateTopicsRequest request;
    request.topics = {row.topic};
    const auto response = cluster.create(request);
    REQUIRE(response.topics.size() == 1);
    CHECK(response.topics[0].error_code == wire_code(row.code));
    CHECK_FALSE(response.topics[0].error_message.value_or("").empty());
    CHECK(response.topics[0].num_partitions == -1);
    CHECK(response.topics[0].topic_id.is_zero());
    CHECK(cluster.records == 0);
}

TEST_CASE("topics of one request stand and fall alone", "[metadata]") {
    Cluster cluster(1);
    wire::CreateTopicsRequest request;
    request.topics = {{"good", 1, 1, {}, {}},    {"twice", 1, 1, {}, {}},  {"bad", 0, 1, {}, {}},
                      {"twice", 2, 1, {}, {}},   {"a.b", 1, 1, {}, {}},    {"a_b", 1, 1, {}, {}},
                      {"many", 9995, 1, {}, {}}, {"more", 1000, 1, {}, {}}};
    const auto response = cluster.create(request);
    std::vector<std::pair<std::string, std::int16_t>> codes;
    for (const auto& topic : response.topics)
        codes.emplace_back(topic.name, topic.error_code);
    CHECK(codes == std::vector<std::pair<std::string, std::int16_t>>{
                       {"good", 0},
                       {"twice", wire_code(Errc::invalid_request)},
                       {"bad", wire_code(Errc::invalid_partitions)},
                       {"a.b", 0},
                       {"a_b", wire_code(Errc::invalid_topic_exception)},
                       {"many", 0},
                       {"more", wire_code(Errc::policy_violation)}});
    CHECK(cluster.state().topics_by_name.size() == 3);
}

TEST_CASE("all topics together have a bounded number of partitions", "[metadata]") {
    Cluster cluster(2);
    REQUIRE(cluster.config.set("kq.partitions.max", "10").ok());
    const auto full = wire_code(Errc::policy_violation);
    CHECK(cluster.create("wide", 11, 1).error_code == full);
    CHECK(cluster.create("seven", 7, 2).error_code == 0);  // replicas do not count
    const auto refused = cluster.create("four", 4, 1);
    CHECK(refused.error_code == full);
    CHECK(refused.error_message->find("kq.partitions.max") != std::string::npos);
    CHECK(cluster.records == 0);
    // Within one request, too: the first that fits is made.
    wire::CreateTopicsRequest request;
    request.topics = {
        {"two", 2, 1, {}, {}}, {"another", 2, 1, {}, {}}, {"one", -1, -1, {{0, {1}}}, {}}};
    request.validate_only = true;
    CHECK(cluster.create(request).topics.at(1).error_code == full);
    request.validate_only = false;
    auto response = cluster.create(request);
    CHECK(response.topics.at(0).error_code == 0);
    CHECK(response.topics.at(1).error_code == full);
    CHECK(response.topics.at(2).error_code == 0);
    CHECK(cluster.create("more", 1, 1).error_code == full);
    // A lower limit takes nothing away; what is deleted makes room.
    REQUIRE(cluster.config.set("kq.partitions.max", "4").ok());
    CHECK(cluster.create("more", 1, 1).error_code == full);
    wire::DeleteTopicsRequest deleted;
    deleted.topic_names = {"seven"};
    cluster.apply(delete_topics(cluster.state(), deleted).records);
    CHECK(cluster.create("more", 1, 1).error_code == 0);
    CHECK(cluster.create("yet-more", 1, 1).error_code == full);
}

TEST_CASE("more partitions than files may be open are refused", "[metadata]") {
    Cluster cluster(1);
    cluster.room = {10, 64};
    CHECK(cluster.create("seven", 7, 1).error_code == 0);
    const auto refused = cluster.create("four", 4, 1);
    CHECK(refused.error_code == wire_code(Errc::policy_violation));
    CHECK(*refused.error_message ==
          "with 64 open files allowed (ulimit -n) there is room for 10 "
          "partitions, and these would make it 11");
    CHECK(cluster.records == 0);
    CHECK(cluster.create("three", 3, 1).error_code == 0);
    // The narrower of both limits is the one that is named.
    REQUIRE(cluster.config.set("kq.partitions.max", "10").ok());
    CHECK(cluster.create("one", 1, 1).error_message->find("kq.partitions.max") !=
          std::string::npos);
}

TEST_CASE("a request that only checks changes nothing", "[metadata]") {
    Cluster cluster(1);
    wire::CreateTopicsRequest request;
    request.topics = {{"t", 4, 1, {}, {}}, {"bad", 0, 1, {}, {}}};
    request.validate_only = true;
    const auto response = cluster.create(request);
    CHECK(response.topics[0].error_code == 0);
    CHECK(response.topics[0].num_partitions == 4);
    CHECK(response.topics[0].topic_id.is_zero());
    CHECK(response.topics[1].error_code == wire_code(Errc::invalid_partitions));
    CHECK(cluster.records == 0);
    CHECK(cluster.state().topics_by_name.empty());
}

TEST_CASE("an assignment is taken as it is; only brokers that are up are in sync", "[metadata]") {
    Cluster cluster(2);
    cluster.add_broker(3, std::nullopt, true);
    wire::CreateTopicsRequest request;
    request.topics = {{"t", -1, -1, {{1, {2, 1}}, {0, {3, 2}}}, {}},
                      {"down", -1, -1, {{0, {3}}}, {}}};
    const auto response = cluster.create(request);
    CHECK(response.topics[0].error_code == 0);
    CHECK(response.topics[1].error_code == wire_code(Errc::invalid_replica_assignment));
    const auto* first = cluster.state().partition("t", PartitionIndex{0});
    CHECK(first->replicas == std::vector{BrokerId{3}, BrokerId{2}});
    CHECK(first->isr == std::vector{BrokerId{2}});
    CHECK(first->leader == BrokerId{2});
    CHECK(cluster.state().partition("t", PartitionIndex{1})->leader == BrokerId{2});
}

TEST_CASE("at an old level records carry what that level knows", "[metadata]") {
    Cluster cluster(1, 14);
    CHECK(cluster.create("t").error_code == 0);
    CHECK(cluster.state().partition("t", PartitionIndex{0})->directories.empty());
}

TEST_CASE("replicas are spread over brokers and racks", "[metadata]") {
    const auto seed = GENERATE(range(1, 12));
    CAPTURE(seed);
    SeededRandom random(static_cast<std::uint64_t>(seed));
    Cluster cluster(0);
    for (int i = 1; i <= 6; ++i)
        cluster.add_broker(i, "rack-" + std::to_string(i % 3));
    const auto placed = place_replicas(cluster.state(), random, 60, 3).value();
    std::map<BrokerId, int> leads;
    std::map<BrokerId, int> holds;
    for (const auto& replicas : placed) {
        REQUIRE(replicas.size() == 3);
        std::set<std::string> racks;
        std::set<BrokerId> distinct;
        for (auto broker : replicas) {
            racks.insert(*cluster.state().broker(broker)->rack);
            distinct.insert(broker);
            ++holds[broker];
        }
        CHECK(racks.size() == 3);
        CHECK(distinct.size() == 3);
        ++leads[replicas.front()];
    }
    for (int i = 1; i <= 6; ++i) {
        CHECK(leads[BrokerId{i}] == 10);
        CHECK(holds[BrokerId{i}] >= 15);
        CHECK(holds[BrokerId{i}] <= 45);
    }
}

TEST_CASE("fenced brokers get replicas last and never lead", "[metadata]") {
    SeededRandom random(3);
    Cluster cluster(2);
    cluster.add_broker(3, std::nullopt, true);
    const auto wide = place_replicas(cluster.state(), random, 10, 3).value();
    for (const auto& replicas : wide) {
        CHECK(replicas.back() == BrokerId{3});
        CHECK(replicas.size() == 3);
    }
    const auto narrow = place_replicas(cluster.state(), random, 10, 2).value();
    for (const auto& replicas : narrow)
        CHECK(std::find(replicas.begin(), replicas.end(), BrokerId{3}) == replicas.end());
    CHECK(place_replicas(cluster.state(), random, 1, 4).code() == Errc::invalid_replication_factor);
    Cluster down(0);
    down.add_broker(1, std::nullopt, true);
    CHECK(place_replicas(down.state(), random, 1, 1).code() == Errc::invalid_replication_factor);
}

TEST_CASE("topics are deleted by name or id, each answered for itself", "[metadata]") {
    Cluster cluster(1);
    const auto a = cluster.create("a", 2, 1, {{"retention.ms", "5"}}).topic_id;
    const auto b = cluster.create("b").topic_id;
    const auto c = cluster.create("c").topic_id;
    wire::DeleteTopicsRequest request;
    request.topics = {{"a", Uuid{}},    {std::nullopt, b},
                      {"nope", Uuid{}}, {std::nullopt, id_of(9)},
                      {"c", c},         {std::nullopt, Uuid{}}};
    auto decision = delete_topics(cluster.state(), request);
    std::vector<std::int16_t> codes;
    for (const auto& result : decision.response.responses)
        codes.push_back(result.error_code);
    CHECK(codes == std::vector<std::int16_t>{0, 0, wire_code(Errc::unknown_topic_or_partition),
                                             wire_code(Errc::unknown_topic_id),
                                             wire_code(Errc::invalid_request),
                                             wire_code(Errc::invalid_request)});
    CHECK(decision.response.responses[0].topic_id == a);
    CHECK(decision.response.responses[1].name == "b");
    CHECK_FALSE(decision.response.responses[3].name);
    cluster.apply(decision.records);
    CHECK(cluster.state().topics_by_name.size() == 1);
    CHECK(cluster.state().topics_by_id.size() == 1);
    CHECK(cluster.state().partition_count == 1);
    CHECK(cluster.state().configs.empty());

    // Named twice, by whatever, it stays.
    request.topics = {{"c", Uuid{}}, {std::nullopt, c}};
    decision = delete_topics(cluster.state(), request);
    CHECK(decision.records.empty());
    CHECK(decision.response.responses[0].error_code == wire_code(Errc::invalid_request));
    // By the same word more than once, whether it is there or not, it is answered once.
    request.topics = {{"c", Uuid{}},
                      {"nope", Uuid{}},
                      {"c", Uuid{}},
                      {std::nullopt, id_of(9)},
                      {std::nullopt, id_of(9)},
                      {"nope", Uuid{}}};
    decision = delete_topics(cluster.state(), request);
    CHECK(decision.records.empty());
    REQUIRE(decision.response.responses.size() == 3);
    for (const auto& result : decision.response.responses)
        CHECK(result.error_code == wire_code(Errc::invalid_request));
    CHECK(decision.response.responses[1].name == "nope");
    CHECK(decision.response.responses[2].topic_id == id_of(9));
    // Versions before 6 name them apart.
    request.topics.clear();
    request.topic_names = {"c"};
    decision = delete_topics(cluster.state(), request);
    CHECK(decision.records.size() == 1);
}

TEST_CASE("a broker registers under the offset of its record", "[metadata]") {
    Cluster cluster(2);
    BrokerStart start;
    start.incarnation = id_of(77);
    start.endpoints = {{"PLAINTEXT", "new", 9092, 0}};
    start.log_dirs = {id_of(42), id_of(41)};
    auto decision = register_broker(cluster.state(), BrokerId{3}, start, Offset{100});
    CHECK(decision.response.value() == BrokerEpoch{100});
    cluster.apply(decision.records);
    const auto* broker = cluster.state().broker(BrokerId{3});
    CHECK(broker->fenced);
    CHECK(broker->epoch == BrokerEpoch{100});
    CHECK(broker->log_dirs == std::vector{id_of(41), id_of(42)});
    CHECK(broker->features.at("metadata.version").max == 30);
    SECTION("the same incarnation asks again") {
        decision = register_broker(cluster.state(), BrokerId{3}, start, Offset{200});
        CHECK(decision.records.empty());
        CHECK(decision.response.value() == BrokerEpoch{100});
    }
    SECTION("another incarnation gets another epoch") {
        start.incarnation = id_of(78);
        decision = register_broker(cluster.state(), BrokerId{3}, start, Offset{200});
        CHECK(decision.response.value() == BrokerEpoch{200});
    }
    SECTION("a log directory belongs to one broker") {
        decision = register_broker(cluster.state(), BrokerId{4}, start, Offset{200});
        CHECK(decision.records.empty());
        CHECK(decision.response.code() == Errc::duplicate_broker_registration);
    }
    SECTION("without listeners or directories there is no broker") {
        auto bare = start;
        bare.endpoints.clear();
        CHECK(register_broker(cluster.state(), BrokerId{5}, bare, Offset{1}).response.code() ==
              Errc::invalid_registration);
        bare = start;
        bare.log_dirs.clear();
        CHECK(register_broker(cluster.state(), BrokerId{5}, bare, Offset{1}).response.code() ==
              Errc::invalid_registration);
    }
}

TEST_CASE("fencing and unfencing write one record, and none when nothing changes", "[metadata]") {
    Cluster cluster(1);
    CHECK(unfence_broker(cluster.state(), BrokerId{1}, cluster.context()).records.empty());
    auto decision = begin_shutdown(cluster.state(), BrokerId{1});
    REQUIRE(decision.records.size() == 1);
    cluster.apply(decision.records);
    CHECK(begin_shutdown(cluster.state(), BrokerId{1}).records.empty());
    decision = fence_broker(cluster.state(), BrokerId{1});
    cluster.apply(decision.records);
    CHECK(cluster.state().broker(BrokerId{1})->fenced);
    CHECK(fence_broker(cluster.state(), BrokerId{1}).records.empty());
    decision = unfence_broker(cluster.state(), BrokerId{1}, cluster.context());
    CHECK(decision.records.size() == 1);
    cluster.apply(decision.records);
    CHECK(cluster.state().is_active(BrokerId{1}));
    CHECK(fence_broker(cluster.state(), BrokerId{9}).response.code() ==
          Errc::broker_id_not_registered);
}

TEST_CASE("a broker that goes gives up what it holds, in steps of a bounded size", "[metadata]") {
    Cluster cluster(3);
    REQUIRE(cluster.create("three", 6, 3).error_code == 0);
    REQUIRE(cluster.create("alone", 6, 1).error_code == 0);
    auto decision = give_up_partitions(cluster.state(), BrokerId{1}, false, cluster.context());
    cluster.apply(decision.records);
    CHECK(
        give_up_partitions(cluster.state(), BrokerId{1}, false, cluster.context()).records.empty());
    for (const auto& [id, topic] : cluster.state().topics_by_id) {
        for (const auto& [index, partition] : topic->partitions()) {
            CHECK(partition->leader != BrokerId{1});
            CHECK_FALSE(partition->is_in_isr(BrokerId{1}));
            if (topic->name() == "three") {
                CHECK(partition->has_leader());
                CHECK(partition->isr.size() == 2);
            } else if (partition->replicas.front() == BrokerId{1}) {
                CHECK_FALSE(partition->has_leader());
                CHECK(partition->eligible_leader_replicas == std::vector{BrokerId{1}});
            }
        }
    }
    REQUIRE(cluster.create("wide", 10000, 1).error_code == 0);
    REQUIRE(cluster.create("wider", 10000, 1).error_code == 0);
    REQUIRE(cluster.create("widest", 10000, 1).error_code == 0);
    int steps = 0;
    while (true) {
        decision = give_up_partitions(cluster.state(), BrokerId{2}, false, cluster.context());
        if (decision.records.empty()) break;
        CHECK(decision.records.size() <= changes_per_step_max);
        cluster.apply(decision.records);
        ++steps;
    }
    CHECK(steps >= 1);
    for (const auto& [index, partition] : cluster.state().topic("wide")->partitions())
        CHECK(partition->leader != BrokerId{2});
}

TEST_CASE("producer ids come in blocks that never overlap", "[metadata]") {
    Cluster cluster(2);
    std::int64_t expected = 0;
    for (int i = 0; i < 5; ++i) {
        auto decision = allocate_producer_ids(cluster.state(), BrokerId{1 + i % 2});
        CHECK(decision.response.value().first == ProducerId{expected});
        CHECK(decision.response.value().size == 1000);
        cluster.apply(decision.records);
        expected += 1000;
    }
    CHECK(allocate_producer_ids(cluster.state(), BrokerId{7}).response.code() ==
          Errc::broker_id_not_registered);
}

TEST_CASE("internal topics are made for the cluster there is", "[metadata]") {
    Cluster cluster(2);
    const auto request = automatic_topics(
        cluster.state(), {"__consumer_offsets", "__transaction_state", "plain", "no good"},
        cluster.context());
    REQUIRE(request.topics.size() == 3);
    CHECK(request.topics[0].name == "__consumer_offsets");
    CHECK(request.topics[0].num_partitions == 50);
    CHECK(request.topics[0].replication_factor == 2);  // asked for are 3
    CHECK(request.topics[1].name == "__transaction_state");
    CHECK(request.topics[2].num_partitions == -1);
    const auto response = cluster.create(request);
    for (const auto& topic : response.topics)
        CHECK(topic.error_code == 0);
    const auto& configs = cluster.state().config(ConfigResourceType::topic, "__transaction_state");
    CHECK(configs == ConfigEntries{{"cleanup.policy", "compact"},
                                   {"compression.type", "uncompressed"},
                                   {"min.insync.replicas", "2"},
                                   {"segment.bytes", "104857600"},
                                   {"unclean.leader.election.enable", "false"}});
    CHECK(automatic_topics(cluster.state(), {"plain"}, cluster.context()).topics.empty());
}
