// SPDX-License-Identifier: Apache-2.0
#include "broker/pending_fetches.hpp"

#include <algorithm>
#include <limits>
#include <set>
#include <string_view>
#include <utility>

#include "base/mutant.hpp"
#include "broker/leader_hint.hpp"
#include "broker/pool_job.hpp"
#include "broker/repeated_partitions.hpp"
#include "metadata/metadata_state.hpp"
#include "protocol/record_batch.hpp"

namespace kq {

// One partition of a fetch.
struct PendingFetches::Slot {
    FetchTopicKey topic;
    wire::FetchRequest::FetchPartition asked;
    FetchedPartition* remembered = nullptr;  // in the session, if there is one
    std::list<FetchedPartition>::iterator in_session;

    Errc refused = Errc::none;  // found out here, without its owner
    TopicIdPartition id;
    std::size_t owner = 0;
    BrokerId follower = no_broker;

    bool stale = true;  // to be located (again)
    bool watched = false;
    Located located;
    SharedBytes cold;  // the records, where they were read from the disk into memory
};

struct PendingFetches::Fetch {
    Fetch(Loop& loop, Reply<wire::FetchResponse> reply_in)
        : reply(std::move(reply_in)), timer(loop) {}

    std::uint64_t number = 0;
    int version = 0;
    MetadataImage image;
    std::string listener;
    Reply<wire::FetchResponse> reply;
    std::shared_ptr<FetchSession> session;  // null without one
    bool incremental = false;

    std::uint64_t min_bytes = 0;
    std::uint32_t max_bytes = 0;
    Errc refused = Errc::none;  // the request itself is wrong, which each partition is told
    Visibility visibility = Visibility::high_watermark;
    bool overdue = false;  // max_wait_ms has passed

    std::vector<Slot> slots;      // in the order in which they are served
    std::size_t outstanding = 0;  // messages and reads under way
    bool evaluation_due = false;
    bool answering = false;  // cold records are being read
    Timer timer;
};

PendingFetches::PendingFetches(Loop& loop, std::size_t index, const PartitionRouter& router,
                               IoPool& pool, FetchLimits limits)
    : loop_(loop),
      index_(index),
      router_(router),
      pool_(pool),
      limits_(limits),
      sessions_(std::make_shared<FetchSessionSlots>(limits.sessions, limits.session_partitions)),
      cold_memory_(std::make_shared<MemoryBudget>(limits.cold_bytes_max)) {}

PendingFetches::~PendingFetches() = default;

PendingFetches::Fetch* PendingFetches::find(std::uint64_t number) {
    const auto found = fetches_.find(number);
    return found == fetches_.end() ? nullptr : found->second.get();
}

// --- The request

namespace {

// Kafka fails over an isolation level that it does not know, and says only that.
wire::FetchResponse all_failed(const wire::FetchRequest& request, int version) {
    wire::FetchResponse response;
    response.error_code = wire_code(Errc::unknown_server_error);
    response.session_id = request.session_id;
    if (version >= 13) return response;
    for (const auto& topic : request.topics) {
        auto& answers = response.responses.emplace_back();
        answers.topic = topic.topic;
        for (const auto& asked : topic.partitions) {
            auto& data = answers.partitions.emplace_back();
            data.partition_index = asked.partition;
            data.error_code = response.error_code;
            data.high_watermark = -1;
            data.records = wire::Records(Chain());
        }
    }
    return response;
}

// What a fetch as a replica hears that none of the leader's followers could send. With a matching
// epoch it may be right and we behind, so it is to try again (Kafka's followerReplicaOrThrow).
Errc code_for_stranger(const PartitionRegistration& partition, std::int32_t leader_epoch) {
    if (leader_epoch < 0) return Errc::not_leader_or_follower;
    return Epoch{leader_epoch} < partition.leader_epoch ? Errc::fenced_leader_epoch
                                                        : Errc::unknown_leader_epoch;
}

// Every negative epoch means that none was given.
Epoch epoch_if_given(std::int32_t epoch) {
    return epoch < 0 ? no_epoch : Epoch{epoch};
}

}  // namespace

void PendingFetches::start(RequestContext& context, wire::FetchRequest request,
                           Reply<wire::FetchResponse> reply) {
    loop_.assert_here();
    auto made = std::make_unique<Fetch>(loop_, std::move(reply));
    Fetch& fetch = *made;
    fetch.number = ++last_number_;
    fetch.version = context.api_version;
    fetch.image = context.image;
    fetch.listener = context.listener;
    fetch.min_bytes = static_cast<std::uint64_t>(std::max(request.min_bytes, 0));
    if (request.max_bytes < 0) fetch.refused = Errc::invalid_request;
    fetch.max_bytes =
        std::min(static_cast<std::uint32_t>(std::max(request.max_bytes, 0)), limits_.max_bytes);
    const std::int32_t replica =
        fetch.version >= 15 ? request.replica_state.replica_id : request.replica_id;
    fetch.visibility = replica >= 0                   ? Visibility::log_end
                       : request.isolation_level == 1 ? Visibility::last_stable
                                                      : Visibility::high_watermark;
    fetch.overdue = request.max_wait_ms <= 0;

    if (request.isolation_level != 0 && request.isolation_level != 1) {
        std::move(fetch.reply).send(all_failed(request, fetch.version));
        return;
    }
    if (const Errc code = open_session(context, request, fetch); code != Errc::none) {
        wire::FetchResponse response;
        response.error_code = wire_code(code);
        std::move(fetch.reply).send(std::move(response));
        return;
    }
    fetches_.emplace(fetch.number, std::move(made));
    resolve_all(fetch, BrokerId{replica});
    fetch.reply.when_gone([this, number = fetch.number] {
        loop_.assert_here();
        if (Fetch* gone = find(number)) forget(*gone);
    });
    if (!fetch.overdue) {
        fetch.timer.set_after(Millis{request.max_wait_ms}, [this, number = fetch.number] {
            loop_.assert_here();
            on_deadline(number);
        });
    }
    locate(fetch);
}

// KIP-227: what the request means together with what was asked before on this connection.
Errc PendingFetches::open_session(RequestContext& context, const wire::FetchRequest& request,
                                  Fetch& fetch) {
    auto& session = context.connection.fetch_session;
    switch (fetch_session_use(request, fetch.version, session.get())) {
        case FetchSessionUse::unknown:
            return Errc::fetch_session_id_not_found;
        case FetchSessionUse::wrong_epoch:
            return Errc::invalid_fetch_session_epoch;
        case FetchSessionUse::wrong_naming:
            return Errc::fetch_session_topic_id_error;
        case FetchSessionUse::incremental:
            if (!session->update(request)) {
                session.reset();  // the client begins anew, with a full fetch
                return Errc::fetch_session_id_not_found;
            }
            session->advance_epoch();
            fetch.incremental = !session->empty();
            break;
        case FetchSessionUse::create:
            session.reset();
            if (!sessions_->has_room()) break;
            session =
                std::make_shared<FetchSession>(next_session_id(), fetch.version >= 13, sessions_);
            if (!session->update(request)) session.reset();
            break;
        case FetchSessionUse::none:
            if (session != nullptr && request.session_id == session->id()) session.reset();
            take_slots(request, fetch);
            return Errc::none;
    }
    if (session == nullptr) {  // no room for one: as if none had been asked for
        take_slots(request, fetch);
        return Errc::none;
    }
    if (session->empty() && request.session_epoch > 0) {
        session.reset();  // nothing is left to remember
        return Errc::none;
    }
    fetch.session = session;
    auto& partitions = session->partitions();
    for (auto place = partitions.begin(); place != partitions.end(); ++place) {
        Slot& slot = fetch.slots.emplace_back();
        slot.topic = place->topic;
        slot.asked = place->asked;
        slot.remembered = &*place;
        slot.in_session = place;
    }
    return Errc::none;
}

// A full fetch. Who names a partition twice is answered once: at the first place, by what was asked
// last, as Kafka does.
void PendingFetches::take_slots(const wire::FetchRequest& request, Fetch& fetch) {
    std::vector<NamedPartition> named;
    std::vector<const wire::FetchRequest::FetchPartition*> asked;
    for (const auto& topic : request.topics) {
        for (const auto& partition : topic.partitions) {
            named.push_back({topic.topic, topic.topic_id, partition.partition});
            asked.push_back(&partition);
        }
    }
    const auto last = last_places(named);
    fetch.slots.reserve(named.size());
    for (std::size_t i = 0; i < named.size(); ++i) {
        if (last[i] == named_before) continue;
        Slot& slot = fetch.slots.emplace_back();
        slot.topic = {std::string(named[i].topic), named[i].topic_id};
        slot.asked = *asked[last[i]];
    }
}

// Positive, and no other loop's.
std::int32_t PendingFetches::next_session_id() {
    constexpr std::uint64_t ids = std::numeric_limits<std::int32_t>::max();
    const std::uint64_t drawn = ++last_session_ * router_.size() + index_;
    return static_cast<std::int32_t>(drawn % ids) + 1;
}

void PendingFetches::resolve_all(Fetch& fetch, BrokerId replica) {
    for (Slot& slot : fetch.slots) {
        const bool by_id = fetch.version >= 13;
        const TopicImage* topic = by_id ? fetch.image->topic(slot.topic.id)
                                        : fetch.image->topic(std::string_view(slot.topic.name));
        const PartitionRegistration* partition =
            topic == nullptr || slot.asked.partition < 0
                ? nullptr
                : topic->partition(PartitionIndex{slot.asked.partition});
        if (fetch.refused != Errc::none) {
            slot.refused = fetch.refused;
        } else if (topic == nullptr) {
            slot.refused = by_id ? Errc::unknown_topic_id : Errc::unknown_topic_or_partition;
        } else if (partition == nullptr) {
            slot.refused = Errc::unknown_topic_or_partition;
        } else if (replica >= BrokerId{0} &&
                   (!partition->is_replica(replica) || replica == partition->leader)) {
            // The leader fetches from nobody: who bears its id would read past the high watermark.
            slot.refused = code_for_stranger(*partition, slot.asked.current_leader_epoch);
            slot.id = {topic->id(), PartitionIndex{slot.asked.partition}};
        } else if (slot.asked.fetch_offset < 0) {
            slot.refused = Errc::offset_out_of_range;
        } else if (slot.asked.partition_max_bytes < 0) {
            slot.refused = Errc::invalid_request;
        } else {
            slot.id = {topic->id(), PartitionIndex{slot.asked.partition}};
            slot.owner = router_.owner_index(slot.id);
            if (replica >= BrokerId{0}) slot.follower = replica;
            continue;
        }
        slot.located.code = slot.refused;
        slot.stale = false;
    }
}

// --- Locate and wait

FetchPosition PendingFetches::position_of(const Fetch& fetch, const Slot& slot) {
    FetchPosition position;
    position.offset = Offset{slot.asked.fetch_offset};
    position.current_leader_epoch = epoch_if_given(slot.asked.current_leader_epoch);
    position.last_fetched_epoch = epoch_if_given(slot.asked.last_fetched_epoch);
    position.visibility = fetch.visibility;
    position.max_bytes = static_cast<std::uint32_t>(slot.asked.partition_max_bytes);
    return position;
}

// Locates what is stale, with one message for each owner.
void PendingFetches::locate(Fetch& fetch) {
    std::vector<LocateMessage> messages(router_.size());
    std::uint64_t bytes = 0;  // that the others have already
    for (std::uint32_t i = 0; i < fetch.slots.size(); ++i) {
        Slot& slot = fetch.slots[i];
        if (!slot.stale) {
            bytes += slot.located.records.length;
            continue;
        }
        messages[slot.owner].items.push_back({i, slot.id, position_of(fetch, slot), slot.follower});
    }
    const std::uint64_t number = fetch.number;
    ++fetch.outstanding;  // until all messages are on their way
    for (std::size_t owner = 0; owner < messages.size(); ++owner) {
        LocateMessage& message = messages[owner];
        if (message.items.empty()) continue;
        message.max_bytes = static_cast<std::uint32_t>(
            fetch.max_bytes - std::min<std::uint64_t>(bytes, fetch.max_bytes));
        message.at_least_one = bytes == 0;
        ++fetch.outstanding;
        PartitionSet& set = router_.at(owner);
        if (set.loop().is_here()) {
            message.on_answers = [this, number](std::vector<LocateAnswer> answers) {
                loop_.assert_here();
                on_located(number, std::move(answers));
            };
            set.locate(std::move(message));
            continue;
        }
        message.on_answers = [this, number](std::vector<LocateAnswer> answers) {
            loop_.post([this, number, answers = std::move(answers)]() mutable {
                loop_.assert_here();
                on_located(number, std::move(answers));
            });
        };
        set.loop().post(
            [&set, message = std::move(message)]() mutable { set.locate(std::move(message)); });
    }
    if (--fetch.outstanding == 0) evaluate(fetch);
}

void PendingFetches::on_located(std::uint64_t number, std::vector<LocateAnswer> answers) {
    Fetch* fetch = find(number);
    if (fetch == nullptr) return;
    for (LocateAnswer& answer : answers) {
        fetch->slots[answer.index].located = std::move(answer.located);
        fetch->slots[answer.index].stale = false;
    }
    if (--fetch->outstanding == 0) proceed(*fetch);
}

// Requires: nothing is outstanding.
void PendingFetches::proceed(Fetch& fetch) {
    const bool any_stale = std::any_of(fetch.slots.begin(), fetch.slots.end(),
                                       [](const Slot& slot) { return slot.stale; });
    if (any_stale && !fetch.answering) {
        locate(fetch);
    } else {
        evaluate(fetch);
    }
}

// Requires: nothing is outstanding.
void PendingFetches::evaluate(Fetch& fetch) {
    if (fetch.answering) return;
    if (is_enough(fetch)) {
        apply_max_bytes(fetch);
        read_cold(fetch);
        return;
    }
    watch_all(fetch);
}

bool PendingFetches::is_enough(const Fetch& fetch) const {
    if (fetch.overdue || fetch.slots.empty()) return true;
    std::uint64_t bytes = 0;
    for (const Slot& slot : fetch.slots) {
        if (slot.located.code != Errc::none || slot.located.diverging.has_value()) return true;
        bytes += slot.located.records.length;
    }
    return bytes >= fetch.min_bytes;
}

void PendingFetches::watch_all(Fetch& fetch) {
    const WatchKind kind = fetch.visibility == Visibility::last_stable ? WatchKind::last_stable
                           : fetch.visibility == Visibility::log_end   ? WatchKind::log_end
                                                                       : WatchKind::high_watermark;
    const RequestKey key{this, fetch.number};
    for (std::uint32_t i = 0; i < fetch.slots.size(); ++i) {
        Slot& slot = fetch.slots[i];
        if (slot.watched) continue;
        slot.watched = true;
        PartitionSet& set = router_.at(slot.owner);
        const Offset threshold = slot.located.visible_end + 1;
        const std::uint64_t number = fetch.number;
        if (set.loop().is_here()) {
            set.watch(key, slot.id, kind, threshold, [this, number, i](const Status&) {
                loop_.assert_here();
                on_fired(number, i);
            });
            continue;
        }
        set.loop().post([this, &set, key, id = slot.id, kind, threshold, number, i] {
            set.watch(key, id, kind, threshold, [this, number, i](const Status&) {
                loop_.post([this, number, i] {
                    loop_.assert_here();
                    on_fired(number, i);
                });
            });
        });
    }
}

// Whatever the watch had to say, the partition's next answer says it better.
void PendingFetches::on_fired(std::uint64_t number, std::uint32_t slot) {
    Fetch* fetch = find(number);
    if (fetch == nullptr) return;
    fetch->slots[slot].watched = false;
    fetch->slots[slot].stale = true;
    if (std::exchange(fetch->evaluation_due, true)) return;
    // Several partitions may have grown in this turn: they are located, and answered, together.
    loop_.at_turn_end([this, number] {
        loop_.assert_here();
        Fetch* due = find(number);
        if (due == nullptr) return;
        due->evaluation_due = false;
        if (due->outstanding == 0) proceed(*due);
    });
}

void PendingFetches::on_deadline(std::uint64_t number) {
    Fetch* fetch = find(number);
    if (fetch == nullptr) return;
    fetch->overdue = true;
    if (fetch->outstanding == 0) proceed(*fetch);
}

// --- The answer

// Owners on several loops each had the whole limit, and each gave a whole batch to its first
// partition. Only the first of all keeps its records whatever their size (KIP-74).
void PendingFetches::apply_max_bytes(Fetch& fetch) {
    std::uint64_t bytes = 0;
    for (Slot& slot : fetch.slots) {
        FileSlice& records = slot.located.records;
        if (records.length == 0) continue;
        const auto partition_max = static_cast<std::uint64_t>(slot.asked.partition_max_bytes);
        if (bytes > 0 &&
            (bytes + records.length > fetch.max_bytes || records.length > partition_max)) {
            records = {};
            continue;
        }
        bytes += records.length;
    }
}

bool PendingFetches::is_cold(const FileSlice& slice) const {
    if (slice.length == 0) return false;
    const std::uint64_t end = slice.position + slice.length;
    if (slice.file->size() <= end + limits_.warm_tail_bytes) return false;
    std::uint8_t byte = 0;
    const MutableBytes into(&byte, 1);
    // The pages of batch headers are warm, because the batches were just located.
    const std::uint64_t last = slice.length - 1;
    for (const std::uint64_t at : {std::uint64_t{0}, last / 3, last / 2, last}) {
        const auto probed = slice.file->pread_nowait(slice.position + at, into);
        if (!probed.ok() && probed.code() == Errc::would_block) return true;
    }
    return false;
}

namespace {

// Records in memory of their own, and their share of the budget until they were sent.
struct ColdRecords {
    Bytes bytes;
    MemoryLease lease;
    std::shared_ptr<MemoryBudget> budget;  // outlives the lease, whatever ends first
    ~ColdRecords() { lease.release(); }
};

// Brings whole batches from the front of `slice` into the page cache: as many as fit in
// `bytes_max`, at least the first. How many bytes that are; batches that make no sense are not
// taken apart.
Result<std::uint64_t> warm_batches(const FileSlice& slice, std::uint64_t bytes_max) {
    constexpr std::uint64_t before_length = BatchAt::length + sizeof(std::int32_t);
    const std::uint64_t end = slice.position + slice.length;
    std::uint64_t limit = std::min(end, slice.position + bytes_max);
    std::uint64_t batch = slice.position;  // where the next one begins
    Bytes scratch(std::size_t{64} << 10);
    for (std::uint64_t at = slice.position; at < limit;) {
        const auto wanted =
            static_cast<std::size_t>(std::min<std::uint64_t>(scratch.size(), end - at));
        const MutableBytes into = MutableBytes(scratch).first(wanted);
        KQ_LET(const std::size_t got, slice.file->pread(at, into));
        if (got < wanted) return Error(Errc::io_error, "a log is shorter than it was");
        const std::uint64_t read_end = at + wanted;
        while (batch + before_length <= read_end) {
            const auto length =
                load_be<std::uint32_t>(scratch.data() + (batch - at) + BatchAt::length);
            const std::uint64_t next = batch + before_length + length;
            if (next > end)
                return std::min(slice.length,
                                std::max(limit - slice.position, batch - slice.position));
            if (batch == slice.position) limit = std::max(limit, next);
            if (next > limit) return batch - slice.position;
            batch = next;
        }
        at = batch < read_end && batch > at ? batch : read_end;
    }
    return batch - slice.position;
}

}  // namespace

// What is not in the page cache is read on the pool before the answer is given: sendfile would wait
// for the disk on the loop. A partition gives no more than cold_read_bytes of it to an answer,
// which is kept in memory of its own until it was sent, within the loop's budget. Without a share
// of that it is sent from the page cache after all, where the pool has just put it.
void PendingFetches::read_cold(Fetch& fetch) {
    struct Read {
        std::uint64_t length = 0;
        SharedBytes bytes;  // none: from the file
    };
    fetch.answering = true;
    const std::uint64_t number = fetch.number;
    ++fetch.outstanding;
    for (std::uint32_t i = 0; i < fetch.slots.size(); ++i) {
        Slot& slot = fetch.slots[i];
        if (!is_cold(slot.located.records)) continue;
        ++fetch.outstanding;
        const std::uint64_t share =
            std::min<std::uint64_t>(slot.located.records.length, limits_.cold_read_bytes);
        auto records = std::make_shared<ColdRecords>();
        records->budget = cold_memory_;
        if (cold_memory_->try_take(share)) records->lease = MemoryLease(*cold_memory_, share);
        run_on_pool(
            pool_, loop_,
            [slice = slot.located.records, share, records = std::move(records)]() -> Result<Read> {
                Read read;
                KQ_LET(read.length, warm_batches(slice, share));
                if (!records->lease.held() || read.length > share) return read;
                records->bytes.resize(static_cast<std::size_t>(read.length));
                KQ_LET(const std::size_t got, slice.file->pread(slice.position, records->bytes));
                if (got < records->bytes.size())
                    return Error(Errc::io_error, "a log is shorter than it was");
                read.bytes = SharedBytes(records, ByteView(records->bytes));
                return read;
            },
            [this, number, i](Result<Read> read) {
                loop_.assert_here();
                Fetch* still = find(number);
                if (still == nullptr) return;
                Slot& slot_read = still->slots[i];
                if (read.ok()) {
                    slot_read.located.records.length = read.value().length;
                    slot_read.cold = std::move(read.value().bytes);
                } else {
                    slot_read.located = {};
                    slot_read.located.code = Errc::kafka_storage_error;
                }
                if (--still->outstanding == 0) answer(*still);
            });
    }
    if (--fetch.outstanding == 0) answer(fetch);
}

wire::FetchResponse::PartitionData PendingFetches::answer_of(Fetch& fetch, Slot& slot,
                                                             wire::FetchResponse& response) {
    using PartitionData = wire::FetchResponse::PartitionData;
    PartitionData data;
    Located& located = slot.located;
    data.partition_index = slot.asked.partition;
    data.error_code = wire_code(located.code);
    data.high_watermark = located.high_watermark.value;
    data.last_stable_offset = located.last_stable.value;
    data.log_start_offset = located.log_start.value;
    // Kafka's list is null but where it did not get as far as a partition.
    if (located.code != Errc::unknown_topic_or_partition &&
        located.code != Errc::unknown_topic_id) {
        data.aborted_transactions.reset();
    }
    data.records = wire::Records(Chain());
    if (located.code == Errc::not_leader_or_follower || located.code == Errc::fenced_leader_epoch) {
        add_leader(fetch, slot, data, response);
    }
    if (located.code != Errc::none) return data;
    if (located.diverging.has_value()) {
        data.diverging_epoch.epoch = located.diverging->epoch.value;
        data.diverging_epoch.end_offset = located.diverging->end.value;
    }
    if (fetch.visibility == Visibility::last_stable) {
        auto& aborted = data.aborted_transactions.emplace();
        for (const AbortedTransaction& transaction : located.aborted) {
            aborted.push_back({transaction.producer.value, transaction.first.value});
        }
    }
    Chain records;
    if (!slot.cold.empty()) {
        records.add(std::move(slot.cold));
    } else {
        records.add(std::move(located.records));
    }
    data.records = wire::Records(std::move(records));
    return data;
}

// KIP-951: who leads now. The field is there from version 12 on, and Kafka leaves it empty
// before 16.
void PendingFetches::add_leader(const Fetch& fetch, const Slot& slot,
                                wire::FetchResponse::PartitionData& data,
                                wire::FetchResponse& response) {
    if (fetch.version < 16) return;
    const auto* partition = fetch.image->partition(slot.id);
    if (partition == nullptr) return;
    data.current_leader.leader_id = partition->leader.value;
    data.current_leader.leader_epoch = partition->leader_epoch.value;
    add_endpoint(*fetch.image, partition->leader, fetch.listener, response.node_endpoints);
}

void PendingFetches::answer(Fetch& fetch) {
    wire::FetchResponse response;
    if (fetch.session != nullptr) response.session_id = fetch.session->id();
    for (Slot& slot : fetch.slots) {
        auto data = answer_of(fetch, slot, response);
        if (slot.remembered != nullptr) {
            const bool is_new = FetchSession::note_answer(*slot.remembered, data);
            if (!data.records.empty()) fetch.session->move_to_end(slot.in_session);
            if (fetch.incremental && !is_new) continue;
        }
        auto& topics = response.responses;
        if (topics.empty() || topics.back().topic != slot.topic.name ||
            topics.back().topic_id != slot.topic.id) {
            topics.emplace_back();
            topics.back().topic = slot.topic.name;
            topics.back().topic_id = slot.topic.id;
        }
        topics.back().partitions.push_back(std::move(data));
    }
    auto reply = std::move(fetch.reply);
    forget(fetch);
    std::move(reply).send(std::move(response));
}

void PendingFetches::forget(Fetch& fetch) {
    if (!mutant(Mutant::leak_watch)) {
        const RequestKey key{this, fetch.number};
        std::set<std::size_t> owners;
        for (const Slot& slot : fetch.slots) {
            if (slot.watched) owners.insert(slot.owner);
        }
        for (const std::size_t owner : owners) {
            PartitionSet& set = router_.at(owner);
            run_on(set.loop(), [&set, key] { set.cancel(key); });
        }
    }
    fetches_.erase(fetch.number);
}

void PendingFetches::stop() {
    loop_.assert_here();
    std::vector<std::uint64_t> numbers;
    for (const auto& [number, fetch] : fetches_)
        numbers.push_back(number);
    std::sort(numbers.begin(), numbers.end());
    for (const std::uint64_t number : numbers)
        on_deadline(number);
}

}  // namespace kq
