// SPDX-License-Identifier: Apache-2.0
//
// The verbs of kq-topics, one file each. A verb takes its options and answers an exit status.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/cluster_access.hpp"
#include "cli/row_printer.hpp"
#include "client/admin.hpp"

namespace kq {

struct ListOptions {
    std::vector<std::string> names;
    bool internal = false;
    RowOptions rows;
};
Schema list_schema();
int list_topics(ClusterAccess& access, const ListOptions& options);

struct DescribeOptions {
    std::vector<std::string> names;
    bool internal = false;
    RowOptions rows;
};
Schema describe_schema();
int describe_topics(ClusterAccess& access, const DescribeOptions& options);

struct CreateOptions {
    std::vector<std::string> names;
    std::optional<std::int32_t> partitions;
    std::optional<std::int32_t> replicas;
    std::vector<std::string> configs;  // KEY=VALUE
    bool if_not_exists = false;
    RowOptions rows;
};
Schema create_schema();
int create_topics(ClusterAccess& access, const CreateOptions& options);

struct DeleteOptions {
    std::vector<std::string> names;
    bool if_exists = false;
    bool internal = false;
    std::vector<std::string> confirmed;
    RowOptions rows;
};
Schema delete_schema();
int delete_topics(ClusterAccess& access, const DeleteOptions& options);

// Records and bytes of topics, as far as brokers tell.
struct TopicSize {
    std::optional<std::int64_t> records;  // none: the offsets of some partition are not known
    std::optional<std::int64_t> bytes;    // of the leaders' copies
};
// One for each of `topics`, and, by topic and partition, where partitions begin and end.
struct TopicSizes {
    std::vector<TopicSize> topics;
    struct Partition {
        std::optional<std::int64_t> first;
        std::optional<std::int64_t> end;
        std::optional<std::int64_t> bytes;
    };
    std::vector<std::vector<Partition>> partitions;
};
Result<TopicSizes> measure(Admin& admin, const std::vector<TopicDescription>& topics);

// "a, b and 3 more", for a sentence.
std::string listed(const std::vector<std::string>& names);

// The topics that names and globs stand for, sorted by name; what stands for nothing is in
// `missing`. No names: all of them.
struct ChosenTopics {
    std::vector<TopicDescription> topics;
    std::vector<Problem> missing;
};
Result<ChosenTopics> choose_topics(const ClusterAccess& access, Admin& admin,
                                   const std::vector<std::string>& names, bool internal,
                                   std::string_view what);

inline Cell cell_of(const std::optional<std::int64_t>& number) {
    return number ? Cell(*number) : Cell();
}

}  // namespace kq
