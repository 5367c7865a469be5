// SPDX-License-Identifier: Apache-2.0
//
// StatusPort: what others ask a broker over HTTP: /livez, is the process serving its loop; /readyz,
// may clients come; /metrics, the counters as Prometheus reads them.
//
// owner    the control loop
// errors   of Network::listen
#pragma once

#include <memory>
#include <string>

#include "base/counters.hpp"
#include "net/http_server.hpp"

namespace kq {

class StatusPort {
    struct ByOpen {};

public:
    static Result<std::unique_ptr<StatusPort>> open(Loop& loop, Network& network,
                                                    const Endpoint& at,
                                                    const MetricRegistry& metrics);
    // Only open() can give the first argument.
    StatusPort(ByOpen, Loop& loop) : loop_(loop) {}

    // "" once clients may come; else what /readyz answers: "starting", "stopping".
    void set_not_ready_because(std::string why) {
        loop_.assert_here();
        not_ready_ = std::move(why);
    }
    Endpoint local() const { return server_->local(); }

private:
    HttpResponse answer(const HttpRequest& request, const MetricRegistry& metrics) const
        KQ_ON(loop_);

    Loop& loop_;
    std::string not_ready_ KQ_OWNED_BY(loop_) = "starting";
    std::unique_ptr<HttpServer> server_;  // made once
};

}  // namespace kq
