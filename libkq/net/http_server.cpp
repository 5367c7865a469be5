// SPDX-License-Identifier: Apache-2.0
#include "net/http_server.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <sstream>

#include <Poco/Exception.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>

namespace kq {
namespace {

constexpr auto silence_max = std::chrono::seconds(10);
constexpr std::size_t method_bytes_max = 16;

Chain answer_of(const HttpResponse& response, bool keep, bool without_body) {
    Poco::Net::HTTPResponse head(static_cast<Poco::Net::HTTPResponse::HTTPStatus>(response.status));
    head.setVersion(Poco::Net::HTTPMessage::HTTP_1_1);
    head.setContentType(response.content_type);
    head.setContentLength64(static_cast<Poco::Int64>(response.body.size()));
    head.setKeepAlive(keep);
    std::ostringstream text;
    head.write(text);
    std::string all = text.str();
    if (!without_body) all += response.body;
    Chain chain;
    chain.add(to_bytes(as_bytes(all)));
    return chain;
}

// Whether what came can still become a request: it begins with a method. Who meets the wrong port
// (a Kafka client, TLS) says so with its first bytes and then waits for an answer.
bool may_be_http(std::string_view text) {
    auto method = text.substr(0, text.find(' '));
    return text.empty() ||
           (!method.empty() && method.size() <= method_bytes_max &&
            std::all_of(method.begin(), method.end(), [](char c) { return c >= 'A' && c <= 'Z'; }));
}

HttpResponse plain(int status, std::string text) {
    return {status, "text/plain; charset=utf-8", std::move(text) + '\n'};
}

}  // namespace

// One connection: collects a head, answers, and again where the client keeps it open. One answer at
// a time: while the kernel has not taken it all, nothing more is read, so a client that asks and
// does not read costs one answer.
class HttpServer::Exchange final : public ConnectionEvents {
public:
    Exchange(HttpServer& server, std::unique_ptr<Socket> socket)
        : server_(server),
          loop_(server.loop_),
          timer_(server.loop_),
          connection_(server.network_.adopt(std::move(socket), *this)) {
        wait();
    }

    void on_readable() override {
        loop_.assert_here();
        std::array<std::uint8_t, 4096> buffer;
        auto got = connection_->receive(buffer);
        if (!got.ok()) {
            if (got.code() != Errc::would_block) server_.forget(this);
            return;
        }
        head_.append(reinterpret_cast<const char*>(buffer.data()), got.value());
        answer_what_is_whole();
    }
    void on_drained() override {
        loop_.assert_here();
        if (closing_ || !answering_) return;
        answering_ = false;
        wait();
        answer_what_is_whole();
        if (!closing_ && !answering_) connection_->resume_reading();
    }
    void on_closed(const Error&) override { server_.forget(this); }

    // Since when a request is waited for, as a number that grows; nothing while one is answered.
    std::optional<std::uint64_t> waiting_since() const {
        loop_.assert_here();
        if (answering_ || closing_) return std::nullopt;
        return waiting_since_;
    }

private:
    void wait() KQ_ON(loop_) {
        server_.loop_.assert_here();  // ours
        waiting_since_ = server_.waits_++;
        timer_.set_after(silence_max, [this] { server_.forget(this); });
    }

    void answer_what_is_whole() KQ_ON(loop_) {
        if (closing_ || answering_) return;
        if (!may_be_http(head_))
            return refuse(400, "this port speaks HTTP, and these bytes do not");
        auto end = head_.find("\r\n\r\n");
        if (std::min(end, head_.size()) > head_bytes_max) {
            return refuse(431, "the request's head is too long");
        }
        if (end == std::string::npos) return;
        std::string head = head_.substr(0, end + 4);
        head_.erase(0, end + 4);
        answer(head);
    }

    void answer(const std::string& head) KQ_ON(loop_) {
        Poco::Net::HTTPRequest request;
        try {
            std::istringstream text(head);
            request.read(text);
        } catch (const Poco::Exception&) {
            return refuse(400, "this is no HTTP request");
        }
        if (request.hasContentLength() || request.getChunkedTransferEncoding()) {
            return refuse(400, "a request body is not expected here");
        }
        HttpRequest asked;
        asked.method = request.getMethod();
        auto question = request.getURI().find('?');
        asked.path = request.getURI().substr(0, question);
        if (question != std::string::npos) asked.query = request.getURI().substr(question + 1);
        bool is_head = asked.method == "HEAD";
        if (asked.method != "GET" && !is_head) {
            return refuse(405, "only GET and HEAD are answered here");
        }
        bool keep = request.getVersion() == Poco::Net::HTTPMessage::HTTP_1_1
                        ? request.getKeepAlive()
                        : request.get("Connection", "") == "keep-alive";
        send(server_.answer(asked), keep, is_head);
    }

    void refuse(int status, std::string why) KQ_ON(loop_) {
        send(plain(status, std::move(why)), false, false);
    }

    void send(const HttpResponse& response, bool keep, bool without_body) KQ_ON(loop_) {
        connection_->send(answer_of(response, keep, without_body));
        if (keep) {
            answering_ = true;  // until on_drained
            connection_->pause_reading();
            return;
        }
        closing_ = true;
        connection_->close_after_sending();
    }

    HttpServer& server_;
    Loop& loop_;
    Timer timer_ KQ_OWNED_BY(loop_);
    std::uint64_t waiting_since_ KQ_OWNED_BY(loop_) = 0;
    std::string head_ KQ_OWNED_BY(loop_);
    bool answering_ KQ_OWNED_BY(loop_) = false;
    bool closing_ KQ_OWNED_BY(loop_) = false;
    std::unique_ptr<Connection> connection_ KQ_OWNED_BY(loop_);
};

HttpServer::HttpServer(Private, Loop& loop, Network& network, Handler handler)
    : loop_(loop), network_(network), handler_(std::move(handler)) {}

HttpServer::~HttpServer() = default;

Result<std::unique_ptr<HttpServer>> HttpServer::listen(Loop& loop, Network& network,
                                                       const Endpoint& at, Handler handler) {
    auto server = std::make_unique<HttpServer>(Private{}, loop, network, std::move(handler));
    KQ_LET(server->listener_, network.listen(at, [raw = server.get()](std::unique_ptr<Socket> s) {
        raw->loop_.assert_here();
        raw->accept(std::move(s));
    }));
    return server;
}

Endpoint HttpServer::local() const {
    return listener_->local();
}

void HttpServer::accept(std::unique_ptr<Socket> socket) {
    if (exchanges_.size() >= connections_max) {
        // A crowd that says nothing shall not keep the probe of a supervisor out.
        auto* silent = longest_waiting();
        if (silent == nullptr) return;  // the new socket closes
        forget(silent);
    }
    auto exchange = std::make_unique<Exchange>(*this, std::move(socket));
    auto* key = exchange.get();
    exchanges_.emplace(key, std::move(exchange));
}

HttpServer::Exchange* HttpServer::longest_waiting() const {
    Exchange* found = nullptr;
    for (const auto& [exchange, owner] : exchanges_) {
        const auto since = exchange->waiting_since();
        if (since && (found == nullptr || *since < *found->waiting_since())) found = exchange;
    }
    return found;
}

HttpResponse HttpServer::answer(const HttpRequest& request) {
    loop_.assert_here();
    return handler_(request);
}

void HttpServer::forget(Exchange* exchange) {
    loop_.assert_here();
    exchanges_.erase(exchange);
}

}  // namespace kq
