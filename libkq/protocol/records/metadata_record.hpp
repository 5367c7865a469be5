// SPDX-License-Identifier: Apache-2.0
//
// MetadataRecord: one record of the metadata log, whichever type it has.
//
// shape    the value of a log record: uvarint frame version (1), uvarint type, uvarint version,
// body errors   unsupported  a frame version, a type or a version that we do not know: only this
// keeps a
//                       node from starting
//          malformed    the body does not follow its schema
// source   KIP-631, "Record Schemas"; Kafka: MetadataRecordSerde
#pragma once

#include <variant>

#include "protocol/records/brokers.hpp"
#include "protocol/records/cluster.hpp"
#include "protocol/records/security.hpp"
#include "protocol/records/topics.hpp"

namespace kq::wire {

using MetadataRecord = std::variant<
    RegisterBrokerRecord, UnregisterBrokerRecord, TopicRecord, PartitionRecord, ConfigRecord,
    PartitionChangeRecord, FenceBrokerRecord, UnfenceBrokerRecord, RemoveTopicRecord,
    DelegationTokenRecord, UserScramCredentialRecord, FeatureLevelRecord, ClientQuotaRecord,
    ProducerIdsRecord, BrokerRegistrationChangeRecord, AccessControlEntryRecord,
    RemoveAccessControlEntryRecord, NoOpRecord, ZkMigrationStateRecord,
    RemoveUserScramCredentialRecord, BeginTransactionRecord, EndTransactionRecord,
    AbortTransactionRecord, RemoveDelegationTokenRecord, RegisterControllerRecord, ClearElrRecord>;

// A record and the version its body was, or shall be, written in.
struct VersionedRecord {
    MetadataRecord record;
    std::int16_t version = 0;
};

Result<VersionedRecord> decode_metadata_record(ByteView value);
// Requires: the record is expressible in `version`.
Bytes encode_metadata_record(const MetadataRecord& record, int version);

const RecordInfo& info_of(const MetadataRecord& record);
// One line of JSON, for logs and tools.
std::string to_json(const VersionedRecord& record);

}  // namespace kq::wire
