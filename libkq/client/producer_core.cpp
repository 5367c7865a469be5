// SPDX-License-Identifier: Apache-2.0
//
// The half of ProducerCore that takes records in and tells what became of them. Sending and
// answers are in producer_sender.cpp.
#include "client/producer_core.hpp"

#include <algorithm>

#include "protocol/murmur2.hpp"

namespace kq {
namespace {

// A batch that a broker finds too large is halved, sixteen times at most, and each half needs an id
// between its neighbours'.
constexpr std::uint64_t ids_per_batch = 1u << 16;

Cluster::OnTopic count_partitions(Callback<void(Result<std::int32_t>)> done) {
    return [done = std::move(done)](Result<const TopicMetadata*> found) mutable {
        if (!found.ok()) return done(found.error());
        done(static_cast<std::int32_t>(found.value()->partitions.size()));
    };
}

}  // namespace

struct ProducerCore::MemoryWaiter {
    explicit MemoryWaiter(Loop& loop) : timer(loop) {}
    std::size_t bytes = 0;
    Callback<void(Status)> done;
    Timer timer;
};

ProducerCore::ProducerCore(Loop& loop, Network& network, Random& random, ProducerOptions options)
    : loop_(loop),
      random_(random),
      options_(std::move(options)),
      cluster_(loop, network, random, options_.client),
      caller_(cluster_),
      pump_timer_(loop),
      wake_timer_(loop) {
    loop_.assert_here();
    cluster_.allow_auto_create(options_.auto_create_topics);
    cluster_.on_change([this] {
        loop_.assert_here();
        for (auto& [name, topic] : topics_) {
            const auto* metadata = cluster_.topic(name);
            if (metadata != nullptr && metadata->error == Errc::none) {
                adopt_partitions(*topic, *metadata);
            }
        }
        pump_soon();
    });
}

ProducerCore::~ProducerCore() = default;

void ProducerCore::on_batch(Callback<void(const BatchReport&)> report) {
    loop_.assert_here();
    on_batch_ = std::move(report);
}

std::uint64_t ProducerCore::pending_records() const {
    loop_.assert_here();
    return stats_.records_sent - stats_.records_acked - stats_.records_failed;
}

ProducerStats ProducerCore::stats() const {
    loop_.assert_here();
    auto stats = stats_;
    stats.buffered_bytes = buffered_;
    return stats;
}

const std::optional<Error>& ProducerCore::first_error() const {
    loop_.assert_here();
    return first_error_;
}

const std::optional<Error>& ProducerCore::first_trouble() const {
    loop_.assert_here();
    return first_trouble_;
}

// ---- topics and partitions

ProducerCore::Topic* ProducerCore::topic_of(std::string_view name) {
    if (last_topic_ != nullptr && last_topic_->name == name) return last_topic_;
    auto found = topics_.find(name);
    if (found == topics_.end()) {
        auto topic = std::make_unique<Topic>();
        topic->name = std::string(name);
        cluster_.watch_topic(topic->name);
        found = topics_.emplace(topic->name, std::move(topic)).first;
    }
    auto* topic = found->second.get();
    if (topic->queues.empty()) {
        const auto* metadata = cluster_.topic(name);
        if (metadata == nullptr || metadata->error != Errc::none) return nullptr;
        adopt_partitions(*topic, *metadata);
    }
    last_topic_ = topic;
    return topic;
}

// Partitions are only ever added.
void ProducerCore::adopt_partitions(Topic& topic, const TopicMetadata& metadata) {
    while (topic.queues.size() < metadata.partitions.size()) {
        auto index = static_cast<std::int32_t>(topic.queues.size());
        topic.queues.push_back(std::make_unique<PartitionQueue>(topic.name, PartitionIndex{index}));
    }
}

// Why no record is taken any more, if none is.
Status ProducerCore::refusal() const {
    if (dead_) return *dead_;
    if (closed_) return Error{Errc::cancelled, "the producer is closed"};
    return done();
}

void ProducerCore::when_topic(std::string_view name, MonoTime deadline,
                              Callback<void(Result<std::int32_t>)> done) {
    loop_.assert_here();
    if (auto refused = refusal(); !refused.ok()) return done(refused.error());
    if (auto* topic = topic_of(name); topic != nullptr) {
        return done(static_cast<std::int32_t>(topic->queues.size()));
    }
    cluster_.when_topic(std::string(name), options_.auto_create_topics, deadline,
                        count_partitions(std::move(done)));
}

// The topic is not watched yet: a refresh meanwhile must not make it either.
void ProducerCore::when_existing_topic(std::string_view name, MonoTime deadline,
                                       Callback<void(Result<std::int32_t>)> done) {
    loop_.assert_here();
    if (auto refused = refusal(); !refused.ok()) return done(refused.error());
    cluster_.when_topic(std::string(name), false, deadline, count_partitions(std::move(done)));
}

Result<PartitionQueue*> ProducerCore::queue_of(Topic& topic, const ProducerRecord& record) {
    auto count = topic.queues.size();
    if (record.partition) {
        auto index = static_cast<std::size_t>(record.partition->value);
        if (record.partition->value < 0 || index >= count) {
            return Error{Errc::unknown_topic_or_partition,
                         "'" + topic.name + "' has partitions 0 to " + std::to_string(count - 1) +
                             ", not " + std::to_string(record.partition->value)};
        }
        return topic.queues[index].get();
    }
    if (record.key && !options_.ignore_keys) {
        auto index = partition_for_key(*record.key, static_cast<std::int32_t>(count));
        return topic.queues[static_cast<std::size_t>(index)].get();
    }
    // One partition after the other, a batch each, so that batches get full.
    if (!topic.has_sticky ||
        (topic.has_sticky_batch && topic.queues[topic.sticky]->open == nullptr)) {
        pick_sticky(topic);
    }
    return topic.queues[topic.sticky].get();
}

// Any partition that has a leader, another one than now if there is one.
void ProducerCore::pick_sticky(Topic& topic) {
    const auto* metadata = cluster_.topic(topic.name);
    std::vector<std::size_t> choices;
    for (std::size_t i = 0; i < topic.queues.size(); ++i) {
        bool led = metadata != nullptr && i < metadata->partitions.size() &&
                   metadata->partitions[i].leader > no_broker;
        if (led && (!topic.has_sticky || i != topic.sticky)) choices.push_back(i);
    }
    if (!choices.empty()) {
        topic.sticky = choices[random_.below(choices.size())];
    } else if (!topic.has_sticky) {
        topic.sticky = random_.below(topic.queues.size());
    }
    topic.has_sticky = true;
    topic.has_sticky_batch = false;
}

// ---- records in

Status ProducerCore::send(const ProducerRecord& record,
                          Callback<void(const RecordReport&)> report) {
    loop_.assert_here();
    if (dead_) return *dead_;
    if (closed_) return Error{Errc::cancelled, "the producer is closed"};
    auto* topic = topic_of(record.topic);
    if (topic == nullptr) return Error{Errc::would_block, "the topic is not known yet"};
    KQ_LET(auto* queue, queue_of(*topic, record));

    headers_.clear();
    for (const auto& header : record.headers) {
        headers_.push_back({as_bytes(header.key), header.value});
    }
    if (queue->open != nullptr) {
        auto grown = queue->open->builder.size_bytes_with(record.key, record.value, headers_);
        if (grown > options_.batch_bytes) {
            close_batch(*queue);
            KQ_LET(queue, queue_of(*topic, record));  // without a key: to another partition
        }
    }
    if (queue->open == nullptr) {
        KQ_TRY(open_batch(*queue, batch_header_bytes +
                                      record_size_bytes(0, 0, record.key, record.value, headers_)));
    }
    if (!record.partition && (!record.key || options_.ignore_keys)) topic->has_sticky_batch = true;
    auto* batch = queue->open;
    auto timestamp = record.timestamp ? *record.timestamp : loop_.clock().wall();
    batch->builder.append(timestamp, record.key, record.value, headers_);
    if (report != nullptr) {
        batch->callbacks.push_back({batch->record_count, timestamp, std::move(report)});
    }
    batch->record_count += 1;
    queue->records += 1;
    stats_.records_sent += 1;
    if (batch->builder.size_bytes() >= options_.batch_bytes) close_batch(*queue);
    return done();
}

// A record longer than batch.size gets a batch of its own.
Status ProducerCore::open_batch(PartitionQueue& queue, std::size_t record_bytes) {
    if (record_bytes > options_.request_bytes_max) {
        return Error{Errc::message_too_large, "the record takes " + std::to_string(record_bytes) +
                                                  " bytes; max.request.size is " +
                                                  std::to_string(options_.request_bytes_max)};
    }
    auto reserved = std::max<std::size_t>(options_.batch_bytes, record_bytes);
    if (reserved > options_.buffer_bytes) {
        return Error{Errc::message_too_large,
                     "a batch of " + std::to_string(reserved) +
                         " bytes does not fit into buffer.memory, which is " +
                         std::to_string(options_.buffer_bytes)};
    }
    if (!has_memory(reserved)) {
        wanted_bytes_ = reserved;
        return Error{Errc::would_block, "buffer.memory is used up"};
    }
    auto& batch = batches_.emplace_back(
        BatchOptions{.compression = options_.compression, .level = options_.compression_level});
    batch.place = std::prev(batches_.end());
    batch.id = next_id_;
    batch.id_room = ids_per_batch;
    next_id_ += ids_per_batch;
    batch.queue = &queue;
    batch.reserved_bytes = reserved;
    batch.created = loop_.clock().mono();
    batch.first_record = queue.records;
    batch.builder.reserve(reserved);
    buffered_ += reserved;
    queue.open = &batch;
    activate(queue);
    if (options_.linger <= Millis{0}) {
        pump_soon();
    } else {
        wake_at(batch.created + options_.linger);
    }
    return done();
}

void ProducerCore::close_batch(PartitionQueue& queue) {
    queue.close_open();
    pump_soon();
}

void ProducerCore::activate(PartitionQueue& queue) {
    if (queue.is_active) return;
    queue.is_active = true;
    active_.push_back(&queue);
}

// ---- memory

bool ProducerCore::has_memory(std::size_t bytes) const {
    return buffered_ + bytes <= options_.buffer_bytes;
}

void ProducerCore::when_writable(std::string_view topic, MonoTime deadline,
                                 Callback<void(Status)> done_in) {
    loop_.assert_here();
    when_topic(topic, deadline,
               [this, deadline, done_in = std::move(done_in)](Result<std::int32_t> known) mutable {
                   loop_.assert_here();
                   if (!known.ok()) return done_in(known.error());
                   wait_for_memory(deadline, std::move(done_in));
               });
}

void ProducerCore::wait_for_memory(MonoTime deadline, Callback<void(Status)> done_in) {
    if (dead_) return done_in(*dead_);
    auto wanted = std::max<std::size_t>(options_.batch_bytes, std::exchange(wanted_bytes_, 0));
    if (has_memory(wanted)) return done_in(done());
    auto& waiter = memory_waiters_.emplace_back(loop_);
    waiter.bytes = wanted;
    waiter.done = std::move(done_in);
    waiter.timer.set(deadline, [this, at = std::prev(memory_waiters_.end())] {
        loop_.assert_here();
        auto late = std::move(at->done);
        memory_waiters_.erase(at);
        auto trouble = cluster_.pool().trouble();
        if (trouble) return late(Error{Errc::unreachable, trouble->message});
        auto held_up = this->trouble();
        late(Error{Errc::buffer_exhausted,
                   "buffer.memory is used up and no batch was acknowledged in time" +
                       (held_up ? ": " + held_up->why.message : "")});
    });
    pump_soon();
}

void ProducerCore::serve_memory_waiters() {
    while (!memory_waiters_.empty() && (dead_ || has_memory(memory_waiters_.front().bytes))) {
        auto served = std::move(memory_waiters_.front().done);
        memory_waiters_.pop_front();
        if (dead_) {
            served(*dead_);
        } else {
            served(done());
        }
    }
}

// ---- reports

// Takes the batch out of the books; its report leaves when the state is settled.
void ProducerCore::report(OutgoingBatch& batch, BatchReport outcome) {
    outcome.topic = batch.queue->topic;
    outcome.partition = batch.queue->index;
    outcome.record_count = batch.record_count;
    outcome.first_record = batch.first_record;
    buffered_ -= batch.reserved_bytes;
    if (outcome.status.ok()) {
        stats_.records_acked += batch.record_count;
    } else {
        stats_.records_failed += batch.record_count;
        if (outcome.outcome_unknown) stats_.records_unknown += batch.record_count;
        if (!first_error_) first_error_ = outcome.status.error();
    }
    auto& finished = finished_.emplace_back(Finished{{}, std::move(outcome)});
    finished.batch.splice(finished.batch.end(), batches_, batch.place);
}

void ProducerCore::deliver_reports() {
    if (delivering_) return;
    delivering_ = true;
    while (!finished_.empty()) {
        std::list<Finished> one;
        one.splice(one.end(), finished_, finished_.begin());
        auto& [held, outcome] = one.front();
        for (auto& callback : held.front().callbacks) {
            RecordReport record{.partition = outcome.partition,
                                .timestamp = callback.timestamp,
                                .status = outcome.status,
                                .outcome_unknown = outcome.outcome_unknown};
            if (outcome.base_offset != no_offset) {
                record.offset = outcome.base_offset + std::int64_t{callback.index};
            }
            if (outcome.log_append_time != no_timestamp) {
                record.timestamp = outcome.log_append_time;
            }
            std::exchange(callback.report, nullptr)(record);
        }
        if (on_batch_ != nullptr) on_batch_(outcome);
    }
    delivering_ = false;
    serve_memory_waiters();
    for (auto at = flush_waiters_.begin(); at != flush_waiters_.end();) {
        if (!batches_.empty() && batches_.front().id <= at->last_id) {
            ++at;
            continue;
        }
        auto flushed = std::move(at->done);
        flush_waiters_.erase(at);
        flushed();
        at = flush_waiters_.begin();  // the callback may have flushed again
    }
}

void ProducerCore::flush(Callback<void()> flushed) {
    loop_.assert_here();
    if (batches_.empty()) return flushed();
    flush_waiters_.push_back({next_id_ - 1, std::move(flushed)});
    pump_soon();
}

void ProducerCore::close() {
    loop_.assert_here();
    if (std::exchange(closed_, true)) return;
    // Before their connections go, and what was known of them with these.
    while (!batches_.empty()) {
        auto& batch = batches_.front();
        batch.maybe_written = batch.maybe_written || batch.attempts > 0;
        give_up(batch, Errc::cancelled,
                "the producer was closed before the batch was acknowledged");
    }
    cluster_.pool().close();
    pump_timer_.cancel();
    wake_timer_.cancel();
    deliver_reports();
}

// The producer cannot go on at all: everything it holds fails with the reason.
void ProducerCore::die(const Error& why) {
    if (dead_) return;
    dead_ = why;
    while (!batches_.empty()) {
        auto& batch = batches_.front();
        fail(batch, why);
    }
    deliver_reports();
}

}  // namespace kq
