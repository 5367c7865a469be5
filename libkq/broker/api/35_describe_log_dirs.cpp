// SPDX-License-Identifier: Apache-2.0
#include "broker/api/35_describe_log_dirs.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "broker/pool_job.hpp"

namespace kq {

namespace {

struct SizeCount {
    explicit SizeCount(Reply<wire::DescribeLogDirsResponse> reply_in)
        : reply(std::move(reply_in)) {}
    Reply<wire::DescribeLogDirsResponse> reply;
    wire::DescribeLogDirsRequest request;
    std::vector<PartitionSize> sizes;
    std::vector<Result<FileSystem::Space>> spaces;  // of the directories
    std::size_t outstanding = 0;
};

// What is asked for: nullopt, every partition. An empty list of partitions names none.
std::optional<std::set<TopicPartition>> asked_for(const wire::DescribeLogDirsRequest& request) {
    if (!request.topics.has_value()) return std::nullopt;
    std::set<TopicPartition> names;
    for (const auto& topic : *request.topics) {
        for (auto partition : topic.partitions)
            names.insert({topic.topic, PartitionIndex{partition}});
    }
    return names;
}

void answer(SizeCount& gathering, const LogDirectories& directories) {
    wire::DescribeLogDirsResponse response;
    std::map<std::uint32_t, std::map<TopicPartition, const PartitionSize*>> by_directory;
    const auto names = asked_for(gathering.request);
    for (const PartitionSize& size : gathering.sizes) {
        if (!names || names->contains(size.name)) {
            by_directory[size.directory].emplace(size.name, &size);
        }
    }
    for (std::uint32_t i = 0; i < directories.size(); ++i) {
        auto& result = response.results.emplace_back();
        result.log_dir = directories.path(i);
        const auto& space = gathering.spaces[i];
        if (!space.ok()) {
            result.error_code = wire_code(Errc::kafka_storage_error);
            continue;
        }
        result.total_bytes = static_cast<std::int64_t>(space.value().total_bytes);
        result.usable_bytes = static_cast<std::int64_t>(space.value().free_bytes);
        for (const auto& [name, size] : by_directory[i]) {
            if (result.topics.empty() || result.topics.back().name != name.topic) {
                result.topics.emplace_back().name = name.topic;
            }
            auto& partition = result.topics.back().partitions.emplace_back();
            partition.partition_index = name.partition.value;
            partition.partition_size = static_cast<std::int64_t>(size->size_bytes);
            partition.offset_lag = size->offset_lag;
        }
    }
    std::move(gathering.reply).send(std::move(response));
}

}  // namespace

void handle_describe_log_dirs(RequestContext& context, wire::DescribeLogDirsRequest request,
                              const PartitionRouter& router, const LogDirectories& directories,
                              IoPool& pool, Reply<wire::DescribeLogDirsResponse> reply) {
    auto gathering = std::make_shared<SizeCount>(std::move(reply));
    gathering->request = std::move(request);
    gathering->outstanding = router.size() + 1;
    const auto one_less = [gathering, &directories] {
        if (--gathering->outstanding == 0) answer(*gathering, directories);
    };
    Loop& home = context.loop;
    for (std::size_t i = 0; i < router.size(); ++i) {
        PartitionSet& set = router.at(i);
        set.loop().post([&set, &home, gathering, one_less] {
            home.post([sizes = set.sizes(), gathering, one_less]() mutable {
                for (auto& size : sizes)
                    gathering->sizes.push_back(std::move(size));
                one_less();
            });
        });
    }
    // The size of a file system may have to be asked of a disk.
    run_on_pool(
        pool, home,
        [&directories] {
            std::vector<Result<FileSystem::Space>> spaces;
            for (std::uint32_t i = 0; i < directories.size(); ++i) {
                spaces.push_back(directories.at(i).free_space());
            }
            return spaces;
        },
        [gathering, one_less](std::vector<Result<FileSystem::Space>> spaces) {
            gathering->spaces = std::move(spaces);
            one_less();
        });
}

}  // namespace kq
