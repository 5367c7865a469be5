// SPDX-License-Identifier: Apache-2.0
#include "net/poco_listener.hpp"

#include <cerrno>

#include <Poco/Net/NetException.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace kq {
namespace {

using Poco::Net::SocketAddress;

constexpr int accepts_per_turn_max = 64;
constexpr auto rest_without_descriptors = std::chrono::milliseconds(100);

SocketAddress with_port(const SocketAddress& address, std::uint16_t port) {
    return SocketAddress(address.host(), port);
}

}  // namespace

PocoListener::PocoListener(EpollLoop& loop, const PocoNetworkOptions& options, Logger log,
                           Endpoint name, Callback<void(std::unique_ptr<Socket>)> on_accepted)
    : loop_(loop),
      options_(options),
      log_(std::move(log)),
      name_(std::move(name)),
      on_accepted_(std::move(on_accepted)),
      rest_(loop),
      self_(std::make_shared<PocoListener*>(this)) {}

PocoListener::~PocoListener() {
    *self_ = nullptr;
    stop();
}

Status PocoListener::open(std::vector<SocketAddress> addresses, bool dual_stack) {
    loop_.assert_here();
    bool any_port = name_.port == 0;
    // With port 0 the first address is given one; on the next it may be taken, then we start over.
    for (int attempt = 0;; ++attempt) {
        ports_.clear();
        std::uint16_t port = name_.port;
        bool start_over = false;
        for (const auto& address : addresses) {
            if (dual_stack && !ports_.empty()) break;
            auto opened = open_one(with_port(address, port), dual_stack);
            if (!opened.ok()) {
                if (any_port && opened.code() == Errc::port_in_use && attempt < 20) {
                    start_over = true;
                    break;
                }
                return opened.error();
            }
            if (opened.value() == Opened::yes) port = ports_.back()->socket.address().port();
        }
        if (!start_over) break;
    }
    if (ports_.empty()) {
        return Error{Errc::unreachable,
                     "cannot listen on " + name_.text() + ": this machine has no such address"};
    }
    local_ = endpoint_of(ports_.front()->socket.address());
    if (ports_.size() > 1) local_.host = name_.host;
    start();
    return done();
}

Result<PocoListener::Opened> PocoListener::open_one(const SocketAddress& address, bool dual_stack) {
    auto cannot = [&](Errc code, const std::string& why) {
        return Error{code, "cannot listen on " + name_.text() + ": " + why};
    };
    try {
        Poco::Net::ServerSocket socket;
        if (address.family() == SocketAddress::IPv6) {
            socket.bind6(address, true, false, !dual_stack);
        } else {
            socket.bind(address, true, false);
        }
        socket.listen(options_.backlog);
        socket.setBlocking(false);
        ports_.push_back(std::make_unique<Port>(*this, socket));
        return Opened::yes;
    } catch (const Poco::Exception& failure) {
        switch (failure.code()) {
            case EADDRINUSE:
                return cannot(Errc::port_in_use,
                              "another process listens on port " + std::to_string(address.port()));
            case EACCES:
            case EPERM:
                return cannot(Errc::permission_denied, reason_of(failure.code()));
            case EADDRNOTAVAIL:
            case EAFNOSUPPORT:
                return Opened::no_such_address;
            default:
                return cannot(Errc::io_error, failure.displayText());
        }
    }
}

void PocoListener::Port::on_events(std::uint32_t) {
    owner.accept(*this);
}

void PocoListener::accept(Port& port) {
    loop_.assert_here();
    auto self = self_;
    int descriptor = descriptor_of(port.socket);
    for (int i = 0; i < accepts_per_turn_max; ++i) {
        int accepted = ::accept4(descriptor, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted < 0) {
            bool is_ours =
                errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
            if (is_ours) out_of_descriptors(errno);
            return;  // EAGAIN, or a connection that died while it waited
        }
        auto socket = stream_socket_of(accepted);
        Endpoint peer;
        Endpoint local;
        try {
            peer = endpoint_of(socket.peerAddress());
            local = endpoint_of(socket.address());
        } catch (const Poco::Exception&) {
            continue;  // gone again
        }
        set_options(accepted, options_, peer, local);
        on_accepted_(std::make_unique<PocoSocket>(socket, std::move(peer), std::move(local)));
        if (*self == nullptr || is_paused_) return;
    }
}

// Level-triggered readiness would spin: rest, and let those who are connected be served.
void PocoListener::out_of_descriptors(int number) {
    auto now = loop_.clock().mono();
    if (last_complaint_ == MonoTime::min() || now - last_complaint_ > std::chrono::minutes(1)) {
        last_complaint_ = now;
        log_.warn("accepting connections pauses",
                  {kv("listener", name_.text()), kv("why", reason_of(number))});
    }
    stop();
    rest_.set_after(rest_without_descriptors, [this] {
        loop_.assert_here();
        if (!is_paused_) start();
    });
}

void PocoListener::start() {
    if (is_watched_) return;
    is_watched_ = true;
    for (auto& port : ports_) {
        auto watched = loop_.watch(descriptor_of(port->socket), EPOLLIN, *port);
        KQ_CHECK_MSG(watched.ok(), "the kernel refuses to watch a listening socket");
    }
}

void PocoListener::stop() {
    if (!is_watched_) return;
    is_watched_ = false;
    for (auto& port : ports_)
        loop_.unwatch(descriptor_of(port->socket), *port);
}

void PocoListener::pause() {
    loop_.assert_here();
    is_paused_ = true;
    stop();
}

void PocoListener::resume() {
    loop_.assert_here();
    is_paused_ = false;
    if (!rest_.is_set()) start();
}

}  // namespace kq
