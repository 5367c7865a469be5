// SPDX-License-Identifier: Apache-2.0
#include "client/admin.hpp"

#include <algorithm>

#include "client/admin_core.hpp"

namespace kq {

Admin::Admin(ClientRuntime& runtime, ClientOptions options)
    : runtime_(runtime), api_timeout_(options.api_timeout) {
    core_ = std::make_unique<AdminCore>(runtime.loop(), runtime.network(), runtime.random(),
                                        std::move(options));
}

Admin::~Admin() = default;

MonoTime Admin::deadline() const {
    auto own = runtime_.clock().mono() + api_timeout_;
    return deadline_ ? std::min(own, *deadline_) : own;
}

// Turns the loop until `start`'s callback came. The core ends every question by its deadline, with
// the better error; a callback that comes after an interrupt finds only the shared place.
template <class T, class Start>
Result<T> Admin::wait_for(Start start) {
    auto place = std::make_shared<std::optional<Result<T>>>();
    start(deadline(), [place](Result<T> result) { *place = std::move(result); });
    KQ_TRY(runtime_.wait_until([&place] { return place->has_value(); }));
    return std::move(**place);
}

Result<ClusterDescription> Admin::describe_cluster() {
    return wait_for<ClusterDescription>(
        [this](MonoTime until, auto done) { core_->describe_cluster(until, std::move(done)); });
}

Result<std::vector<TopicDescription>> Admin::list_topics(bool with_internal) {
    return wait_for<std::vector<TopicDescription>>([&](MonoTime until, auto done) {
        core_->list_topics(with_internal, until, std::move(done));
    });
}

Result<std::vector<Result<TopicDescription>>> Admin::describe_topics(
    const std::vector<std::string>& names) {
    return wait_for<Each<TopicDescription>>(
        [&](MonoTime until, auto done) { core_->describe_topics(names, until, std::move(done)); });
}

Result<std::vector<Result<CreatedTopic>>> Admin::create_topics(const std::vector<NewTopic>& topics,
                                                               bool validate_only) {
    return wait_for<Each<CreatedTopic>>([&](MonoTime until, auto done) {
        core_->create_topics(topics, validate_only, until, std::move(done));
    });
}

Result<std::vector<Status>> Admin::delete_topics(const std::vector<std::string>& names) {
    return wait_for<Each<Unit>>(
        [&](MonoTime until, auto done) { core_->delete_topics(names, until, std::move(done)); });
}

Status Admin::wait_for_leaders(const std::vector<std::string>& names) {
    auto until = deadline();
    Backoff backoff(Millis{5}, Millis{200});
    while (true) {
        KQ_LET(auto topics, describe_topics(names));
        bool led = std::all_of(topics.begin(), topics.end(), [](const auto& topic) {
            if (!topic.ok()) return false;
            const auto& partitions = topic.value().partitions;
            return !partitions.empty() &&
                   std::all_of(partitions.begin(), partitions.end(), [](const auto& partition) {
                       return partition.leader > no_broker && partition.error == Errc::none;
                   });
        });
        if (led) return done();
        for (const auto& topic : topics) {
            if (!topic.ok() && !is_retriable(topic.code())) return topic.error();
        }
        auto again = runtime_.clock().mono() + backoff.next(runtime_.random());
        if (again >= until) {
            return Error{Errc::deadline_passed, "not every partition has a leader yet"};
        }
        auto slept = runtime_.wait_until([] { return false; }, again);
        if (slept.code() == Errc::interrupted) return slept;
    }
}

Result<std::vector<Result<std::vector<DescribedConfig>>>> Admin::describe_configs(
    const std::vector<DescribedResource>& resources, const std::vector<std::string>& keys,
    bool with_synonyms, bool with_documentation) {
    return wait_for<Each<std::vector<DescribedConfig>>>([&](MonoTime until, auto done) {
        core_->describe_configs(resources, keys, with_synonyms, with_documentation, until,
                                std::move(done));
    });
}

Result<std::vector<Result<ListedOffset>>> Admin::list_offsets(
    const std::vector<OffsetQuery>& queries, Isolation isolation) {
    return wait_for<Each<ListedOffset>>([&](MonoTime until, auto done) {
        core_->list_offsets(queries, isolation, until, std::move(done));
    });
}

Result<std::vector<BrokerLogDirs>> Admin::describe_log_dirs(const std::vector<BrokerId>& brokers) {
    return wait_for<std::vector<BrokerLogDirs>>([&](MonoTime until, auto done) {
        core_->describe_log_dirs(brokers, until, std::move(done));
    });
}

Result<std::vector<Result<CoordinatorInfo>>> Admin::find_coordinators(
    CoordinatorType type, const std::vector<std::string>& keys) {
    return wait_for<Each<CoordinatorInfo>>([&](MonoTime until, auto done) {
        core_->find_coordinators(type, keys, until, std::move(done));
    });
}

std::optional<AdvertisedTrouble> Admin::advertised_trouble() const {
    return core_->cluster().pool().advertised_trouble();
}

}  // namespace kq
