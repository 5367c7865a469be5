// SPDX-License-Identifier: Apache-2.0
//
// The half of ProducerCore that sends batches and takes the answers.
#include <algorithm>

#include "client/producer_core.hpp"
#include "protocol/messages/00_produce.hpp"
#include "protocol/messages/22_init_producer_id.hpp"

namespace kq {

using wire::ProduceRequest;
using wire::ProduceResponse;

struct ProducerCore::InFlight {
    struct Part {
        OutgoingBatch* batch;  // null: its fate was reported before the answer came
        PartitionQueue* queue;
        std::uint64_t id;
        Uuid topic_id;
    };
    BrokerId broker;
    std::int16_t version = 0;
    std::vector<Part> parts;
    std::list<std::shared_ptr<InFlight>>::iterator place;
};

namespace {

constexpr std::size_t in_flight_per_partition_max = 5;  // what a broker remembers of a producer
constexpr std::int16_t first_version_with_zstd = 7;
constexpr std::int16_t produce_names_until = 12;

// "2m", "1500ms": as the settings take it.
std::string text_of(Millis time) {
    auto ms = time.count();
    if (ms % 60'000 == 0) return std::to_string(ms / 60'000) + "m";
    return ms % 1000 == 0 ? std::to_string(ms / 1000) + "s" : std::to_string(ms) + "ms";
}

// A code of Kafka's is a broker's word; the others are of this side, and name the address.
Error in_words(const Error& why, BrokerId broker) {
    if (why.code < Errc::unknown_server_error) return why;
    auto message = why.message.empty() ? std::string(sentence_of(why.code)) : why.message;
    return {why.code, "broker " + std::to_string(broker.value) +
                          " refused it: " + std::string(name_of(why.code)) + ": " + message};
}

}  // namespace

// ---- when to send

void ProducerCore::pump_soon() {
    if (pump_timer_.is_set() || closed_) return;
    pump_timer_.set_after(0ms, [this] {
        loop_.assert_here();
        pump();
    });
}

void ProducerCore::pump() {
    if (closed_) return;
    pump_timer_.cancel();
    auto now = loop_.clock().mono();
    expire(now);
    close_due_batches(now);
    send_to_leaders(now);
    std::erase_if(active_, [](PartitionQueue* queue) {
        queue->is_active = queue->has_work();
        return !queue->is_active;
    });
    set_wake_up(now);
    deliver_reports();
}

void ProducerCore::close_due_batches(MonoTime now) {
    std::uint64_t flushed = flush_waiters_.empty() ? 0 : flush_waiters_.back().last_id;
    bool starved = !memory_waiters_.empty();
    for (auto* queue : active_) {
        if (queue->open == nullptr) continue;
        bool due = queue->open->created + options_.linger <= now;
        if (due || starved || queue->open->id <= flushed) {
            queue->close_open();
        }
    }
}

// The next moment at which something is due that no event brings.
void ProducerCore::set_wake_up(MonoTime now) {
    auto next = MonoTime::max();
    if (!batches_.empty()) next = batches_.front().created + options_.delivery_timeout;
    for (auto* queue : active_) {
        if (queue->open != nullptr) next = std::min(next, queue->open->created + options_.linger);
        if (!queue->waiting.empty() && queue->not_before > now) {
            next = std::min(next, queue->not_before);
        }
    }
    wake_timer_.cancel();
    if (next != MonoTime::max()) wake_at(std::max(next, now));
}

void ProducerCore::wake_at(MonoTime when) {
    if (wake_timer_.is_set() && waking_at_ <= when) return;
    waking_at_ = when;
    wake_timer_.set(when, [this] {
        loop_.assert_here();
        pump();
    });
}

void ProducerCore::expire(MonoTime now) {
    while (!batches_.empty() && batches_.front().created + options_.delivery_timeout <= now) {
        auto& batch = batches_.front();
        batch.maybe_written = batch.maybe_written || batch.queue->has_under_way(batch);
        auto unreachable = cluster_.pool().trouble();
        if (unreachable && batch.attempts == 0) {
            fail(batch, Error{Errc::unreachable, unreachable->message});
        } else {
            give_up(batch, Errc::deadline_passed,
                    "no acknowledgement within " + text_of(options_.delivery_timeout) +
                        " (delivery.timeout.ms)");
        }
    }
}

// ---- what to send

void ProducerCore::send_to_leaders(MonoTime now) {
    std::map<BrokerId, std::vector<PartitionQueue*>> by_leader;
    bool leaderless = false;
    for (auto* queue : active_) {
        if (!may_send(*queue, now)) continue;
        const auto* topic = cluster_.topic(queue->topic);
        auto index = static_cast<std::size_t>(queue->index.value);
        bool led = topic != nullptr && index < topic->partitions.size() &&
                   topic->partitions[index].leader > no_broker;
        if (led) {
            by_leader[topic->partitions[index].leader].push_back(queue);
        } else {
            leaderless = true;
        }
    }
    if (leaderless) cluster_.refresh();
    for (auto& [broker, queues] : by_leader)
        send_to(broker, queues, now);
    // Whoever was first is last in the next round, so that max.request.size starves nobody.
    if (active_.size() > 1) std::rotate(active_.begin(), active_.begin() + 1, active_.end());
}

bool ProducerCore::may_send(PartitionQueue& queue, MonoTime now) {
    if (queue.waiting.empty() || queue.not_before > now) return false;
    auto& first = *queue.waiting.front();
    // A repetition waits until everything that is under way has come back, and goes alone.
    if (first.attempts > 0 && !queue.in_flight.empty()) return false;
    if (!options_.idempotent) return true;
    if (queue.in_flight.size() >= in_flight_per_partition_max) return false;
    if (queue.has_gap) {
        // What may be in the log is sent again under its old number first: the answer tells.
        bool unsettled = first.sequence && !first.refused && first.maybe_written;
        if (unsettled) return true;
        if (!queue.in_flight.empty() || !has_producer_id()) return false;
        close_gap(queue);
        return !queue.has_gap;
    }
    return has_producer_id();
}

void ProducerCore::send_to(BrokerId broker, std::vector<PartitionQueue*>& queues, MonoTime now) {
    auto* connection = cluster_.pool().ready_connection(broker);
    if (connection == nullptr) return reach(broker);
    while (connection->is_ready() && requests_[broker] < options_.in_flight_max) {
        std::vector<OutgoingBatch*> batches;
        std::size_t bytes = 0;
        for (auto* queue : queues) {
            if (!may_send(*queue, now)) continue;
            auto* batch = queue->waiting.front();
            auto size =
                batch->sealed != nullptr ? batch->sealed->size() : batch->builder.size_bytes();
            if (!batches.empty() && bytes + size > options_.request_bytes_max) continue;
            bytes += size;
            batches.push_back(batch);
        }
        if (batches.empty()) return;
        for (auto* batch : batches)
            batch->queue->take_first();
        send_request(broker, *connection, std::move(batches));
    }
}

void ProducerCore::reach(BrokerId broker) {
    if (std::exchange(reaching_[broker], true)) return;
    cluster_.connection_to(broker, MonoTime::max(),
                           [this, broker](Result<BrokerConnection*> reached) {
                               loop_.assert_here();
                               reaching_[broker] = false;
                               if (reached.ok()) return pump();
                               on_unreachable(broker, reached.error());
                           });
}

// The leader may have moved: ask, and try again after a pause. A person at a prompt who gave the
// wrong advertised address is told at once.
void ProducerCore::on_unreachable(BrokerId broker, const Error& why) {
    if (closed_) return;
    cluster_.refresh();
    auto now = loop_.clock().mono();
    bool hopeless = options_.client.fail_fast && !cluster_.pool().has_reached(broker);
    std::vector<OutgoingBatch*> given_up;
    for (auto* queue : active_) {
        const auto* topic = cluster_.topic(queue->topic);
        auto index = static_cast<std::size_t>(queue->index.value);
        if (topic == nullptr || index >= topic->partitions.size()) continue;
        if (topic->partitions[index].leader != broker) continue;
        queue->not_before = now + options_.client.retry_backoff;
        for (auto* batch : queue->waiting) {
            note_trouble(*batch, why);
            if (hopeless) given_up.push_back(batch);
        }
        if (hopeless && queue->open != nullptr) given_up.push_back(queue->open);
    }
    for (auto* batch : given_up)
        fail(*batch, why);
    pump_soon();
}

// ---- sending

// Numbers and seals the batch; a repetition goes out as it was.
Status ProducerCore::seal_batch(OutgoingBatch& batch) {
    auto& queue = *batch.queue;
    bool renumber = false;
    if (options_.idempotent && !batch.sequence) {
        if (queue.producer == no_producer) {
            queue.producer = producer_;
            queue.producer_epoch = producer_epoch_;
            queue.next_sequence = Sequence{0};
        }
        batch.producer = queue.producer;
        batch.producer_epoch = queue.producer_epoch;
        batch.sequence = queue.next_sequence;
        queue.next_sequence =
            sequence_after(queue.next_sequence, static_cast<std::int32_t>(batch.record_count));
        renumber = batch.sealed != nullptr;
    }
    if (batch.sealed == nullptr) {
        if (batch.sequence) {
            batch.builder.set_producer(batch.producer, batch.producer_epoch, *batch.sequence);
        }
        KQ_LET(auto bytes, batch.builder.finish(&compressor_));
        batch.sealed = std::make_shared<Bytes>(std::move(bytes));
    } else if (renumber) {
        if (batch.sealed.use_count() > 1) batch.sealed = std::make_shared<Bytes>(*batch.sealed);
        auto* at = batch.sealed->data();
        store_be(at + BatchAt::producer_id, batch.producer.value);
        store_be(at + BatchAt::producer_epoch, batch.producer_epoch.value);
        store_be(at + BatchAt::base_sequence, batch.sequence->value);
        seal(*batch.sealed);
    }
    return done();
}

void ProducerCore::send_request(BrokerId broker, BrokerConnection& connection,
                                std::vector<OutgoingBatch*> batches) {
    auto version = connection.version_for(wire::produce_api);
    if (version.ok() && options_.compression == Compression::zstd &&
        version.value() < first_version_with_zstd) {
        version = Error{Errc::unsupported, connection.endpoint().text() + " does not take zstd"};
    }
    auto request = std::make_shared<InFlight>();
    request->broker = broker;
    ProduceRequest message;
    message.acks = static_cast<std::int16_t>(options_.acks);
    message.timeout_ms = static_cast<std::int32_t>(options_.client.request_timeout.count());
    bool ids_known = true;
    for (auto* batch : batches) {
        auto sealed = version.ok() ? seal_batch(*batch) : Status(version.error());
        if (!sealed.ok()) {
            fail(*batch, sealed.error());
            continue;
        }
        auto& queue = *batch->queue;
        const auto* metadata = cluster_.topic(queue.topic);
        auto id = metadata != nullptr ? metadata->id : Uuid();
        ids_known = ids_known && !id.is_zero();
        auto topic = std::find_if(message.topic_data.begin(), message.topic_data.end(),
                                  [&](const auto& known) { return known.name == queue.topic; });
        if (topic == message.topic_data.end()) {
            message.topic_data.emplace_back();
            topic = std::prev(message.topic_data.end());
            topic->name = queue.topic;
            topic->topic_id = id;
        }
        Chain records;
        records.add(SharedBytes(batch->sealed, *batch->sealed));
        topic->partition_data.push_back(
            {.index = queue.index.value, .records = wire::Records(std::move(records))});
        request->parts.push_back({batch, &queue, batch->id, id});
        queue.in_flight.push_back(batch->id);
        batch->sent_to = broker;
        batch->sent_at = loop_.clock().mono();
        activate(queue);
        stats_.bytes_sent += batch->sealed->size();
        if (batch->attempts++ == 0) {
            stats_.batches_sent += 1;
        } else {
            stats_.batches_retried += 1;
        }
    }
    if (request->parts.empty()) return;
    request->version = ids_known ? version.value() : std::min(version.value(), produce_names_until);
    request->place = under_way_.insert(under_way_.end(), request);
    requests_[broker] += 1;
    stats_.requests_sent += 1;
    if (options_.acks == Acks::none) {
        return connection.send_unanswered(message, request->version, [this, request](Status sent) {
            loop_.assert_here();
            on_sent_unanswered(request, sent);
        });
    }
    connection.send(message, request->version,
                    loop_.clock().mono() + options_.client.request_timeout,
                    [this, request](Result<Answer> answer) {
                        loop_.assert_here();
                        on_answer(request, std::move(answer));
                    });
}

// ---- answers

// The request is over, however it went.
void ProducerCore::settle(InFlight& request) {
    requests_[request.broker] -= 1;
    under_way_.erase(request.place);
    for (const auto& part : request.parts) {
        std::erase(part.queue->in_flight, part.id);
        activate(*part.queue);
    }
}

void ProducerCore::on_sent_unanswered(const std::shared_ptr<InFlight>& request,
                                      const Status& sent) {
    settle(*request);
    for (auto& part : request->parts) {
        if (part.batch == nullptr) continue;
        if (sent.ok()) {
            succeed(*part.batch, no_offset, no_timestamp);
        } else {
            try_again(*part.batch, sent.error(), true);
        }
    }
    pump();
}

void ProducerCore::on_answer(const std::shared_ptr<InFlight>& request, Result<Answer> answer) {
    settle(*request);
    auto response = answer.ok()
                        ? wire::decode<ProduceResponse>(answer.value().body, answer.value().version)
                        : Result<ProduceResponse>(answer.error());
    if (response.ok()) {
        take_response(*request, response.value());
    } else {
        if (response.code() != Errc::cancelled) cluster_.refresh();
        for (auto& part : request->parts) {
            if (part.batch != nullptr) try_again(*part.batch, response.error(), true);
        }
    }
    pump();
}

void ProducerCore::take_response(InFlight& request, const ProduceResponse& response) {
    if (auto* connection = cluster_.pool().ready_connection(request.broker);
        connection != nullptr && response.throttle_time_ms > 0) {
        stats_.throttled_ms += static_cast<std::uint64_t>(response.throttle_time_ms);
        connection->hold_back(Millis{response.throttle_time_ms});
    }
    bool by_id = request.version > produce_names_until;
    auto find =
        [&](const InFlight::Part& part) -> const ProduceResponse::PartitionProduceResponse* {
        for (const auto& topic : response.responses) {
            bool same = by_id ? topic.topic_id == part.topic_id : topic.name == part.queue->topic;
            if (!same) continue;
            for (const auto& partition : topic.partition_responses) {
                if (partition.index == part.queue->index.value) return &partition;
            }
        }
        return nullptr;
    };
    for (auto& part : request.parts) {
        const auto* told = find(part);
        auto* batch = part.batch;
        if (batch == nullptr) continue;
        if (told == nullptr) {
            try_again(*batch, Error{Errc::malformed, "the broker's answer leaves a batch out"},
                      true);
            continue;
        }
        auto code = errc_from_wire(told->error_code);
        if (code == Errc::none) {
            succeed(*batch, Offset{told->base_offset}, wall_time(told->log_append_time_ms));
            continue;
        }
        bool moved = cluster_.learn_leader(part.queue->topic, part.queue->index,
                                           BrokerId{told->current_leader.leader_id},
                                           Epoch{told->current_leader.leader_epoch});
        if (moved && is_retriable(code)) {
            try_again(*batch, Error{code}, false, true);
            continue;
        }
        auto words = told->error_message.value_or("");
        if (!told->record_errors.empty()) {
            const auto& record = told->record_errors.front();
            words = "record " + std::to_string(record.batch_index) +
                    " of the batch: " + record.batch_index_error_message.value_or(words);
        }
        on_refusal(*batch, code, words);
    }
}

void ProducerCore::succeed(OutgoingBatch& batch, Offset base, WallTime append_time) {
    detach(batch);
    BatchReport outcome;
    outcome.base_offset = base;
    outcome.log_append_time = append_time;
    report(batch, std::move(outcome));
}

void ProducerCore::on_refusal(OutgoingBatch& batch, Errc code, const std::string& words) {
    Error why{code, words};
    switch (code) {
        case Errc::duplicate_sequence_number:  // it is in the log already; nobody says where
            return succeed(batch, no_offset, no_timestamp);
        case Errc::out_of_order_sequence_number:
        case Errc::unknown_producer_id:
            if (options_.idempotent) return on_sequence_refused(batch, why, false);
            return fail(batch, why);
        case Errc::invalid_producer_epoch:
        case Errc::producer_fenced:
            if (options_.idempotent) return on_sequence_refused(batch, why, true);
            return fail(batch, why);
        case Errc::message_too_large:
        case Errc::record_list_too_large:
            if (batch.record_count > 1 && batch.id_room > 1) return split(batch);
            return fail(batch, why);
        case Errc::request_timed_out:
        case Errc::not_enough_replicas_after_append:  // written, but not as safely as was asked
        case Errc::network_exception:
            return try_again(batch, why, true);
        case Errc::kafka_storage_error:  // it may have been appended before its sync failed
            cluster_.refresh();
            return try_again(batch, why, true);
        default:
            if (!is_retriable(code)) return fail(batch, why);
            cluster_.refresh();
            return try_again(batch, why, false);
    }
}

// The broker does not have this batch, and expects another number than it bears. Behind an earlier
// batch that is still to be sent again that is no surprise; if it is the first, then the broker has
// lost what came before, or what came before was given up: the partition goes on in a new epoch.
void ProducerCore::on_sequence_refused(OutgoingBatch& batch, const Error& why, bool needs_new_id) {
    auto& queue = *batch.queue;
    if (!queue.is_first(batch) && !queue.has_gap && !needs_new_id) {
        batch.maybe_written = false;
        return try_again(batch, why, false, true);
    }
    batch.refused = true;
    batch.maybe_written = false;
    queue.has_gap = true;
    if (needs_new_id && queue.producer == producer_) producer_ = no_producer;
    try_again(batch, why, false);
}

void ProducerCore::try_again(OutgoingBatch& batch, const Error& why, bool unknown, bool at_once) {
    batch.maybe_written = batch.maybe_written || unknown;
    note_trouble(batch, why);
    if (dead_ || batch.attempts > options_.retries) return fail(batch, why);
    auto& queue = *batch.queue;
    queue.put_back(batch);
    if (!at_once) {
        queue.not_before =
            std::max(queue.not_before, loop_.clock().mono() + caller_.pause(batch.attempts));
    }
}

// Halves the batch. The numbers of its records stay, so nothing is doubled or lost of order.
void ProducerCore::split(OutgoingBatch& batch) {
    auto& queue = *batch.queue;
    auto header = BatchHeader::parse(*batch.sealed);
    KQ_CHECK(header.ok());
    auto half = batch.record_count / 2;
    BatchOptions form{.compression = options_.compression, .level = options_.compression_level};
    auto second_place = batches_.emplace(std::next(batch.place), form);
    auto first_place = batches_.emplace(second_place, form);
    std::array<std::list<OutgoingBatch>::iterator, 2> halves{first_place, second_place};
    for (std::size_t i = 0; i < 2; ++i) {
        auto& part = *halves[i];
        part.place = halves[i];
        part.id_room = batch.id_room / 2;
        part.id = batch.id + (i == 0 ? 0 : part.id_room);
        part.queue = &queue;
        part.reserved_bytes = batch.reserved_bytes / 2;
        part.created = batch.created;
        part.first_record = batch.first_record + (i == 0 ? 0 : half);
        part.record_count = i == 0 ? half : batch.record_count - half;
        part.producer = batch.producer;
        part.producer_epoch = batch.producer_epoch;
        if (batch.sequence) {
            part.sequence = i == 0
                                ? *batch.sequence
                                : sequence_after(*batch.sequence, static_cast<std::int32_t>(half));
        }
        part.attempts = batch.attempts;
    }
    std::uint32_t seen = 0;
    Decompressor decompressor;
    std::vector<RecordHeaderView> headers;
    auto status =
        for_each_record(header.value(), *batch.sealed, decompressor,
                        batch.reserved_bytes + batch_header_bytes, [&](const RecordView& record) {
                            headers.clear();
                            auto rest = record.header_bytes;
                            for (std::int32_t i = 0; i < record.header_count; ++i) {
                                headers.push_back(RecordView::next_header(rest));
                            }
                            halves[seen++ < half ? 0 : 1]->builder.append(
                                record.timestamp, record.key, record.value, headers);
                            return done();
                        });
    KQ_CHECK(status.ok());  // we encoded it
    for (auto& callback : batch.callbacks) {
        auto& part = *halves[callback.index < half ? 0 : 1];
        auto index = callback.index < half ? callback.index : callback.index - half;
        part.callbacks.push_back({index, callback.timestamp, std::move(callback.report)});
    }
    buffered_ -= batch.reserved_bytes % 2;
    batches_.erase(batch.place);
    for (auto place : halves)
        queue.put_back(*place);
}

// Takes the batch out of every place that knows it.
void ProducerCore::detach(OutgoingBatch& batch) {
    auto& queue = *batch.queue;
    if (queue.open == &batch) queue.open = nullptr;
    if (std::exchange(batch.waits, false)) std::erase(queue.waiting, &batch);
    if (!queue.has_under_way(batch)) return;
    for (auto& request : under_way_) {
        for (auto& part : request->parts) {
            if (part.batch == &batch) part.batch = nullptr;
        }
    }
}

void ProducerCore::fail(OutgoingBatch& batch, const Error& why) {
    detach(batch);
    if (batch.sequence) batch.queue->has_gap = true;
    BatchReport outcome;
    outcome.status = why;
    outcome.outcome_unknown = batch.maybe_written;
    report(batch, std::move(outcome));
}

// ---- what holds batches up

void ProducerCore::note_trouble(OutgoingBatch& batch, const Error& why) {
    auto since = batch.trouble ? batch.trouble->since : loop_.clock().mono();
    batch.trouble = Trouble{in_words(why, batch.sent_to), since};
}

std::optional<Trouble> ProducerCore::trouble_of(const OutgoingBatch& batch) const {
    if (batch.trouble) return batch.trouble;
    const auto& queue = *batch.queue;
    if (queue.has_under_way(batch)) {
        return Trouble{
            Error{Errc::deadline_passed,
                  "broker " + std::to_string(batch.sent_to.value) + " has not answered yet"},
            batch.sent_at};
    }
    if (const auto& unreachable = cluster_.pool().trouble()) {
        return Trouble{*unreachable, batch.created};
    }
    if (producer_id_trouble_) return producer_id_trouble_;
    const auto* topic = cluster_.topic(queue.topic);
    auto index = static_cast<std::size_t>(queue.index.value);
    bool led = topic != nullptr && index < topic->partitions.size() &&
               topic->partitions[index].leader > no_broker;
    if (led) return std::nullopt;
    return Trouble{
        Error{Errc::leader_not_available, "partition " + std::to_string(queue.index.value) +
                                              " of '" + queue.topic + "' has no leader"},
        batch.created};
}

std::optional<Trouble> ProducerCore::trouble() const {
    loop_.assert_here();
    for (const auto& batch : batches_) {
        if (auto held_up = trouble_of(batch)) return held_up;
    }
    return std::nullopt;
}

// Fails the batch with `what` happened, and with what it met until then.
void ProducerCore::give_up(OutgoingBatch& batch, Errc code, std::string what) {
    auto held_up = trouble_of(batch);
    if (held_up) {
        what += ": " + held_up->why.message;
        if (!first_error_) first_trouble_ = held_up->why;
    }
    fail(batch, Error{code, std::move(what)});
}

// ---- idempotence

bool ProducerCore::has_producer_id() {
    if (producer_ != no_producer) return true;
    ask_producer_id();
    return producer_ != no_producer;
}

void ProducerCore::ask_producer_id() {
    if (std::exchange(asking_producer_id_, true)) return;
    if (!producer_id_trouble_) {
        producer_id_trouble_ =
            Trouble{Error{Errc::deadline_passed, "no broker has given a producer id yet"},
                    loop_.clock().mono()};
    }
    auto make = [](std::int16_t) {
        wire::InitProducerIdRequest request;
        request.transactional_id = std::nullopt;
        request.transaction_timeout_ms = INT32_MAX;
        return request;
    };
    auto until = loop_.clock().mono() + options_.client.request_timeout;
    caller_.call<wire::InitProducerIdResponse>(
        any_broker, make, Repeat::safe, until,
        [this](Result<Answered<wire::InitProducerIdResponse>> answer) {
            loop_.assert_here();
            auto why = answer.ok() ? Error{errc_from_wire(answer.value().response.error_code),
                                           "the brokers gave no producer id"}
                                   : answer.error();
            if (why.code == Errc::none) {
                asking_producer_id_ = false;
                producer_id_trouble_.reset();
                producer_ = ProducerId{answer.value().response.producer_id};
                producer_epoch_ = ProducerEpoch{answer.value().response.producer_epoch};
                return pump();
            }
            bool hopeless = !is_retriable(why.code) ||
                            (options_.client.fail_fast && why.code == Errc::unreachable);
            if (hopeless) {  // not from inside pump(), which may have asked
                return caller_.later(loop_.clock().mono(), [this, why] {
                    loop_.assert_here();
                    die(why);
                });
            }
            auto now = loop_.clock().mono();
            producer_id_trouble_->why =
                answer.ok() ? Error{why.code, why.message + ": " + std::string(name_of(why.code)) +
                                                  ": " + std::string(sentence_of(why.code))}
                            : why;
            caller_.later(now + caller_.pause(2), [this] {
                loop_.assert_here();
                asking_producer_id_ = false;
                pump();
            });
        });
}

// Nothing of the partition is under way, and nothing that waits can be in the log: what waits gets
// new numbers in a new epoch, which also locks out whatever an old connection may still carry.
void ProducerCore::close_gap(PartitionQueue& queue) {
    bool still_ours = queue.producer == producer_ && queue.producer_epoch == producer_epoch_;
    if (still_ours && producer_epoch_.value == INT16_MAX) {
        producer_ = no_producer;
        return ask_producer_id();
    }
    if (still_ours) ++producer_epoch_;
    queue.producer = producer_;
    queue.producer_epoch = producer_epoch_;
    queue.next_sequence = Sequence{0};
    queue.has_gap = false;
    for (auto* batch : queue.waiting) {
        batch->sequence.reset();
        batch->refused = false;
    }
}

}  // namespace kq
