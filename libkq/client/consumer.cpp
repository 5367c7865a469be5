// SPDX-License-Identifier: Apache-2.0
#include "client/consumer.hpp"

#include <algorithm>

#include "client/consumer_core.hpp"

namespace kq {
namespace {

// Turns the loop until `start`'s callback came; one that comes after an interrupt finds only the
// shared place.
template <class T, class Start>
Result<T> wait_for(ClientRuntime& runtime, Start start) {
    auto place = std::make_shared<std::optional<Result<T>>>();
    start([place](Result<T> result) { *place = std::move(result); });
    KQ_TRY(runtime.wait_until([&place] { return place->has_value(); }));
    return std::move(**place);
}

}  // namespace

Consumer::Consumer(ClientRuntime& runtime, ConsumerOptions options)
    : runtime_(runtime), api_timeout_(options.client.api_timeout) {
    core_ = std::make_unique<ConsumerCore>(runtime.loop(), runtime.network(), runtime.random(),
                                           std::move(options));
}

Consumer::~Consumer() = default;

MonoTime Consumer::deadline() const {
    auto own = runtime_.clock().mono() + api_timeout_;
    return deadline_ ? std::min(own, *deadline_) : own;
}

Result<std::vector<PartitionIndex>> Consumer::partitions_of(std::string_view topic) {
    return wait_for<std::vector<PartitionIndex>>(
        runtime_, [&](auto done) { core_->partitions_of(topic, deadline(), std::move(done)); });
}

Status Consumer::assign(const std::vector<Assignment>& assignments) {
    return wait_for<Unit>(
        runtime_, [&](auto done) { core_->assign(assignments, deadline(), std::move(done)); });
}

Status Consumer::seek(const TopicPartition& partition, Position to) {
    return wait_for<Unit>(
        runtime_, [&](auto done) { core_->seek(partition, to, deadline(), std::move(done)); });
}

Result<std::optional<FetchedRecords>> Consumer::poll(std::optional<MonoTime> deadline) {
    while (true) {
        KQ_LET(auto taken, core_->take());
        if (taken) {
            runtime_.turn_now();  // the next request leaves while these records are worked on
            return taken;
        }
        if (core_->finished()) return std::optional<FetchedRecords>();
        auto ready = std::make_shared<bool>(false);
        core_->when_ready([ready] { *ready = true; });
        auto waited = runtime_.wait_until([&ready] { return *ready; }, deadline);
        if (waited.code() == Errc::deadline_passed) return std::optional<FetchedRecords>();
        KQ_TRY(std::move(waited));
    }
}

bool Consumer::finished() const {
    return core_->finished();
}

void Consumer::pause(const TopicPartition& partition) {
    core_->pause(partition);
}

void Consumer::resume(const TopicPartition& partition) {
    core_->resume(partition);
}

std::vector<PartitionProgress> Consumer::progress() const {
    return core_->progress();
}

ConsumerStats Consumer::stats() const {
    return core_->stats();
}

std::optional<Trouble> Consumer::trouble() const {
    return core_->trouble();
}

Result<std::vector<Result<ListedOffset>>> Consumer::list_offsets(
    const std::vector<OffsetQuery>& queries) {
    return wait_for<std::vector<Result<ListedOffset>>>(
        runtime_, [&](auto done) { core_->list_offsets(queries, deadline(), std::move(done)); });
}

std::optional<AdvertisedTrouble> Consumer::advertised_trouble() const {
    return core_->cluster().pool().advertised_trouble();
}

}  // namespace kq
