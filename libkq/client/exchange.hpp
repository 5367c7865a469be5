// SPDX-License-Identifier: Apache-2.0
//
// Exchange: one request to a broker and what came of it, for those who want to watch a client work
// (-v of the programs). Costs nothing where nobody watches.
//
// owner    the observer outlives every client it was given to; it is called on their loop
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/chain.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "net/network.hpp"

namespace kq {

struct Exchange {
    const Endpoint& broker;
    std::string_view api;  // "Metadata"
    std::int16_t version = 0;
    std::int32_t correlation_id = 0;
    const Chain& request;              // the frame with its size
    std::optional<ByteView> answer;    // the frame without its size; none: it did not come
    Status status;                     // why it did not; ok also where none is owed (acks=0)
    std::chrono::nanoseconds took{0};  // from handing it to the connection to the answer
};

class ExchangeObserver {
public:
    virtual ~ExchangeObserver() = default;
    virtual void on_exchange(const Exchange& exchange) = 0;
};

}  // namespace kq
