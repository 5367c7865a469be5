// SPDX-License-Identifier: Apache-2.0
//
// Ledger: what clients were told, and whether it can all be true. Every record of the world has a
// name of its own, so that each of them can be followed from send() to every reader.
//
// errors   a broken promise is noted with the number of its invariant (docs/testing.md); the first
//          one ends the run
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ids.hpp"

namespace kq::sim {

// A record: which producer's, and its number among that producer's records.
struct RecordName {
    std::int32_t producer = 0;
    std::int64_t number = 0;
    friend auto operator<=>(const RecordName&, const RecordName&) = default;
    std::string text() const;
    static std::optional<RecordName> parse(std::string_view text);
};

class Ledger {
public:
    // What a producer promises: `idempotent` ones never double and keep their order.
    struct Promise {
        bool idempotent = true;
    };
    void add_producer(std::int32_t producer, Promise promise) { promises_[producer] = promise; }

    void on_acked(const RecordName& name, const TopicPartition& partition, Offset offset);
    // A record that was reported as failed for certain: it was never written.
    void on_refused(const RecordName& name, const std::string& why);
    void on_read(const TopicPartition& partition, Offset offset, const RecordName& name);
    // A reader that has come to `expected` and goes on. Offsets have holes only where records that
    // nobody was told of were lost (docs/decisions/0011); whatever a reader passed over so is empty
    // for everybody and for ever.
    void on_position(const TopicPartition& partition, Offset expected, Offset found);
    void allow_holes() { may_have_holes_ = true; }
    // Retention may delete what is at the beginning of these; nothing else loses a record.
    void allow_deletion(const TopicPartition& partition) { deletable_.insert(partition); }
    bool may_delete(const TopicPartition& partition) const {
        return deletable_.contains(partition);
    }
    // What ListOffsets said; `known` is what somebody had been told before the question was asked.
    struct Range {
        Offset start;
        Offset end;
    };
    Range known_offsets(const TopicPartition& partition) const;
    void on_offsets(const TopicPartition& partition, Range known, Range told);

    // The whole partition at the end of the run, and where it begins.
    void on_final(const TopicPartition& partition, Offset start,
                  const std::map<Offset, RecordName>& records);
    // Damage was done on purpose: records may be missing now, but none may be another one (I28).
    void on_read_after_damage(const TopicPartition& partition, Offset offset,
                              const RecordName& name);
    // Where the log ends then. Requires: the damage cannot be taken for the torn end of the log.
    void on_end_after_damage(const TopicPartition& partition, Offset end);

    void fail(const std::string& invariant, const std::string& what);
    const std::optional<std::string>& broken() const { return broken_; }

    std::size_t acked_count() const { return acked_.size(); }
    std::size_t read_count() const { return reads_; }

private:
    struct Place {
        TopicPartition partition;
        Offset offset;
        friend auto operator<=>(const Place&, const Place&) = default;
        std::string text() const { return partition.text() + "@" + std::to_string(offset.value); }
    };
    bool is_hole(const Place& place) const;
    void settle(const Place& place, const RecordName& name, const char* how);

    std::map<std::int32_t, Promise> promises_;
    std::map<RecordName, Place> acked_;
    std::map<Place, RecordName> at_;             // acked or read
    std::map<RecordName, Place> where_;          // of idempotent producers' records
    std::map<RecordName, std::string> refused_;  // and what the producer was told
    std::map<TopicPartition, Range> offsets_;
    std::map<TopicPartition, std::map<Offset, Offset>> holes_;  // from, and where they end
    bool may_have_holes_ = false;
    std::set<TopicPartition> deletable_;
    std::optional<std::string> broken_;
    std::size_t reads_ = 0;
};

}  // namespace kq::sim
