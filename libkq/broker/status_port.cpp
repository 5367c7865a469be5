// SPDX-License-Identifier: Apache-2.0
#include "broker/status_port.hpp"

namespace kq {

Result<std::unique_ptr<StatusPort>> StatusPort::open(Loop& loop, Network& network,
                                                     const Endpoint& at,
                                                     const MetricRegistry& metrics) {
    auto port = std::make_unique<StatusPort>(ByOpen{}, loop);
    KQ_LET(port->server_,
           HttpServer::listen(loop, network, at,
                              [raw = port.get(), &metrics](const HttpRequest& request) {
                                  raw->loop_.assert_here();
                                  return raw->answer(request, metrics);
                              }));
    return port;
}

HttpResponse StatusPort::answer(const HttpRequest& request, const MetricRegistry& metrics) const {
    if (request.path == "/livez") return {.body = "ok\n"};
    if (request.path == "/readyz") {
        if (not_ready_.empty()) return {.body = "ok\n"};
        return {.status = 503, .body = not_ready_ + '\n'};
    }
    if (request.path == "/metrics") {
        return {.content_type = "text/plain; version=0.0.4; charset=utf-8",
                .body = metrics.render()};
    }
    return {.status = 404, .body = "there are /livez, /readyz and /metrics\n"};
}

}  // namespace kq
