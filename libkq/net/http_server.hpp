// SPDX-License-Identifier: Apache-2.0
//
// HttpServer: answers GET and HEAD on a status port. HTTP/1.1 as POCO's messages read and write it.
//
// shape    a request head of at most 8 KiB, no body; the answer closes the connection unless the
//          client asked to keep it; connections_max at a time, of which a new one takes the place
//          of the one that has said nothing for longest; each at most 10 s silent, each with at
//          most one answer that its client has not read
// owner    the loop of its network
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "net/network.hpp"

namespace kq {

struct HttpRequest {
    std::string method;
    std::string path;   // without the query
    std::string query;  // what stood behind '?'
};

struct HttpResponse {
    int status = 200;
    std::string content_type = "text/plain; charset=utf-8";
    std::string body;
};

class HttpServer {
    struct Private {};

public:
    using Handler = Function<HttpResponse(const HttpRequest&)>;
    static constexpr std::size_t connections_max = 64;
    static constexpr std::size_t head_bytes_max = 8192;

    static Result<std::unique_ptr<HttpServer>> listen(Loop& loop, Network& network,
                                                      const Endpoint& at, Handler handler);
    HttpServer(Private, Loop& loop, Network& network, Handler handler);
    ~HttpServer();
    Endpoint local() const;

private:
    class Exchange;
    void accept(std::unique_ptr<Socket> socket) KQ_ON(loop_);
    Exchange* longest_waiting() const KQ_ON(loop_);
    HttpResponse answer(const HttpRequest& request);
    void forget(Exchange* exchange);

    Loop& loop_;
    Network& network_;
    Handler handler_ KQ_OWNED_BY(loop_);
    std::unique_ptr<Listener> listener_;  // made once
    std::unordered_map<Exchange*, std::unique_ptr<Exchange>> exchanges_ KQ_OWNED_BY(loop_);
    std::uint64_t waits_ KQ_OWNED_BY(loop_) = 0;  // begun, to tell which is the oldest
};

}  // namespace kq
