// SPDX-License-Identifier: Apache-2.0
#include "protocol/records/cluster.hpp"

#include "protocol/walkers.hpp"

namespace kq::wire {

KQ_WIRE_INSTANTIATE(ConfigRecord);
KQ_WIRE_INSTANTIATE(FeatureLevelRecord);
KQ_WIRE_INSTANTIATE(ProducerIdsRecord);
KQ_WIRE_INSTANTIATE(ClientQuotaRecord);
KQ_WIRE_INSTANTIATE(NoOpRecord);
KQ_WIRE_INSTANTIATE(ZkMigrationStateRecord);
KQ_WIRE_INSTANTIATE(BeginTransactionRecord);
KQ_WIRE_INSTANTIATE(EndTransactionRecord);
KQ_WIRE_INSTANTIATE(AbortTransactionRecord);

}  // namespace kq::wire
