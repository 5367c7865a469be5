// SPDX-License-Identifier: Apache-2.0
//
// Records of the metadata log about credentials, delegation tokens and access control.
//
// source   Kafka metadata records; KIP-801, KIP-900
#pragma once

#include "protocol/codec.hpp"

namespace kq::wire {

inline constexpr RecordInfo user_scram_credential_record{
    .type = 11, .name = "UserScramCredentialRecord", .versions = {0, 0}};

// The SCRAM credential of a user, for one mechanism.
struct UserScramCredentialRecord {
    static constexpr const auto& info = user_scram_credential_record;

    std::string name;
    std::int8_t mechanism = 0;
    Bytes salt;
    Bytes stored_key;
    Bytes server_key;
    std::int32_t iterations = 0;

    template <class Walker>
    void walk(Walker& w) {
        w.field("name", name);
        w.field("mechanism", mechanism);
        w.field("salt", salt);
        w.field("storedKey", stored_key);
        w.field("serverKey", server_key);
        w.field("iterations", iterations);
        w.tags();
    }
    bool operator==(const UserScramCredentialRecord&) const = default;
};

inline constexpr RecordInfo remove_user_scram_credential_record{
    .type = 22, .name = "RemoveUserScramCredentialRecord", .versions = {0, 0}};

// It is gone.
struct RemoveUserScramCredentialRecord {
    static constexpr const auto& info = remove_user_scram_credential_record;

    std::string name;
    std::int8_t mechanism = 0;

    template <class Walker>
    void walk(Walker& w) {
        w.field("name", name);
        w.field("mechanism", mechanism);
        w.tags();
    }
    bool operator==(const RemoveUserScramCredentialRecord&) const = default;
};

inline constexpr RecordInfo delegation_token_record{
    .type = 10, .name = "DelegationTokenRecord", .versions = {0, 0}};

// A delegation token was made or renewed.
struct DelegationTokenRecord {
    static constexpr const auto& info = delegation_token_record;

    std::string owner;
    std::string requester;
    std::vector<std::string> renewers;
    std::int64_t issue_timestamp = 0;
    std::int64_t max_timestamp = 0;
    std::int64_t expiration_timestamp = 0;
    std::string token_id;

    template <class Walker>
    void walk(Walker& w) {
        w.field("owner", owner);
        w.field("requester", requester);
        w.field("renewers", renewers);
        w.field("issueTimestamp", issue_timestamp);
        w.field("maxTimestamp", max_timestamp);
        w.field("expirationTimestamp", expiration_timestamp);
        w.field("tokenId", token_id);
        w.tags();
    }
    bool operator==(const DelegationTokenRecord&) const = default;
};

inline constexpr RecordInfo remove_delegation_token_record{
    .type = 26, .name = "RemoveDelegationTokenRecord", .versions = {0, 0}};

// It is gone.
struct RemoveDelegationTokenRecord {
    static constexpr const auto& info = remove_delegation_token_record;

    std::string token_id;

    template <class Walker>
    void walk(Walker& w) {
        w.field("tokenId", token_id);
        w.tags();
    }
    bool operator==(const RemoveDelegationTokenRecord&) const = default;
};

inline constexpr RecordInfo access_control_entry_record{
    .type = 18, .name = "AccessControlEntryRecord", .versions = {0, 0}};

// One rule: who may, or may not, do what to what.
struct AccessControlEntryRecord {
    static constexpr const auto& info = access_control_entry_record;

    Uuid id;
    std::int8_t resource_type = 0;
    std::string resource_name;
    std::int8_t pattern_type = 0;
    std::string principal;
    std::string host;
    std::int8_t operation = 0;
    std::int8_t permission_type = 0;

    template <class Walker>
    void walk(Walker& w) {
        w.field("id", id);
        w.field("resourceType", resource_type);
        w.field("resourceName", resource_name);
        w.field("patternType", pattern_type);
        w.field("principal", principal);
        w.field("host", host);
        w.field("operation", operation);
        w.field("permissionType", permission_type);
        w.tags();
    }
    bool operator==(const AccessControlEntryRecord&) const = default;
};

inline constexpr RecordInfo remove_access_control_entry_record{
    .type = 19, .name = "RemoveAccessControlEntryRecord", .versions = {0, 0}};

// It is gone.
struct RemoveAccessControlEntryRecord {
    static constexpr const auto& info = remove_access_control_entry_record;

    Uuid id;

    template <class Walker>
    void walk(Walker& w) {
        w.field("id", id);
        w.tags();
    }
    bool operator==(const RemoveAccessControlEntryRecord&) const = default;
};

}  // namespace kq::wire
