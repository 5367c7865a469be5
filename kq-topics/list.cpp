// SPDX-License-Identifier: Apache-2.0
#include "verbs.hpp"

namespace kq {

Schema list_schema() {
    return {
        "kq.topics.list/1",
        {{"name", ColumnKind::text, "name of the topic"},
         {"partitions", ColumnKind::count, "how many partitions it has"},
         {"replicas", ColumnKind::count, "replicas of each partition; the most, if they differ"},
         {"records", ColumnKind::count, "offsets from the start to the end of all partitions"},
         {"bytes", ColumnKind::bytes, "on the disks of the leaders"},
         {"internal", ColumnKind::text, "whether it is the brokers' own", true},
         {"id", ColumnKind::text, "the topic id", true}}};
}

int list_topics(ClusterAccess& access, const ListOptions& options) {
    auto rows =
        RowPrinter::create(access.console(), list_schema(), access.settings().format, options.rows);
    if (!rows.ok()) return access.console().fail("", rows.error());
    auto client = access.client_options();
    if (!client.ok()) return access.console().fail("", client.error());
    Admin admin(access.runtime(), std::move(client).value());
    admin.set_deadline(access.deadline());
    access.awaiting(access.settings().bootstrap());

    auto failed = [&](const Error& error) {
        return access.console().fail(
            access.problem("cannot list topics", error, admin.advertised_trouble()));
    };
    auto chosen = choose_topics(access, admin, options.names, options.internal, "list");
    if (!chosen.ok()) return failed(chosen.error());
    const auto& topics = chosen.value().topics;
    auto sizes = measure(admin, topics);
    if (!sizes.ok()) return failed(sizes.error());

    std::vector<int> exits;
    for (std::size_t i = 0; i < topics.size(); ++i) {
        const TopicDescription& topic = topics[i];
        std::size_t replicas = 0;
        for (const auto& partition : topic.partitions) {
            replicas = std::max(replicas, partition.replicas.size());
        }
        rows.value().add({topic.name, static_cast<std::int64_t>(topic.partitions.size()),
                          static_cast<std::int64_t>(replicas),
                          cell_of(sizes.value().topics[i].records),
                          cell_of(sizes.value().topics[i].bytes), topic.is_internal,
                          topic.id.is_zero() ? Cell() : Cell(topic.id.text())});
        exits.push_back(exit_ok);
    }
    for (const Problem& missing : chosen.value().missing) {
        exits.push_back(rows.value().fail(missing));
    }
    rows.value().finish();
    if (exits.empty() && rows.value().for_people()) access.console().note("no topics");
    return exit_of_items(exits);
}

}  // namespace kq
