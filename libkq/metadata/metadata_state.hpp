// SPDX-License-Identifier: Apache-2.0
//
// MetadataState: what the cluster knows of itself: brokers, controllers, topics, partitions,
// configs, features, producer ids. A published one is an image: MetadataImage.
//
// shape    a value made of shared immutable parts: copying is cheap, a change copies only its
// block.
//          It changes by applying records only (metadata/metadata_replay.hpp), in log order. All
//          iteration is sorted
// owner    an image may be read by any thread and kept as long as one likes
// source   Kafka's metadata records; KIP-631, KIP-858 (directories), KIP-966 (eligible replicas)
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "metadata/cow_map.hpp"

namespace kq {

struct CarriedRecords;  // metadata/carried_records.hpp: ACLs, quotas, credentials, tokens …

// Where a node can be reached: one of its listeners.
struct ListenerEndpoint {
    std::string listener;  // its name, "PLAINTEXT"
    std::string host;
    std::uint16_t port = 0;
    std::int16_t security_protocol = 0;  // 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL
    friend bool operator==(const ListenerEndpoint&, const ListenerEndpoint&) = default;
};

struct FeatureRange {
    std::int16_t min = 0;
    std::int16_t max = 0;
    friend bool operator==(const FeatureRange&, const FeatureRange&) = default;
};

struct BrokerRegistration {
    BrokerId id;
    BrokerEpoch epoch;  // the offset of its RegisterBroker record
    Uuid incarnation;
    std::vector<ListenerEndpoint> endpoints;
    std::map<std::string, FeatureRange> features;
    std::optional<std::string> rack;
    bool fenced = true;
    bool in_controlled_shutdown = false;
    std::vector<Uuid> log_dirs;  // that are online, sorted
    std::optional<std::vector<Uuid>> cordoned_log_dirs;
    bool is_migrating_zk_broker = false;

    // Null where the broker has no such listener.
    const ListenerEndpoint* endpoint(std::string_view listener) const;
    friend bool operator==(const BrokerRegistration&, const BrokerRegistration&) = default;
};

struct ControllerRegistration {
    BrokerId id;
    Uuid incarnation;
    bool zk_migration_ready = false;
    std::vector<ListenerEndpoint> endpoints;
    std::map<std::string, FeatureRange> features;
    friend bool operator==(const ControllerRegistration&, const ControllerRegistration&) = default;
};

enum class LeaderRecoveryState : std::int8_t { recovered = 0, recovering = 1 };

// Among replicas, in-sync replicas and the like: a handful.
bool holds(const std::vector<BrokerId>& brokers, BrokerId broker);

struct PartitionRegistration {
    std::vector<BrokerId> replicas;  // preferred leader first
    std::vector<Uuid> directories;   // of each replica; zero: not said yet. Empty: before KIP-858
    std::vector<BrokerId> isr;
    std::vector<BrokerId> removing_replicas;
    std::vector<BrokerId> adding_replicas;
    std::vector<BrokerId> eligible_leader_replicas;
    std::vector<BrokerId> last_known_elr;
    BrokerId leader = no_broker;
    LeaderRecoveryState leader_recovery_state = LeaderRecoveryState::recovered;
    Epoch leader_epoch{0};
    PartitionEpoch partition_epoch{0};

    bool has_leader() const { return leader != no_broker; }
    bool is_replica(BrokerId broker) const;
    bool is_in_isr(BrokerId broker) const;
    // The directory of a broker's replica; null where it has none.
    const Uuid* directory_of(BrokerId broker) const;
    friend bool operator==(const PartitionRegistration&, const PartitionRegistration&) = default;
};

// A topic with its partitions, which are numbered 0..n-1.
class TopicImage {
public:
    TopicImage(std::string name, Uuid id) : name_(std::move(name)), id_(id) {}

    const std::string& name() const { return name_; }
    const Uuid& id() const { return id_; }
    std::int32_t partition_count() const { return static_cast<std::int32_t>(partitions_.size()); }
    // Null where there is no such partition.
    const PartitionRegistration* partition(PartitionIndex index) const;

    using Partitions = CowMap<PartitionIndex, std::shared_ptr<const PartitionRegistration>>;
    const Partitions& partitions() const { return partitions_; }

    // Adds or replaces. Requires: nobody else has seen this object yet.
    void put(const EditSession& edit, PartitionIndex index, PartitionRegistration partition);

    friend bool operator==(const TopicImage& a, const TopicImage& b);

private:
    std::string name_;
    Uuid id_;
    Partitions partitions_;
};

enum class ConfigResourceType : std::int8_t {
    unknown = 0,
    topic = 2,
    broker = 4,
    broker_logger = 8,
    client_metrics = 16,
    group = 32,
};

struct ConfigResource {
    ConfigResourceType type = ConfigResourceType::unknown;
    std::string name;  // of a topic or group; a broker's number, or "" for all brokers
    friend auto operator<=>(const ConfigResource&, const ConfigResource&) = default;
};
using ConfigEntries = std::map<std::string, std::string, std::less<>>;

// Names that Kafka gives its features.
inline constexpr std::string_view feature_metadata_version = "metadata.version";
inline constexpr std::string_view feature_eligible_leader_replicas =
    "eligible.leader.replicas.version";

class MetadataState {
public:
    // The last record that is in here.
    Offset applied_offset = no_offset;
    Epoch applied_epoch = no_epoch;
    WallTime applied_timestamp = no_timestamp;
    std::int16_t kraft_version = 0;  // stands in the quorum's own records

    using Topic = std::shared_ptr<const TopicImage>;
    CowMap<BrokerId, std::shared_ptr<const BrokerRegistration>> brokers;
    CowMap<BrokerId, std::shared_ptr<const ControllerRegistration>> controllers;
    CowMap<std::string, Topic> topics_by_name;
    CowMap<Uuid, Topic> topics_by_id;
    CowMap<ConfigResource, std::shared_ptr<const ConfigEntries>> configs;
    std::map<std::string, std::int16_t, std::less<>> features;  // finalized levels, none 0
    std::int64_t partition_count = 0;                           // of all topics
    std::optional<std::int64_t> next_producer_id;               // start of the next block
    std::optional<std::int8_t> zk_migration_state;              // of a cluster that came from there
    // What we do not act on yet and hand on as it is; never null.
    std::shared_ptr<const CarriedRecords> carried;

    MetadataState();

    const BrokerRegistration* broker(BrokerId id) const;
    // Registered and not fenced.
    bool is_active(BrokerId id) const;
    const TopicImage* topic(std::string_view name) const;
    const TopicImage* topic(const Uuid& id) const;
    const PartitionRegistration* partition(const TopicIdPartition& partition) const;
    const PartitionRegistration* partition(std::string_view topic, PartitionIndex index) const;
    // Never null: a resource without settings of its own has none.
    const ConfigEntries& config(ConfigResourceType type, std::string_view name) const;
    std::int16_t feature(std::string_view name) const;  // 0: not finalized
    std::int16_t metadata_version() const { return feature(feature_metadata_version); }

    // Whether they say the same; where in the log they were taken does not count.
    friend bool operator==(const MetadataState& a, const MetadataState& b);
};

using MetadataImage = std::shared_ptr<const MetadataState>;

}  // namespace kq
