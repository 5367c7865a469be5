// SPDX-License-Identifier: Apache-2.0
#include "broker/acceptor.hpp"

#include <algorithm>

namespace kq {

Acceptor::Acceptor(Loop& loop, Network& network, MetricRegistry& metrics, Logger log,
                   AcceptorOptions options)
    : loop_(loop),
      network_(network),
      log_(std::move(log)),
      options_(options),
      refused_(metrics.counter("kq_connections_refused_total",
                               "Connections beyond max.connections or max.connections.per.ip.")),
      self_(std::make_shared<Acceptor*>(this)) {}

Acceptor::~Acceptor() {
    *self_ = nullptr;
}

void Acceptor::set_targets(std::vector<Target> targets) {
    loop_.assert_here();
    targets_ = std::move(targets);
    counts_.assign(targets_.size(), 0);
}

Result<Endpoint> Acceptor::bind(const ListenerOptions& listener) {
    loop_.assert_here();
    std::optional<Endpoint> bound;
    std::optional<Error> missing;
    for (auto address : listener.addresses) {
        if (bound) address.port = bound->port;  // one port for all, also where the first was 0
        auto opened =
            network_.listen(address, [this, name = listener.name](std::unique_ptr<Socket> socket) {
                loop_.assert_here();
                accept(name, std::move(socket));
            });
        if (!opened.ok()) {
            if (opened.code() != Errc::unreachable) return opened.error();
            missing = opened.error();
            continue;
        }
        auto& made = *listeners_.emplace_back(std::move(opened).value());
        made.pause();
        if (!bound) bound = made.local();
    }
    if (!bound) return *missing;
    return *bound;
}

void Acceptor::open() {
    loop_.assert_here();
    KQ_CHECK(!targets_.empty());
    for (auto& listener : listeners_)
        listener->resume();
}

void Acceptor::close() {
    loop_.assert_here();
    listeners_.clear();
}

void Acceptor::accept(const std::string& listener, std::unique_ptr<Socket> socket) {
    auto host = socket->peer().host;
    auto& of_host = by_host_[host];
    if (total_ >= options_.connections_max || of_host >= options_.connections_per_ip_max) {
        refused_.add();
        if (of_host == 0) by_host_.erase(host);
        return;
    }
    ++of_host;
    ++total_;
    auto index = static_cast<std::size_t>(std::min_element(counts_.begin(), counts_.end()) -
                                          counts_.begin());
    ++counts_[index];
    Task on_over = [self = self_, &loop = loop_, index, host] {
        auto over = [self, index, host] {
            auto* acceptor = *self;
            if (acceptor == nullptr) return;
            acceptor->loop_.assert_here();
            acceptor->connection_over(index, host);
        };
        if (loop.is_here()) {
            over();
        } else {
            loop.post(std::move(over));
        }
    };
    if (total_ >= options_.descriptors_max) pause_without_descriptors();
    auto& target = targets_[index];
    if (target.loop == &loop_) {
        target.sessions->serve(std::move(socket), listener, std::move(on_over));
        return;
    }
    target.loop->post([sessions = target.sessions, listener, socket = std::move(socket),
                       on_over = std::move(on_over)]() mutable {
        sessions->serve(std::move(socket), listener, std::move(on_over));
    });
}

// The kernel's queue of those who wait is bounded, too (socket.listen.backlog.size).
void Acceptor::pause_without_descriptors() {
    paused_ = true;
    for (auto& listener : listeners_)
        listener->pause();
    if (complaints_.allows("pause", loop_.clock().mono())) {
        log_.warn("accepting connections pauses: the open files allowed (ulimit -n) are used up",
                  {kv("connections", total_)});
    }
}

void Acceptor::connection_over(std::size_t target, const std::string& host) {
    --counts_[target];
    --total_;
    auto found = by_host_.find(host);
    if (--found->second == 0) by_host_.erase(found);
    if (!paused_ || total_ >= options_.descriptors_max) return;
    paused_ = false;
    for (auto& listener : listeners_)
        listener->resume();
}

}  // namespace kq
