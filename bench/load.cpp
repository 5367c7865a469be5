// SPDX-License-Identifier: Apache-2.0
//
// bench-load: the same requests to any broker: one thread, prebuilt frames, as little work of its
// own as can be. One batch a request; connection c uses partition c modulo the number of
// partitions.
//
//   bench-load produce PORT TOPIC PARTITIONS CONNECTIONS DEPTH BATCH_BYTES TOTAL_BYTES
//   bench-load fetch   PORT TOPIC PARTITIONS CONNECTIONS MAX_BYTES TOTAL_BYTES
//
// Records are 100-byte values without keys (108 bytes in a batch). Produce is v7 with acks=1, Fetch
// v11 without a session. Prints: requests records bytes seconds client_cpu_seconds.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.hpp"
#include "protocol/crc32c.hpp"

namespace {

using kq::append_be;
using kq::load_be;
using kq::store_be;

constexpr std::size_t value_bytes = 100;

[[noreturn]] void die(const char* what) {
    std::perror(what);
    std::exit(1);
}

void append_varint(kq::Bytes& out, std::int64_t value) {
    auto zigzag = static_cast<std::uint64_t>(value << 1) ^ static_cast<std::uint64_t>(value >> 63);
    while (zigzag >= 128) {
        out.push_back(static_cast<std::uint8_t>(zigzag | 128));
        zigzag >>= 7;
    }
    out.push_back(static_cast<std::uint8_t>(zigzag));
}

// One batch of about `batch_bytes`, as a producer without idempotence sends it.
kq::Bytes make_batch(std::size_t batch_bytes, std::int32_t& record_count) {
    kq::Bytes records;
    record_count = 0;
    while (61 + records.size() + 110 < batch_bytes || record_count == 0) {
        kq::Bytes body;
        body.push_back(0);
        append_varint(body, 0);
        append_varint(body, record_count);
        append_varint(body, -1);
        append_varint(body, static_cast<std::int64_t>(value_bytes));
        for (std::size_t i = 0; i < value_bytes; ++i) {
            body.push_back(
                static_cast<std::uint8_t>('a' + (i + static_cast<std::size_t>(record_count)) % 26));
        }
        append_varint(body, 0);
        append_varint(records, static_cast<std::int64_t>(body.size()));
        kq::append(records, body);
        ++record_count;
    }
    auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
                   std::chrono::system_clock::now().time_since_epoch())
                   .count();
    kq::Bytes batch;
    append_be<std::int64_t>(batch, 0);
    append_be(batch, static_cast<std::int32_t>(49 + records.size()));
    append_be<std::int32_t>(batch, -1);
    batch.push_back(2);
    append_be<std::uint32_t>(batch, 0);
    append_be<std::int16_t>(batch, 0);
    append_be(batch, record_count - 1);
    append_be<std::int64_t>(batch, now);
    append_be<std::int64_t>(batch, now);
    append_be<std::int64_t>(batch, -1);
    append_be<std::int16_t>(batch, -1);
    append_be<std::int32_t>(batch, -1);
    append_be(batch, record_count);
    kq::append(batch, records);
    store_be(batch.data() + 17, kq::crc32c(kq::ByteView(batch).subspan(21)));
    return batch;
}

void append_string(kq::Bytes& out, std::string_view text) {
    append_be(out, static_cast<std::int16_t>(text.size()));
    kq::append(out, kq::as_bytes(text));
}

kq::Bytes request_header(std::int16_t key, std::int16_t version) {
    kq::Bytes out;
    append_be<std::int32_t>(out, 0);
    append_be(out, key);
    append_be(out, version);
    append_be<std::int32_t>(out, 0);
    append_string(out, "load");
    return out;
}

void close_frame(kq::Bytes& frame) {
    store_be(frame.data(), static_cast<std::int32_t>(frame.size() - 4));
}

int connect_to(std::uint16_t port) {
    int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
    if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        die("connect");
    }
    return socket;
}

void send_all(int socket, const std::uint8_t* bytes, std::size_t size) {
    while (size > 0) {
        auto sent = ::send(socket, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0) die("send");
        bytes += sent;
        size -= static_cast<std::size_t>(sent);
    }
}

struct Totals {
    std::int64_t requests = 0;
    std::int64_t records = 0;
    std::int64_t bytes = 0;
};

// A connection's incoming bytes, cut into frames.
class Inbox {
public:
    explicit Inbox(int socket) : socket_(socket) { buffer_.resize(std::size_t{1} << 16); }

    // Reads once and calls handle(frame body) for each complete frame.
    template <class Handle>
    void read(Handle handle) {
        if (end_ == buffer_.size()) buffer_.resize(buffer_.size() * 2);
        auto got = ::recv(socket_, buffer_.data() + end_, buffer_.size() - end_, 0);
        if (got <= 0) die("the broker closed the connection");
        end_ += static_cast<std::size_t>(got);
        std::size_t at = 0;
        while (end_ - at >= 4) {
            auto size = static_cast<std::size_t>(load_be<std::int32_t>(buffer_.data() + at));
            if (end_ - at < size + 4) {
                if (buffer_.size() < size + 4) buffer_.resize(size + 4);
                break;
            }
            handle(kq::ByteView(buffer_.data() + at + 4, size));
            at += size + 4;
        }
        std::memmove(buffer_.data(), buffer_.data() + at, end_ - at);
        end_ -= at;
    }

private:
    int socket_;
    kq::Bytes buffer_;
    std::size_t end_ = 0;
};

struct Producer {
    int socket;
    kq::Bytes frames;  // `depth` copies of the request, so that a burst leaves in one send
    Inbox inbox;
    int in_flight = 0;
};

Totals produce(std::uint16_t port, const std::string& topic, int partitions, int connections,
               int depth, std::size_t batch_bytes, std::int64_t total_bytes) {
    std::int32_t record_count = 0;
    kq::Bytes batch = make_batch(batch_bytes, record_count);
    std::deque<Producer> producers;
    std::size_t frame_bytes = 0;
    for (int c = 0; c < connections; ++c) {
        kq::Bytes frame = request_header(0, 7);
        append_be<std::int16_t>(frame, -1);
        append_be<std::int16_t>(frame, 1);
        append_be<std::int32_t>(frame, 30'000);
        append_be<std::int32_t>(frame, 1);
        append_string(frame, topic);
        append_be<std::int32_t>(frame, 1);
        append_be<std::int32_t>(frame, c % partitions);
        append_be(frame, static_cast<std::int32_t>(batch.size()));
        kq::append(frame, batch);
        close_frame(frame);
        frame_bytes = frame.size();
        kq::Bytes frames;
        for (int i = 0; i < depth; ++i)
            kq::append(frames, frame);
        int socket = connect_to(port);
        producers.push_back({socket, std::move(frames), Inbox(socket)});
    }

    Totals sent;
    Totals answered;
    auto refill = [&](Producer& producer) {
        int burst = 0;
        while (producer.in_flight + burst < depth &&
               sent.bytes + burst * static_cast<std::int64_t>(batch.size()) < total_bytes) {
            ++burst;
        }
        if (burst == 0) return;
        producer.in_flight += burst;
        sent.bytes += burst * static_cast<std::int64_t>(batch.size());
        send_all(producer.socket, producer.frames.data(),
                 static_cast<std::size_t>(burst) * frame_bytes);
    };
    int poller = ::epoll_create1(0);
    for (auto& producer : producers) {
        epoll_event event{.events = EPOLLIN, .data = {.ptr = &producer}};
        ::epoll_ctl(poller, EPOLL_CTL_ADD, producer.socket, &event);
        refill(producer);
    }
    // Error code: behind correlation id, topic count, name, partition count and index.
    auto error_at = 4 + 4 + 2 + topic.size() + 4 + 4;
    while (answered.bytes < sent.bytes) {
        epoll_event events[64];
        int ready = ::epoll_wait(poller, events, 64, 30'000);
        if (ready <= 0) die("no answer for 30 s");
        for (int i = 0; i < ready; ++i) {
            auto& producer = *static_cast<Producer*>(events[i].data.ptr);
            producer.inbox.read([&](kq::ByteView body) {
                auto error = load_be<std::int16_t>(body.data() + error_at);
                if (error != 0) {
                    std::fprintf(stderr, "bench-load: produce failed with error %d\n", error);
                    std::exit(1);
                }
                --producer.in_flight;
                ++answered.requests;
                answered.records += record_count;
                answered.bytes += static_cast<std::int64_t>(batch.size());
            });
            refill(producer);
        }
    }
    return answered;
}

struct Consumer {
    int socket;
    std::int32_t partition;
    std::int64_t offset;
    Inbox inbox;
};

Totals fetch(std::uint16_t port, const std::string& topic, int partitions, int connections,
             std::int32_t bytes_max, std::int64_t total_bytes) {
    std::deque<Consumer> consumers;
    for (int c = 0; c < connections; ++c) {
        int socket = connect_to(port);
        consumers.push_back({socket, c % partitions, 0, Inbox(socket)});
    }
    auto ask = [&](Consumer& consumer) {
        kq::Bytes frame = request_header(1, 11);
        append_be<std::int32_t>(frame, -1);   // replica id
        append_be<std::int32_t>(frame, 500);  // max wait
        append_be<std::int32_t>(frame, 1);    // min bytes
        append_be(frame, bytes_max);
        frame.push_back(0);                 // read uncommitted
        append_be<std::int32_t>(frame, 0);  // no session
        append_be<std::int32_t>(frame, -1);
        append_be<std::int32_t>(frame, 1);
        append_string(frame, topic);
        append_be<std::int32_t>(frame, 1);
        append_be(frame, consumer.partition);
        append_be<std::int32_t>(frame, -1);  // leader epoch
        append_be(frame, consumer.offset);
        append_be<std::int64_t>(frame, -1);  // log start
        append_be(frame, bytes_max);
        append_be<std::int32_t>(frame, 0);  // nothing forgotten
        append_string(frame, "");
        close_frame(frame);
        send_all(consumer.socket, frame.data(), frame.size());
    };
    int poller = ::epoll_create1(0);
    for (auto& consumer : consumers) {
        epoll_event event{.events = EPOLLIN, .data = {.ptr = &consumer}};
        ::epoll_ctl(poller, EPOLL_CTL_ADD, consumer.socket, &event);
        ask(consumer);
    }
    Totals totals;
    auto partition_at = 4 + 4 + 2 + 4 + 4 + 2 + topic.size() + 4;
    while (totals.bytes < total_bytes) {
        epoll_event events[64];
        int ready = ::epoll_wait(poller, events, 64, 30'000);
        if (ready <= 0) die("no answer for 30 s");
        for (int i = 0; i < ready; ++i) {
            auto& consumer = *static_cast<Consumer*>(events[i].data.ptr);
            consumer.inbox.read([&](kq::ByteView body) {
                const std::uint8_t* at = body.data() + partition_at;
                auto error = load_be<std::int16_t>(at + 4);
                if (error != 0) {
                    std::fprintf(stderr, "bench-load: fetch failed with error %d\n", error);
                    std::exit(1);
                }
                at += 4 + 2 + 8 + 8 + 8 + 4 + 4;
                auto size = load_be<std::int32_t>(at);
                const std::uint8_t* batch = at + 4;
                const std::uint8_t* end = batch + size;
                ++totals.requests;
                totals.bytes += size;
                if (size == 0) consumer.offset = 0;
                while (end - batch >= 61) {
                    auto length = 12 + load_be<std::int32_t>(batch + 8);
                    if (end - batch < length) break;
                    consumer.offset =
                        load_be<std::int64_t>(batch) + load_be<std::int32_t>(batch + 23) + 1;
                    totals.records += load_be<std::int32_t>(batch + 57);
                    batch += length;
                }
                ask(consumer);
            });
        }
    }
    return totals;
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<std::string> args(argv + 1, argv + argc);
    auto number = [&](std::size_t i) { return std::atoll(args[i].c_str()); };
    auto start = std::chrono::steady_clock::now();
    Totals totals;
    if (args.size() == 8 && args[0] == "produce") {
        totals =
            produce(static_cast<std::uint16_t>(number(1)), args[2], static_cast<int>(number(3)),
                    static_cast<int>(number(4)), static_cast<int>(number(5)),
                    static_cast<std::size_t>(number(6)), number(7));
    } else if (args.size() == 7 && args[0] == "fetch") {
        totals =
            fetch(static_cast<std::uint16_t>(number(1)), args[2], static_cast<int>(number(3)),
                  static_cast<int>(number(4)), static_cast<std::int32_t>(number(5)), number(6));
    } else {
        std::fprintf(stderr,
                     "usage: bench-load produce PORT TOPIC PARTITIONS CONNECTIONS DEPTH "
                     "BATCH_BYTES TOTAL_BYTES\n"
                     "       bench-load fetch PORT TOPIC PARTITIONS CONNECTIONS MAX_BYTES "
                     "TOTAL_BYTES\n");
        return 2;
    }
    std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    rusage use{};
    ::getrusage(RUSAGE_SELF, &use);
    auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
    };
    std::printf("%lld %lld %lld %.6f %.6f\n", static_cast<long long>(totals.requests),
                static_cast<long long>(totals.records), static_cast<long long>(totals.bytes),
                took.count(), seconds(use.ru_utime) + seconds(use.ru_stime));
}
