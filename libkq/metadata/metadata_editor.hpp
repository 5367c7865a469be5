// SPDX-License-Identifier: Apache-2.0
//
// MetadataEditor: applies a run of records to a MetadataState; what every record type does stands
// in metadata_editor.cpp. Used by MetadataReplay alone.
//
// shape    topics that change stay open until finish(), so that a run of partitions copies once
// owner    lives within one call
// errors   those of MetadataReplay
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "metadata/metadata_delta.hpp"
#include "metadata/metadata_state.hpp"
#include "protocol/records/metadata_record.hpp"

namespace kq {

class MetadataEditor {
public:
    // Both outlive the editor; `delta` may be null.
    MetadataEditor(MetadataState& state, MetadataDelta* delta) : state_(state), delta_(delta) {}

    Status apply(const wire::MetadataRecord& record);
    // Puts the open topics into the state.
    void finish();

private:
    Status on(const wire::RegisterBrokerRecord& record);
    Status on(const wire::UnregisterBrokerRecord& record);
    Status on(const wire::TopicRecord& record);
    Status on(const wire::PartitionRecord& record);
    Status on(const wire::ConfigRecord& record);
    Status on(const wire::PartitionChangeRecord& record);
    Status on(const wire::FenceBrokerRecord& record);
    Status on(const wire::UnfenceBrokerRecord& record);
    Status on(const wire::RemoveTopicRecord& record);
    Status on(const wire::DelegationTokenRecord& record);
    Status on(const wire::UserScramCredentialRecord& record);
    Status on(const wire::FeatureLevelRecord& record);
    Status on(const wire::ClientQuotaRecord& record);
    Status on(const wire::ProducerIdsRecord& record);
    Status on(const wire::BrokerRegistrationChangeRecord& record);
    Status on(const wire::AccessControlEntryRecord& record);
    Status on(const wire::RemoveAccessControlEntryRecord& record);
    Status on(const wire::NoOpRecord&) { return done(); }
    Status on(const wire::ZkMigrationStateRecord& record);
    Status on(const wire::RemoveUserScramCredentialRecord& record);
    Status on(const wire::RemoveDelegationTokenRecord& record);
    Status on(const wire::RegisterControllerRecord& record);
    Status on(const wire::ClearElrRecord& record);
    // Transactions are MetadataReplay's affair.
    Status on(const wire::BeginTransactionRecord&) { return done(); }
    Status on(const wire::EndTransactionRecord&) { return done(); }
    Status on(const wire::AbortTransactionRecord&) { return done(); }

    // The topic as it stands with this run's changes; null where there is none.
    TopicImage* open_topic(const Uuid& id);
    void put_partition(TopicImage& topic, PartitionIndex index, PartitionRegistration partition);
    void clear_elr(TopicImage& topic);
    template <class Change>
    Status change_broker(BrokerId id, BrokerEpoch epoch, Change&& change);
    template <class Change>
    Status change_carried(Change&& change);
    void remove_configs(const ConfigResource& resource);

    MetadataState& state_;
    MetadataDelta* delta_;
    EditSession edit_;
    std::map<Uuid, std::shared_ptr<TopicImage>> open_;
    std::shared_ptr<struct CarriedRecords> carried_;  // open, like the topics
    std::map<ConfigResource, std::shared_ptr<ConfigEntries>> open_configs_;
};

}  // namespace kq
