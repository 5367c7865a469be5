// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <set>

#include "cli/text.hpp"
#include "cli/topic_names.hpp"
#include "verbs.hpp"

namespace kq {

Result<ChosenTopics> choose_topics(const ClusterAccess& access, Admin& admin,
                                   const std::vector<std::string>& names, bool internal,
                                   std::string_view what) {
    KQ_LET(auto all, admin.list_topics(true));
    std::vector<std::string> known;
    for (const TopicDescription& topic : all)
        known.push_back(topic.name);

    std::set<std::string> wanted;
    ChosenTopics chosen;
    for (const std::string& name : names) {
        const auto before = wanted.size();
        bool found = false;
        for (const TopicDescription& topic : all) {
            // A glob passes internal topics over; whoever writes the name means it.
            const bool glob_fits =
                is_glob(name) && (internal || !topic.is_internal) && matches_glob(topic.name, name);
            if (topic.name != name && !glob_fits) continue;
            wanted.insert(topic.name);
            found = true;
        }
        if (found || wanted.size() > before) continue;
        chosen.missing.push_back(Problem{"cannot " + std::string(what) + ' ' + in_quotes(name),
                                         no_such_topic(name, known), name,
                                         access.tries_for_missing(name, known)});
    }
    for (TopicDescription& topic : all) {
        if (names.empty() ? internal || !topic.is_internal : wanted.contains(topic.name)) {
            chosen.topics.push_back(std::move(topic));
        }
    }
    std::sort(chosen.topics.begin(), chosen.topics.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    return chosen;
}

std::string listed(const std::vector<std::string>& names) {
    constexpr std::size_t shown_max = 5;
    std::string list;
    for (std::size_t i = 0; i < names.size() && i < shown_max; ++i) {
        list += (i == 0 ? "" : ", ") + visible(names[i]);
    }
    if (names.size() > shown_max) {
        list += " and " + std::to_string(names.size() - shown_max) + " more";
    }
    return list;
}

namespace {

// Bytes on the leaders' disks, by partition. Brokers that do not answer leave gaps.
std::map<TopicPartition, std::int64_t> leader_bytes(
    const std::vector<BrokerLogDirs>& brokers, const std::map<TopicPartition, BrokerId>& leaders) {
    std::map<TopicPartition, std::int64_t> bytes;
    for (const BrokerLogDirs& broker : brokers) {
        if (!broker.directories.ok()) continue;
        for (const LogDirDescription& directory : broker.directories.value()) {
            for (const ReplicaLog& replica : directory.replicas) {
                auto leader = leaders.find(replica.partition);
                if (replica.is_future || leader == leaders.end()) continue;
                if (leader->second == broker.broker) bytes[replica.partition] = replica.size_bytes;
            }
        }
    }
    return bytes;
}

// A partition without a leader has no offsets that anybody knows; but when nobody at all answered,
// that is what must be told.
Status check_answers(const std::vector<Result<ListedOffset>>& offsets) {
    const bool none = std::none_of(offsets.begin(), offsets.end(),
                                   [](const auto& answer) { return answer.ok(); });
    if (!none) return done();
    auto lost = std::find_if(offsets.begin(), offsets.end(), [](const auto& answer) {
        return exit_of(answer.code()) == exit_unreachable || exit_of(answer.code()) == exit_timeout;
    });
    if (lost == offsets.end()) return done();
    return lost->error();
}

void add_up(std::optional<std::int64_t>& total, const std::optional<std::int64_t>& more) {
    total = total && more ? std::optional(*total + *more) : std::nullopt;
}

}  // namespace

Result<TopicSizes> measure(Admin& admin, const std::vector<TopicDescription>& topics) {
    std::vector<OffsetQuery> queries;
    std::map<TopicPartition, BrokerId> leaders;
    for (const TopicDescription& topic : topics) {
        for (const PartitionDescription& partition : topic.partitions) {
            TopicPartition id{topic.name, partition.index};
            leaders[id] = partition.leader;
            queries.push_back({id, OffsetSpec::earliest()});
            queries.push_back({id, OffsetSpec::latest()});
        }
    }
    TopicSizes sizes;
    if (topics.empty()) return sizes;
    KQ_LET(auto offsets, admin.list_offsets(queries));
    // Sizes are worth having, but a broker that keeps them to itself is no failure.
    std::map<TopicPartition, std::int64_t> bytes;
    auto directories = admin.describe_log_dirs();
    if (directories.ok()) {
        bytes = leader_bytes(directories.value(), leaders);
    } else if (directories.code() == Errc::interrupted ||
               directories.code() == Errc::deadline_passed) {
        return directories.error();
    }
    KQ_TRY(check_answers(offsets));
    std::size_t at = 0;
    auto next_offset = [&]() -> std::optional<std::int64_t> {
        const auto& answer = offsets[at++];
        if (!answer.ok() || answer.value().offset == no_offset) return std::nullopt;
        return answer.value().offset.value;
    };
    for (const TopicDescription& topic : topics) {
        TopicSize& size = sizes.topics.emplace_back(TopicSize{0, 0});
        auto& partitions = sizes.partitions.emplace_back();
        for (const PartitionDescription& partition : topic.partitions) {
            auto& one = partitions.emplace_back();
            one.first = next_offset();
            one.end = next_offset();
            auto found = bytes.find({topic.name, partition.index});
            if (found != bytes.end()) one.bytes = found->second;
            add_up(size.bytes, one.bytes);
            add_up(size.records,
                   one.first && one.end ? std::optional(*one.end - *one.first) : std::nullopt);
        }
    }
    return sizes;
}

}  // namespace kq
