// SPDX-License-Identifier: Apache-2.0
//
// What Admin takes and gives: brokers, topics, partitions, configs, offsets, log directories.
//
// shape    plain values; results of several items come in the order they were asked for, each with
//          an answer of its own
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/config.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "net/network.hpp"

namespace kq {

struct BrokerInfo {
    BrokerId id = no_broker;
    Endpoint address;  // as advertised
    std::optional<std::string> rack;
    bool fenced = false;
};

struct ClusterDescription {
    std::string cluster_id;
    BrokerId controller = no_broker;
    std::vector<BrokerInfo> brokers;  // by id
};

struct PartitionDescription {
    PartitionIndex index;
    BrokerId leader = no_broker;
    Epoch leader_epoch = no_epoch;
    std::vector<BrokerId> replicas;
    std::vector<BrokerId> in_sync;
    std::vector<BrokerId> offline;
    std::vector<BrokerId>
        eligible_leaders;     // outside the ISR (KIP-966); empty if the broker is old
    Errc error = Errc::none;  // leader_not_available and the like
};

struct TopicDescription {
    std::string name;
    Uuid id;
    bool is_internal = false;
    std::vector<PartitionDescription> partitions;  // by index
};

struct NewTopic {
    std::string name;
    std::int32_t partitions = -1;          // -1: the broker's num.partitions
    std::int16_t replication_factor = -1;  // -1: the broker's default.replication.factor
    // Replicas per partition 0, 1, …; then partitions and replication_factor stay -1.
    std::vector<std::vector<BrokerId>> assignment;
    std::vector<std::pair<std::string, std::string>> configs;
};

enum class ResourceType : std::int8_t {
    topic = 2,
    broker = 4,
    broker_logger = 8,
    client_metrics = 16,
    group = 32
};
struct DescribedResource {
    ResourceType type = ResourceType::topic;
    std::string name;  // of a broker: its id, or "" for the cluster-wide default
};

// A setting as a broker tells it.
struct DescribedConfig {
    std::string name;
    std::optional<std::string> value;  // none when sensitive
    ConfigSource source = ConfigSource::unknown;
    bool read_only = false;
    bool sensitive = false;
    std::int8_t type = 0;  // a ConfigType, or a newer broker's number; 0: not told
    std::vector<ConfigOrigin> synonyms;
    std::string documentation;
};

struct CreatedTopic {
    std::string name;
    Uuid id;
    std::int32_t partitions = -1;  // -1: the broker does not tell
    std::int16_t replication_factor = -1;
    std::vector<DescribedConfig> configs;
};

// What offset is asked for.
struct OffsetSpec {
    std::int64_t timestamp =
        -1;  // Kafka's: -1 latest, -2 earliest, -3 largest timestamp, >= 0 time
    static constexpr OffsetSpec latest() { return {-1}; }
    static constexpr OffsetSpec earliest() { return {-2}; }
    static constexpr OffsetSpec largest_timestamp() { return {-3}; }
    // The first record with this timestamp or a later one.
    static constexpr OffsetSpec at_or_after(WallTime time) { return {to_ms(time)}; }
};
struct OffsetQuery {
    TopicPartition partition;
    OffsetSpec spec;
};
struct ListedOffset {
    Offset offset = no_offset;  // no_offset: there is no such record
    WallTime timestamp = no_timestamp;
    Epoch leader_epoch = no_epoch;
};

struct ReplicaLog {
    TopicPartition partition;
    std::int64_t size_bytes = 0;
    std::int64_t offset_lag = 0;
    bool is_future = false;
};
struct LogDirDescription {
    BrokerId broker = no_broker;
    std::string path;
    Errc error = Errc::none;
    std::int64_t total_bytes = -1;  // -1: the broker does not tell
    std::int64_t usable_bytes = -1;
    std::vector<ReplicaLog> replicas;
};

struct BrokerLogDirs {
    BrokerId broker = no_broker;
    Result<std::vector<LogDirDescription>> directories;
};

enum class CoordinatorType : std::int8_t { group = 0, transaction = 1, share = 2 };
struct CoordinatorInfo {
    BrokerId broker = no_broker;
    Endpoint address;
};

struct AdvertisedTrouble {
    Endpoint bootstrap;  // answers
    BrokerId broker = no_broker;
    Endpoint advertised;  // does not
};

}  // namespace kq
