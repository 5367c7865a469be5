// SPDX-License-Identifier: Apache-2.0
//
// Admin: asks a cluster to show or change its topics and settings; the blocking form for programs.
// The form with callbacks, for loops of one's own, is AdminCore (client/admin_core.hpp).
//
// shape    one result per item, in the order asked; an outer error means that nothing is known of
//          any item
// owner    the thread of the runtime
// errors   unreachable      no broker could be reached; the message names the address and why
//          deadline_passed  no answer in time; for create and delete the outcome is unknown
//          interrupted      ClientRuntime::interrupt()
//          unsupported      the brokers do not offer what is asked
//          Kafka's codes    with the broker's own words
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/admin_types.hpp"
#include "client/options.hpp"
#include "client/runtime.hpp"

namespace kq {

class AdminCore;

class Admin {
public:
    // Contacts nobody yet. Requires: at least one bootstrap address. The runtime outlives it.
    Admin(ClientRuntime& runtime, ClientOptions options);
    ~Admin();

    // Every later call ends by `deadline` at the latest, in addition to default.api.timeout.ms:
    // the deadline of a whole command.
    void set_deadline(std::optional<MonoTime> deadline) { deadline_ = deadline; }

    Result<ClusterDescription> describe_cluster();

    // Every topic the caller may see, by name; internal ones only on request.
    Result<std::vector<TopicDescription>> list_topics(bool with_internal);
    Result<std::vector<Result<TopicDescription>>> describe_topics(
        const std::vector<std::string>& names);

    // Returns when the controller has accepted the topics. With `validate_only` nothing is made.
    Result<std::vector<Result<CreatedTopic>>> create_topics(const std::vector<NewTopic>& topics,
                                                            bool validate_only = false);
    Result<std::vector<Status>> delete_topics(const std::vector<std::string>& names);
    // Waits until every partition of the topics has a leader that all answers agree on, so that a
    // producer started next finds one.
    Status wait_for_leaders(const std::vector<std::string>& names);

    // `keys` empty: all of them.
    Result<std::vector<Result<std::vector<DescribedConfig>>>> describe_configs(
        const std::vector<DescribedResource>& resources, const std::vector<std::string>& keys = {},
        bool with_synonyms = false, bool with_documentation = false);

    Result<std::vector<Result<ListedOffset>>> list_offsets(
        const std::vector<OffsetQuery>& queries, Isolation isolation = Isolation::read_uncommitted);

    // Of the brokers named, or of all; one result per broker, in order of id when all are asked.
    Result<std::vector<BrokerLogDirs>> describe_log_dirs(const std::vector<BrokerId>& brokers = {});

    Result<std::vector<Result<CoordinatorInfo>>> find_coordinators(
        CoordinatorType type, const std::vector<std::string>& keys);

    // A broker whose advertised address does not answer, though the bootstrap list does: what to
    // tell a person beside the error.
    std::optional<AdvertisedTrouble> advertised_trouble() const;

    AdminCore& core() { return *core_; }

private:
    MonoTime deadline() const;
    template <class T, class Start>
    Result<T> wait_for(Start start);

    ClientRuntime& runtime_;
    Millis api_timeout_;
    std::optional<MonoTime> deadline_;
    std::unique_ptr<AdminCore> core_;
};

}  // namespace kq
