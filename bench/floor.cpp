// SPDX-License-Identifier: Apache-2.0
//
// bench-floor DIRECTORY: the least a broker can do for the load of bench-load, with plain system
// calls in one thread: level-triggered epoll, receive frames, crc32c, one pwritev per batch into
// one file per partition, a canned reply, one send per connection and turn. Fetch answers a header
// and sendfile. What kq costs beyond this is what kq adds.
//
// It understands Produce v7 and Fetch v11 of one topic and believes everything it is told: batches
// of one partition all have the same size, which is how it finds an offset in a file.
// Prints the port it listens on.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/bytes.hpp"
#include "protocol/crc32c.hpp"

namespace {

using kq::append_be;
using kq::load_be;
using kq::store_be;

struct Partition {
    int file = -1;
    std::int64_t size_bytes = 0;
    std::int64_t end_offset = 0;
    std::int64_t batch_bytes = 0;
    std::int64_t batch_records = 0;
};

struct Connection {
    int socket;
    kq::Bytes in;
    std::size_t in_begin = 0;
    std::size_t in_end = 0;
    kq::Bytes out;
    bool gone = false;
};

void die(const char* what) {
    std::perror(what);
    std::exit(1);
}

class Floor {
public:
    explicit Floor(std::string directory) : directory_(std::move(directory)) {}

    void run() {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
            ::listen(listener_, 128) != 0) {
            die("listen");
        }
        socklen_t length = sizeof address;
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
        std::printf("%d\n", ntohs(address.sin_port));
        std::fflush(stdout);

        poller_ = ::epoll_create1(EPOLL_CLOEXEC);
        epoll_event listening{.events = EPOLLIN, .data = {.ptr = nullptr}};
        ::epoll_ctl(poller_, EPOLL_CTL_ADD, listener_, &listening);
        epoll_event events[64];
        for (;;) {
            int ready = ::epoll_wait(poller_, events, 64, -1);
            for (int i = 0; i < ready; ++i) {
                if (events[i].data.ptr == nullptr) {
                    accept_one();
                } else {
                    serve(static_cast<Connection*>(events[i].data.ptr));
                }
            }
        }
    }

private:
    void accept_one() {
        int socket = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (socket < 0) return;
        int on = 1;
        ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        ::setsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
        auto* connection = new Connection{.socket = socket, .in = {}, .out = {}, .gone = false};
        connection->in.resize(std::size_t{1} << 20);
        epoll_event event{.events = EPOLLIN, .data = {.ptr = connection}};
        ::epoll_ctl(poller_, EPOLL_CTL_ADD, socket, &event);
    }

    static void close(Connection* c) {
        ::close(c->socket);
        delete c;
    }

    void serve(Connection* c) {
        ssize_t got = ::recv(c->socket, c->in.data() + c->in_end, c->in.size() - c->in_end, 0);
        if (got <= 0) return close(c);
        c->in_end += static_cast<std::size_t>(got);
        for (;;) {
            std::size_t have = c->in_end - c->in_begin;
            if (have < 4) break;
            auto* frame = c->in.data() + c->in_begin;
            auto size = static_cast<std::size_t>(load_be<std::int32_t>(frame));
            if (have < size + 4) break;
            answer(c, frame + 4);
            c->in_begin += size + 4;
        }
        flush(c);
        if (c->gone) return close(c);
        if (c->in_begin == c->in_end) {
            c->in_begin = c->in_end = 0;
        } else if (c->in_begin > c->in.size() / 2) {
            std::memmove(c->in.data(), c->in.data() + c->in_begin, c->in_end - c->in_begin);
            c->in_end -= c->in_begin;
            c->in_begin = 0;
        }
    }

    // `at` is behind the size. Header v1: key, version, correlation id, client id.
    void answer(Connection* c, std::uint8_t* at) {
        auto key = load_be<std::int16_t>(at);
        auto correlation = load_be<std::int32_t>(at + 4);
        at += 10 + load_be<std::int16_t>(at + 8);
        if (key == 0) {
            produce(c, correlation, at);
        } else {
            fetch(c, correlation, at);
        }
    }

    void produce(Connection* c, std::int32_t correlation, std::uint8_t* at) {
        at += 2 + 2 + 4 + 4;  // transactional id (null), acks, timeout, one topic
        auto name_bytes = load_be<std::int16_t>(at);
        std::string_view name(reinterpret_cast<char*>(at + 2),
                              static_cast<std::size_t>(name_bytes));
        at += 2 + name_bytes + 4;  // one partition
        auto index = load_be<std::int32_t>(at);
        auto batch_bytes = load_be<std::int32_t>(at + 4);
        std::uint8_t* batch = at + 8;

        Partition& partition = open(index);
        kq::ByteView covered(batch + 21, static_cast<std::size_t>(batch_bytes) - 21);
        if (kq::crc32c(covered) != load_be<std::uint32_t>(batch + 17)) die("crc");
        auto records = load_be<std::int32_t>(batch + 57);
        store_be<std::int64_t>(batch, partition.end_offset);
        store_be<std::int32_t>(batch + 12, 0);
        iovec piece{batch, static_cast<std::size_t>(batch_bytes)};
        if (::pwritev(partition.file, &piece, 1, partition.size_bytes) != batch_bytes) {
            die("pwritev");
        }
        auto base = partition.end_offset;
        partition.batch_bytes = batch_bytes;
        partition.batch_records = records;
        partition.size_bytes += batch_bytes;
        partition.end_offset += records;

        kq::Bytes& out = c->out;
        auto start = out.size();
        append_be<std::int32_t>(out, 0);
        append_be(out, correlation);
        append_be<std::int32_t>(out, 1);
        append_be(out, name_bytes);
        kq::append(out, kq::as_bytes(name));
        append_be<std::int32_t>(out, 1);
        append_be(out, index);
        append_be<std::int16_t>(out, 0);
        append_be(out, base);
        append_be<std::int64_t>(out, -1);
        append_be<std::int64_t>(out, 0);
        append_be<std::int32_t>(out, 0);  // throttle time
        store_be(out.data() + start, static_cast<std::int32_t>(out.size() - start - 4));
    }

    void fetch(Connection* c, std::int32_t correlation, std::uint8_t* at) {
        at += 4 + 4 + 4;  // replica id, max wait, min bytes
        auto bytes_max = load_be<std::int32_t>(at);
        at += 4 + 1 + 4 + 4 + 4;  // max bytes, isolation, session id, session epoch, one topic
        auto name_bytes = load_be<std::int16_t>(at);
        std::string_view name(reinterpret_cast<char*>(at + 2),
                              static_cast<std::size_t>(name_bytes));
        at += 2 + name_bytes + 4;
        auto index = load_be<std::int32_t>(at);
        auto offset = load_be<std::int64_t>(at + 8);

        Partition& partition = open(index);
        off_t position = partition.batch_records == 0
                             ? 0
                             : offset / partition.batch_records * partition.batch_bytes;
        auto length = std::min<std::int64_t>(bytes_max, partition.size_bytes - position);

        kq::Bytes& out = c->out;
        auto start = out.size();
        append_be<std::int32_t>(out, 0);
        append_be(out, correlation);
        append_be<std::int32_t>(out, 0);  // throttle time
        append_be<std::int16_t>(out, 0);
        append_be<std::int32_t>(out, 0);  // session id
        append_be<std::int32_t>(out, 1);
        append_be(out, name_bytes);
        kq::append(out, kq::as_bytes(name));
        append_be<std::int32_t>(out, 1);
        append_be(out, index);
        append_be<std::int16_t>(out, 0);
        append_be(out, partition.end_offset);
        append_be(out, partition.end_offset);
        append_be<std::int64_t>(out, 0);
        append_be<std::int32_t>(out, -1);  // aborted transactions
        append_be<std::int32_t>(out, -1);  // preferred replica
        append_be(out, static_cast<std::int32_t>(length));
        store_be(out.data() + start, static_cast<std::int32_t>(out.size() - start - 4 +
                                                               static_cast<std::size_t>(length)));
        send_all(c, MSG_MORE);
        while (length > 0 && !c->gone) {
            auto sent =
                ::sendfile(c->socket, partition.file, &position, static_cast<std::size_t>(length));
            if (sent > 0) {
                length -= sent;
            } else {
                wait_writable(c);
            }
        }
    }

    void flush(Connection* c) {
        if (!c->out.empty()) send_all(c, 0);
    }

    void send_all(Connection* c, int flags) {
        std::size_t sent = 0;
        while (sent < c->out.size() && !c->gone) {
            auto n =
                ::send(c->socket, c->out.data() + sent, c->out.size() - sent, flags | MSG_NOSIGNAL);
            if (n > 0) {
                sent += static_cast<std::size_t>(n);
            } else {
                wait_writable(c);
            }
        }
        c->out.clear();
    }

    // The one place where the floor waits inside a turn.
    void wait_writable(Connection* c) {
        int poller = ::epoll_create1(EPOLL_CLOEXEC);
        epoll_event event{.events = EPOLLOUT, .data = {.fd = c->socket}};
        ::epoll_ctl(poller, EPOLL_CTL_ADD, c->socket, &event);
        int ready = ::epoll_wait(poller, &event, 1, 10'000);
        ::close(poller);
        if (ready <= 0 || (event.events & (EPOLLERR | EPOLLHUP)) != 0) c->gone = true;
    }

    Partition& open(std::int32_t index) {
        Partition& partition = partitions_[index];
        if (partition.file < 0) {
            auto path = directory_ + "/" + std::to_string(index) + ".log";
            partition.file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
            if (partition.file < 0) die(path.c_str());
        }
        return partition;
    }

    std::string directory_;
    int listener_ = -1;
    int poller_ = -1;
    std::map<std::int32_t, Partition> partitions_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: bench-floor DIRECTORY\n");
        return 2;
    }
    // A client may go away in the middle of an answer.
    std::signal(SIGPIPE, SIG_IGN);
    Floor(argv[1]).run();
}
