// SPDX-License-Identifier: Apache-2.0
#include "protocol/records/control.hpp"

#include "protocol/walkers.hpp"

namespace kq::wire {

KQ_WIRE_INSTANTIATE(EndTxnMarker);
KQ_WIRE_INSTANTIATE(LeaderChangeMessage);
KQ_WIRE_INSTANTIATE(SnapshotHeaderRecord);
KQ_WIRE_INSTANTIATE(SnapshotFooterRecord);
KQ_WIRE_INSTANTIATE(KRaftVersionRecord);
KQ_WIRE_INSTANTIATE(VotersRecord);

}  // namespace kq::wire
