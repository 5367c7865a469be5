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
public:
    static Result<std::unique_ptr<StatusPort>> open(Loop& loop, Network& network,
                                                    const Endpoint& at,
                                                    const MetricRegistry& metrics);

    // "" once clients may come; else what /readyz answers: "starting", "stopping".
    void set_not_ready_because(std::string why) { not_ready_ = std::move(why); }
    Endpoint local() const { return server_->local(); }

private:
    HttpResponse answer(const HttpRequest& request, const MetricRegistry& metrics) const;

    std::string not_ready_ = "starting";
    std::unique_ptr<HttpServer> server_;
};

}  // namespace kq
