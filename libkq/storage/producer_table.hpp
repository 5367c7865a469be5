// SPDX-License-Identifier: Apache-2.0
//
// ProducerTable: what one partition remembers of the producers that write to it: the last five
// batches of each, so that a repeated one is known and a gap is refused, and open transactions.
//
// shape    per producer id: epoch, up to five batches in order, the coordinator epoch of the last
//          marker, the first offset of the open transaction; a newer epoch empties the batches
// owner    the loop of the partition
// errors   out_of_order_sequence_number, invalid_producer_epoch, invalid_txn_state,
//          transaction_coordinator_fenced, policy_violation (too many producers, of the partition
//          or of the broker)
// source   docs/formats.md, "Producer snapshots"; KIP-98, KIP-360, KIP-890
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/shared_limit.hpp"
#include "base/time.hpp"
#include "protocol/record_batch.hpp"

namespace kq {

// The sequence `n` before.
constexpr Sequence stepped_back(Sequence from, std::int32_t n) {
    constexpr std::int32_t largest = 0x7fffffff;
    if (from.value < n) return Sequence{largest - (n - from.value) + 1};
    return Sequence{from.value - n};
}

struct ProducerBatch {
    Sequence last_sequence{-1};
    Offset last_offset = no_offset;
    std::int32_t offset_delta = 0;  // last offset - first offset
    WallTime timestamp = no_timestamp;

    Offset first_offset() const { return last_offset - offset_delta; }
    Sequence first_sequence() const { return stepped_back(last_sequence, offset_delta); }
    friend bool operator==(const ProducerBatch&, const ProducerBatch&) = default;
};

struct ProducerEntry {
    static constexpr std::size_t batches_max = 5;

    ProducerEpoch epoch{-1};
    std::int32_t coordinator_epoch = -1;
    Offset transaction_start = no_offset;  // of the open transaction
    WallTime last_timestamp = no_timestamp;
    MonoTime last_seen{};  // expiry counts silence by our own clock, which never jumps

    std::span<const ProducerBatch> batches() const { return {batches_.data(), count_}; }
    bool has_batches() const { return count_ > 0; }
    Sequence last_sequence() const {
        return count_ > 0 ? batches_[count_ - 1].last_sequence : Sequence{-1};
    }
    void add(const ProducerBatch& batch);  // forgets the oldest of more than five
    void clear_batches() { count_ = 0; }

private:
    std::array<ProducerBatch, batches_max> batches_{};
    std::size_t count_ = 0;
};

// A batch of a producer as it stands, or will stand, in the log.
struct ProducerAppend {
    ProducerId producer;
    ProducerEpoch epoch;
    Sequence base_sequence{-1};
    Offset first_offset = no_offset;  // unknown before it is assigned
    Offset last_offset = no_offset;
    std::int32_t offset_delta = 0;
    WallTime timestamp = no_timestamp;
    bool transactional = false;

    // Batches that a coordinator writes bear no sequences.
    Sequence last_sequence() const {
        return base_sequence.value < 0 ? base_sequence
                                       : sequence_after(base_sequence, offset_delta);
    }
};

struct EndTransaction {
    ProducerId producer;
    ProducerEpoch epoch;
    bool commit = false;
    std::int32_t coordinator_epoch = 0;
    Offset marker;
    WallTime timestamp = no_timestamp;
};

struct CompletedTransaction {
    ProducerId producer;
    Offset first;
    Offset last;  // the marker's
    bool aborted = false;
};

class ProducerTable {
public:
    explicit ProducerTable(std::uint32_t producers_max = 100'000,
                           std::shared_ptr<SharedLimit> room = nullptr)
        : producers_max_(producers_max), share_(std::move(room)) {}

    // What a leader decides about a client's batch: the stored batch that it repeats, or nothing
    // when it may be appended, or why it may not. Changes nothing.
    // `first_of_new_producer_is_zero`: transactions v2 let a producer without state start only at
    // sequence 0; all others may start anywhere, for their state may have expired.
    Result<std::optional<ProducerBatch>> check(const ProducerAppend& batch,
                                               bool first_of_new_producer_is_zero = false) const;
    // Whether a transaction marker may be written.
    Status check(const EndTransaction& marker) const;

    // What stands in the log is remembered, without questions.
    void apply(const ProducerAppend& batch, MonoTime now);
    // The transaction that the marker ends, unless it was empty.
    std::optional<CompletedTransaction> apply(const EndTransaction& marker, MonoTime now);

    // The first offset that an open transaction, or one whose marker is not below the high
    // watermark, holds back; nothing when none does.
    std::optional<Offset> first_unstable(Offset high_watermark) const;
    // The offset below which everything was decided once `done` is: what its index entry records.
    Offset last_stable_after(const CompletedTransaction& done) const;
    // Forgets completed transactions whose markers everybody has.
    void advance_high_watermark(Offset high_watermark);

    // Forgets producers without an open transaction that were silent for `silence`.
    std::size_t expire(MonoTime now, Millis silence);

    const ProducerEntry* find(ProducerId producer) const;
    std::size_t size() const { return entries_.size(); }
    // Ids in ascending order, so that no hash order reaches a file.
    std::vector<ProducerId> producers() const;
    void clear();

    // Puts an entry back as it was (nothing: as if never seen): loading, and undoing an append that
    // the disk refused.
    void restore(ProducerId producer, const std::optional<ProducerEntry>& entry);

private:
    ProducerEntry& entry_for(ProducerId producer, ProducerEpoch epoch, MonoTime now);

    std::uint32_t producers_max_;
    SharedLimit::Share share_;
    std::unordered_map<ProducerId, ProducerEntry> entries_;
    std::map<Offset, ProducerId> open_;                    // by first offset
    std::map<Offset, CompletedTransaction> unreplicated_;  // by first offset
};

}  // namespace kq
