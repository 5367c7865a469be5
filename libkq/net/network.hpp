// SPDX-License-Identifier: Apache-2.0
//
// Network: the seam to sockets. The real one is net/poco_network (one per EpollLoop), the simulated
// one net/sim_network.
//
// shape    a Connection belongs to one loop; its events come on that loop, level-triggered:
//          on_readable repeats every turn while bytes wait and reading is not paused
// owner    the loop the Network was made for; a Socket may travel between threads
// errors   port_in_use, permission_denied, unreachable (with the address in the message);
//          receive: would_block, connection_closed (orderly end), io_error (reset)
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/chain.hpp"
#include "base/function.hpp"
#include "base/loop.hpp"
#include "base/result.hpp"

namespace kq {

struct Endpoint {
    std::string host;
    std::uint16_t port = 0;
    friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
    std::string text() const;  // "host:9092", "[::1]:9092"
    // HOST, HOST:PORT, [V6]:PORT; `default_port` where none is given.
    static Result<Endpoint> parse(std::string_view text, std::uint16_t default_port);
};

// An open socket on its way to the loop that will serve it. Destroying it closes it.
class Socket {
public:
    virtual ~Socket() = default;
    virtual Endpoint peer() const = 0;
};

class ConnectionEvents {
public:
    // The peer answered (outgoing connections only); comes before any other event.
    virtual void on_connected() {}
    // Bytes wait. The handler calls receive() until it has what it wants, or pauses reading.
    virtual void on_readable() = 0;
    // Everything handed to send() was given to the kernel.
    virtual void on_drained() {}
    // The connection is over: could not connect, the peer closed or reset it, or a file slice came
    // up short. Comes at most once; never as an answer to destroying the Connection. `why` is
    // connection_closed for an orderly end.
    virtual void on_closed(const Error& why) = 0;

protected:
    ~ConnectionEvents() = default;
};

class Connection {
public:
    virtual ~Connection() = default;  // closes; allowed inside its own events

    // Reads what has arrived, at most into.size() bytes. would_block when nothing waits,
    // connection_closed at the end.
    virtual Result<std::size_t> receive(MutableBytes into) = 0;
    // Queues bytes; they leave at the end of the turn, with everything else queued in it, in as few
    // system calls as the pieces allow (file slices by sendfile).
    virtual void send(Chain chain) = 0;
    // Queued and not yet taken by the kernel.
    virtual std::uint64_t unsent_bytes() const = 0;

    virtual void pause_reading() = 0;
    virtual void resume_reading() = 0;
    // Sends what is queued, then closes; on_closed follows.
    virtual void close_after_sending() = 0;

    // Takes the socket away, to hand it to another loop. Requires: unsent_bytes() == 0.
    // The connection is dead afterwards and gives no further events.
    virtual std::unique_ptr<Socket> detach() = 0;

    virtual Endpoint peer() const = 0;
    virtual Endpoint local() const = 0;
};

class Listener {
public:
    virtual ~Listener() = default;       // stops listening
    virtual Endpoint local() const = 0;  // with the port that was given for port 0
    virtual void pause() = 0;
    virtual void resume() = 0;
};

class Network {
public:
    virtual ~Network() = default;
    virtual Result<std::unique_ptr<Listener>> listen(
        const Endpoint& at, Callback<void(std::unique_ptr<Socket>)> on_accepted) = 0;
    // Serves a socket on this loop.
    virtual std::unique_ptr<Connection> adopt(std::unique_ptr<Socket> socket,
                                              ConnectionEvents& events) = 0;
    // Starts connecting (names are resolved off the loop, every address is tried in turn);
    // on_connected or on_closed follows in a later turn.
    virtual std::unique_ptr<Connection> connect(const Endpoint& to, ConnectionEvents& events) = 0;
};

}  // namespace kq
