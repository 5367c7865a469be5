// SPDX-License-Identifier: Apache-2.0
//
// DataSide: what one data loop has for its clients: the connections, and the table that answers
// them.
//
// owner    its loop
#pragma once

#include "broker/dispatch.hpp"
#include "broker/sessions.hpp"

namespace kq {

struct DataSide {
    DataSide(Loop& loop_in, Network& network, MemoryBudget& memory, MetricRegistry& metrics,
             const Logger& log, const SessionOptions& options, std::size_t named_max)
        : loop(loop_in),
          dispatcher(metrics, named_max),
          sessions(loop_in, network, memory, metrics, log, options, dispatcher) {}

    Loop& loop;
    Dispatcher dispatcher;
    Sessions sessions;
};

}  // namespace kq
