// SPDX-License-Identifier: Apache-2.0
#include "broker/pending_produces.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "broker/leader_hint.hpp"
#include "broker/repeated_partitions.hpp"
#include "metadata/metadata_state.hpp"
#include "metadata/topic_names.hpp"
#include "protocol/record_batch.hpp"

namespace kq {

namespace {

constexpr std::string_view admin_client_id = "__admin_client";

// Whether a batch claims to be part of a transaction; looked at before anything is checked, as
// Kafka does.
bool claims_transaction(ByteView batch) {
    if (batch.size() < batch_header_bytes) return false;
    if (batch[BatchAt::magic] != static_cast<std::uint8_t>(batch_magic)) return false;
    const auto attributes = load_be<std::int16_t>(batch.data() + BatchAt::attributes);
    return (attributes & BatchBit::transactional) != 0;
}

}  // namespace

// Where the answer of a partition stands in the response.
struct PendingProduces::Place {
    std::uint32_t topic;
    std::uint32_t partition;
    bool decided = false;
    bool written = false;  // acks=all: in the log, not yet safe
};

struct PendingProduces::Produce {
    Produce(Loop& loop, Reply<wire::ProduceResponse> reply_in)
        : reply(std::move(reply_in)), timer(loop) {}

    wire::ProduceResponse::PartitionProduceResponse& answer_at(const Place& place) {
        return response.responses[place.topic].partition_responses[place.partition];
    }

    std::uint64_t number = 0;
    int version = 0;
    MetadataImage image;
    std::string listener;
    Reply<wire::ProduceResponse> reply;
    wire::ProduceResponse response;
    std::vector<Place> places;  // in request order; index of an AppendItem
    std::size_t undecided = 0;
    std::vector<std::size_t> owners;  // that have a message of this request
    Timer timer;
};

PendingProduces::PendingProduces(Loop& loop, const PartitionRouter& router)
    : loop_(loop), router_(router) {}

PendingProduces::~PendingProduces() = default;

void PendingProduces::start(RequestContext& context, wire::ProduceRequest request,
                            Reply<wire::ProduceResponse> reply) {
    loop_.assert_here();
    auto made = std::make_unique<Produce>(loop_, std::move(reply));
    Produce& produce = *made;
    produce.number = ++last_number_;
    produce.version = context.api_version;
    produce.image = context.image;
    produce.listener = context.listener;
    produces_.emplace(produce.number, std::move(made));

    auto by_owner = resolve(context, request, produce);
    if (produce.undecided == 0) {
        answer(produce);
        return;
    }
    if (request.acks == -1) {
        produce.timer.set_after(Millis{request.timeout_ms}, [this, number = produce.number] {
            loop_.assert_here();
            on_deadline(number);
        });
    }
    produce.reply.when_gone([this, number = produce.number] {
        loop_.assert_here();
        const auto found = produces_.find(number);
        if (found != produces_.end()) forget(*found->second);
    });
    send_to_owners(context, request.acks, produce, std::move(by_owner));
}

// Gives every partition of the request a place in the response, and those that can be appended to
// their owners.
std::vector<std::vector<AppendItem>> PendingProduces::resolve(const RequestContext& context,
                                                              const wire::ProduceRequest& request,
                                                              Produce& produce) {
    std::vector<std::vector<AppendItem>> by_owner(router_.size());
    const bool by_id = context.api_version >= 13;
    Errc all = Errc::none;
    std::string why_all;
    if (request.timeout_ms < 0) {
        all = Errc::invalid_request;
        why_all = "a timeout is not negative";
    }
    if (request.acks < -1 || request.acks > 1) all = Errc::invalid_required_acks;
    for (const auto& topic : request.topic_data) {
        for (const auto& data : topic.partition_data) {
            if (!request.transactional_id.has_value() && !data.records.is_null() &&
                claims_transaction(data.records.view())) {
                all = Errc::transactional_id_authorization_failed;
            }
        }
    }
    // A partition that is named twice is written and answered once, as Kafka does.
    std::vector<NamedPartition> named;
    std::vector<const wire::Records*> records;
    for (const auto& topic : request.topic_data) {
        for (const auto& data : topic.partition_data) {
            named.push_back({topic.name, topic.topic_id, data.index});
            records.push_back(&data.records);
        }
    }
    const auto last = last_places(named);
    std::size_t at = 0;
    for (const auto& topic : request.topic_data) {
        const TopicImage* image = by_id ? context.image->topic(topic.topic_id)
                                        : context.image->topic(std::string_view(topic.name));
        auto& answers = produce.response.responses.emplace_back();
        answers.name = topic.name;
        answers.topic_id = topic.topic_id;
        answers.partition_responses.reserve(topic.partition_data.size());
        for (const auto& data : topic.partition_data) {
            const std::size_t place = last[at++];
            if (place == named_before) continue;
            const wire::Records& batch = *records[place];
            auto& answer = answers.partition_responses.emplace_back();
            answer.index = data.index;
            answer.base_offset = -1;
            const auto refuse = [&](Errc code, std::string message = {}) {
                set_error(answer, code, std::move(message), context.api_version);
            };
            produce.places.push_back(
                {static_cast<std::uint32_t>(produce.response.responses.size() - 1),
                 static_cast<std::uint32_t>(answers.partition_responses.size() - 1), true, false});
            if (all != Errc::none) {
                refuse(all, all == Errc::invalid_request ? why_all : std::string());
                continue;
            }
            if (image == nullptr) {
                refuse(by_id ? Errc::unknown_topic_id : Errc::unknown_topic_or_partition);
                continue;
            }
            if (is_internal_topic(image->name()) && context.client_id != admin_client_id) {
                refuse(Errc::invalid_topic_exception, "clients do not write to internal topics");
                continue;
            }
            if (data.index < 0 || image->partition(PartitionIndex{data.index}) == nullptr) {
                refuse(Errc::unknown_topic_or_partition);
                continue;
            }
            if (batch.is_null()) {
                refuse(Errc::invalid_record, "no records");
                continue;
            }
            const TopicIdPartition id{image->id(), PartitionIndex{data.index}};
            by_owner[router_.owner_index(id)].push_back(
                {static_cast<std::uint32_t>(produce.places.size() - 1), id,
                 context.writable(batch.view())});
            produce.places.back().decided = false;
            ++produce.undecided;
        }
        if (answers.partition_responses.empty() && !topic.partition_data.empty()) {
            produce.response.responses.pop_back();  // all were named before
        }
    }
    return by_owner;
}

void PendingProduces::send_to_owners(const RequestContext& context, std::int16_t acks,
                                     Produce& produce,
                                     std::vector<std::vector<AppendItem>> by_owner) {
    for (std::size_t owner = 0; owner < by_owner.size(); ++owner) {
        if (by_owner[owner].empty()) continue;
        produce.owners.push_back(owner);
        AppendMessage message;
        message.key = {this, produce.number};
        message.acks = acks;
        message.produce_version = static_cast<std::int16_t>(produce.version);
        message.items = std::move(by_owner[owner]);
        message.frame = context.frame_owner;
        PartitionSet& set = router_.at(owner);
        const std::uint64_t number = produce.number;
        if (set.loop().is_here()) {
            message.on_verdicts = [this, number](std::vector<AppendVerdict> verdicts) {
                loop_.assert_here();
                on_verdicts(number, std::move(verdicts));
            };
            set.append(std::move(message));
            continue;
        }
        message.on_verdicts = [this, number](std::vector<AppendVerdict> verdicts) {
            loop_.post([this, number, verdicts = std::move(verdicts)]() mutable {
                loop_.assert_here();
                on_verdicts(number, std::move(verdicts));
            });
        };
        set.loop().post(
            [&set, message = std::move(message)]() mutable { set.append(std::move(message)); });
    }
}

void PendingProduces::on_verdicts(std::uint64_t number, std::vector<AppendVerdict> verdicts) {
    const auto found = produces_.find(number);
    if (found == produces_.end()) return;  // answered at its deadline
    Produce& produce = *found->second;
    for (AppendVerdict& verdict : verdicts) {
        Place& place = produce.places[verdict.index];
        KQ_CHECK(!place.decided);
        auto& answer = produce.answer_at(place);
        AppendOutcome& outcome = verdict.outcome;
        place.written = !verdict.decided;
        place.decided = verdict.decided;
        if (verdict.decided) --produce.undecided;
        if (outcome.first != no_offset) {
            answer.base_offset = outcome.first.value;
            answer.log_append_time_ms = to_ms(outcome.log_append_time);
        }
        answer.log_start_offset = outcome.log_start.value;
        if (outcome.code == Errc::none) continue;
        for (auto& error : outcome.record_errors) {
            answer.record_errors.push_back({error.batch_index, std::move(error.message)});
        }
        set_error(answer, outcome.code, std::move(outcome.message), produce.version);
        if (answer.error_code == static_cast<std::int16_t>(Errc::not_leader_or_follower)) {
            hint_at_leader(produce, place);
        }
    }
    if (produce.undecided == 0) answer(produce);
}

// KIP-951: who leads now, so that the client need not ask for metadata first.
void PendingProduces::hint_at_leader(Produce& produce, const Place& place) {
    if (produce.version < 10) return;
    const auto& topic = produce.response.responses[place.topic];
    auto& answer = produce.answer_at(place);
    const TopicImage* image = produce.version >= 13
                                  ? produce.image->topic(topic.topic_id)
                                  : produce.image->topic(std::string_view(topic.name));
    if (image == nullptr) return;
    const auto* partition = image->partition(PartitionIndex{answer.index});
    if (partition == nullptr) return;
    answer.current_leader.leader_id = partition->leader.value;
    answer.current_leader.leader_epoch = partition->leader_epoch.value;
    add_endpoint(*produce.image, partition->leader, produce.listener,
                 produce.response.node_endpoints);
}

void PendingProduces::set_error(wire::ProduceResponse::PartitionProduceResponse& answer, Errc code,
                                std::string message, int version) {
    // Clients that do not know the code must look for another leader (Produce 3).
    if (code == Errc::kafka_storage_error && version < 4) code = Errc::not_leader_or_follower;
    answer.error_code = wire_code(code);
    if (!message.empty()) answer.error_message = std::move(message);
}

void PendingProduces::on_deadline(std::uint64_t number) {
    const auto found = produces_.find(number);
    if (found == produces_.end()) return;
    time_out(*found->second);
}

void PendingProduces::time_out(Produce& produce) {
    for (const auto& place : produce.places) {
        if (place.decided) continue;
        set_error(produce.answer_at(place), Errc::request_timed_out,
                  place.written ? "written, but not known to be safe in time" : "",
                  produce.version);
    }
    answer(produce);
}

void PendingProduces::answer(Produce& produce) {
    auto reply = std::move(produce.reply);
    auto response = std::move(produce.response);
    forget(produce);
    std::move(reply).send(std::move(response));
}

// Takes back what still waits with the owners.
void PendingProduces::forget(Produce& produce) {
    const RequestKey key{this, produce.number};
    if (produce.undecided > 0) {
        for (const std::size_t owner : produce.owners) {
            PartitionSet& set = router_.at(owner);
            run_on(set.loop(), [&set, key] { set.cancel(key); });
        }
    }
    produces_.erase(produce.number);
}

void PendingProduces::stop() {
    loop_.assert_here();
    std::vector<std::uint64_t> numbers;
    for (const auto& [number, produce] : produces_)
        numbers.push_back(number);
    std::sort(numbers.begin(), numbers.end());
    for (const std::uint64_t number : numbers) {
        const auto found = produces_.find(number);
        if (found != produces_.end()) time_out(*found->second);
    }
}

}  // namespace kq
