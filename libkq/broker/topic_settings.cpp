// SPDX-License-Identifier: Apache-2.0
#include "broker/topic_settings.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "metadata/image_configs.hpp"

namespace kq {

namespace {

std::optional<Millis> limit_of(const ConfigSet& set, std::string_view name) {
    if (set.integer(name) == std::numeric_limits<std::int64_t>::max()) return std::nullopt;
    return set.duration(name);
}

Durability durability_of(const std::string& text) {
    if (text == "replicated") return Durability::replicated;
    if (text == "flushed") return Durability::flushed;
    return Durability::automatic;
}

struct Codec {
    std::optional<Compression> compression;  // nothing: batches stay as their producer made them
    std::optional<int> level;
};
Codec codec_of(const ConfigSet& set) {
    const std::string type = set.text("compression.type");
    const auto level = [&](std::string_view name) { return static_cast<int>(set.integer(name)); };
    if (type == "uncompressed") return {Compression::none, std::nullopt};
    if (type == "gzip") return {Compression::gzip, level("compression.gzip.level")};
    if (type == "snappy") return {Compression::snappy, std::nullopt};
    if (type == "lz4") return {Compression::lz4, level("compression.lz4.level")};
    if (type == "zstd") return {Compression::zstd, level("compression.zstd.level")};
    return {};
}

bool holds(const std::vector<std::string>& list, std::string_view word) {
    return std::find(list.begin(), list.end(), word) != list.end();
}

PartitionSettings partition_settings(const ConfigSet& topic) {
    PartitionSettings settings;
    settings.min_insync_replicas = static_cast<std::int32_t>(topic.integer("min.insync.replicas"));
    settings.durability = durability_of(topic.text("kq.durability"));
    settings.segment_bytes = static_cast<std::uint64_t>(topic.integer("segment.bytes"));
    settings.flush_messages = topic.integer("flush.messages");
    settings.flush_after = limit_of(topic, "flush.ms");

    BatchRules& rules = settings.batch_rules;
    rules.max_message_bytes = static_cast<std::size_t>(topic.integer("max.message.bytes"));
    rules.compacted = holds(topic.list("cleanup.policy"), "compact");
    rules.timestamp_type = topic.text("message.timestamp.type") == "LogAppendTime"
                               ? TimestampType::log_append_time
                               : TimestampType::create_time;
    rules.timestamp_before_max = limit_of(topic, "message.timestamp.before.max.ms");
    rules.timestamp_after_max = limit_of(topic, "message.timestamp.after.max.ms");
    const Codec codec = codec_of(topic);
    rules.compression = codec.compression;
    rules.compression_level = codec.level;
    return settings;
}

LogOptions log_options(const ConfigSet& topic, const ConfigSet& broker) {
    LogOptions options;
    options.segment_bytes = topic.integer("segment.bytes");
    options.segment_ms = topic.duration("segment.ms");
    options.segment_index_bytes = static_cast<std::int32_t>(topic.integer("segment.index.bytes"));
    options.index_interval_bytes = static_cast<std::int32_t>(topic.integer("index.interval.bytes"));
    options.delete_old = holds(topic.list("cleanup.policy"), "delete");
    options.retention_bytes = topic.integer("retention.bytes");
    options.retention_ms = topic.duration("retention.ms");
    options.producer_id_expiration_ms = broker.duration("producer.id.expiration.ms");
    options.producers_max = static_cast<std::uint32_t>(broker.integer("kq.producer.ids.max"));
    if (topic.boolean("preallocate")) {
        options.allocate_ahead_bytes = static_cast<std::uint64_t>(options.segment_bytes);
    }
    return options;
}

}  // namespace

TopicSettingsSource::TopicSettingsSource(BrokerId broker, std::shared_ptr<const ConfigSet> file,
                                         std::shared_ptr<SharedLimit> producers)
    : broker_(broker), file_(std::move(file)), producers_(std::move(producers)) {
    KQ_CHECK(file_ != nullptr);
}

TopicSettings TopicSettingsSource::settings_of(const MetadataState& image,
                                               std::string_view topic) const {
    const BrokerConfigs broker = broker_configs(image, broker_, *file_);
    const ConfigSet effective = effective_topic_config(topic_configs(image, topic), broker);

    TopicSettings settings;
    settings.partition = partition_settings(effective);
    settings.log = log_options(effective, broker.effective());
    settings.log.producer_room = producers_;
    settings.segment_jitter_max = effective.duration("segment.jitter.ms");
    settings.delete_delay = effective.duration("file.delete.delay.ms");
    return settings;
}

}  // namespace kq
