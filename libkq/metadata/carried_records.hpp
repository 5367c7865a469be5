// SPDX-License-Identifier: Apache-2.0
//
// CarriedRecords: the part of the metadata that kq does not act on yet and keeps for whoever does:
// ACLs, SCRAM credentials, delegation tokens, client quotas.
//
// shape    by the key that a later record replaces or removes it by; sorted
// owner    a value; shared as shared_ptr<const> inside images
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/ids.hpp"
#include "metadata/cow_map.hpp"
#include "protocol/records/security.hpp"

namespace kq {

// Whom a quota is for: "user", "client-id", "ip", each with a name, or nullopt for the default.
using QuotaEntity = std::map<std::string, std::optional<std::string>>;
using QuotaValues = std::map<std::string, double>;

struct CarriedRecords {
    CowMap<Uuid, wire::AccessControlEntryRecord> acls;
    // By user and mechanism.
    CowMap<std::pair<std::string, std::int8_t>, wire::UserScramCredentialRecord> scram_credentials;
    CowMap<std::string, wire::DelegationTokenRecord> delegation_tokens;  // by token id
    CowMap<QuotaEntity, QuotaValues> client_quotas;

    friend bool operator==(const CarriedRecords&, const CarriedRecords&) = default;
};

}  // namespace kq
