// SPDX-License-Identifier: Apache-2.0
#include "broker/fetch_session.hpp"

#include <limits>
#include <utility>

namespace kq {
namespace {

constexpr std::size_t topic_name_bytes_max = 249;  // of any topic

}  // namespace

FetchSession::FetchSession(std::int32_t id, bool by_topic_id,
                           std::shared_ptr<FetchSessionSlots> slots)
    : id_(id), by_topic_id_(by_topic_id), slots_(std::move(slots)) {
    KQ_CHECK(slots_->has_room());
    ++slots_->used_;
}

FetchSession::~FetchSession() {
    --slots_->used_;
    slots_->partitions_ -= partitions_.size();
}

void FetchSession::advance_epoch() {
    next_epoch_ = next_epoch_ == std::numeric_limits<std::int32_t>::max() ? 1 : next_epoch_ + 1;
}

std::size_t FetchSession::KeyHash::operator()(const Key& key) const noexcept {
    return std::hash<std::string>{}(key.topic.name) ^ std::hash<Uuid>{}(key.topic.id) ^
           (static_cast<std::size_t>(key.partition) * 0x9E3779B97F4A7C15ull);
}

bool FetchSession::update(const wire::FetchRequest& request) {
    for (const auto& topic : request.topics) {
        for (const auto& asked : topic.partitions) {
            const Key key{{topic.topic, topic.topic_id}, asked.partition};
            const auto known = places_.find(key);
            if (known != places_.end()) {
                known->second->asked = asked;
                continue;
            }
            if (slots_->partitions_ >= slots_->partitions_max_) return false;
            if (key.topic.name.size() > topic_name_bytes_max) return false;
            partitions_.push_back({key.topic, asked});
            places_.emplace(key, std::prev(partitions_.end()));
            ++slots_->partitions_;
        }
    }
    for (const auto& topic : request.forgotten_topics_data) {
        for (const std::int32_t partition : topic.partitions) {
            const auto known = places_.find(Key{{topic.topic, topic.topic_id}, partition});
            if (known == places_.end()) continue;
            partitions_.erase(known->second);
            places_.erase(known);
            --slots_->partitions_;
        }
    }
    return true;
}

bool FetchSession::note_answer(FetchedPartition& partition,
                               const wire::FetchResponse::PartitionData& answer) {
    bool is_new = !answer.records.empty() || answer.preferred_read_replica != -1 ||
                  answer.diverging_epoch.epoch != -1;
    if (std::exchange(partition.high_watermark, answer.high_watermark) != answer.high_watermark) {
        is_new = true;
    }
    if (std::exchange(partition.log_start, answer.log_start_offset) != answer.log_start_offset) {
        is_new = true;
    }
    if (answer.error_code != 0) {
        partition.high_watermark = -1;  // the end of the error is news too
        is_new = true;
    }
    return is_new;
}

void FetchSession::move_to_end(std::list<FetchedPartition>::iterator partition) {
    partitions_.splice(partitions_.end(), partitions_, partition);
}

FetchSessionUse fetch_session_use(const wire::FetchRequest& request, int version,
                                  const FetchSession* session) {
    if (request.session_epoch == -1) return FetchSessionUse::none;
    if (request.session_epoch == 0) return FetchSessionUse::create;
    if (session == nullptr || request.session_id != session->id()) return FetchSessionUse::unknown;
    if (request.session_epoch != session->next_epoch()) return FetchSessionUse::wrong_epoch;
    if (session->by_topic_id() != (version >= 13)) return FetchSessionUse::wrong_naming;
    return FetchSessionUse::incremental;
}

}  // namespace kq
