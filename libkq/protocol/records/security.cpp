// SPDX-License-Identifier: Apache-2.0
#include "protocol/records/security.hpp"

#include "protocol/walkers.hpp"

namespace kq::wire {

KQ_WIRE_INSTANTIATE(UserScramCredentialRecord);
KQ_WIRE_INSTANTIATE(RemoveUserScramCredentialRecord);
KQ_WIRE_INSTANTIATE(DelegationTokenRecord);
KQ_WIRE_INSTANTIATE(RemoveDelegationTokenRecord);
KQ_WIRE_INSTANTIATE(AccessControlEntryRecord);
KQ_WIRE_INSTANTIATE(RemoveAccessControlEntryRecord);

}  // namespace kq::wire
