// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/ledger.hpp"

#include <charconv>

namespace kq::sim {

std::string RecordName::text() const {
    return "p" + std::to_string(producer) + "n" + std::to_string(number) + ".";
}

std::optional<RecordName> RecordName::parse(std::string_view text) {
    RecordName name;
    auto middle = text.find('n');
    auto end = text.find('.');
    if (text.empty() || text[0] != 'p' || middle == std::string_view::npos ||
        end == std::string_view::npos || middle > end) {
        return std::nullopt;
    }
    std::from_chars(text.data() + 1, text.data() + middle, name.producer);
    std::from_chars(text.data() + middle + 1, text.data() + end, name.number);
    return name;
}

void Ledger::fail(const std::string& invariant, const std::string& what) {
    if (!broken_) broken_ = invariant + ": " + what;
}

// One offset holds one record, for everybody and for ever.
void Ledger::settle(const Place& place, const RecordName& name, const char* how) {
    if (is_hole(place)) fail("I2", place.text() + " was empty and is now " + name.text());
    auto [at, is_new] = at_.emplace(place, name);
    if (!is_new && at->second != name) {
        fail("I2", place.text() + " was " + at->second.text() + " and is now " + how + " as " +
                       name.text());
    }
    if (!promises_.at(name.producer).idempotent) return;
    auto [where, is_first] = where_.emplace(name, place);
    if (!is_first && where->second != place) {
        fail("I12", name.text() + " is at " + where->second.text() + " and, " + how + ", at " +
                        place.text());
    }
}

void Ledger::on_acked(const RecordName& name, const TopicPartition& partition, Offset offset) {
    Place place{partition, offset};
    settle(place, name, "acknowledged");
    auto [acked, is_new] = acked_.emplace(name, place);
    if (!is_new) fail("callbacks", name.text() + " was reported twice");
}

void Ledger::on_refused(const RecordName& name, const std::string& why) {
    refused_[name] = why;
    if (auto where = where_.find(name); where != where_.end()) {
        fail("refused", name.text() + " was refused for certain (" + why + "), but stands at " +
                            where->second.text());
    }
}

void Ledger::on_read(const TopicPartition& partition, Offset offset, const RecordName& name) {
    ++reads_;
    if (!promises_.contains(name.producer)) {
        fail("I28", "nobody sent " + name.text());
        return;
    }
    settle({partition, offset}, name, "read");
    if (auto why = refused_.find(name); why != refused_.end()) {
        fail("refused", name.text() + " was refused (" + why->second + "), and is read");
    }
}

void Ledger::on_position(const TopicPartition& partition, Offset expected, Offset found) {
    if (expected == found) return;
    auto known = at_.lower_bound({partition, expected});
    bool is_empty = known == at_.end() || known->first >= Place{partition, found};
    if (may_have_holes_ && expected < found && is_empty) {
        auto& end = holes_[partition][expected];
        end = std::max(end, found);
        return;
    }
    fail("I1", partition.text() + ": after " + std::to_string(expected.value - 1) +
                   " a reader was given " + std::to_string(found.value));
}

bool Ledger::is_hole(const Place& place) const {
    auto holes = holes_.find(place.partition);
    if (holes == holes_.end()) return false;
    auto after = holes->second.upper_bound(place.offset);
    return after != holes->second.begin() && place.offset < std::prev(after)->second;
}

Ledger::Range Ledger::known_offsets(const TopicPartition& partition) const {
    auto known = offsets_.find(partition);
    return known == offsets_.end() ? Range{} : known->second;
}

void Ledger::on_offsets(const TopicPartition& partition, Range known, Range told) {
    if (told.start < known.start || told.end < known.end) {
        fail("I5", partition.text() + " went from " + std::to_string(known.start.value) + ".." +
                       std::to_string(known.end.value) + " back to " +
                       std::to_string(told.start.value) + ".." + std::to_string(told.end.value));
    }
    auto& latest = offsets_[partition];
    latest.start = std::max(latest.start, told.start);
    latest.end = std::max(latest.end, told.end);
}

void Ledger::on_final(const TopicPartition& partition, Offset start,
                      const std::map<Offset, RecordName>& records) {
    if (start != Offset(0) && !may_delete(partition)) {
        fail("I1", partition.text() + " begins at " + std::to_string(start.value) +
                       ", and nobody asked to delete anything");
    }
    std::map<std::int32_t, std::int64_t> last;
    for (const auto& [offset, name] : records) {
        auto known = last.emplace(name.producer, -1).first;
        if (promises_.at(name.producer).idempotent && name.number <= known->second) {
            fail("I13", partition.text() + "@" + std::to_string(offset.value) + ": " + name.text() +
                            " comes after number " + std::to_string(known->second));
        }
        known->second = name.number;
    }
    for (const auto& [name, place] : acked_) {
        if (place.partition != partition || place.offset < start) continue;
        auto found = records.find(place.offset);
        if (found == records.end() || found->second != name) {
            fail("I1", name.text() + " was acknowledged at " + place.text() + " and is lost");
        }
    }
    // A hole at the end is seen by who asks for the end only (on_offsets).
    auto end = records.empty() ? start : records.rbegin()->first + 1;
    auto known = offsets_.find(partition);
    if (!may_have_holes_ && known != offsets_.end() && known->second.end > end) {
        fail("I5", partition.text() + " ended at " + std::to_string(known->second.end.value) +
                       " and now ends at " + std::to_string(end.value));
    }
}

void Ledger::on_read_after_damage(const TopicPartition& partition, Offset offset,
                                  const RecordName& name) {
    Place place{partition, offset};
    auto known = at_.find(place);
    if (known == at_.end() || known->second != name) {
        fail("I28", "after a bit was flipped " + place.text() + " is read as " + name.text());
    }
}

void Ledger::on_end_after_damage(const TopicPartition& partition, Offset end) {
    auto behind = at_.lower_bound({partition, end});
    if (behind != at_.end() && behind->first.partition == partition) {
        fail("I2", "after a bit was flipped " + partition.text() + " ends at " +
                       std::to_string(end.value) + ", and " + behind->first.text() +
                       " was given to " + behind->second.text());
    }
}

}  // namespace kq::sim
