// SPDX-License-Identifier: Apache-2.0
//
// The half of ConsumerCore that fetches.
#include <algorithm>

#include "client/consumer_core.hpp"
#include "client/offset_lookup.hpp"
#include "protocol/messages/01_fetch.hpp"

namespace kq {

using wire::FetchRequest;
using wire::FetchResponse;

namespace {

constexpr std::size_t answers_ahead_max = 2;  // of one partition, waiting to be taken
constexpr int unknown_topic_answers_max = 5;  // until a topic that was there counts as deleted
constexpr std::int16_t fetch_names_until = 12;
constexpr std::int16_t first_version_with_rack = 11;

Error refusal_of(BrokerId broker, Errc code) {
    return {code, "broker " + std::to_string(broker.value) + " refuses: " +
                      std::string(name_of(code)) + ": " + std::string(sentence_of(code))};
}

std::string text_of(const TopicPartition& name) {
    return "'" + name.topic + "' partition " + std::to_string(name.partition.value);
}

}  // namespace

void ConsumerCore::pump_soon() {
    auto now = loop_.clock().mono();
    if (pump_timer_.is_set() && pump_at_ <= now) return;
    pump_at_ = now;
    pump_timer_.set(now, [this] {
        loop_.assert_here();
        pump();
    });
}

bool ConsumerCore::may_fetch(Partition& partition, MonoTime now) {
    if (partition.paused || partition.resetting || partition.error) return false;
    if (partition.has_stop() && partition.fetch_offset >= partition.stop) return false;
    return partition.ready.size() < answers_ahead_max && partition.not_before <= now;
}

// The replica that the leader sent us to, for as long as that holds, else the leader.
BrokerId ConsumerCore::source_of(Partition& partition, MonoTime now) {
    if (partition.nearby != no_broker && now < partition.nearby_until) return partition.nearby;
    partition.nearby = no_broker;
    const auto* topic = cluster_.topic(partition.name->topic);
    auto index = static_cast<std::size_t>(partition.name->partition.value);
    if (topic == nullptr) return no_broker;
    return index < topic->partitions.size() ? topic->partitions[index].leader : no_broker;
}

// The topic was there when it was assigned. One broker may be behind the others, so it takes
// several answers in a row until it counts as deleted.
void ConsumerCore::note_missing_topics() {
    for (auto& partition : partitions_) {
        const auto* topic = cluster_.topic(partition->name->topic);
        bool missing = topic != nullptr && topic->error == Errc::unknown_topic_or_partition;
        partition->missing_answers = missing ? partition->missing_answers + 1 : 0;
        if (partition->missing_answers < unknown_topic_answers_max || partition->error) continue;
        give_up(*partition, Error{topic->error, "topic '" + topic->name + "' is gone"});
    }
}

void ConsumerCore::pump() {
    pump_timer_.cancel();
    auto now = loop_.clock().mono();
    auto next = MonoTime::max();
    std::map<BrokerId, std::vector<Partition*>> by_source;
    auto count = partitions_.size();
    for (std::size_t i = 0; i < count; ++i) {
        auto& partition = *partitions_[(fetch_first_ + i) % count];
        if (partition.not_before > now) next = std::min(next, partition.not_before);
        if (!may_fetch(partition, now)) continue;
        auto source = source_of(partition, now);
        if (source == no_broker) {
            if (!partition.trouble) {
                partition.trouble = Trouble{
                    Error{Errc::leader_not_available, text_of(*partition.name) + " has no leader"},
                    now};
            }
            cluster_.refresh();  // and on_change() pumps again
            continue;
        }
        by_source[source].push_back(&partition);
    }
    if (count > 0) fetch_first_ = (fetch_first_ + 1) % count;
    for (auto& [broker, partitions] : by_source) {
        if (!fetches_[broker].under_way) fetch(broker, partitions);
    }
    if (next != MonoTime::max() && !pump_timer_.is_set()) {
        pump_at_ = next;
        pump_timer_.set(next, [this] {
            loop_.assert_here();
            pump();
        });
    }
    tell_if_ready();
}

void ConsumerCore::fetch(BrokerId broker, const std::vector<Partition*>& partitions) {
    auto* connection = cluster_.pool().ready_connection(broker);
    if (connection == nullptr) return reach(broker);
    send_fetch(broker, *connection, partitions);
}

void ConsumerCore::reach(BrokerId broker) {
    if (std::exchange(reaching_[broker], true)) return;
    cluster_.connection_to(
        broker, MonoTime::max(), [this, broker](Result<BrokerConnection*> reached) {
            loop_.assert_here();
            reaching_[broker] = false;
            if (reached.ok()) return pump_soon();
            cluster_.refresh();
            bool hopeless = options_.client.fail_fast && !cluster_.pool().has_reached(broker);
            auto now = loop_.clock().mono();
            for (auto& partition : partitions_) {
                if (!may_fetch(*partition, now) || source_of(*partition, now) != broker) continue;
                partition->nearby = no_broker;
                if (hopeless) {
                    give_up(*partition, reached.error());
                } else {
                    pause_after_failure(*partition, reached.error());
                }
            }
            pump_soon();
        });
}

void ConsumerCore::send_fetch(BrokerId broker, BrokerConnection& connection,
                              const std::vector<Partition*>& partitions) {
    auto version = connection.version_for(wire::fetch_api);
    if (!version.ok()) {
        for (auto* partition : partitions)
            give_up(*partition, version.error());
        return;
    }
    std::vector<WantedFetch> wanted;
    std::vector<Asked> asked;
    bool by_id = version.value() > fetch_names_until;
    for (auto* partition : partitions) {
        const auto* topic = cluster_.topic(partition->name->topic);
        if (topic == nullptr) continue;
        auto index = static_cast<std::size_t>(partition->name->partition.value);
        by_id = by_id && !topic->id.is_zero();
        Epoch epoch =
            index < topic->partitions.size() ? topic->partitions[index].leader_epoch : no_epoch;
        wanted.push_back({.partition = *partition->name,
                          .topic_id = topic->id,
                          .leader_epoch = epoch,
                          .offset = partition->fetch_offset,
                          .bytes_max = static_cast<std::int32_t>(options_.partition_bytes_max)});
        asked.push_back({*partition->name, partition->generation, partition->fetch_offset});
    }
    if (wanted.empty()) return;
    auto& under_way = fetches_[broker];
    FetchRequest request;
    request.max_wait_ms = static_cast<std::int32_t>(options_.fetch_wait_max.count());
    request.min_bytes = static_cast<std::int32_t>(options_.fetch_bytes_min);
    request.max_bytes = static_cast<std::int32_t>(options_.fetch_bytes_max);
    request.isolation_level = static_cast<std::int8_t>(options_.isolation);
    auto sent_as = by_id ? version.value() : std::min(version.value(), fetch_names_until);
    if (sent_as >= first_version_with_rack) request.rack_id = options_.rack;
    if (sent_as >= 7) {
        under_way.session.fill(request, wanted, by_id);
    } else {
        under_way.session.fill(request, wanted, false);
        request.session_epoch = -1;
        request.forgotten_topics_data.clear();
    }
    under_way.under_way = true;
    under_way.asked_at = loop_.clock().mono();
    stats_.requests += 1;
    connection.send(request, sent_as, loop_.clock().mono() + options_.client.request_timeout,
                    [this, broker, by_id, asked = std::move(asked)](Result<Answer> answer) {
                        loop_.assert_here();
                        on_answer(broker, asked, by_id, std::move(answer));
                    });
}

// ---- answers

void ConsumerCore::on_answer(BrokerId broker, const std::vector<Asked>& asked, bool by_id,
                             Result<Answer> answer) {
    auto& under_way = fetches_[broker];
    under_way.under_way = false;
    auto response = answer.ok()
                        ? wire::decode<FetchResponse>(answer.value().body, answer.value().version)
                        : Result<FetchResponse>(answer.error());
    Errc code = response.ok() ? errc_from_wire(response.value().error_code) : response.code();
    if (response.ok()) {
        stats_.bytes += answer.value().frame.size();
        if (auto throttle = response.value().throttle_time_ms; throttle > 0) {
            stats_.throttled_ms += static_cast<std::uint64_t>(throttle);
            auto* connection = cluster_.pool().ready_connection(broker);
            if (connection != nullptr) connection->hold_back(Millis{throttle});
        }
    }
    if (code == Errc::none) {
        under_way.session.on_answer(response.value().session_id);
        take_response(broker, asked, by_id, answer.value(), response.value());
    } else {
        under_way.session.reset();
        bool forgotten =
            code == Errc::fetch_session_id_not_found || code == Errc::invalid_fetch_session_epoch;
        if (forgotten) {
            stats_.sessions_reset += 1;  // asked again at once, in full
        } else {
            cluster_.refresh();
            for (const auto& one : asked) {
                auto* partition = find(one.partition);
                if (partition == nullptr || partition->generation != one.generation) continue;
                if (response.ok() && !is_retriable(code)) {
                    give_up(*partition, Error{code, "the broker refuses to be read from"});
                } else {
                    pause_after_failure(
                        *partition, response.ok() ? refusal_of(broker, code) : response.error());
                }
            }
        }
    }
    pump_soon();
    tell_if_ready();
}

void ConsumerCore::take_response(BrokerId broker, const std::vector<Asked>& asked, bool by_id,
                                 const Answer& answer, const FetchResponse& response) {
    for (const auto& topic : response.responses) {
        for (const auto& told : topic.partitions) {
            const auto* name = fetches_[broker].session.find(topic.topic_id, topic.topic,
                                                             told.partition_index, by_id);
            auto* partition = name == nullptr ? nullptr : find(*name);
            if (partition == nullptr) continue;
            // A position that was changed meanwhile makes the answer one to an old question.
            bool current = std::any_of(asked.begin(), asked.end(), [&](const Asked& one) {
                return one.partition == *name && one.generation == partition->generation &&
                       one.offset == partition->fetch_offset;
            });
            if (current) take_partition(*partition, broker, answer, told);
        }
    }
}

void ConsumerCore::take_partition(Partition& partition, BrokerId broker, const Answer& answer,
                                  const FetchResponse::PartitionData& told) {
    auto code = errc_from_wire(told.error_code);
    if (code != Errc::none) {
        bool moved = cluster_.learn_leader(partition.name->topic, partition.name->partition,
                                           BrokerId{told.current_leader.leader_id},
                                           Epoch{told.current_leader.leader_epoch});
        if (moved) return;
        return on_refusal(partition, broker, code);
    }
    partition.failures = 0;
    partition.trouble.reset();
    partition.high_watermark = Offset{told.high_watermark};
    if (told.preferred_read_replica >= 0) {
        partition.nearby = BrokerId{told.preferred_read_replica};
        partition.nearby_until = loop_.clock().mono() + options_.client.metadata_max_age;
        return;
    }
    if (told.records.empty()) return;
    std::vector<AbortedProducer> aborted;
    if (told.aborted_transactions) {
        for (const auto& one : *told.aborted_transactions) {
            aborted.push_back({ProducerId{one.producer_id}, Offset{one.first_offset}});
        }
    }
    auto view = told.records.view();
    auto position = static_cast<std::size_t>(view.data() - answer.frame.view().data());
    FetchedRecords records(partition.name, answer.frame.slice(position, view.size()),
                           std::move(aborted),
                           {.from = partition.fetch_offset,
                            .stop = partition.stop,
                            .check_crcs = options_.check_crcs,
                            .read_committed = options_.isolation == Isolation::read_committed,
                            .unpacked_batch_bytes_max = options_.unpacked_batch_bytes_max});
    if (records.next_offset() <= partition.fetch_offset) {
        return give_up(partition, Error{Errc::bad_data,
                                        text_of(*partition.name) + ": no whole batch at offset " +
                                            std::to_string(partition.fetch_offset.value)});
    }
    partition.fetch_offset = records.next_offset();
    partition.ready.push_back(std::move(records));
}

void ConsumerCore::on_refusal(Partition& partition, BrokerId broker, Errc code) {
    if (partition.nearby == broker) {  // whatever it is, the leader knows better
        partition.nearby = no_broker;
        return;
    }
    if (code == Errc::offset_out_of_range) return on_out_of_range(partition);
    // A producer may send its batch again; what is damaged on a broker's disk stays damaged.
    if (is_retriable(code) && code != Errc::corrupt_message) {
        cluster_.refresh();
        return pause_after_failure(partition, refusal_of(broker, code));
    }
    std::string where = text_of(*partition.name);
    if (code == Errc::corrupt_message) {
        where += ": the broker cannot read its log at offset " +
                 std::to_string(partition.fetch_offset.value) + ", which is damaged";
    }
    give_up(partition, Error{code, std::move(where)});
}

// The records at the position were deleted, or are not written yet. Where to go on is the reader's
// choice (auto.offset.reset); if it made none, it is told what there is.
void ConsumerCore::on_out_of_range(Partition& partition) {
    partition.resetting = true;
    auto name = *partition.name;
    std::vector<OffsetQuery> queries{{name, OffsetSpec::earliest()}, {name, OffsetSpec::latest()}};
    auto until = loop_.clock().mono() + options_.client.api_timeout;
    look_up_offsets(
        cluster_, caller_, std::move(queries), options_.isolation, until,
        [this, name,
         generation = partition.generation](Result<std::vector<Result<ListedOffset>>> answers) {
            loop_.assert_here();
            auto* found = find(name);
            if (found == nullptr || found->generation != generation) return;
            found->resetting = false;
            if (!answers.ok()) return give_up(*found, answers.error());
            for (const auto& answer : answers.value()) {
                if (!answer.ok()) return give_up(*found, answer.error());
            }
            auto earliest = answers.value()[0].value().offset;
            auto latest = answers.value()[1].value().offset;
            if (options_.on_out_of_range == OnOutOfRange::fail) {
                return give_up(
                    *found, Error{Errc::offset_out_of_range,
                                  text_of(name) + " has offsets " + std::to_string(earliest.value) +
                                      " to " + std::to_string(latest.value) + ", not " +
                                      std::to_string(found->fetch_offset.value)});
            }
            bool to_start = options_.on_out_of_range == OnOutOfRange::earliest;
            found->fetch_offset = to_start ? earliest : latest;
            if (found->ready.empty()) found->position = found->fetch_offset;
            pump_soon();
            tell_if_ready();
        });
}

void ConsumerCore::pause_after_failure(Partition& partition, const Error& why) {
    partition.failures += 1;
    auto since = partition.trouble ? partition.trouble->since : loop_.clock().mono();
    partition.trouble = Trouble{why, since};
    partition.not_before = loop_.clock().mono() + caller_.pause(partition.failures);
}

void ConsumerCore::give_up(Partition& partition, Error why) {
    partition.error = std::move(why);
    tell_if_ready();
}

}  // namespace kq
