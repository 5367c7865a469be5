// SPDX-License-Identifier: Apache-2.0
#include "cli/text.hpp"
#include "verbs.hpp"

namespace kq {
namespace {

Cell ids(const std::vector<BrokerId>& brokers) {
    CellList list;
    for (BrokerId broker : brokers)
        list.emplace_back(broker.value);
    return list;
}

// What was set for the topic itself; the rest it has from its brokers.
CellMap own_configs(const std::vector<DescribedConfig>& configs) {
    CellMap own;
    for (const DescribedConfig& config : configs) {
        if (config.source != ConfigSource::dynamic_topic) continue;
        own.emplace_back(config.name, config.value ? Cell(*config.value) : Cell());
    }
    return own;
}

// "orders: 3 partitions, 1 replica, id 4bS..., retention.ms=604800000"
std::string heading(const TopicDescription& topic, const CellMap& configs) {
    const std::size_t replicas =
        topic.partitions.empty() ? 0 : topic.partitions.front().replicas.size();
    std::string line = topic.name + ": " +
                       counted(static_cast<std::int64_t>(topic.partitions.size()), "partition") +
                       ", " + counted(static_cast<std::int64_t>(replicas), "replica");
    if (!topic.id.is_zero()) line += ", id " + topic.id.text();
    if (topic.is_internal) line += ", internal";
    for (const auto& [name, value] : configs) {
        const auto* text = std::get_if<std::string>(&value.value);
        line += ", " + name + "=" + (text != nullptr ? visible(*text) : "null");
    }
    return line + '\n';
}

std::vector<Row> rows_of(const TopicDescription& topic,
                         const std::vector<TopicSizes::Partition>& sizes, const Cell& configs) {
    std::vector<Row> rows;
    for (std::size_t i = 0; i < topic.partitions.size(); ++i) {
        const PartitionDescription& partition = topic.partitions[i];
        const bool led = partition.leader != no_broker;
        rows.push_back({topic.name, partition.index.value,
                        led ? Cell(partition.leader.value) : Cell(),
                        led ? Cell(partition.leader_epoch.value) : Cell(), ids(partition.replicas),
                        ids(partition.in_sync), ids(partition.offline), cell_of(sizes[i].first),
                        cell_of(sizes[i].end), cell_of(sizes[i].bytes),
                        topic.id.is_zero() ? Cell() : Cell(topic.id.text()), configs});
    }
    return rows;
}

}  // namespace

Schema describe_schema() {
    return {"kq.topics.describe/1",
            {{"name", ColumnKind::text, "name of the topic"},
             {"partition", ColumnKind::count, "index of the partition"},
             {"leader", ColumnKind::count, "id of the broker that leads it"},
             {"epoch", ColumnKind::count, "leader epoch"},
             {"replicas", ColumnKind::list, "ids of the brokers that hold it"},
             {"isr", ColumnKind::list, "ids of those in sync"},
             {"offline", ColumnKind::list, "ids of those that are down", true},
             {"start", ColumnKind::count, "offset of the first record"},
             {"end", ColumnKind::count, "offset that the next record will have"},
             {"bytes", ColumnKind::bytes, "on the leader's disk"},
             {"id", ColumnKind::text, "the topic id", true},
             {"configs", ColumnKind::map, "what was set for this topic", true}}};
}

int describe_topics(ClusterAccess& access, const DescribeOptions& options) {
    Console& console = access.console();
    RowOptions row_choice = options.rows;
    const bool headings = access.settings().format.value == "text" && row_choice.columns.empty();
    if (headings) {
        row_choice.columns = {"partition", "leader", "epoch", "replicas",
                              "isr",       "start",  "end",   "bytes"};
    }
    auto rows =
        RowPrinter::create(console, describe_schema(), access.settings().format, row_choice);
    if (!rows.ok()) return console.fail("", rows.error());
    auto client = access.client_options();
    if (!client.ok()) return console.fail("", client.error());
    Admin admin(access.runtime(), std::move(client).value());
    admin.set_deadline(access.deadline());
    access.awaiting(access.settings().bootstrap());

    auto failed = [&](const Error& error) {
        return console.fail(
            access.problem("cannot describe topics", error, admin.advertised_trouble()));
    };
    auto chosen = choose_topics(access, admin, options.names, options.internal, "describe");
    if (!chosen.ok()) return failed(chosen.error());
    const auto& topics = chosen.value().topics;
    auto sizes = measure(admin, topics);
    if (!sizes.ok()) return failed(sizes.error());
    std::vector<DescribedResource> resources;
    for (const auto& topic : topics)
        resources.push_back({ResourceType::topic, topic.name});
    auto configs = admin.describe_configs(resources);
    if (!configs.ok()) return failed(configs.error());

    std::vector<int> exits;
    for (std::size_t i = 0; i < topics.size(); ++i) {
        const auto& known = configs.value()[i];
        Cell own = known.ok() ? Cell(own_configs(known.value())) : Cell();
        if (headings) {
            if (i > 0) console.buffer().push_back('\n');
            const auto* map = std::get_if<CellMap>(&own.value);
            append(console.buffer(),
                   as_bytes(heading(topics[i], map != nullptr ? *map : CellMap())));
        }
        for (Row& row : rows_of(topics[i], sizes.value().partitions[i], own)) {
            rows.value().add(std::move(row));
        }
        if (headings) rows.value().finish();
        exits.push_back(exit_ok);
    }
    for (const Problem& missing : chosen.value().missing) {
        exits.push_back(rows.value().fail(missing));
    }
    if (!headings) rows.value().finish();
    if (exits.empty() && rows.value().for_people()) console.note("no topics");
    return exit_of_items(exits);
}

}  // namespace kq
