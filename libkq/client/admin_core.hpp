// SPDX-License-Identifier: Apache-2.0
//
// AdminCore: Admin with callbacks, on any loop and network. What the calls mean, Admin says
// (client/admin.hpp).
//
// owner    the loop; callbacks that were not called when it is destroyed are dropped
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "client/admin_types.hpp"
#include "client/caller.hpp"
#include "client/cluster.hpp"
#include "client/options.hpp"

namespace kq {

// One result per item asked for, in that order.
template <class T>
using Each = std::vector<Result<T>>;

class AdminCore {
public:
    AdminCore(Loop& loop, Network& network, Random& random, ClientOptions options);
    ~AdminCore();

    void describe_cluster(MonoTime deadline, Callback<void(Result<ClusterDescription>)> done);

    void list_topics(bool with_internal, MonoTime deadline,
                     Callback<void(Result<std::vector<TopicDescription>>)> done);
    void describe_topics(std::vector<std::string> names, MonoTime deadline,
                         Callback<void(Result<Each<TopicDescription>>)> done);
    void create_topics(std::vector<NewTopic> topics, bool validate_only, MonoTime deadline,
                       Callback<void(Result<Each<CreatedTopic>>)> done);
    void delete_topics(std::vector<std::string> names, MonoTime deadline,
                       Callback<void(Result<Each<Unit>>)> done);

    void describe_configs(std::vector<DescribedResource> resources, std::vector<std::string> keys,
                          bool with_synonyms, bool with_documentation, MonoTime deadline,
                          Callback<void(Result<Each<std::vector<DescribedConfig>>>)> done);
    void list_offsets(std::vector<OffsetQuery> queries, Isolation isolation, MonoTime deadline,
                      Callback<void(Result<Each<ListedOffset>>)> done);
    void describe_log_dirs(std::vector<BrokerId> brokers, MonoTime deadline,
                           Callback<void(Result<std::vector<BrokerLogDirs>>)> done);
    void find_coordinators(CoordinatorType type, std::vector<std::string> keys, MonoTime deadline,
                           Callback<void(Result<Each<CoordinatorInfo>>)> done);

    Cluster& cluster() { return cluster_; }
    Caller& caller() { return caller_; }

private:
    struct TopicPages;
    struct LogDirRound;
    struct ConfigRound;
    struct CoordinatorRound;

    void describe_by_metadata(MonoTime deadline, Callback<void(Result<ClusterDescription>)> done)
        KQ_ON(loop_);
    void describe_next_page(std::shared_ptr<TopicPages> pages) KQ_ON(loop_);
    void describe_topics_by_metadata(std::shared_ptr<TopicPages> pages) KQ_ON(loop_);
    void create_at(Target target, std::vector<NewTopic> topics, bool validate_only,
                   MonoTime deadline, Callback<void(Result<Each<CreatedTopic>>)> done) KQ_ON(loop_);
    void delete_at(Target target, std::vector<std::string> names, MonoTime deadline,
                   Callback<void(Result<Each<Unit>>)> done) KQ_ON(loop_);
    void find_controller(MonoTime deadline, Callback<void(Result<BrokerId>)> done) KQ_ON(loop_);
    void ask_log_dirs(std::shared_ptr<LogDirRound> round) KQ_ON(loop_);
    void find_next_coordinator(std::shared_ptr<CoordinatorRound> round) KQ_ON(loop_);

    Loop& loop_;
    Cluster cluster_;
    Caller caller_;
};

}  // namespace kq
