// SPDX-License-Identifier: Apache-2.0
#include "storage/producer_table.hpp"

#include <algorithm>
#include <string>

#include "base/mutant.hpp"

namespace kq {

namespace {

constexpr std::int32_t sequence_max = 0x7fffffff;

std::string of(ProducerId producer) {
    return "producer " + std::to_string(producer.value) + ": ";
}

const ProducerBatch* find_repeated(const ProducerEntry& entry, const ProducerAppend& batch) {
    if (batch.base_sequence.value < 0 || entry.epoch != batch.epoch) return nullptr;
    for (const auto& known : entry.batches()) {
        if (known.first_sequence() == batch.base_sequence &&
            known.last_sequence == batch.last_sequence()) {
            return &known;
        }
    }
    return nullptr;
}

bool follows(Sequence last, Sequence next) {
    return last.value == sequence_max ? next.value == 0 : next.value == last.value + 1;
}

Error out_of_order(const ProducerAppend& batch, const std::string& expected) {
    return Error{Errc::out_of_order_sequence_number,
                 of(batch.producer) + "sequence " + std::to_string(batch.base_sequence.value) +
                     " of epoch " + std::to_string(batch.epoch.value) + ", but " + expected};
}

// Sequences of a batch in the epoch the producer is known by, or in a newer one.
Status check_sequence(const ProducerEntry& entry, const ProducerAppend& batch) {
    if (batch.base_sequence.value < 0) return done();
    if (batch.epoch != entry.epoch) {
        if (batch.base_sequence.value == 0 || entry.epoch.value < 0) return done();
        return out_of_order(batch, "a new epoch begins with 0");
    }
    // Without batches (a marker made the epoch known) the first sequence is 0: it follows -1.
    auto last = entry.last_sequence();
    if (follows(last, batch.base_sequence)) return done();
    if (mutant(Mutant::accept_sequence_gap)) return done();
    return out_of_order(batch, "the last one was " + std::to_string(last.value));
}

}  // namespace

void ProducerEntry::add(const ProducerBatch& batch) {
    if (count_ == batches_max) {
        std::move(batches_.begin() + 1, batches_.end(), batches_.begin());
        --count_;
    }
    batches_[count_++] = batch;
}

Result<std::optional<ProducerBatch>> ProducerTable::check(
    const ProducerAppend& batch, bool first_of_new_producer_is_zero) const {
    const auto* entry = find(batch.producer);
    if (entry == nullptr) {
        if (entries_.size() >= producers_max_) {
            return Error{Errc::policy_violation, "the partition remembers " +
                                                     std::to_string(entries_.size()) +
                                                     " producer ids, as many as "
                                                     "kq.producer.ids.max allows"};
        }
        if (share_.is_full()) {
            return Error{Errc::policy_violation,
                         "the partitions of this broker remember as many producer ids as "
                         "kq.producer.ids.total.max allows"};
        }
        if (first_of_new_producer_is_zero && batch.base_sequence.value > 0) {
            return out_of_order(batch, "nothing of it is known");
        }
        return std::optional<ProducerBatch>{};
    }
    if (const auto* repeated = find_repeated(*entry, batch)) {
        if (mutant(Mutant::forget_duplicates)) return std::optional<ProducerBatch>{};
        return std::optional<ProducerBatch>{*repeated};
    }
    if (batch.epoch < entry->epoch) {
        return Error{Errc::invalid_producer_epoch,
                     of(batch.producer) + "epoch " + std::to_string(batch.epoch.value) +
                         ", but it has come to " + std::to_string(entry->epoch.value)};
    }
    KQ_TRY(check_sequence(*entry, batch));
    if (entry->transaction_start != no_offset && !batch.transactional) {
        return Error{Errc::invalid_txn_state,
                     of(batch.producer) + "a batch outside its open transaction"};
    }
    return std::optional<ProducerBatch>{};
}

Status ProducerTable::check(const EndTransaction& marker) const {
    const auto* entry = find(marker.producer);
    if (entry == nullptr) return done();
    if (marker.epoch < entry->epoch) {
        return Error{Errc::invalid_producer_epoch, of(marker.producer) + "a marker of epoch " +
                                                       std::to_string(marker.epoch.value) +
                                                       ", but it has come to " +
                                                       std::to_string(entry->epoch.value)};
    }
    if (marker.coordinator_epoch < entry->coordinator_epoch) {
        return Error{Errc::transaction_coordinator_fenced,
                     of(marker.producer) + "a marker of coordinator epoch " +
                         std::to_string(marker.coordinator_epoch) + ", but it has come to " +
                         std::to_string(entry->coordinator_epoch)};
    }
    return done();
}

// The producer's entry, in that epoch: another one empties the five batches.
ProducerEntry& ProducerTable::entry_for(ProducerId producer, ProducerEpoch epoch, MonoTime now) {
    auto& entry = entries_[producer];
    if (entry.epoch != epoch) {
        entry.clear_batches();
        entry.epoch = epoch;
    }
    entry.last_seen = now;
    share_.take(entries_.size());
    return entry;
}

void ProducerTable::apply(const ProducerAppend& batch, MonoTime now) {
    auto& entry = entry_for(batch.producer, batch.epoch, now);
    entry.add({batch.last_sequence(), batch.last_offset, batch.offset_delta, batch.timestamp});
    entry.last_timestamp = batch.timestamp;
    if (batch.transactional && entry.transaction_start == no_offset) {
        entry.transaction_start = batch.first_offset;
        open_.emplace(batch.first_offset, batch.producer);
    }
}

std::optional<CompletedTransaction> ProducerTable::apply(const EndTransaction& marker,
                                                         MonoTime now) {
    auto& entry = entry_for(marker.producer, marker.epoch, now);
    entry.coordinator_epoch = marker.coordinator_epoch;
    entry.last_timestamp = marker.timestamp;
    // A marker without data changes nothing for readers, and is not in the transaction index.
    if (entry.transaction_start == no_offset) return std::nullopt;

    CompletedTransaction completed{marker.producer, entry.transaction_start, marker.marker,
                                   !marker.commit};
    open_.erase(entry.transaction_start);
    unreplicated_.emplace(completed.first, completed);
    entry.transaction_start = no_offset;
    return completed;
}

// Readers of committed data wait for the marker to be committed as well, or a leader change could
// take back what they have seen decided.
std::optional<Offset> ProducerTable::first_unstable(Offset high_watermark) const {
    std::optional<Offset> first;
    if (!open_.empty()) first = open_.begin()->first;
    for (const auto& [start, transaction] : unreplicated_) {
        if (transaction.last < high_watermark) continue;
        if (!first || start < *first) first = start;
        break;
    }
    return first;
}

Offset ProducerTable::last_stable_after(const CompletedTransaction& done) const {
    for (const auto& [start, producer] : open_) {
        if (producer != done.producer) return start;
    }
    return done.last + 1;
}

void ProducerTable::advance_high_watermark(Offset high_watermark) {
    std::erase_if(unreplicated_,
                  [&](const auto& item) { return item.second.last < high_watermark; });
}

std::size_t ProducerTable::expire(MonoTime now, Millis silence) {
    const auto expired = std::erase_if(entries_, [&](const auto& item) {
        return item.second.transaction_start == no_offset && now - item.second.last_seen >= silence;
    });
    share_.take(entries_.size());
    return expired;
}

const ProducerEntry* ProducerTable::find(ProducerId producer) const {
    auto found = entries_.find(producer);
    return found == entries_.end() ? nullptr : &found->second;
}

std::vector<ProducerId> ProducerTable::producers() const {
    std::vector<ProducerId> ids;
    ids.reserve(entries_.size());
    for (const auto& [id, entry] : entries_)
        ids.push_back(id);
    std::sort(ids.begin(), ids.end());
    return ids;
}

void ProducerTable::clear() {
    entries_.clear();
    share_.take(0);
    open_.clear();
    unreplicated_.clear();
}

void ProducerTable::restore(ProducerId producer, const std::optional<ProducerEntry>& entry) {
    if (const auto* now = find(producer); now != nullptr && now->transaction_start != no_offset) {
        open_.erase(now->transaction_start);
    }
    if (!entry) {
        entries_.erase(producer);
        share_.take(entries_.size());
        return;
    }
    entries_[producer] = *entry;
    share_.take(entries_.size());
    if (entry->transaction_start != no_offset) {
        open_.emplace(entry->transaction_start, producer);
        unreplicated_.erase(entry->transaction_start);
    }
}

}  // namespace kq
