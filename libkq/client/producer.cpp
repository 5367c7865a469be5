// SPDX-License-Identifier: Apache-2.0
#include "client/producer.hpp"

#include <algorithm>

#include "client/producer_core.hpp"

namespace kq {

Producer::Producer(ClientRuntime& runtime, ProducerOptions options)
    : runtime_(runtime), block_max_(options.block_max) {
    core_ = std::make_unique<ProducerCore>(runtime.loop(), runtime.network(), runtime.random(),
                                           std::move(options));
}

Producer::~Producer() = default;

void Producer::on_batch(Callback<void(const BatchReport&)> report) {
    core_->on_batch(std::move(report));
}

Result<std::int32_t> Producer::partitions_of(std::string_view topic,
                                             std::optional<Millis> timeout) {
    auto deadline = runtime_.clock().mono() + timeout.value_or(block_max_);
    auto place = std::make_shared<std::optional<Result<std::int32_t>>>();
    core_->when_topic(topic, deadline,
                      [place](Result<std::int32_t> count) { *place = std::move(count); });
    KQ_TRY(runtime_.wait_until([&place] { return place->has_value(); }));
    return std::move(**place);
}

Result<std::int32_t> Producer::partitions_if_exists(std::string_view topic,
                                                    std::optional<Millis> timeout) {
    auto deadline = runtime_.clock().mono() + timeout.value_or(block_max_);
    auto place = std::make_shared<std::optional<Result<std::int32_t>>>();
    core_->when_existing_topic(topic, deadline,
                               [place](Result<std::int32_t> count) { *place = std::move(count); });
    KQ_TRY(runtime_.wait_until([&place] { return place->has_value(); }));
    return std::move(**place);
}

Status Producer::wait_to_send(std::string_view topic, MonoTime deadline) {
    auto place = std::make_shared<std::optional<Status>>();
    core_->when_writable(topic, deadline, [place](Status status) { *place = std::move(status); });
    KQ_TRY(runtime_.wait_until([&place] { return place->has_value(); }));
    return std::move(**place);
}

MonoTime Producer::end_of_waiting() const {
    auto end = runtime_.clock().mono() + block_max_;
    return deadline_ ? std::min(end, *deadline_) : end;
}

Status Producer::send(const ProducerRecord& record) {
    auto sent = core_->send(record);
    if (sent.code() == Errc::would_block) [[unlikely]] {
        auto deadline = end_of_waiting();
        while (sent.code() == Errc::would_block) {
            KQ_TRY(wait_to_send(record.topic, deadline));
            sent = core_->send(record);
        }
    }
    // A batch was closed: let it leave, and take answers, while the next ones are put together.
    if (core_->wants_turn()) runtime_.turn_now();
    return sent;
}

Status Producer::send(const ProducerRecord& record, Callback<void(const RecordReport&)> report) {
    // The callback moves with the record, so the room for it is made first.
    auto deadline = end_of_waiting();
    auto shared = std::make_shared<Callback<void(const RecordReport&)>>(std::move(report));
    auto call = [shared](const RecordReport& outcome) { (*shared)(outcome); };
    auto sent = core_->send(record, call);
    while (sent.code() == Errc::would_block) {
        KQ_TRY(wait_to_send(record.topic, deadline));
        sent = core_->send(record, call);
    }
    if (core_->wants_turn()) runtime_.turn_now();
    return sent;
}

Status Producer::flush(std::optional<MonoTime> deadline) {
    auto flushed = std::make_shared<bool>(false);
    core_->flush([flushed] { *flushed = true; });
    return runtime_.wait_until([&flushed] { return *flushed; }, deadline);
}

Status Producer::close(std::optional<MonoTime> deadline) {
    auto flushed = flush(deadline);
    core_->close();
    return flushed;
}

std::uint64_t Producer::pending_records() const {
    return core_->pending_records();
}

ProducerStats Producer::stats() const {
    return core_->stats();
}

const std::optional<Error>& Producer::first_error() const {
    return core_->first_error();
}

const std::optional<Error>& Producer::first_trouble() const {
    return core_->first_trouble();
}

std::optional<Trouble> Producer::trouble() const {
    return core_->trouble();
}

std::optional<AdvertisedTrouble> Producer::advertised_trouble() const {
    return core_->cluster().pool().advertised_trouble();
}

}  // namespace kq
