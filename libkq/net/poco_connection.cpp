// SPDX-License-Identifier: Apache-2.0
#include "net/poco_connection.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace kq {
namespace {

constexpr std::size_t pieces_per_call_max = 64;
constexpr auto linger_max = std::chrono::seconds(2);
constexpr std::uint64_t linger_bytes_max = 1 << 20;

}  // namespace

PocoConnection::PocoConnection(EpollLoop& loop, const PocoNetworkOptions& options,
                               std::unique_ptr<PocoSocket> socket, ConnectionEvents& events)
    : loop_(loop),
      options_(options),
      events_(events),
      socket_(std::move(socket->socket)),
      fd_(descriptor_of(socket_)),
      state_(State::open),
      peer_(std::move(socket->peer_endpoint)),
      local_(std::move(socket->local_endpoint)),
      timer_(loop),
      self_(std::make_shared<PocoConnection*>(this)) {
    update_interest();
}

PocoConnection::PocoConnection(EpollLoop& loop, const PocoNetworkOptions& options, Endpoint to,
                               ConnectionEvents& events)
    : loop_(loop),
      options_(options),
      events_(events),
      peer_(std::move(to)),
      timer_(loop),
      self_(std::make_shared<PocoConnection*>(this)) {}

PocoConnection::~PocoConnection() {
    *self_ = nullptr;
    release();
}

void PocoConnection::connect_to(std::vector<Poco::Net::SocketAddress> addresses,
                                std::string why_none) {
    loop_.assert_here();
    addresses_ = std::move(addresses);
    last_failure_ = std::move(why_none);
    try_next_address();
}

void PocoConnection::try_next_address() {
    while (address_next_ < addresses_.size()) {
        const auto& address = addresses_[address_next_++];
        fd_ = ::socket(address.af(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd_ < 0) {
            last_failure_ = reason_of(errno);
            continue;
        }
        socket_ = stream_socket_of(fd_);
        if (::connect(fd_, address.addr(), address.length()) == 0 || errno == EINPROGRESS) {
            wants_write_ = true;
            update_interest();
            timer_.set_after(options_.connect_timeout, [this] {
                loop_.assert_here();
                address_failed(ETIMEDOUT);
            });
            return;
        }
        last_failure_ = reason_of(errno);
        release();
    }
    close(Error{Errc::unreachable, "cannot connect to " + peer_.text() + ": " + last_failure_});
}

void PocoConnection::address_failed(int number) {
    last_failure_ = reason_of(number);
    release();
    try_next_address();
}

void PocoConnection::finish_connecting() {
    int number = 0;
    socklen_t size = sizeof number;
    ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &number, &size);
    if (number != 0) return address_failed(number);
    timer_.cancel();
    state_ = State::open;
    wants_write_ = false;
    try {
        local_ = endpoint_of(socket_.address());
        peer_ = endpoint_of(socket_.peerAddress());
    } catch (const Poco::Exception&) {
        return address_failed(ENOTCONN);  // gone again already
    }
    set_options(fd_, options_, peer_, local_);
    update_interest();
    auto self = self_;
    events_.on_connected();
    if (*self != nullptr && !pieces_.empty()) schedule_flush();
}

void PocoConnection::on_events(std::uint32_t epoll_events) {
    loop_.assert_here();
    if (state_ == State::connecting) {
        finish_connecting();
        return;
    }
    auto self = self_;
    if (state_ == State::lingering) {
        std::array<std::uint8_t, 16384> dropped;
        auto count = ::recv(fd_, dropped.data(), dropped.size(), MSG_DONTWAIT);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (count > 0) lingered_bytes_ += static_cast<std::uint64_t>(count);
        if (count <= 0 || lingered_bytes_ > linger_bytes_max) {
            close(Error{Errc::connection_closed, "closed"});
        }
        return;
    }
    if ((epoll_events & EPOLLOUT) != 0) {
        flush();
        if (*self == nullptr || state_ != State::open) return;
    }
    constexpr std::uint32_t over = EPOLLHUP | EPOLLERR;
    if (is_reading_ && (epoll_events & (EPOLLIN | EPOLLRDHUP | over)) != 0) {
        events_.on_readable();
        return;
    }
    // Not reading, and the peer is gone: the kernel would tell us again in every turn.
    if ((epoll_events & over) != 0) {
        close(Error{Errc::io_error, "the peer reset the connection"});
    }
}

Result<std::size_t> PocoConnection::receive(MutableBytes into) {
    loop_.assert_here();
    KQ_CHECK(!into.empty());
    while (state_ == State::open) {
        auto count = ::recv(fd_, into.data(), into.size(), MSG_DONTWAIT);
        if (count > 0) return static_cast<std::size_t>(count);
        if (count == 0) return Error{Errc::connection_closed, "the peer closed the connection"};
        if (errno == EINTR) continue;
        if (errno == EAGAIN) return Error{Errc::would_block};
        return Error{Errc::io_error, reason_of(errno)};
    }
    return Error{Errc::connection_closed, "closed"};
}

void PocoConnection::send(Chain chain) {
    loop_.assert_here();
    if (state_ == State::lingering || state_ == State::closed || chain.empty()) return;
    unsent_bytes_ += chain.size_bytes();
    if (pieces_.empty()) {
        pieces_ = std::move(chain).take_pieces();
    } else {
        for (auto& piece : std::move(chain).take_pieces())
            pieces_.push_back(std::move(piece));
    }
    schedule_flush();
}

// Once a turn, behind the outbox; while the kernel is full EPOLLOUT does it.
void PocoConnection::schedule_flush() {
    if (flush_scheduled_ || wants_write_ || state_ != State::open) return;
    flush_scheduled_ = true;
    loop_.at_flush([self = self_] {
        auto* connection = *self;
        if (connection == nullptr) return;
        connection->loop_.assert_here();
        connection->flush_scheduled_ = false;
        connection->flush();
    });
}

void PocoConnection::flush() {
    if (state_ != State::open) return;
    turn_left_ = options_.bytes_per_turn_max;
    Sent sent = send_pieces();
    if (sent == Sent::failed) return close(failure_);
    bool full = sent == Sent::full;
    if (full != wants_write_) {
        wants_write_ = full;
        update_interest();
    }
    if (full) return;
    if (closing_) return linger();
    events_.on_drained();
}

PocoConnection::Sent PocoConnection::send_pieces() {
    while (first_ < pieces_.size()) {
        if (turn_left_ == 0) return Sent::full;  // the others' turn
        Sent sent;
        if (const auto* slice = std::get_if<FileSlice>(&pieces_[first_])) {
            bool more = first_ + 1 < pieces_.size();
            sent = slice->file->native_handle() >= 0 ? send_file(*slice, more)
                                                     : send_from_memory_file(*slice, more);
        } else {
            sent = send_memory();
        }
        if (sent != Sent::everything) return sent;
    }
    pieces_.clear();
    if (pieces_.capacity() > 64) pieces_.shrink_to_fit();  // an idle connection holds no buffer
    first_ = 0;
    first_sent_ = 0;
    return Sent::everything;
}

// As many pieces of memory as stand in a row. `everything` here: go on with the next piece.
PocoConnection::Sent PocoConnection::send_memory() {
    std::array<iovec, pieces_per_call_max> vector;
    std::size_t count = 0;
    std::size_t wanted = 0;
    std::size_t at = first_;
    std::uint64_t skip = first_sent_;
    for (; at < pieces_.size() && count < vector.size(); ++at) {
        const auto* memory = std::get_if<SharedBytes>(&pieces_[at]);
        if (memory == nullptr) break;
        ByteView rest = memory->view().subspan(static_cast<std::size_t>(skip));
        skip = 0;
        vector[count++] = {const_cast<std::uint8_t*>(rest.data()), rest.size()};
        wanted += rest.size();
    }
    msghdr message{};
    message.msg_iov = vector.data();
    message.msg_iovlen = count;
    int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (at < pieces_.size() ? MSG_MORE : 0);
    auto sent = ::sendmsg(fd_, &message, flags);
    if (sent < 0) return send_stopped();
    auto taken = static_cast<std::uint64_t>(sent);
    advance(taken);
    turn_left_ -= std::min(turn_left_, taken);
    return taken < wanted ? Sent::full : Sent::everything;
}

PocoConnection::Sent PocoConnection::send_file(const FileSlice& slice, bool more_follows) {
    // sendfile has no MSG_MORE: the last segment of a slice in the middle leaves as it is.
    static_cast<void>(more_follows);
    auto position = static_cast<off_t>(slice.position + first_sent_);
    auto wanted = std::min(slice.length - first_sent_, turn_left_);
    auto sent =
        ::sendfile(fd_, slice.file->native_handle(), &position, static_cast<std::size_t>(wanted));
    if (sent < 0) return send_stopped();
    if (sent == 0) {
        failure_ = Error{Errc::io_error, "a file became shorter than what was promised of it"};
        return Sent::failed;
    }
    auto taken = static_cast<std::uint64_t>(sent);
    advance(taken);
    turn_left_ -= taken;
    return taken < wanted ? Sent::full : Sent::everything;
}

// Files without a descriptor (in memory) are copied out.
PocoConnection::Sent PocoConnection::send_from_memory_file(const FileSlice& slice,
                                                           bool more_follows) {
    std::array<std::uint8_t, 65536> buffer;
    auto wanted = static_cast<std::size_t>(
        std::min({slice.length - first_sent_, turn_left_, std::uint64_t{buffer.size()}}));
    auto got = slice.file->pread(slice.position + first_sent_, MutableBytes(buffer).first(wanted));
    if (!got.ok() || got.value() == 0) {
        failure_ = got.ok()
                       ? Error{Errc::io_error, "a file became shorter than what was promised of it"}
                       : got.error();
        return Sent::failed;
    }
    bool more = more_follows || first_sent_ + got.value() < slice.length;
    auto sent = ::send(fd_, buffer.data(), got.value(),
                       MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0));
    if (sent < 0) return send_stopped();
    auto taken = static_cast<std::uint64_t>(sent);
    advance(taken);
    turn_left_ -= taken;
    return taken < got.value() ? Sent::full : Sent::everything;
}

PocoConnection::Sent PocoConnection::send_stopped() {
    if (errno == EINTR) return Sent::everything;  // once more
    if (errno == EAGAIN) return Sent::full;
    failure_ = Error{Errc::io_error, reason_of(errno)};
    return Sent::failed;
}

// `count` bytes from the front are gone. A piece is let go as soon as it is (I41).
void PocoConnection::advance(std::uint64_t count) {
    unsent_bytes_ -= count;
    while (count > 0) {
        auto& piece = pieces_[first_];
        auto length = std::holds_alternative<SharedBytes>(piece)
                          ? std::uint64_t{std::get<SharedBytes>(piece).size()}
                          : std::get<FileSlice>(piece).length;
        if (count < length - first_sent_) {
            first_sent_ += count;
            return;
        }
        count -= length - first_sent_;
        first_sent_ = 0;
        piece = SharedBytes{};
        ++first_;
    }
}

void PocoConnection::pause_reading() {
    loop_.assert_here();
    is_reading_ = false;
    update_interest();
}

void PocoConnection::resume_reading() {
    loop_.assert_here();
    is_reading_ = true;
    update_interest();
}

void PocoConnection::close_after_sending() {
    loop_.assert_here();
    if (closing_ || state_ == State::closed) return;
    closing_ = true;
    is_reading_ = false;
    update_interest();
    schedule_flush();
}

void PocoConnection::linger() {
    state_ = State::lingering;
    is_reading_ = true;
    wants_write_ = false;
    update_interest();
    if (::shutdown(fd_, SHUT_WR) != 0) {
        return close(Error{Errc::connection_closed, "closed"});
    }
    timer_.set_after(linger_max, [this] {
        loop_.assert_here();
        close(Error{Errc::connection_closed, "closed"});
    });
}

std::unique_ptr<Socket> PocoConnection::detach() {
    loop_.assert_here();
    KQ_CHECK(state_ == State::open && unsent_bytes_ == 0);
    if (is_watched_) loop_.unwatch(fd_, *this);
    is_watched_ = false;
    auto socket = std::make_unique<PocoSocket>(socket_, peer_, local_);
    socket_ = Poco::Net::StreamSocket();
    fd_ = -1;
    state_ = State::closed;
    return socket;
}

void PocoConnection::update_interest() {
    if (fd_ < 0) return;
    std::uint32_t wanted = 0;
    if (is_reading_ && state_ != State::connecting) wanted |= EPOLLIN;
    if (wants_write_) wanted |= EPOLLOUT;
    if (is_watched_ && wanted == interest_) return;
    interest_ = wanted;
    if (is_watched_) return loop_.change(fd_, wanted, *this);
    is_watched_ = loop_.watch(fd_, wanted, *this).ok();
    KQ_CHECK_MSG(is_watched_, "the kernel refuses to watch a socket");
}

void PocoConnection::close(Error why) {
    if (state_ == State::closed) return;
    state_ = State::closed;
    release();
    events_.on_closed(why);  // may destroy us
}

// Gives the descriptor back.
void PocoConnection::release() {
    timer_.cancel();
    if (fd_ < 0) return;
    if (is_watched_) loop_.unwatch(fd_, *this);
    is_watched_ = false;
    fd_ = -1;
    socket_ = Poco::Net::StreamSocket();  // the last reference closes
}

}  // namespace kq
