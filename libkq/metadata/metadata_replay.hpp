// SPDX-License-Identifier: Apache-2.0
//
// MetadataReplay: the one way in which a MetadataState changes: records applied in log order, live
// and after a restart alike (I24, I25).
//
// shape    records between BeginTransaction and EndTransaction take effect together, or not at all
//          after an AbortTransaction: a new controller writes that when it finds one open
// owner    a value
// errors   unsupported   metadata.version is outside what this build reads
//          corrupt_file  a record speaks of a topic, partition or broker that is not there
// source   KIP-631, KIP-868 (transactions), KIP-966; Kafka metadata records
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "metadata/features.hpp"
#include "metadata/metadata_delta.hpp"
#include "metadata/metadata_state.hpp"
#include "protocol/records/metadata_record.hpp"

namespace kq {

class MetadataReplay {
public:
    MetadataReplay() = default;
    explicit MetadataReplay(MetadataState state) : state_(std::move(state)) {}

    const MetadataState& state() const { return state_; }
    MetadataState& state() { return state_; }
    // In the middle of a transaction the state lacks what the log holds already.
    bool is_in_transaction() const { return transaction_.has_value(); }

    // Applies a run of records; notes what changed in `delta` unless null. After an error the state
    // is of no use.
    Status apply(std::span<const wire::MetadataRecord> records, MetadataDelta* delta = nullptr);

private:
    MetadataState state_;
    std::optional<std::vector<wire::MetadataRecord>> transaction_;
};

// The state as records of its metadata.version, in the order of Kafka's snapshots: applied to an
// empty state they give an equal one. Stops at the first error of `sink`.
Status write_as_records(const MetadataState& state,
                        const std::function<Status(const wire::MetadataRecord&)>& sink);

// In which version of its schema a record is written, so that nodes at this level can read it.
std::int16_t record_version(const wire::MetadataRecord& record, std::int16_t metadata_version);
// Drops from the record what that version cannot say, and returns the version.
std::int16_t fit_to_level(wire::MetadataRecord& record, std::int16_t metadata_version);

}  // namespace kq
