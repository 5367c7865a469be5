// SPDX-License-Identifier: Apache-2.0
//
// ControlRecord: one record of a control batch, whichever type it has.
//
// shape    key    int16 version (0), int16 type
//          value  the int16 in front is the version of the body; EndTxnMarker has it before its
//                 body, the others have it as their first field
// errors   unsupported  a type or version that we do not know: readers of a log skip such records
//          malformed    key or value do not follow their schema
// source   Kafka protocol guide, "Control Batches"; Kafka: ControlRecordUtils
#pragma once

#include <variant>

#include "protocol/record_batch.hpp"
#include "protocol/records/control.hpp"

namespace kq::wire {

// The end of a transaction, as key and value say it together.
struct EndTransaction {
    bool commit = false;
    EndTxnMarker marker;
    bool operator==(const EndTransaction&) const = default;
};

using ControlRecord = std::variant<EndTransaction, LeaderChangeMessage, SnapshotHeaderRecord,
                                   SnapshotFooterRecord, KRaftVersionRecord, VotersRecord>;

Result<ControlRecord> decode_control_record(ByteView key, ByteView value);

ControlType type_of(const ControlRecord& record);
// The value; the schema is that of the record's own `version` field. Requires: it exists.
Bytes encode_control_value(const ControlRecord& record);
// The key of every record of this type.
Bytes encode_control_key(ControlType type);

}  // namespace kq::wire
